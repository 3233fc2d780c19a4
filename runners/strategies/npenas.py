"""NPENAS: evolution whose parents have many children, of which a predictor chooses those that are trained."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from nasbench.runners.strategies.bananas import PredictorConfig, predicted
from nasbench.runners.strategies.predictors.acquisitions import Acquisition, acquire
from nasbench.runners.strategies.predictors.batches import TRIES, BatchStrategy, Trained
from nasbench.runners.strategies.predictors.encodings import require_encoding
from nasbench.spaces.base import Architecture


class NpenasConfig(PredictorConfig):
    """Options of predictor-guided evolution; the defaults are those of Wei et al. 2020 (2003.12857), unless marked."""

    parents: int = Field(
        10, ge=1, description="best children that are mutated, candidates / parents new mutations each (2003.12857)"
    )
    sampling: bool = Field(
        False,
        description="no: the highest predictions are trained (NPENAS-NP); yes: a draw from mean and spread rates a candidate "
        "(NPENAS-BO, 2003.12857)",
    )


class Npenas(BatchStrategy[NpenasConfig]):
    """Evolution with a predictor: the best children get ten mutations each, and the most promising ten are trained.

    Source: Wei et al. 2020 (2003.12857), algorithm 1, and the released code.
    Deviation: the predictor is one of this suite (`predictor`), not the paper's graph network; with `sampling` its
    spread is that of an ensemble, not an output of the network. The parents are the best children, without a tournament.
    Failed children have reward 0.
    """

    name = "npenas"
    config_type = NpenasConfig

    def require_space(self) -> None:
        """Refuse an encoding that the space does not have; see `BatchStrategy.require_space`."""
        require_encoding(self.space, self.config.encoding)

    def pool(self, best: Sequence[Architecture]) -> list[Architecture]:
        """Make several mutations of each of the best children; see `BatchStrategy.pool`."""
        parents = best[: self.config.parents]
        found: list[Architecture] = []
        for place, parent in enumerate(parents):
            wanted = (self.config.candidates - len(found)) // (len(parents) - place)  # what one lacks the next ones add
            mutations = (self.space.mutate(parent, self._rng) for _ in range(TRIES * wanted))
            found += self.new_ones(mutations, wanted, found)
        return found

    def rank(self, trained: Sequence[Trained], pool: Sequence[Architecture]) -> Sequence[float]:
        """Rate candidates by their predicted reward; see `BatchStrategy.rank`."""
        members = predicted(self.config, trained, pool, self._rng)
        kind: Acquisition = "its" if self.config.sampling else "mean"
        values: list[float] = acquire(kind, members.mean(axis=0), members.std(axis=0), 0.0, members, self._rng).tolist()
        return values
