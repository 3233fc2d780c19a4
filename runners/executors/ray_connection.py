"""Connection to a Ray cluster, shared by all executors of a process. Every failure gives a one-line error."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

from nasbench.errors import InputError, MissingExtra
from nasbench.runners.executors.ray_head import touch
from nasbench.runners.signals import handlers_kept

TOKENS = (
    "clusters with tokens (the default of local ones from Ray 2.59, of all from 2.61) take only who has the same: set RAY_AUTH_MODE=token and "
    "RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or the file ~/.ray/auth_token (`ray get-auth-token`)"
)

_lock = threading.Lock()
_users = 0  # number of executors that use the connection
_ours = False  # whether this module made the connection and must close it


def import_ray() -> Any:
    """Import the package ray.

    Raises:
        MissingExtra: when the package is not installed.
    """
    try:
        import ray
        import ray.exceptions
        import ray.util.scheduling_strategies
    except ImportError:
        raise MissingExtra("ray", "ray") from None
    return ray


def connect(address: str) -> Any:
    """Connect to a cluster, or use the existing connection.

    Args:
        address: "auto" for the cluster that this machine is part of, "HOST:PORT" of its head, or "local" for a new one
            on this machine alone.

    Returns:
        The package ray, connected. Each call requires one call of `disconnect`.

    Raises:
        MissingExtra: when the package is not installed.
        InputError: when there is no such cluster, or it refuses this process.
    """
    global _users, _ours
    ray = import_ray()
    with _lock:
        if not ray.is_initialized():
            _probe(address)
            _join(ray, address)
            _ours = True
        _users += 1
    return ray


def disconnect() -> None:
    """Give up one use of the connection; the last one closes it."""
    global _users, _ours
    ray = import_ray()
    with _lock:
        _users -= 1
        if _users == 0 and _ours:
            ray.shutdown()
            _ours = False


def _probe(address: str) -> None:
    """Refuse an address at which nothing answers."""
    if address in ("auto", "local"):
        known = _known_address() if address == "auto" else ""
        if not known:
            return
    else:
        known = address
    host, _, port = known.rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"--address {address!r} is neither auto, local nor HOST:PORT, e.g. 10.0.0.1:6379")
    try:
        touch(known)
    except OSError as error:
        hint = "start one: ray start --head" if address == "auto" else "is its head node up, and the port right?"
        raise InputError(f"no Ray cluster answers at {known} ({error.strerror or error}); {hint}") from None


def _known_address() -> str:
    """Address at which Ray looks for this machine's cluster: from the environment or the file of `ray start`."""
    if given := os.environ.get("RAY_ADDRESS", ""):
        return "" if given in ("auto", "local") else given
    note = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"
    return note.read_text().strip() if note.is_file() else ""


def _join(ray: Any, address: str) -> None:
    # Silences Ray's long messages about dead workers and nodes; the rows of the children on them report that.
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL, "configure_logging": True}
    if address == "local":
        options |= {"include_dashboard": False}
    with handlers_kept():  # the command's own handlers mark a run as interrupted; Ray would replace them
        try:
            ray.init(address=address, **options)
        except ray.exceptions.RayError as error:
            raise InputError(f"the Ray cluster at {address} refused: {_first_line(error)}; {TOKENS}") from None
        except (ConnectionError, RuntimeError, ValueError) as error:
            if address == "auto" and not _known_address():
                raise InputError(
                    "no Ray cluster runs on this machine; start one with `ray start --head`, join one with `ray start --address=HEAD:6379`, "
                    "or give --address HOST:PORT or local"
                ) from None
            raise InputError(f"cannot join the Ray cluster at {address}: {_first_line(error)}; {TOKENS}") from None


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".")[:300] if lines else type(error).__name__
