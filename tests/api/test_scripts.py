"""Plain scripts: worker processes import them, so that a call at the top level is refused before anything is spent."""

from __future__ import annotations

import subprocess
import sys

import pytest
from fake_images import FAKE

INLINE = f"nasbench.search('nasnet:blocks=1', 'random', '2 children', 'a.h5', set={FAKE!r}, progress=False)"
LOCAL = INLINE.replace("progress", "executor='local', progress")


def run(tmp_path, *lines: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text("\n".join(["import nasbench", *lines]))
    return subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "lines",
    [
        (LOCAL,),
        ("def main():", f"    {LOCAL}", "if True:", "    main()"),
        ("nasbench.replay('digits201', 'random', 20, '5 children', jobs=2)",),
    ],
)
def test_workers_are_not_started_from_the_top_level_of_a_script(tmp_path, lines):
    done = run(tmp_path, *lines)
    assert done.returncode == 1
    assert 'script.py from its top: put the call under if __name__ == "__main__":' in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]


@pytest.mark.slow
def test_a_script_searches_in_its_own_process_without_more(tmp_path):
    done = run(tmp_path, f"print({INLINE}.status)")
    assert (done.stdout, done.returncode) == ("complete\n", 0)


@pytest.mark.slow
def test_a_guarded_script_starts_workers(tmp_path):
    lines = (f"    print({LOCAL}.frame()['status'].unique().tolist())",)
    done = run(tmp_path, "if __name__ == '__main__':", *lines)
    assert (done.stdout, done.returncode) == ("['ok']\n", 0)
