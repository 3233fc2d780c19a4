"""A broken plug-in is an error when its own name is used, and a warning in lists; all others work."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from unittest import mock

import pytest
from commands import nasbench

from nasbench import registry as registries
from nasbench.errors import UnknownName
from nasbench.protocols.protocol import PROTOCOLS
from nasbench.registry import BrokenPlugin
from nasbench.runners.strategies import STRATEGIES
from nasbench.spaces import SPACES

MODULES = {
    "raising": "raise ValueError('no licence\\nfound')\n",
    "leaving": "import sys\nsys.exit(3)\n",
    "broken_syntax": "def (:\n",
    "needing": "import no_such_module_for_sure\n",
    "lacking": "\n",
    "wrong": "thing = 7\n",
}
LISTS = {"spaces": SPACES, "strategies": STRATEGIES, "protocols": PROTOCOLS}


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Six broken plug-ins in each group, and one that claims a name of the suite."""
    for name, text in MODULES.items():
        (tmp_path / f"{name}_plugin.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    known = registries.entry_points

    def found(group: str) -> list[EntryPoint]:
        taken = {"nasbench.spaces": "nasnet", "nasbench.strategies": "random"}.get(group, "digits")
        broken = [EntryPoint(name, f"{name}_plugin:thing", group) for name in MODULES]
        return [*known(group=group), *broken, EntryPoint(taken, "lacking_plugin:thing", group)]

    with mock.patch("nasbench.registry.entry_points", found):
        for each in LISTS.values():
            each.__dict__.pop("_targets", None)
        yield
    for each in LISTS.values():
        each.__dict__.pop("_targets", None)
        each._claimed_twice.clear()
    for name in MODULES:
        sys.modules.pop(f"{name}_plugin", None)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("command", "taken", "other"),
    [("spaces", "nasnet", "pnas"), ("strategies", "random", "evolution"), ("protocols", "digits", "nas2016")],
)
def test_a_list_has_the_others_and_a_line_for_each_broken_one(command: str, taken: str, other: str) -> None:
    done = nasbench(command)
    assert done.code == 0
    listed = [line.split()[0] for line in done.out.splitlines()]
    assert other in listed
    assert taken not in listed
    warnings = done.err.splitlines()
    kind = LISTS[command].kind
    assert (
        f"warning: the {kind} 'raising' of the plug-in unknown (raising_plugin:thing) cannot be imported: " in done.err
    )
    assert "ValueError: no licence; repair or uninstall it" in done.err
    for name in ("leaving", "broken_syntax", "needing", "lacking"):
        assert sum(f"'{name}'" in line for line in warnings) == 1
    assert sum(f"both claim the {kind} {taken!r}" in line for line in warnings) == 1
    assert len(set(warnings)) == len(warnings)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("command", LISTS)
@pytest.mark.parametrize("name", ["raising", "leaving", "broken_syntax", "needing", "lacking"])
def test_the_name_of_a_broken_one_is_an_error_in_one_line(command: str, name: str) -> None:
    done = nasbench(command, "show", name)
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert f"'{name}' of the plug-in unknown ({name}_plugin:thing) cannot be imported" in line


@pytest.mark.usefixtures("plugins")
def test_the_others_work() -> None:
    for each, name in ((SPACES, "pnas"), (STRATEGIES, "evolution"), (PROTOCOLS, "nas2016")):
        assert each.get(name)
        with pytest.raises(UnknownName, match="raising"):
            each.get("no such name")
    for each, name in ((SPACES, "nasnet"), (STRATEGIES, "random"), (PROTOCOLS, "digits")):
        with pytest.raises(BrokenPlugin, match=r"the suite and the plug-in unknown .* both claim"):
            each.get(name)


@pytest.mark.usefixtures("plugins")
def test_a_run_of_a_broken_strategy_is_an_error_in_one_line(tmp_path: Path) -> None:
    done = nasbench("run", "--strategy", "raising", "--space", "pnas", "--budget", "1 child", cwd=tmp_path)
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert "cannot be imported: ValueError: no licence" in done.err
    assert list(tmp_path.glob("results")) == []
