"""Strategies in files: `file.py:Class` wherever a strategy is named."""

from __future__ import annotations

import json
import pickle

import pytest
from commands import nasbench as command

import nasbench
from nasbench.errors import InputError
from nasbench.runners.replay.replay import Setting
from nasbench.runners.search.config import SearchConfig
from nasbench.runners.strategies.source_files import load_class, names_a_file, source_of, split_strategy
from nasbench.runners.suite import plans_of
from nasbench.tabular.catalogue import shipped_table

CODE = """\
import nasbench, numpy
from pydantic import Field

class Options(nasbench.StrategyConfig):
    first: int = Field(1, ge=1, description="random architectures at the start")

class Mine(nasbench.Strategy):
    config_type = Options

    def __init__(self, space, seed, config=None):
        super().__init__(space, seed, config)
        self.rng = numpy.random.default_rng(seed)

    def ask(self):
        return self.space.random(self.rng)

    def tell(self, outcome):
        pass

class Half(nasbench.Strategy):
    def ask(self):
        return None

number = 3
"""
TABLE = shipped_table("digits201-2").path
TRAINING = {"set": {"data": "fake:images=96,size=8,classes=3", "epochs": 1}, "space": "nasnet:blocks=1"}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("evolution", ("evolution", "")),
        ("evolution:population=10,sample=3", ("evolution", "population=10,sample=3")),
        ("a/mine.py:Mine", ("a/mine.py:Mine", "")),
        ("mine.py:Mine:first=2,x=a:b", ("mine.py:Mine", "first=2,x=a:b")),
        ("mine.py", ("mine.py", "")),
        ("random:unique=x.py", ("random", "unique=x.py")),
    ],
)
def test_a_strategy_is_split_into_name_and_options(text, parts):
    assert split_strategy(text) == parts
    assert names_a_file(parts[0]) == (".py" in parts[0])


def test_a_class_is_loaded_once_and_again_when_its_file_changes(file):
    first = load_class(f"{file}:Mine")
    assert load_class(f"{file}:Mine") is first
    assert (source_of(first).strategy, first.name) == ("mine.py:Mine", "mine.py:Mine")
    file.write_text(CODE + "\n")
    second = load_class(f"{file}:Mine")
    assert second is not first
    assert source_of(second).digest != source_of(first).digest
    with pytest.raises(InputError, match=r"mine.py has changed"):
        load_class(f"{file}:Mine", source_of(first).digest)


def test_a_file_imports_its_neighbours(file):
    (file.parent / "steps_of_mine.py").write_text("width = 2\n")
    file.write_text("from steps_of_mine import width\n" + CODE)
    assert load_class(f"{file}:Mine").__module__.startswith("nasbench_strategy_file")


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        (CODE, ":Wrong", "mine.py' has no class 'Wrong'; it has Mine, Half"),
        (CODE, "", "names a file and no class: write "),
        (CODE, ":number", "of type int and no strategy"),
        (CODE, ":Options", "a class and no strategy"),
        (CODE, ":Half", "has no tell()"),
        (
            CODE + "from nasbench.runners.strategies.random import RandomSearch",
            ":RandomSearch",
            "is imported from nasbench.",
        ),
        ("x = 1\n", ":Mine", "it has no subclass of nasbench.Strategy"),
        (
            "x = 1\nimport not_there_at_all\n",
            ":Mine",
            "line 2: ModuleNotFoundError: No module named 'not_there_at_all'",
        ),
        ("def f():\n    1 / 0\n\n\nf()\n", ":Mine", "line 2: ZeroDivisionError: division by zero"),
        ("def f(:\n", ":Mine", "line 1: SyntaxError: "),
        ("raise SystemExit('stop\\nhere')", ":Mine", "line 1: SystemExit: stop;"),
        (b"\xff\xfe", ":Mine", "byte 0 is no UTF-8"),
    ],
)
def test_mistakes_are_one_line(file, code, name, message):
    file.write_bytes(code if isinstance(code, bytes) else code.encode())
    done = command("run", "--space", "nasnet:blocks=1", "--strategy", f"{file}{name}", "--budget", "2 children")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert message in done.err


def test_a_missing_file_or_a_folder_is_one_line(tmp_path):
    (tmp_path / "folder.py").mkdir()
    for name, message in (("none.py", "there is no strategy file"), ("folder.py", "is a folder and no strategy file")):
        with pytest.raises(InputError, match=message):
            load_class(f"{tmp_path / name}:Mine")


def test_a_setting_goes_to_other_processes_by_its_file(file):
    setting = Setting.of(f"{file}:Mine", {"first": "4"}, "params <= 9k")
    again = pickle.loads(pickle.dumps(setting))
    assert (again.name, again.config.first, again.where_arch) == ("mine.py:Mine", 4, setting.where_arch)
    sent = pickle.dumps(setting)
    file.write_text(CODE + "\n")
    with pytest.raises(InputError, match="has changed"):
        pickle.loads(sent)


def test_suites_and_replays_name_files(file):
    config = SearchConfig(strategy=f"{file}:Mine", options={"first": 2}, budget="2 children", **TRAINING)
    (plan,) = plans_of([config])
    assert (plan.config.strategy, plan.strategy().config.first) == ("mine.py:Mine", 2)
    assert plan.config.strategy_digest == source_of(plan.kind).digest
    with pytest.raises(InputError, match="expected 00000"):
        plans_of([config.model_copy(update={"strategy_digest": "0" * 64})])
    found = nasbench.replay(TABLE, [f"{file}:Mine:first=3", "random"], seeds=2, budget="3 children", progress=False)
    assert found.summary["strategy"].tolist() == ["mine.py:Mine", "random"]


def test_a_run_is_resumed_with_its_file_and_refuses_a_changed_one(file, tmp_path):
    output = tmp_path / "run.h5"
    one = nasbench.search(
        budget="3 children", strategy=f"{file}:Mine", output=output, callbacks=lambda child: child.stop(), progress=False,
        final="none", **TRAINING,
    )  # fmt: skip
    assert one.status == "interrupted"
    stored = nasbench.open(output).runs().iloc[0]
    digest = source_of(load_class(f"{file}:Mine")).digest
    assert json.loads(stored["provenance"])["strategy_file"] == {"strategy": "mine.py:Mine", "sha256": digest}

    done = command("resume", str(output))
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "the option is --strategy mine.py:Mine" in done.err

    file.write_text(CODE.replace("pass", "return"))
    done = command("resume", str(output), "--strategy", f"{file}:Mine")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "began with another version of mine.py:Mine" in done.err
    (run,) = nasbench.resume(output, strategy=f"{file}:Mine", changed_strategy=True, progress=False)
    assert (run.status, run.id) == ("complete", one.id)
    noted = json.loads(nasbench.open(output).runs().iloc[0]["provenance"])
    assert noted["began_with"] == digest != noted["strategy_file"]["sha256"]

    done = command("rerun", one.id, str(output), "-o", str(tmp_path / "again.h5"))
    assert (done.code, "--strategy mine.py:Mine" in done.err) == (2, True)


def test_a_strategy_in_a_file_is_shown(file):
    done = command("strategies", "show", f"{file}:Mine")
    assert done.code == 0
    assert "random architectures at the start" in done.out


def test_a_strategy_without_docstring_and_options_does_not_show_those_of_its_base(tmp_path):
    (tmp_path / "bare.py").write_text(
        "import nasbench\n\n\nclass Bare(nasbench.Strategy):\n"
        "    def ask(self):\n        return None\n\n    def tell(self, outcome):\n        pass\n"
    )
    done = command("strategies", "show", f"{tmp_path / 'bare.py'}:Bare")
    assert done.code == 0
    assert done.out.splitlines()[0].endswith("bare.py:Bare: its class has no docstring")
    assert done.out.splitlines()[-1] == "It has no options."
