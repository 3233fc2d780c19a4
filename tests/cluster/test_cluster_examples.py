"""The examples for clusters are at least well-formed, and their commands exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click import Command, Option

from nasbench.cli.main import COMMANDS
from nasbench.cli.run import run

ROOT = Path(__file__).parents[2]
TEXTS = [ROOT / "docs" / "cluster.md", ROOT / "examples" / "cluster" / "slurm.sh"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_slurm_script_parses():
    subprocess.run(["bash", "-n", str(ROOT / "examples" / "cluster" / "slurm.sh")], check=True)


def test_the_cluster_file_parses():
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    cluster = yaml.safe_load((ROOT / "examples" / "cluster" / "aws.yaml").read_text())
    types = cluster["available_node_types"]
    assert cluster["head_node_type"] in types
    assert types["gpu"]["max_workers"] == cluster["max_workers"]
    assert all(
        "RAY_AUTH_MODE=token" in command or command == "ray stop" for command in cluster["head_start_ray_commands"]
    )


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_commands_and_options_exist(path):
    text = path.read_text().replace("\\\n", " ")
    lines = re.findall(r"nasbench (\w+)([^\n`']*)", text)
    assert lines
    for command, words in lines:
        if command not in COMMANDS:
            assert command == "suite", command  # the name of the package
        elif command == "run":
            _known(run, words)


def _known(command: Command, words: str) -> None:
    options = {name for each in command.params if isinstance(each, Option) for name in each.opts}
    given = set(re.findall(r"(?<!\S)(--[a-z-]+)", words))
    assert given <= options, given - options
