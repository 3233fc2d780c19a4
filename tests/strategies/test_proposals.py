"""What a strategy proposes is checked before it is trained, stored or looked up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from searching import search, tiny_plan

from nasbench.errors import InputError
from nasbench.runners.strategies import STRATEGIES
from nasbench.runners.strategies.proposals import require_proposal
from nasbench.spaces import get_space
from nasbench.spaces.base import Architecture
from nasbench.store.query import Results

SPACE = get_space("nasnet:blocks=2")


def some(space: str) -> Architecture:
    found = get_space(space)
    return found.decode([0] * len(found.decisions))


@pytest.mark.parametrize("proposed", [some("nasnet:blocks=2"), some("nasnet:blocks=1")])
def test_architectures_of_the_space_and_of_its_variations_are_accepted(proposed: Architecture) -> None:
    assert require_proposal(proposed, SPACE, "mine") is proposed


@pytest.mark.parametrize(
    ("proposed", "said"),
    [
        (
            some("nasbench201"),
            "proposes an architecture of the space 'nasbench201', but the search is in 'nasnet:blocks=2'",
        ),
        (Architecture(SPACE, (99,) * len(SPACE.decisions)), "takes 0 to"),
        (Architecture(SPACE, (-1,) * len(SPACE.decisions)), "takes 0 to"),
        (Architecture(SPACE, ()), "decisions, got 0 choices"),
        (Architecture(SPACE, (0.5,) * len(SPACE.decisions)), "are no tuple of ints"),  # type: ignore[arg-type]
        (Architecture(SPACE, ("a",) * len(SPACE.decisions)), "is no architecture of"),  # type: ignore[arg-type]
        ((0,) * len(SPACE.decisions), "ask() returns an architecture, or None to end"),
        ("", "ask() returns an architecture, or None to end"),
    ],
)
def test_anything_else_is_refused(proposed: Any, said: str) -> None:
    with pytest.raises(InputError, match="strategy 'mine' proposes") as error:
        require_proposal(proposed, SPACE, "mine")
    assert said in str(error.value)


def test_a_search_stores_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = STRATEGIES.get("random")
    ask = random.ask
    asked = []

    def wrong_at_the_third(self: Any) -> Any:
        asked.append(1)
        return some("nasbench201") if len(asked) == 3 else ask(self)

    monkeypatch.setattr(random, "ask", wrong_at_the_third)
    with pytest.raises(InputError, match="of the space 'nasbench201'"):
        search(tiny_plan(), tmp_path / "a.h5")
    with Results(tmp_path / "a.h5") as results:
        assert set(results.frame(["space"])["space"]) == {"nasnet:blocks=1"}
