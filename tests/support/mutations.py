"""Mutation testing by cosmic-ray: one fault per run in a copy of the tree, and the faults that no test saw.

    python tests/support/mutations.py budget accountant          # resumes; build/mutations/TARGET.sqlite has what was tried
    python tests/support/mutations.py --sample 40                # 40 mutations per target, drawn by a fixed seed

Each target is a module and the tests that are to notice its faults. A survivor is not always a defect: some mutations change nothing
that can be seen (a number in a message, an order that does not matter).
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "mutations"
TIMEOUT_SECONDS = 300.0

Place = tuple[int, int]

TARGETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "budget": ("runners/search/budget.py", ("tests/test_budget.py", "tests/runners/test_accounting_rules.py")),
    "accountant": (
        "runners/search/accountant.py",
        ("tests/runners/test_accounting_rules.py", "tests/runners/test_search.py"),
    ),
    "search": (
        "runners/search/loop.py",
        (
            "tests/runners/test_accounting_rules.py",
            "tests/runners/test_search.py",
            "tests/runners/test_cached_together.py",
        ),
    ),
    "final_stage": (
        "runners/search/final_stage.py",
        ("tests/runners/test_accounting_rules.py", "tests/runners/test_search.py"),
    ),
    "cache": (
        "nasbench/store/cache.py",
        ("tests/runners/test_accounting_rules.py", "tests/store/test_results_query.py"),
    ),
    "evaluator": (
        "nasbench/training/evaluate.py",
        ("tests/training/test_scoring_rules.py", "tests/training/test_evaluator.py"),
    ),
    "significance": ("analysis/statistics/significance.py", ("tests/analysis/test_significance.py",)),
    "ranks": ("analysis/statistics/ranks.py", ("tests/analysis/test_ranks.py",)),
    "intervals": ("analysis/inference/intervals.py", ("tests/analysis/test_inference.py",)),
    "equivalence": ("analysis/inference/equivalence.py", ("tests/analysis/test_inference.py",)),
    "friedman": ("analysis/inference/friedman.py", ("tests/analysis/test_friedman.py",)),
}


def main() -> int:
    """Try every mutation of the targets, print the survivors; exit with 1 where there are any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS], help="all without one")
    parser.add_argument("--sample", type=int, help="mutations per target; all without it")
    given = parser.parse_args()
    tool = Path(sys.executable).with_name("cosmic-ray")
    if not tool.exists():
        print("cosmic-ray is not installed: pip install -e '.[mutation]'", file=sys.stderr)
        return 2
    survivors = 0
    for name in given.targets or TARGETS:
        tree, session = copied_tree(name), BUILD / f"{name}.sqlite"
        config = written_config(name, tree)
        if not session.exists():
            subprocess.run([tool, "init", config, session], cwd=tree, check=True)
            skip_all_but(session, given.sample, annotations(tree / TARGETS[name][0]))
        environment = {**os.environ, "PYTHONPATH": str(tree / ".typed"), "OMP_NUM_THREADS": "1"}
        subprocess.run([tool, "baseline", config], cwd=tree, env=environment, check=True)
        subprocess.run([tool, "exec", config, session], cwd=tree, env=environment, check=True)
        survivors += report(name, tool, session)
    return int(survivors > 0)


def copied_tree(name: str) -> Path:
    """Copy the tracked files, with links that make runners/ and analysis/ parts of the package there."""
    tree = BUILD / name
    shutil.rmtree(tree, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for file in listed.splitlines():
        if (ROOT / file).exists():
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, tree / file)
    links = tree / ".typed" / "nasbench"
    links.mkdir(parents=True)
    for part in [*(tree / "nasbench").iterdir(), tree / "runners", tree / "analysis", tree / "results"]:
        (links / part.name).symlink_to(part)
    return tree


def written_config(name: str, tree: Path) -> Path:
    """Write cosmic-ray's configuration of a target."""
    module, tests = TARGETS[name]
    # -P: the folder of the copy itself must not come before its links.
    command = f"{sys.executable} -P -m pytest -x -q -p no:cacheprovider {' '.join(tests)}"
    config = BUILD / f"{name}.toml"
    config.write_text(
        f"[cosmic-ray]\nmodule-path = {json.dumps(module)}\ntimeout = {TIMEOUT_SECONDS}\nexcluded-modules = []\n"
        f'test-command = {json.dumps(command)}\n\n[cosmic-ray.distributor]\nname = "local"\n'
    )
    return config


def annotations(module: Path) -> list[tuple[Place, Place]]:
    """Find the type annotations of a module, which nothing evaluates: a mutation there changes nothing.

    Returns:
        Start and end of each, as (line from 1, column from 0).
    """
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.AnnAssign, ast.arg)):
            found.append(node.annotation)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.append(node.returns)
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0))
        for node in found
        if node is not None
    ]


def skip_all_but(session: Path, sample: int | None, left_out: list[tuple[Place, Place]]) -> None:
    """Mark mutations of a new session as skipped: those at some places, and all but a sample of the others.

    Args:
        session: the session's SQLite file.
        sample: number of mutations to keep, >= 0; None for all.
        left_out: start and end of the places.
    """
    with sqlite3.connect(session) as database:
        columns = "start_pos_row, start_pos_col, operator_name, occurrence"
        specs = database.execute(f"SELECT job_id, {columns} FROM mutation_specs ORDER BY {columns}").fetchall()
        idle = {job for job, *at, _, _ in specs if any(first <= tuple(at) < last for first, last in left_out)}
        jobs = [job for job, *_ in specs if job not in idle]
        random.Random(0).shuffle(jobs)
        skipped = [("SKIPPED", "in an annotation", job) for job in sorted(idle)]
        if sample is not None:
            skipped += [("SKIPPED", "not in the sample", job) for job in jobs[sample:]]
        database.executemany("INSERT INTO work_results (worker_outcome, output, job_id) VALUES (?, ?, ?)", skipped)


def report(name: str, tool: Path, session: Path) -> int:
    """Print how many mutations were tried, and each that survived."""
    dumped = subprocess.run([tool, "dump", session], capture_output=True, text=True, check=True).stdout
    tried = [json.loads(line) for line in dumped.splitlines() if line.strip()]
    results = [(item, result) for item, result in tried if result and result["worker_outcome"] != "skipped"]
    alive = [(item, result) for item, result in results if result["test_outcome"] == "survived"]
    print(f"{name}: {len(results)} of {len(tried)} mutations tried, {len(alive)} survived")
    for item, result in alive:
        for mutation in item["mutations"]:
            print(f"\n{mutation['module_path']}:{mutation['start_pos'][0]} {mutation['operator_name']}")
        print(
            "\n".join(
                line
                for line in (result["diff"] or "").splitlines()
                if line[:1] in "+-" and line[:3] not in ("+++", "---")
            )
        )
    return len(alive)


if __name__ == "__main__":
    sys.exit(main())
