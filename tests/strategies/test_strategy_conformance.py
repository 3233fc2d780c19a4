"""Every registered strategy keeps the contract on every kind of space, and the suite notices those that do not."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from optional_packages import PACKAGES, need_package_of

from nasbench.errors import InputError, NasbenchError
from nasbench.runners.strategies import STRATEGIES, Outcome, Strategy, StrategyConfig
from nasbench.runners.strategies.bananas import BananasConfig
from nasbench.runners.strategies.conformance import ConformanceError, check_strategy, converse, started
from nasbench.runners.strategies.darts import DartsConfig
from nasbench.runners.strategies.drnas import DrnasConfig
from nasbench.runners.strategies.enas import EnasConfig
from nasbench.runners.strategies.gdas import GdasConfig
from nasbench.runners.strategies.gp import GpConfig
from nasbench.runners.strategies.mo_evolution import MoEvolutionConfig
from nasbench.runners.strategies.npenas import NpenasConfig
from nasbench.runners.strategies.nsga2 import Nsga2Config
from nasbench.runners.strategies.parego import ParegoConfig
from nasbench.runners.strategies.pcdarts import PcDartsConfig
from nasbench.runners.strategies.random import RandomConfig, RandomSearch
from nasbench.runners.strategies.reinforce import Reinforce, ReinforceConfig
from nasbench.runners.strategies.rs_ws import RsWsConfig
from nasbench.runners.strategies.syne_tune_searchers import SyneTuneConfig
from nasbench.runners.strategies.zero_cost import ZeroCostConfig
from nasbench.spaces import get_space
from nasbench.spaces.base import Space
from nasbench.spaces.cell_space import CellSpace
from nasbench.spaces.constrained import CountsAt, Limits, NothingFits, constrained, parse_limits
from nasbench.spaces.darts import DartsSpace
from nasbench.spaces.enas_macro import EnasMacroSpace
from nasbench.spaces.nasbench201 import NasBench201Space
from nasbench.structures import Scale

TOY_NAMES = ("row", "stack", "forced", "skips")
SPECS = (
    "nas:layers=4",
    "nasnet:blocks=2",
    "nasbench201",
    "pnas:blocks=2",
    "amoebanet:blocks=2",
    "enas-micro:blocks=2",
    "enas-macro:layers=4",
    "nasbench101",
)


def has_mixtures(space: Space) -> bool:
    """Whether a space has a super-network of mixed operations."""
    if isinstance(space, (NasBench201Space, DartsSpace)):
        return True
    return isinstance(space, CellSpace) and space.grammar.combinations == ("add",)


DIFFERENTIABLE = ("darts", "drnas", "gdas", "pcdarts")
# These search some spaces only and must refuse the others; their own tests check them on small ones.
SEARCHABLE: dict[str, Callable[[Space], bool]] = {
    "pnas": lambda space: isinstance(space, CellSpace),
    **dict.fromkeys(("enas", "rs_ws"), lambda space: isinstance(space, EnasMacroSpace) or has_mixtures(space)),
    **dict.fromkeys(DIFFERENTIABLE, has_mixtures),
}
SHARED = {"data": "fake:images=12,size=4,classes=2", "filters": 8, "epochs": 1}

# The toys are counted but not built, and the checks make too many strategies for scores that take a network each, or much training.
CONFIGS: dict[str, StrategyConfig] = {
    "bananas": BananasConfig(ensemble=2, layers=1, epochs=2, candidates=20, batch=12),
    "gp": GpConfig(iterations=1, candidates=20, batch=12),
    "nsga2": Nsga2Config(population=10),
    "mo_evolution": MoEvolutionConfig(population=10, sample=4),
    "parego": ParegoConfig(initial=8, batch=3, candidates=12, kernel="hamming"),
    "npenas": NpenasConfig(ensemble=2, layers=1, epochs=2, candidates=20, batch=12),
    "syne_tune": SyneTuneConfig(searcher="regularized_evolution", population=10),
    "zero_cost": ZeroCostConfig(score="params", candidates=20),
    "enas": EnasConfig(**SHARED, controller_steps=1, aggregate=2, candidates=6),
    "rs_ws": RsWsConfig(**SHARED, candidates=6, minibatches=2, finalists=3),
    "darts": DartsConfig(**SHARED),
    "gdas": GdasConfig(**SHARED),
    "drnas": DrnasConfig(**SHARED, warmup_epochs=0),
    "pcdarts": PcDartsConfig(**SHARED, warmup_epochs=0),
}
CHILDREN = {
    **dict.fromkeys(("enas", "rs_ws", *DIFFERENTIABLE), 8),
    "parego": 14,
}  # more than its candidates; every one of them is scored by a network


@pytest.mark.sampled(5)
@pytest.mark.parametrize("name", list(STRATEGIES))
@pytest.mark.parametrize("toy", TOY_NAMES)
def test_on_small_spaces(toys, name: str, toy: str):
    need_package_of(name)
    if name in SEARCHABLE:
        with pytest.raises(InputError, match="space"):
            STRATEGIES.get(name)(toys[toy], 1)
        return
    check_strategy(STRATEGIES.get(name), toys[toy], seed=1, config=CONFIGS.get(name), children=CHILDREN.get(name, 45))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", list(STRATEGIES))
@pytest.mark.parametrize("spec", SPECS)
def test_on_the_suites_spaces(name: str, spec: str):
    need_package_of(name)
    if name in SEARCHABLE and not SEARCHABLE[name](get_space(spec)):
        with pytest.raises(InputError, match="space"):
            STRATEGIES.get(name)(get_space(spec), 2)
        return
    check_strategy(
        STRATEGIES.get(name), get_space(spec), seed=2, config=CONFIGS.get(name), children=CHILDREN.get(name, 30)
    )


@pytest.mark.slow
def test_with_options(stack):
    check_strategy(RandomSearch, stack(), config=RandomConfig(unique=True))
    growing = ReinforceConfig(depth_start=2, depth_every=10)
    check_strategy(Reinforce, stack(layers=5), config=growing, children=30)
    check_strategy(Reinforce, get_space("nas:layers=4,variant=v2"), config=growing, children=30)
    check_strategy(Reinforce, stack(layers=3), config=ReinforceConfig(heads="group", batch=3), children=30)


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_every_option_is_described(name: str):
    assert issubclass(STRATEGIES.get(name).config_type, StrategyConfig)
    for field in STRATEGIES.get(name).config_type.model_fields.values():
        assert field.description


class Draws(Strategy[StrategyConfig]):
    """A correct strategy; each breach below is one change to it."""

    name = "draws"

    def __init__(self, space, seed, config=None):
        super().__init__(space, seed, config)
        self.rng = np.random.default_rng(seed)
        self.told = 0

    def ask(self):
        return self.space.random(self.rng)

    def tell(self, outcome: Outcome):
        self.told += 1


class UsesRandom(Draws):
    def ask(self):
        return self.space.random(np.random.default_rng(random.randrange(2**32)))


class SeedsGlobally(Draws):
    def __init__(self, space, seed, config=None):
        super().__init__(space, seed, config)
        random.seed(seed)


class ForgetsItsSeed(Draws):
    def __init__(self, space, seed, config=None):
        super().__init__(space, seed, config)
        self.rng = np.random.default_rng()


class LeavesTheSpace(Draws):
    def ask(self):
        child = super().ask()
        return type(child)(self.space, (*child.choices[:-1], 99))


class NeverAsks(Draws):
    def ask(self):
        return None


class TripsOverFailures(Draws):
    def tell(self, outcome: Outcome):
        self.told += int(outcome.val_acc * 10)


class WantsOrder(Draws):
    def tell(self, outcome: Outcome):
        if outcome.index != self.told:
            raise RuntimeError("out of order")
        self.told += 1


class PaysFailuresWithNan(Draws):
    def reward(self, outcome: Outcome):
        return outcome.val_acc


class RemembersAcrossSearches(Draws):
    memory: int = 0

    def tell(self, outcome: Outcome):
        type(self).memory += 1
        self.rng = np.random.default_rng(type(self).memory)


class Waits(Draws):
    """Correct too: at most two children in training."""

    def __init__(self, space, seed, config=None):
        super().__init__(space, seed, config)
        self.asked = 0

    def ask(self):
        if self.asked - self.told == 2:
            return None
        self.asked += 1
        return super().ask()


class DrawsWhileWaiting(Waits):
    def ask(self):
        answer = super().ask()
        if answer is None:
            self.rng.random()
        return answer


@pytest.mark.parametrize("kind", [Draws, Waits])
def test_a_correct_strategy_passes(toys, kind: type[Draws]):
    check_strategy(kind, toys["row"])


@pytest.mark.parametrize(
    ("breach", "error"),
    [
        (UsesRandom, ConformanceError),
        (SeedsGlobally, ConformanceError),
        (ForgetsItsSeed, ConformanceError),
        (LeavesTheSpace, NasbenchError),
        (NeverAsks, ConformanceError),
        (TripsOverFailures, ValueError),
        (WantsOrder, RuntimeError),
        (PaysFailuresWithNan, ConformanceError),
        (RemembersAcrossSearches, ConformanceError),
        (DrawsWhileWaiting, ConformanceError),
    ],
)
def test_a_breach_is_noticed(toys, breach: type[Draws], error: type[Exception]):
    with pytest.raises(error):
        check_strategy(breach, toys["row"])


def half(space: Space, scale: Scale, which: str) -> Space:
    """A view of a space under limits that about half of its architectures satisfy: those of up to (<=) or at least (>=) the median parameters."""
    rng = np.random.default_rng(7)
    params = sorted(space.count(space.random(rng), scale).params for _ in range(199))[99]
    return constrained(space, Limits(parse_limits(f"params {which} {params}"), CountsAt(scale)))


def smaller_half(space: Space, scale: Scale) -> Space:
    return half(space, scale, "<=")


SCALE = Scale(cells=1, filters=8, image_size=8, image_channels=1, classes=3)
UNDER_LIMITS = {"enas": "enas-micro:blocks=2", "pnas": "nasnet:blocks=2"}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", list(STRATEGIES))
def test_under_limits(name: str):
    """Every proposal fits, and the strategy stays pure and repeatable: `check_strategy` on a view of a space.

    The limits are such that the same search without them begins with an architecture that does not fit.
    """
    space, children = get_space(UNDER_LIMITS.get(name, "nasbench201")), CHILDREN.get(name, 45)
    first = converse(started(STRATEGIES.get(name), space, 3, CONFIGS.get(name)), 1).proposals[0]
    views = [half(space, SCALE, which) for which in ("<=", ">=")]
    view = next(view for view in views if not view.allows(first))
    check_strategy(STRATEGIES.get(name), view, seed=3, config=CONFIGS.get(name), children=children)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("name", "toy"),
    [(name, toy) for name in STRATEGIES for toy in ("row", "stack", "forced") if name not in SEARCHABLE],
)
def test_under_limits_on_small_spaces(toys, name: str, toy: str):
    need_package_of(name)
    view = smaller_half(toys[toy], SCALE)
    check_strategy(STRATEGIES.get(name), view, seed=1, config=CONFIGS.get(name), children=CHILDREN.get(name, 45))


@pytest.mark.slow
def test_under_limits_with_options(stack):
    view = smaller_half(stack(), SCALE)
    check_strategy(RandomSearch, view, config=RandomConfig(unique=True))
    growing = ReinforceConfig(depth_start=2, depth_every=10, batch=4)
    check_strategy(Reinforce, smaller_half(stack(layers=5), SCALE), config=growing, children=30)


@pytest.mark.slow
def test_a_search_without_limits_proposes_what_it_did(toys):
    """Limits that everything satisfies change no proposal of any strategy."""
    loose = Limits(parse_limits("params > 0"), CountsAt(SCALE))
    for name in STRATEGIES:
        if name in PACKAGES or (name in SEARCHABLE and name != "pnas"):
            continue  # other packages have a test of their own; their training takes seconds, and their draws are those of others
        space = get_space("nasnet:blocks=2") if name == "pnas" else toys["stack"]
        made = [
            started(STRATEGIES.get(name), each, 4, CONFIGS.get(name)) for each in (space, constrained(space, loose))
        ]
        free, limited = (converse(strategy, 40).proposals for strategy in made)
        assert free == limited, name


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "name", ["bananas", "evolution", "local_search", "ppo", "random", "reinforce", "reinforce_logits"]
)
def test_limits_that_nothing_satisfies_end_a_strategy_with_one_line(toys, name: str):
    view = constrained(toys["row"], Limits(parse_limits("params > 1000"), CountsAt(SCALE)))
    with pytest.raises(NothingFits, match="10,000 drawn in a row"):
        STRATEGIES.get(name)(view, 1).ask()


def test_progressive_search_says_when_no_cell_of_one_block_fits():
    space = get_space("nasnet:blocks=2,operations=identity/sep_conv_3x3/max_pool_3x3")
    view = constrained(space, Limits(parse_limits("params > 1G"), CountsAt(SCALE)))
    with pytest.raises(InputError, match="cells of one block"):
        STRATEGIES.get("pnas")(view, 1)


class DecodesWhatItLikes(Draws):
    def ask(self):
        return self.space.decode([int(self.rng.integers(decision.options)) for decision in self.space.decisions])


class DecodesWhatFits(Draws):
    """Correct: it asks `fitting` about what it made by itself."""

    def ask(self):
        return next(self.space.fitting(iter(lambda: DecodesWhatItLikes.ask(self), None)))


def test_a_strategy_that_ignores_limits_is_noticed(toys):
    view = smaller_half(toys["row"], SCALE)
    check_strategy(DecodesWhatFits, view)
    with pytest.raises(ConformanceError, match="limits"):
        check_strategy(DecodesWhatItLikes, view)
