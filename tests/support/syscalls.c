/* Preloaded into a process, it lets chosen system calls on the files of one folder fail, and writes down what they did.

   Every way from Python and from the HDF5 library to the kernel goes through these functions of libc, so nothing that is written or read
   in the folder escapes. Calls are counted from nasbench_arm on; a failing write puts half of its bytes first, as a full disk does. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define HANDLES 65536
#define CALLS 1000000

static char folder[4096];
static unsigned char watched[HANDLES];
static char calls[CALLS + 1];
static long count, first_failure, failures;
static int failure_code, failures_last, armed, trace = -1;

void nasbench_arm(const char *path, long nth, int code, int lasting) {
    snprintf(folder, sizeof folder, "%s", path);
    memset(watched, 0, sizeof watched);
    count = failures = 0;
    first_failure = nth, failure_code = code, failures_last = lasting, armed = 1;
}

void nasbench_disarm(void) { armed = 0; }
long nasbench_failures(void) { return failures; }
const char *nasbench_calls(void) {
    calls[count < CALLS ? count : CALLS] = 0;
    return calls;
}
void nasbench_trace(int handle) { trace = handle; }

static int inside(const char *path) {
    size_t length = strlen(folder);
    return armed && path && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static int handle_inside(int fd) { return armed && fd >= 0 && fd < HANDLES && watched[fd]; }

/* Count a call; nonzero when it is to fail, with errno set. */
static int fails(char kind) {
    if (count < CALLS) calls[count] = kind;
    count++;
    if (!first_failure || count < first_failure || (count > first_failure && !failures_last)) return 0;
    failures++;
    errno = failure_code;
    return 1;
}

static void put(const void *data, size_t size) {
    while (size) {
        ssize_t done = syscall(SYS_write, trace, data, size);
        if (done < 0) return;
        data = (const char *)data + done, size -= (size_t)done;
    }
}

static void note(const char *what, long object, const char *name, long place, const void *data, size_t size) {
    char line[9000];
    if (trace < 0) return;
    int length = snprintf(line, sizeof line, "%s %ld %s %ld %zu\n", what, object, name && *name ? name : "-", place, size);
    put(line, (size_t)length);
    put(data, size);
}

static long object_of(int fd) {
    struct stat status;
    return syscall(SYS_fstat, fd, &status) ? -1 : (long)status.st_ino;
}

static void note_handle(const char *what, int fd, long place, const void *data, size_t size) {
    if (trace >= 0) note(what, object_of(fd), "", place, data, size);
}

/* Called by the traced program: this much is acknowledged now. */
void nasbench_acknowledge(long number) { note("acknowledge", number, "", 0, "", 0); }

static int open_at(int base, const char *path, int flags, mode_t mode) {
    struct stat status;
    int here = inside(path);
    if (here && fails('o')) return -1;
    int absent = here && syscall(SYS_newfstatat, AT_FDCWD, path, &status, 0) != 0;
    int fd = (int)syscall(SYS_openat, base, path, flags, mode);
    if (fd >= 0 && fd < HANDLES) watched[fd] = (unsigned char)here;
    if (fd >= 0 && here && absent) note("create", object_of(fd), path, 0, "", 0);
    if (fd >= 0 && here && !absent && (flags & O_TRUNC)) note_handle("truncate", fd, 0, "", 0);
    return fd;
}

#define MODE_ARGUMENT                                                                                                                      \
    mode_t mode = 0;                                                                                                                       \
    if (flags & (O_CREAT | __O_TMPFILE)) {                                                                                                 \
        va_list rest;                                                                                                                      \
        va_start(rest, flags);                                                                                                             \
        mode = va_arg(rest, mode_t);                                                                                                       \
        va_end(rest);                                                                                                                      \
    }

int open(const char *path, int flags, ...) {
    MODE_ARGUMENT
    return open_at(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    MODE_ARGUMENT
    return open_at(AT_FDCWD, path, flags, mode);
}
int openat(int base, const char *path, int flags, ...) {
    MODE_ARGUMENT
    return open_at(base, path, flags, mode);
}
int openat64(int base, const char *path, int flags, ...) {
    MODE_ARGUMENT
    return open_at(base, path, flags, mode);
}

int close(int fd) {
    int here = handle_inside(fd);
    if (fd >= 0 && fd < HANDLES) watched[fd] = 0;
    int answer = (int)syscall(SYS_close, fd);
    return here && fails('c') ? -1 : answer;
}

ssize_t read(int fd, void *data, size_t size) {
    return handle_inside(fd) && fails('r') ? -1 : syscall(SYS_read, fd, data, size);
}
ssize_t pread(int fd, void *data, size_t size, off_t place) {
    return handle_inside(fd) && fails('r') ? -1 : syscall(SYS_pread64, fd, data, size, place);
}
ssize_t pread64(int fd, void *data, size_t size, off64_t place) { return pread(fd, data, size, place); }
ssize_t preadv(int fd, const struct iovec *parts, int number, off_t place) {
    return handle_inside(fd) && fails('r') ? -1 : syscall(SYS_preadv, fd, parts, number, place, 0);
}
ssize_t preadv64(int fd, const struct iovec *parts, int number, off64_t place) { return preadv(fd, parts, number, place); }
ssize_t preadv2(int fd, const struct iovec *parts, int number, off_t place, int flags) {
    return handle_inside(fd) && fails('r') ? -1 : syscall(SYS_preadv2, fd, parts, number, place, 0, flags);
}
ssize_t preadv64v2(int fd, const struct iovec *parts, int number, off64_t place, int flags) {
    return preadv2(fd, parts, number, place, flags);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t place) {
    if (!handle_inside(fd)) return syscall(SYS_pwrite64, fd, data, size, place);
    int failing = fails('w'), code = errno;
    ssize_t done = syscall(SYS_pwrite64, fd, data, failing ? size / 2 : size, place);
    if (done > 0) note_handle("write", fd, place, data, (size_t)done);
    errno = failing ? code : errno;
    return failing ? -1 : done;
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t place) { return pwrite(fd, data, size, place); }
ssize_t write(int fd, const void *data, size_t size) {
    if (!handle_inside(fd)) return syscall(SYS_write, fd, data, size);
    if (fails('w')) return -1;
    long place = syscall(SYS_lseek, fd, 0, SEEK_CUR);
    ssize_t done = syscall(SYS_write, fd, data, size);
    if (done > 0) note_handle("write", fd, place, data, (size_t)done);
    return done;
}

int ftruncate(int fd, off_t size) {
    if (handle_inside(fd) && fails('t')) return -1;
    int answer = (int)syscall(SYS_ftruncate, fd, size);
    if (!answer && handle_inside(fd)) note_handle("truncate", fd, size, "", 0);
    return answer;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

static int synced(int fd, long number) {
    if (handle_inside(fd) && fails('s')) return -1;
    int answer = (int)syscall(number, fd);
    if (!answer && handle_inside(fd)) note_handle("sync", fd, 0, "", 0);
    return answer;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int rename(const char *from, const char *to) {
    if (!inside(from)) return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (fails('n')) return -1;
    int answer = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (!answer) note("rename", 0, from, 0, to, strlen(to));
    return answer;
}
static int linked(const char *from, const char *to) {
    if (inside(from) && fails('l')) return -1;
    int answer = (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (!answer && inside(from)) note("link", 0, from, 0, to, strlen(to));
    return answer;
}
int link(const char *from, const char *to) { return linked(from, to); }
int linkat(int base, const char *from, int other, const char *to, int flags) {
    if (base == AT_FDCWD && other == AT_FDCWD && !flags) return linked(from, to);
    return (int)syscall(SYS_linkat, base, from, other, to, flags);
}
int unlink(const char *path) {
    if (inside(path) && fails('u')) return -1;
    int answer = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (!answer && inside(path)) note("unlink", 0, path, 0, "", 0);
    return answer;
}
int mkdir(const char *path, mode_t mode) {
    return inside(path) && fails('m') ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}
int flock(int fd, int operation) { return handle_inside(fd) && fails('k') ? -1 : (int)syscall(SYS_flock, fd, operation); }

int stat(const char *path, struct stat *status) {
    return inside(path) && fails('f') ? -1 : (int)syscall(SYS_newfstatat, AT_FDCWD, path, status, 0);
}
int stat64(const char *path, struct stat64 *status) { return stat(path, (struct stat *)status); }
int fstat(int fd, struct stat *status) { return handle_inside(fd) && fails('f') ? -1 : (int)syscall(SYS_fstat, fd, status); }
int fstat64(int fd, struct stat64 *status) { return fstat(fd, (struct stat *)status); }
