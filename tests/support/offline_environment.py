"""The environment in which a page's commands are run: this Python first on the path, and no data or settings of the user."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def offline_environment(folder: str) -> dict[str, str]:
    """Make the environment variables of a process that runs the commands of a page.

    Args:
        folder: empty folder for decoded data and for the configuration.

    Returns:
        All variables of this process, with those replaced that would change the output.
    """
    return os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "NASBENCH_DATA": str(Path(folder, "data")),
        "XDG_CONFIG_HOME": str(Path(folder, "config")),
        "NO_COLOR": "1",
    }
