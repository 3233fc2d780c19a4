"""Sets up a virtual environment with this suite in it: `python3 environment.py FOLDER [words for pip]`, run by the Makefile.

It says what it does before it starts, and how large the environment is and how long it took at the end. It also runs on Pythons on
which the suite does not, so that these get a sentence and no traceback: only the standard library and the syntax of Python 3.6.
"""

import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What is installed, in the root of the clone: the suite itself with what its linter, type checker and tests need.
SUITE = ["--editable", ".[dev]"]

SEVERAL_GB = (
    "Several GB are downloaded and unpacked, most of it torch's CUDA libraries: 2 to 20 minutes, and nothing is printed for most of "
    "them. Without a GPU a smaller environment will do: docs/environment.md."
)


def supported(project: str) -> list:
    """The versions of Python that the text of a pyproject.toml names in its classifiers, as (3, 10) and so on."""
    found = re.findall(r'"Programming Language :: Python :: (\d+)\.(\d+)"', project)
    return sorted((int(major), int(minor)) for major, minor in found)


def unusable(version: tuple, versions: list, modules: tuple = ("venv", "ensurepip")) -> str:
    """Why no environment can be made with an interpreter, in one line; empty where one can.

    Args:
        version: Of the interpreter that runs this, as (3, 11).
        versions: Those that the suite runs on, ascending.
        modules: What makes environments; Debian's plain python3 lacks the second.
    """
    mine = "{}.{}".format(*version)
    if version not in versions:
        lowest, middle, highest = ("{}.{}".format(*versions[at]) for at in (0, len(versions) // 2, -1))
        return f"nasbench needs Python {lowest} to {highest}, and {sys.executable} is Python {mine}: make demo PYTHON=python{middle}"
    for module in modules:
        try:
            __import__(module)
        except ImportError:
            return (
                f"{sys.executable} (Python {mine}) has no module {module} and cannot make environments. On Debian and Ubuntu: "
                f"apt install python{mine}-venv. Or name another interpreter: make demo PYTHON=/path/to/python3"
            )
    return ""


def version_of(folder: str) -> str:
    """The Python version, as 3.11, of the environment that is there; empty where there is none."""
    try:
        with open(os.path.join(folder, "pyvenv.cfg"), encoding="utf-8") as file:
            found = re.search(r"^version\s*=\s*(\d+\.\d+)", file.read(), re.MULTILINE)
    except FileNotFoundError:
        return ""
    return found.group(1) if found else ""


def size(folder: str) -> int:
    """The bytes that a folder takes on the disk; a file of several names counts once."""
    taken = {}
    for path, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(os.path.join(path, name))
            taken[status.st_dev, status.st_ino] = 512 * status.st_blocks
    return sum(taken.values())


def introduction(folder: str) -> str:
    """What is going to be done, and how long that takes; an environment of another Python is removed."""
    mine, there = "{}.{}".format(*sys.version_info[:2]), version_of(folder)
    if there == mine and os.path.exists(os.path.join(folder, ".ready")):
        return f"Bringing the environment {folder} up to date with pyproject.toml."
    anew = ""
    if there not in ("", mine):
        shutil.rmtree(folder)
        anew = f" anew (it was of Python {there})"
    return f"Setting up the environment {folder} with Python {mine}{anew}. {SEVERAL_GB}"


def set_up(folder: str, words: list) -> int:
    """Make the environment in a folder, with more words for pip; returns the exit status of the command that failed, or 0."""
    started = time.time()
    print(introduction(folder), flush=True)
    install = [os.path.join(folder, "bin", "python"), "-m", "pip", "install", *words]
    if not sys.stdout.isatty():  # a person sees pip's progress, a log its warnings and errors
        install.append("--quiet")
    # setuptools warns of each editable installation, at length and without a cause.
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore:Editable installation"}
    for command in ([sys.executable, "-m", "venv", folder], [*install, "--upgrade", "pip"], [*install, *SUITE]):
        status = subprocess.call(command, cwd=ROOT, env=quiet)
        if status:
            print(f"The environment {folder} is not complete: this failed:", *command, file=sys.stderr)
            return status
    print(f"environment: {folder}, {size(folder) / 1e9:.1f} GB, {time.time() - started:.0f} s", flush=True)
    return 0


def main(words: list) -> int:
    """Set up the environment that the first word names; the other words are for pip."""
    with open(os.path.join(ROOT, "pyproject.toml"), encoding="utf-8") as file:
        why = unusable(tuple(sys.version_info[:2]), supported(file.read()))
    if why:
        print(why, file=sys.stderr)
        return 2
    return set_up(words[0], words[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
