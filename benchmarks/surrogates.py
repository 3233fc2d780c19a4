"""Prediction of many networks by a surrogate's stored trees, beside scikit-learn's own: `python benchmarks/surrogates.py`.

Processor time of this process, the least of several repetitions in turn, one thread. All predict the same features; ours reads
trees that were written to a file and read back, and sums them by numpy and by numba (the extra `fast`). With --record the row goes into benchmarks/results.csv.
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
from nasbench.tabular.surrogates.fitting import BOOSTING, FOREST, MODELS, fit_surrogate
from nasbench.tabular.surrogates.model import accuracy, log_odds

RESULTS = Path(__file__).resolve().parents[1] / "results"
TRAINED = [RESULTS / "nasnet5-digits.h5", RESULTS / "nasnet5-digits-again.h5"]
NETWORKS, REPETITIONS, SINGLE = 20_000, 7, 300


def least(times: int, *works: Callable[[], object]) -> list[float]:
    """Least processor microseconds of each work over several repetitions, taken in turn, each divided by `times`."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(REPETITIONS):
        for work, measured in zip(works, seconds):
            started = time.process_time()
            work()
            measured.append(time.process_time() - started)
    return [1e6 * min(measured) / times for measured in seconds]


def theirs(fitted: FloatArray, values: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """The same models in scikit-learn."""
    models = (
        GradientBoostingRegressor(**BOOSTING, random_state=0).fit(fitted, values),
        ExtraTreesRegressor(**FOREST, random_state=0).fit(fitted, values),
    )
    shares = [share for share, _ in MODELS.values()]
    return lambda features: sum(share * model.predict(features) for share, model in zip(shares, models))


def main() -> None:
    """Measure and print; compare the predictions first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_surrogate(fit_surrogate(TRAINED, folds=2), Path(folder) / "s.h5")
        ours = read_surrogate(Path(folder) / "s.h5")
    with Results([str(file) for file in TRAINED]) as results:
        rows = results.frame()
    rows = rows[rows["val_acc"].notna()].drop_duplicates(["hash", "seed", "val_acc"])
    trained = [ours.space.decode(choices) for choices in rows["choices"].map(json.loads)]
    other = theirs(ours.features.of(trained)[0], log_odds(rows["val_acc"].to_numpy(dtype=float)))
    rng = np.random.default_rng(0)
    networks = [ours.space.random(rng) for _ in range(NETWORKS)]
    features, _ = ours.features.of(networks)
    compiled = ours.score.compiled
    if compiled is None:
        raise SystemExit("numba is not installed: pip install 'nasbench-suite[fast]'")
    numpy = ours.score.by_numpy(features)
    apart = np.abs(accuracy(numpy) - accuracy(other(features))).max()
    if apart > 1e-10 or not np.array_equal(numpy, compiled(features)):
        raise SystemExit(f"predictions differ by {apart:.1e} from scikit-learn's, or those of numpy and numba differ")
    single = [features[place : place + 1] for place in range(SINGLE)]
    compiled(single[0])
    score = ours.score
    many = least(NETWORKS, lambda: score.by_numpy(features), lambda: compiled(features), lambda: other(features))
    one = least(SINGLE, lambda: [score.by_numpy(each) for each in single], lambda: [compiled(each) for each in single])
    one += least(SINGLE // 10, lambda: [other(each) for each in single[: SINGLE // 10]])
    (made,) = least(1000, lambda: ours.features.of(networks[:1000]))
    note = f"{len(score.roots)} trees, {len(score.feature):,} nodes"
    print(f"{note}; predictions differ by at most {apart:.0e}; features take {made:.0f} us a network")
    rows_of = []
    for what, (by_numpy, by_numba, peer) in {f"batches of {NETWORKS:,}": many, "one network a call": one}.items():
        print(f"{what}: numpy {by_numpy:.2f} us a network, numba {by_numba:.2f} us, scikit-learn {peer:.2f} us")
        for how, mine in (("numpy", by_numpy), ("numba", by_numba)):
            name = f"surrogate, {what}, {how}"
            rows_of.append(Measurement(name, peer / mine, "scikit-learn's predict", mine, peer, "us a network", note))
    keep(rows_of, options.record)


if __name__ == "__main__":
    main()
