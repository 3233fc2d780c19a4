"""What benchmarks of whole searches share: results files out of the way, and the memory of a process."""

from __future__ import annotations

from pathlib import Path


def remove_results(path: Path) -> None:
    """Remove a results file with its journal and lock, where there is one."""
    for suffix in (".h5", ".journal", ".lock"):
        path.with_suffix(suffix).unlink(missing_ok=True)


def resident_megabytes(pid: int | None = None, what: str = "VmRSS") -> float:
    """Memory of a process in RAM.

    Args:
        pid: of the process; None for this one.
        what: "VmRSS" for now, "VmHWM" for the most it had.

    Returns:
        MB of 2^20 bytes; 0 for a process that has ended.
    """
    try:
        lines = Path(f"/proc/{pid or 'self'}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{what}:")), 0.0)
