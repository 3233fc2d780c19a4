"""What the owner of a CUDA device runs once, `make test-gpu`: under ten minutes, and at the end a table to paste into an issue.

python benchmarks/gpu_report.py                   without a CUDA device: a line, and exit code 2
python benchmarks/gpu_report.py --device cuda:1

The self-test of `nasbench.training.device_checks`, the tests that need a GPU, and a short run of benchmarks/gpu.py, each in a process of its own, so
that one that crashes takes nothing with it. Exit code 1 where anything failed or was not run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from nasbench.errors import InputError
from nasbench.provenance import provenance
from nasbench.training.device_checks import DeviceFinding, device_self_test
from nasbench.training.evaluate import device_name, resolve_device

ROOT = Path(__file__).parent.parent
OUTCOMES = {"ok": "passed", "note": "note", "failed": "failed"}
SELF_TEST_SECONDS, TEST_SECONDS, MEASURE_SECONDS = 90.0, 270.0, 210.0  # at most; together under ten minutes
SHOWN = 160  # characters of a figure


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        check: what was done.
        outcome: "passed", "failed", "note", "not run", "measured" or "" for what is only said.
        figures: numbers, or why; one line.
    """

    check: str
    outcome: str
    figures: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether it keeps the whole from having passed."""
        return self.outcome in ("failed", "not run")


def rows_of_machine(device: torch.device) -> list[Row]:
    """What the device and the software are."""
    about = provenance()
    properties = torch.cuda.get_device_properties(device)
    capability = f"{properties.major}.{properties.minor}"
    memory = f"{properties.total_memory / 2**30:.1f} GiB, {properties.multi_processor_count} multiprocessors"
    return [
        Row("device", "", f"{device_name(device)}, capability {capability}, {memory}"),
        Row("driver", "", about["driver"] or "unknown"),
        Row("torch", "", f"{torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"),
        Row("kernels for", "", " ".join(torch.cuda.get_arch_list())),
        Row("system", "", f"{about['system']}, Python {about['python']}, {about['processor']} x {about['processors']}"),
        Row("nasbench", "", about["commit"][:12] + ("+" if about["dirty"] else "")),
    ]


def run(words: Sequence[str], seconds: float) -> tuple[int | None, str, str]:
    """Run a command of this checkout: exit code (None where the time ran out), what it printed, and the end of its errors."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    try:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        given = error.stdout or b""
        return None, given.decode() if isinstance(given, bytes) else given, f"not finished in {seconds:.0f} s"
    return done.returncode, done.stdout, " ".join(done.stderr.split())[-SHOWN:]


def rows_of_self_test(device: str, seconds: float = SELF_TEST_SECONDS) -> list[Row]:
    """Every finding that is not "ok", and how many are."""
    code, printed, error = run([str(Path(__file__)), "--self-test", "--device", device], seconds)
    if code != 0:
        return [Row("self-test", "failed" if code is not None else "not run", error or f"exit code {code}")]
    return rows_of_findings([DeviceFinding(**fields) for fields in json.loads(printed)])


def rows_of_findings(findings: Sequence[DeviceFinding]) -> list[Row]:
    """As the table shows them."""
    good = [finding for finding in findings if finding.level == "ok"]
    said = "; ".join(f"{finding.name}: {finding.detail}" for finding in good if finding.detail)
    rows = [
        Row(
            "self-test",
            "passed" if good else "not run",
            f"{len(good)} of {len(findings)} without a remark" + f"; {said}" * bool(said),
        )
    ]
    others = [finding for finding in findings if finding.level != "ok"]
    return rows + [Row(f"self-test: {finding.name}", OUTCOMES[finding.level], finding.detail) for finding in others]


def files_of_gpu_tests(folder: Path) -> list[str]:
    """Test files with a test that needs a GPU."""
    return sorted(
        str(path) for path in folder.rglob("test_*.py") if "@pytest.mark.gpu" in path.read_text(encoding="utf-8")
    )


def rows_of_tests(files: Sequence[str], seconds: float = TEST_SECONDS) -> list[Row]:
    """One row per test that needs a GPU; one that is skipped was not run."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "tests.xml"
        words = ["-m", "pytest", "-q", "-m", "gpu", f"--junitxml={report}", "-p", "no:cacheprovider", *files]
        code, _, error = run(words, seconds)
        if not report.exists():
            return [Row("tests that need a GPU", "not run", error or f"exit code {code}")]
        cases = list(ElementTree.parse(report).iter("testcase"))
    return [_row_of_test(case) for case in cases] or [Row("tests that need a GPU", "not run", "none was found")]


def _row_of_test(case: ElementTree.Element) -> Row:
    outcome, figures = "passed", f"{float(case.get('time', 0)):.1f} s"
    for child in case:
        if child.tag in ("failure", "error", "skipped"):
            outcome = "not run" if child.tag == "skipped" else "failed"
            figures = " ".join((child.get("message") or "").split())
    return Row(f"test: {case.get('name')}", outcome, figures)


def rows_of_benchmark(device: str, seconds: float = MEASURE_SECONDS) -> list[Row]:
    """What the short benchmark prints, a line a row."""
    minutes = str(0.6 * seconds / 60)
    code, printed, error = run(
        ["-W", "ignore", "benchmarks/gpu.py", "--short", "--device", device, "--minutes", minutes], seconds
    )
    rows = rows_of_measurements(printed.splitlines())
    if code != 0:
        rows.append(Row("benchmark", "failed" if code is not None else "not run", error or f"exit code {code}"))
    return rows


def rows_of_measurements(lines: Sequence[str]) -> list[Row]:
    """A row per line that benchmarks/gpu.py prints: "what: 1.2 x other (figures)", or "what: figures"."""
    rows = []
    for line in filter(None, lines):
        found = re.match(r"(.*?): ([\d,.]+ x .*)", line) or re.match(r"(.*?): (.*)", line)
        what, figures = found.groups() if found else ("", line)
        rows.append(Row(f"benchmark: {what}" if what else "benchmark", "measured", figures))
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| check | outcome | figures |", "|---|---|---|"]
    for row in rows:
        figures = row.figures if len(row.figures) <= SHOWN else row.figures[: SHOWN - 4] + " ..."
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in (row.check, row.outcome, figures)) + " |")
    return "\n".join(lines)


def summary(rows: Sequence[Row], seconds: float) -> Row:
    """The last row."""
    bad = [row for row in rows if row.is_bad]
    passed, noted = (sum(row.outcome == outcome for row in rows) for outcome in ("passed", "note"))
    figures = f"{passed} passed, {noted} notes, {len(bad)} failed or not run, in {seconds:.0f} s"
    return Row("all", "failed" if bad else "passed", figures)


def main() -> int:
    """Check, print the table; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, ...")
    parser.add_argument("--self-test", action="store_true", help="only the self-test, as JSON")
    options = parser.parse_args()
    try:
        device = resolve_device(options.device)
        if device.type == "cuda":
            device_name(device)  # starts CUDA, or says why it does not
    except InputError as error:
        print(f"error: {error}; nothing was tested", file=sys.stderr)
        return 2
    if options.self_test:
        print(json.dumps([asdict(finding) for finding in device_self_test(device)]))
        return 0
    if device.type != "cuda":
        print("error: make test-gpu tests CUDA devices, and got 'cpu'; nothing was tested", file=sys.stderr)
        return 2
    start = time.monotonic()
    rows = rows_of_machine(device)
    for said, stage in (
        ("self-test", lambda: rows_of_self_test(str(device))),
        ("tests that need a GPU", lambda: rows_of_tests(files_of_gpu_tests(ROOT / "tests"))),
        ("benchmark", lambda: rows_of_benchmark(str(device))),
    ):
        print(f"{said} ...", file=sys.stderr, flush=True)
        rows += stage()
    rows.append(summary(rows, time.monotonic() - start))
    print(table(rows))
    return int(rows[-1].is_bad)


if __name__ == "__main__":
    sys.exit(main())
