"""A small surrogate, fitted to the children that ship in results/claims.h5 with few trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasbench.tabular.surrogates import fitting
from nasbench.tabular.surrogates.files import write_surrogate
from nasbench.tabular.surrogates.model import Surrogate

TRAINED = Path(__file__).parents[2] / "results" / "claims.h5"


@pytest.fixture(scope="session")
def surrogate() -> Surrogate:
    few = pytest.MonkeyPatch()
    few.setitem(fitting.BOOSTING, "n_estimators", 30)
    few.setitem(fitting.FOREST, "n_estimators", 8)
    found = fitting.fit_surrogate([TRAINED], folds=2)
    few.undo()
    return found


@pytest.fixture(scope="session")
def file(surrogate: Surrogate, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fitted") / "s.h5"
    write_surrogate(surrogate, path)
    return path
