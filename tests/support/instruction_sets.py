"""Runs tests as on processors with fewer instruction sets than this one: `python tests/support/instruction_sets.py all TESTS...`.

oneDNN and torch choose their kernels by what the processor has, so a fault of the kernels of one processor never shows on another. Both can be told
to use less. Each combination is a pytest run of its own, since the settings are read once per process; the last lines are a table of all.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import subprocess
import sys
import time

from nasbench.kernels.processor import cpu_flags

ONEDNN = ("SSE41", "AVX2", "")
ATEN = ("default", "avx2", "avx512")
QUICK = (("AVX2", "avx2"),)


def combinations(quick: bool, flags: frozenset[str]) -> list[tuple[str, str]]:
    """Values of ONEDNN_MAX_CPU_ISA ("" for no limit) and ATEN_CPU_CAPABILITY that this processor can run.

    Args:
        quick: only those of a processor with AVX2 and no AVX-512, the most common one.
        flags: of the processor.
    """
    aten = [name for name in ATEN if name == "default" or f"{name}f" in flags or name in flags]
    onednn = [name for name in ONEDNN if name != "AVX2" or "avx2" in flags]
    every = list(itertools.product(onednn, aten))
    return [pair for pair in QUICK if pair in every] if quick else every


def main() -> int:
    """Run every combination, print a table, exit with 1 where a test failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=["quick", "all"])
    parser.add_argument("tests", nargs=argparse.REMAINDER, help="what pytest is to run, with its options")
    given = parser.parse_args()
    rows, failed = [], False
    for onednn, aten in combinations(given.which == "quick", cpu_flags()):
        print(f"ONEDNN_MAX_CPU_ISA={onednn or 'DEFAULT'} ATEN_CPU_CAPABILITY={aten}", flush=True)
        environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": onednn or "DEFAULT", "ATEN_CPU_CAPABILITY": aten}
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *given.tests],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        summary = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "no output"
        if done.returncode:
            print(done.stdout, flush=True)
            failed = True
        counts = re.sub(r" in [\d.:ms() ]+$", "", summary.strip("= "))
        rows.append((onednn or "default", aten, counts, f"{time.monotonic() - start:.0f} s"))
    if not rows:
        print("this processor has no AVX2: nothing to run")
    for row in (("oneDNN", "torch", "tests", "time"), *rows):
        print(f"{row[0]:<10} {row[1]:<10} {row[2]:<40} {row[3]}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
