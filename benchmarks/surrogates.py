"""Prediction of many networks by a surrogate's stored trees, beside scikit-learn's own: `python benchmarks/surrogates.py`.

Processor time of this process, the least of several repetitions, one thread. Both predict the same features; ours reads trees
that were written to a file and read back. With --record the row goes into benchmarks/results.csv.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from record import Measurement, keep
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor

from nasbench.store.query import Results
from nasbench.tabular.surrogates.features import FloatArray
from nasbench.tabular.surrogates.files import read_surrogate, write_surrogate
from nasbench.tabular.surrogates.fitting import BOOSTING, FOREST, fit_surrogate
from nasbench.tabular.surrogates.model import accuracy, log_odds

TRAINED = Path(__file__).resolve().parents[1] / "results" / "claims.h5"
NETWORKS, REPETITIONS, SINGLE = 20_000, 7, 300


def least(work: Callable[[], object], times: int) -> float:
    """Least processor microseconds of several repetitions, each divided by `times`."""
    seconds = []
    for _ in range(REPETITIONS):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return 1e6 * min(seconds) / times


def theirs(fitted: FloatArray, values: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """The same models in scikit-learn."""
    models = (
        GradientBoostingRegressor(**BOOSTING, random_state=0).fit(fitted, values),
        ExtraTreesRegressor(**FOREST, random_state=0).fit(fitted, values),
    )
    return lambda features: accuracy(sum(model.predict(features) for model in models) / len(models))


def main() -> None:
    """Measure and print; compare the predictions first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_surrogate(fit_surrogate([TRAINED], folds=2), Path(folder) / "s.h5")
        ours = read_surrogate(Path(folder) / "s.h5")
    with Results(str(TRAINED)) as results:
        rows = results.frame()
    rows = rows[rows["val_acc"].notna()].drop_duplicates(["hash", "seed", "val_acc"])
    trained = [ours.space.decode(choices) for choices in rows["choices"].map(json.loads)]
    other = theirs(ours.features.of(trained)[0], log_odds(rows["val_acc"].to_numpy(dtype=float)))
    rng = np.random.default_rng(0)
    networks = [ours.space.random(rng) for _ in range(NETWORKS)]
    features, _ = ours.features.of(networks)
    apart = np.abs(accuracy(ours.score.predict(features)) - other(features)).max()
    if apart > 1e-10:
        raise SystemExit(f"predictions differ by {apart:.1e}")
    mine, sklearn = least(lambda: ours.score.predict(features), NETWORKS), least(lambda: other(features), NETWORKS)
    one = least(lambda: [ours.score.predict(features[place : place + 1]) for place in range(SINGLE)], SINGLE)
    other_one = least(lambda: [other(features[place : place + 1]) for place in range(SINGLE // 10)], SINGLE // 10)
    made = least(lambda: ours.features.of(networks[:1000]), 1000)
    print(
        f"{len(ours.score.roots)} trees of {len(ours.score.feature):,} nodes; predictions differ by at most {apart:.0e}"
    )
    print(f"in batches of {NETWORKS:,}: {mine:.1f} us a network, scikit-learn {sklearn:.1f} us; features {made:.0f} us")
    print(f"one network a call: {one:.0f} us, scikit-learn {other_one:.0f} us")
    note = f"{len(ours.score.roots)} trees, {len(ours.score.feature):,} nodes; the goal was 1 us"
    keep(
        [
            Measurement(
                "surrogate, batches", sklearn / mine, "scikit-learn's predict", mine, sklearn, "us a network", note
            ),
            Measurement(
                "surrogate, one a call", other_one / one, "scikit-learn's predict", one, other_one, "us a network", note
            ),
        ],
        options.record,
    )


if __name__ == "__main__":
    main()
