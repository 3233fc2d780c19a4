"""The description in a surrogate's file: what it was fitted to, by what, and how well it predicts what it has not seen."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nasbench.structures import Scale

Text = Annotated[str, Field(max_length=4000)]
Share = Annotated[float, Field(ge=0, le=1)]
# JSON has no NaN: it is stored as null.
OrNan = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=True)


class Quality(_Strict):
    """How well held-out values are predicted: every one by models that were fitted without its architecture.

    Attributes:
        n: held-out trainings.
        kendall_tau: Kendall's tau-b of predictions and values, in [-1, 1]; NaN where it is not defined.
        r2: share of the variance that is explained; NaN where there is none.
        rmse: root of the mean squared error; of scores as a fraction, of costs in the natural logarithm.
        within_50: share of values within the stated interval of 50%.
        within_80: likewise, of 80%.
        within_95: likewise, of 95%.
        nll: mean negative log likelihood in nats, of log odds for scores and of logarithms for seconds.
    """

    n: Annotated[int, Field(ge=1)]
    kendall_tau: OrNan
    r2: OrNan
    rmse: Annotated[float, Field(ge=0)]
    within_50: Share
    within_80: Share
    within_95: Share
    nll: OrNan


class Source(_Strict):
    """A results file that a surrogate was fitted to.

    Attributes:
        name: the file's name, without folders.
        digest: digest of the rows that were used, 32 hexadecimal digits.
    """

    name: Text
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class About(_Strict):
    """Description of a surrogate.

    Attributes:
        space: the space with its options.
        data: name of the data set.
        protocol: name of the protocol.
        fingerprint: the protocol's fingerprint, as the rows have it.
        scale: size of the networks whose counts are features, see `structures.Scale`.
        features: names of the features, in their order.
        children: trainings that the surrogate was fitted to.
        architectures: different architectures among them.
        left_out: children of the files that were not used, because they have no score.
        noise: "repeats" if the noise of outcomes is the spread between trainings of one architecture, "residual" if it is
            the spread of scores around held-out predictions.
        repeated: architectures with several trainings.
        mean_seconds: mean cost of a training, in device-seconds.
        quality: model ("boosting", "forest", "both", "seconds") -> how well held-out values are predicted.
        folds: number of folds of the cross-validation.
        seed: seed of folds and models.
        sources: the results files.
        made: provenance, see `nasbench.provenance.provenance`, and the time.
    """

    space: Text
    data: Text
    protocol: Text
    fingerprint: Text
    scale: dict[str, int | str | bool]
    features: Annotated[list[Text], Field(max_length=10_000)]
    children: Annotated[int, Field(ge=1)]
    architectures: Annotated[int, Field(ge=1)]
    left_out: Annotated[int, Field(ge=0)]
    noise: Literal["repeats", "residual"]
    repeated: Annotated[int, Field(ge=0)]
    mean_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    quality: dict[Literal["boosting", "forest", "both", "seconds"], Quality]
    folds: Annotated[int, Field(ge=2)]
    seed: Annotated[int, Field(ge=0)]
    sources: Annotated[list[Source], Field(min_length=1, max_length=1000)]
    made: dict[str, Any]

    @property
    def networks_scale(self) -> Scale:
        """The scale as a value.

        Raises:
            TypeError: when it lacks a field, or has another.
        """
        return Scale(**self.scale)  # type: ignore[arg-type]
