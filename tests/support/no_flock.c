/* Preloaded into a process, it is a file system without locks: flock and the locks of fcntl fail with the number in NO_FLOCK_CODE, fsync of
   a folder with EINVAL, and where NO_FLOCK_LINK is set, link with EPERM. Each lock that was asked for is a line in the file NO_FLOCK_LOG. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int refused(int fd) {
    char link[64], path[4096];
    const char *log = getenv("NO_FLOCK_LOG"), *code = getenv("NO_FLOCK_CODE");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (log && length > 0) {
        int handle = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        path[length] = '\n';
        if (handle >= 0) {
            if (syscall(SYS_write, handle, path, length + 1) < 0) abort();
            syscall(SYS_close, handle);
        }
    }
    errno = code ? atoi(code) : ENOSYS;
    return -1;
}

int flock(int fd, int operation) {
    (void)operation;
    return refused(fd);
}

int fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW) return refused(fd);
    return (int)syscall(SYS_fcntl, fd, command, argument);
}
int fcntl64(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return fcntl(fd, command, argument);
}
int lockf(int fd, int command, off_t length) {
    (void)command, (void)length;
    return refused(fd);
}

int fsync(int fd) {
    struct stat status;
    if (!syscall(SYS_fstat, fd, &status) && S_ISDIR(status.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

static int linked(int base, const char *from, int other, const char *to, int flags) {
    if (getenv("NO_FLOCK_LINK")) {
        errno = EPERM;
        return -1;
    }
    return (int)syscall(SYS_linkat, base, from, other, to, flags);
}
int link(const char *from, const char *to) { return linked(AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int base, const char *from, int other, const char *to, int flags) { return linked(base, from, other, to, flags); }
