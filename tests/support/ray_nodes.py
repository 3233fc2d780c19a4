"""A Ray cluster of several nodes on this machine, started as users start it, with nodes and workers that can be killed."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

START_SECONDS = 180

# What a process needs to join these clusters. Ray reads it when it is first imported, so this module must be imported before.
VARIABLES = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(16),
    "RAY_worker_niceness": "0",  # workers would else get what other work leaves of the processor
    "OMP_NUM_THREADS": "1",
}
os.environ.update(VARIABLES)


class Nodes:
    """Raylets on this machine; everything is under one temporary folder, by which its processes are known."""

    def __init__(self, processors: int = 2, environment: Mapping[str, str] | None = None) -> None:
        memory = Path("/dev/shm")  # a slow disk makes nodes give up while they start; the path must be short, too
        self._folder = Path(tempfile.mkdtemp(prefix="nbray", dir=memory if memory.is_dir() else None))
        self._environment = {**os.environ, **(environment or {}), **VARIABLES}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._nodes: list[int] = []
        head = ("--head", f"--port={port}", f"--temp-dir={self._folder}", "--include-dashboard=false")
        said = re.search(r"ray start --address='([^']+)'", self._start(processors, *head))
        assert said is not None
        self.address = said[1]

    def add(self, processors: int = 2) -> int:
        """Start one node more; returns its raylet's pid."""
        self._start(processors, f"--address={self.address}")
        return self._nodes[-1]

    def _start(self, processors: int, *words: str) -> str:
        before = set(self._pids("raylet/raylet "))
        ray = Path(sys.executable).with_name("ray")
        command = [str(ray), "start", *words, f"--num-cpus={processors}", "--disable-usage-stats"]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self._nodes += sorted(set(self._pids("raylet/raylet ")) - before)
        return done.stdout

    def _pids(self, part: str) -> list[int]:
        """Processes of this cluster whose command has a part in it."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if str(self._folder) in command and part in command:
                found.append(int(folder.name))
        return found

    def workers(self, raylet: int) -> list[int]:
        """Pids of a node's workers that train a child now: children of its raylet whose title names the task."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                title = (folder / "cmdline").read_bytes()
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if title.startswith(b"ray::train") and parent == raylet:
                found.append(int(folder.name))
        return found

    @property
    def raylets(self) -> list[int]:
        """Pids of the nodes' raylets, the head's first."""
        return list(self._nodes)

    def kill(self, raylet: int) -> None:
        """Lose a node: its raylet is killed, and its workers go with it."""
        os.kill(raylet, signal.SIGKILL)
        self._nodes.remove(raylet)

    def kill_head(self) -> None:
        """Lose the head: the server that knows the cluster, and the head's raylet."""
        for server in self._pids("gcs_server"):
            os.kill(server, signal.SIGKILL)
        self.kill(self._nodes[0])

    def stop(self) -> None:
        """End all processes of this cluster."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._pids(""):
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
            time.sleep(1.0)
        shutil.rmtree(self._folder, ignore_errors=True)
