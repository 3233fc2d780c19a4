"""`nasbench.search` and `nasbench.resume`: the command line's runs, from names, values, classes and objects."""

from __future__ import annotations

import inspect

import commands
import numpy as np
import pytest
from fake_images import FAKE
from pydantic import Field

import nasbench
from nasbench.cli.runs import find_run
from nasbench.errors import InputError, UnknownName
from nasbench.runners.search.config import SearchConfig
from nasbench.runners.strategies.random import RandomSearch
from nasbench.store.maintenance.merging import merge_files


class Coin(nasbench.Strategy):
    """Random search that is in no registry."""

    class Options(nasbench.StrategyConfig):
        bias: float = Field(0.5, description="of no use")

    config_type = Options

    def __init__(self, space, seed, config=None):
        super().__init__(space, seed, config)
        self._rng = np.random.default_rng(seed)

    def ask(self):
        return self.space.random(self._rng)

    def tell(self, outcome):
        pass


PATH = f"{__name__}:Coin"


def stop_after(children: int):
    return lambda child: child.stop("enough") if child.children >= children else None


def test_every_field_of_a_search_is_an_argument_with_its_default():
    parameters = inspect.signature(nasbench.search).parameters
    renamed = {"seed": 0, "devices": ("cpu",)}  # None, "cpu": for objects, and to be written easily
    for name, field in SearchConfig.model_fields.items():
        if name in ("clock", "strategy_digest"):  # only for tables; the digest is that of the file that is named
            continue
        assert name in parameters
        if not field.is_required() and name not in renamed and name not in ("options", "set"):
            assert parameters[name].default == field.default, name


def test_a_search_has_the_rows_and_the_id_of_the_same_configuration(tiny):
    run = tiny(seed=3)
    config = SearchConfig.model_validate_json(run.row["config"])
    assert (config.strategy, config.seed, config.space, config.budget) == ("random", 3, "nasnet:blocks=1", "6 children")
    assert run.status == "complete"
    assert len(run.frame("search")) == 6
    assert run.frame("search")["val_acc"].max() == run.val_acc
    assert run.best.hash == run.frame("search").sort_values("val_acc", kind="stable", ascending=False)["hash"].iloc[0]
    assert 0 <= run.test_acc <= 1
    assert len(run.curves()) == len(run.frame())


def test_the_best_network_is_kept_where_it_is_asked_for(tiny, tmp_path):
    run = tiny(keep_best=True)
    (kept,) = tmp_path.glob("*.best.safetensors")
    assert nasbench.load_model(kept).description.hash == run.best.hash


def test_ids_and_default_names_are_those_of_the_configuration(monkeypatch):
    """The id is golden: tests/test_identity.py has it of the same configuration."""
    monkeypatch.setattr(
        "nasbench.api.searching.run_with_callbacks", lambda path, plans, *rest: [(path.as_posix(), plans[0].run)]
    )
    given = ("nasnet:blocks=2", "random", "3 children")
    assert nasbench.search(*given) == ("results/nasnet-random.h5", "14db82a6c5ad")
    assert nasbench.search(given[0], Coin, given[2])[0] == "results/nasnet-Coin.h5"


def test_the_same_call_again_returns_the_complete_run(tiny):
    first = tiny()
    seen = []
    again = tiny(callbacks=seen.append)
    assert again.id == first.id
    assert seen == []
    assert again.frame().equals(first.frame())


def test_values_stand_for_their_texts(tiny, tmp_path):
    by_text = tiny()
    protocol = nasbench.get_protocol("digits", FAKE)
    by_value = tiny(space=nasbench.get_space("nasnet:blocks=1"), protocol=protocol, set=None, output=tmp_path / "b.h5")
    assert by_value.id == by_text.id
    assert by_value.config["set"] == FAKE


def test_fields_of_set_win_over_those_of_a_protocol_value(tiny):
    run = tiny(protocol=nasbench.get_protocol("digits", FAKE), set={"epochs": 2})
    assert set(run.frame()["epochs"]) == {2}


def test_a_protocol_that_is_made_of_no_named_one_is_refused(tiny):
    with pytest.raises(InputError, match=r"'mine' is not made of a named one: use nasbench\.get_protocol"):
        tiny(protocol=nasbench.Protocol(name="mine"))


def test_options_are_given_in_the_text_or_beside_it(tiny, tmp_path):
    text = tiny(strategy="evolution:population=2,sample=1")
    beside = tiny(strategy="evolution", options={"population": "2", "sample": "1"}, output=tmp_path / "b.h5")
    assert text.id == beside.id
    with pytest.raises(InputError, match="are given twice"):
        tiny(strategy="evolution:population=2", options={"sample": 1})


def test_a_registered_class_is_stored_by_its_name(tiny, tmp_path):
    assert tiny(strategy=RandomSearch).id == tiny(output=tmp_path / "b.h5").id


def test_an_unregistered_class_is_stored_by_its_path_and_resumed_only_with_it(tiny, tmp_path):
    run = tiny(strategy=Coin, options={"bias": 0.25}, callbacks=stop_after(2))
    assert (run.strategy, run.status, run.stop_reason) == (PATH, "interrupted", "enough")
    with pytest.raises(
        InputError, match=rf"made by the Python class '{PATH}', which is not registered: .*strategy=Coin"
    ):
        nasbench.resume(tmp_path / "a.h5", progress=False)
    (resumed,) = nasbench.resume(tmp_path / "a.h5", strategy=Coin, progress=False)
    assert (resumed.id, resumed.status, resumed.config["options"]) == (run.id, "complete", {"bias": 0.25})
    whole = tiny(strategy=Coin, options={"bias": 0.25}, output=tmp_path / "b.h5")
    assert resumed.frame()["hash"].tolist() == whole.frame()["hash"].tolist()


def test_the_command_line_refuses_a_class_it_does_not_know_in_one_line(tiny, tmp_path):
    tiny(strategy=Coin, callbacks=stop_after(2))
    done = commands.nasbench("resume", str(tmp_path / "a.h5"))
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert "nasbench.resume(" in done.err


def test_a_borrowed_name_does_not_pass_for_the_registered_strategy(tiny):
    class Fake(Coin):
        name = "random"

    assert tiny(strategy=Fake).strategy.endswith("Fake")


def test_an_object_stands_for_its_class_options_and_seed(tiny, tmp_path):
    space = nasbench.get_space("nasnet:blocks=1")
    run = tiny(strategy=Coin(space, 5, Coin.Options(bias=0.1)))
    assert (run.seed, run.config["options"]) == (5, {"bias": 0.1})
    assert run.id == tiny(strategy=Coin, options={"bias": 0.1}, seed=5, output=tmp_path / "b.h5").id
    with pytest.raises(InputError, match="searches 'nasnet:blocks=1', not 'nasnet:blocks=2'"):
        tiny(strategy=Coin(space, 5), space="nasnet:blocks=2")
    with pytest.raises(InputError, match="has the seed 5, not 6"):
        tiny(strategy=Coin(space, 5), seed=6)


def cached_and_charged(run) -> tuple[int, float]:
    """Children whose score was in another file, and the hours that were charged for all."""
    children = run.frame("search")
    return int((children["cached_from"] != "").sum()), float(children["gpu_hours"].sum())


def test_a_resumed_run_reuses_the_scores_that_it_began_with(tiny, tmp_path):
    """Every child is in another file, and a score from there is free: stopped or not, the run is charged nothing."""
    tiny(output=tmp_path / "there.h5")
    run = tiny(cache=[tmp_path / "there.h5"], cached="free", final="none", callbacks=stop_after(2))
    assert (run.status, cached_and_charged(run)) == ("interrupted", (2, 0.0))
    (resumed,) = nasbench.resume(tmp_path / "a.h5", progress=False)
    assert (resumed.status, cached_and_charged(resumed)) == ("complete", (6, 0.0))


def test_a_run_whose_cache_is_gone_is_resumed_only_where_that_is_said(tiny, tmp_path):
    there, away = tmp_path / "there.h5", tmp_path / "away.h5"
    tiny(output=there)
    given = {"cache": [there], "cached": "free", "final": "none", "callbacks": stop_after(2)}
    for name in ("a.h5", "b.h5"):
        tiny(output=tmp_path / name, **given)
    there.rename(away)
    done = commands.nasbench("resume", str(tmp_path / "a.h5"))
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert f"{there}: no such results file" in done.err
    assert "--cache FILE" in done.err
    assert "--no-cache" in done.err
    done = commands.nasbench("resume", str(tmp_path / "a.h5"), "--cache", str(away), "--no-cache")
    assert (done.code, done.err.count("\n")) == (2, 1)
    (found,) = nasbench.resume(tmp_path / "a.h5", cache=[away], progress=False)
    assert cached_and_charged(found) == (6, 0.0)
    assert commands.nasbench("resume", str(tmp_path / "b.h5"), "--no-cache").code == 0
    cached, charged = cached_and_charged(nasbench.Run(tmp_path / "b.h5"))
    assert cached == 2
    assert charged > 0


@pytest.mark.parametrize("other", [False, True])
def test_a_cache_that_is_chosen_on_resuming_holds_for_that_attempt_alone(tiny, tmp_path, other):
    """Rule: without the option, a run reuses the scores of the files with which it began."""
    tiny(output=tmp_path / "there.h5")
    tiny(output=tmp_path / "other.h5", seed=9)
    tiny(cache=[tmp_path / "there.h5"], cached="free", final="none", callbacks=stop_after(2))
    chosen = [tmp_path / "other.h5"] if other else []
    (stopped,) = nasbench.resume(tmp_path / "a.h5", cache=chosen, callbacks=stop_after(2), progress=False)
    assert (stopped.status, cached_and_charged(stopped)[0]) == ("interrupted", 2)
    before = len(stopped.frame("search"))
    (resumed,) = nasbench.resume(tmp_path / "a.h5", progress=False)
    assert (resumed.status, cached_and_charged(resumed)[0]) == ("complete", 2 + 6 - before)
    assert before < 6


def test_runs_of_one_file_keep_their_own_caches(tiny, tmp_path):
    tiny(output=tmp_path / "there.h5")
    given = {"cached": "free", "final": "none", "callbacks": stop_after(2)}
    with_cache = tiny(cache=[tmp_path / "there.h5"], **given)
    without = tiny(seed=1, **given)
    resumed = nasbench.resume(tmp_path / "a.h5", progress=False)
    assert [run.id for run in resumed] == [with_cache.id, without.id]
    # Each run's cache is also the file itself: both runs' networks are trained with seeds of their own.
    assert [cached_and_charged(run)[0] for run in resumed] == [6, 0]


@pytest.mark.parametrize("wrong", [3, int, None])
def test_what_is_no_strategy_is_refused(tiny, wrong):
    with pytest.raises(InputError, match=r"a subclass of nasbench\.Strategy or an object of one"):
        tiny(strategy=wrong)


def test_a_wrong_name_is_refused_before_a_file_is_made(tiny, tmp_path):
    with pytest.raises(UnknownName, match="did you mean 'random'"):
        tiny(strategy="randon")
    assert list(tmp_path.iterdir()) == []


def test_a_registered_strategy_is_searched_and_resumed_by_name(tiny, tmp_path, registry):
    named = nasbench.register_strategy(type("MyCoin", (Coin,), {}))
    assert named.name == "my_coin"
    run = tiny(strategy="my_coin", callbacks=stop_after(2))
    assert run.strategy == "my_coin"
    registry._added.clear()
    with pytest.raises(
        InputError, match=r"by the strategy 'my_coin', which is not registered here: .*register_strategy"
    ):
        nasbench.resume(tmp_path / "a.h5", progress=False)
    nasbench.register_strategy("my_coin")(named)
    assert nasbench.resume(tmp_path / "a.h5", progress=False)[0].status == "complete"


def test_a_name_that_is_taken_is_refused(registry):
    with pytest.raises(InputError, match=r"the strategy 'random' is .*RandomSearch; give .* another name"):
        nasbench.register_strategy("random")(Coin)
    with pytest.raises(InputError, match="letters, digits"):
        nasbench.register_strategy("my coin")(Coin)
    with pytest.raises(InputError, match=r"a strategy is a subclass of nasbench\.Strategy"):
        nasbench.register_strategy(int)


def test_defining_a_strategy_again_replaces_it(registry):
    first = nasbench.register_strategy("again")(type("Again", (Coin,), {}))
    second = nasbench.register_strategy("again")(type("Again", (Coin,), {}))
    assert registry.get("again") is second is not first
    assert "again" in set(registry)


def test_data_is_fetched_only_when_asked_for(tiny, monkeypatch):
    asked = []
    monkeypatch.setattr("nasbench.api.searching.load_data", lambda text, download: asked.append((text, download)))
    tiny(budget="1 children")
    assert asked == []
    tiny(budget="1 children", download=True)
    assert asked == [(FAKE["data"], True)]


def test_a_slow_processor_is_a_warning_at_the_callers_line(tiny, monkeypatch):
    monkeypatch.setattr("nasbench.api.searching.slow_here", lambda *about: ["this will be slow"])
    with pytest.warns(UserWarning, match="this will be slow"):
        tiny(budget="1 children")


def test_resuming_with_nothing_to_do_returns_nothing(tiny, tmp_path):
    tiny()
    assert nasbench.resume(tmp_path / "a.h5", progress=False) == []
    with pytest.raises(InputError, match="has no run 'nothing'"):
        nasbench.resume(tmp_path / "a.h5", "nothing", progress=False)


def test_a_search_runs_outside_the_main_thread(tiny):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(tiny, budget="2 children").result().status == "complete"


def test_a_run_says_what_it_found_in_text_and_html(tiny):
    run = tiny()
    assert f"random, seed 0, complete, 6 children, best val_acc {run.val_acc:.4f}" in repr(run)
    page = run._repr_html_()
    assert "<svg" in page
    assert run.id in page
    assert f"validation {run.val_acc:.4f}, test {run.test_acc:.4f}, hash {run.best.hash}" in page
    assert "test not scored" in tiny(final="none", seed=1)._repr_html_()
    assert run.plot().axes
    assert run.draw().axes


def test_a_run_is_named_by_its_first_digits(tiny, tmp_path):
    one, two = tiny(seed=1), tiny(seed=2)
    assert nasbench.Run(tmp_path / "a.h5", one.id[:6]).id == one.id
    with pytest.raises(InputError, match="2 runs, so that one has to be named"):
        nasbench.Run(tmp_path / "a.h5")
    with pytest.raises(InputError, match=f"no run 'zz'; its runs: {one.id}, {two.id}"):
        nasbench.Run(tmp_path / "a.h5", "zz")


def test_a_whole_id_names_one_run_although_a_kept_one_starts_with_it(tiny, tmp_path):
    """Rule: a whole id names its run. A merge keeps a conflicting run RUN as RUN~2."""
    files = [str(tmp_path / f"{name}.h5") for name in "ab"]
    one, again = (tiny(output=file, budget="1 children", final="none") for file in files)
    assert one.id == again.id
    merge_files(files, str(tmp_path / "c.h5"), "keep")  # their seconds differ
    assert nasbench.open(tmp_path / "c.h5").runs()["run"].tolist() == [one.id, f"{one.id}~2"]
    for name in (one.id, f"{one.id}~2"):
        assert nasbench.Run(tmp_path / "c.h5", name).id == name
        assert find_run(name, str(tmp_path / "c.h5"))["run"] == name
    with pytest.raises(InputError, match="2 runs, so that one has to be named"):
        nasbench.Run(tmp_path / "c.h5", one.id[:6])


def test_a_run_without_a_score_has_no_best(tiny):
    run = tiny(timeout=1e-9)
    assert run.best is None
    assert np.isnan(run.val_acc)
    assert "<svg" not in run._repr_html_()
    assert "none yet" in run._repr_html_()
    with pytest.raises(InputError, match="no child with a score yet"):
        run.draw()


def test_options_with_which_a_strategy_is_random_search_are_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="population of 100, so this is random search") as seen:
        nasbench.search("nasnet:blocks=1", "evolution", "1 child", tmp_path / "a.h5", set=FAKE, progress=False)
    assert seen[0].filename == __file__
