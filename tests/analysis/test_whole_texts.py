"""Our own notes, captions and labels are never cut in a picture; only names that come from files are."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import nasbench

from nasbench.analysis.plotting import bounded_figure
from nasbench.texts import shortened

RESULTS = Path(__file__).resolve().parents[2] / "results"
CLAIMS = str(RESULTS / "claims.h5")
CIFAR = [str(RESULTS / "cifar10-jpeg-nas.h5"), str(RESULTS / "cifar10-jpeg-nasnet.h5")]
TABLE = str(RESULTS / "digits201.h5")
LATENCY = str(RESULTS / "digits201-latency.h5")


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "words",
    [
        ("compare", CLAIMS),
        ("compare", *CIFAR, "--allow", "space", "--allow", "budget", "--allow", "data", "--allow", "protocol"),
        ("cost", CLAIMS, "--target", "0.9"),
        ("pareto", CLAIMS),
        ("pareto", TABLE, "--objectives", "error,latency", "--measurements", LATENCY),
        ("curves", CLAIMS),
        ("claims", CLAIMS),
        ("targets", CLAIMS, "--target", "0.9"),
        ("correlations", TABLE, "--of", "mult_adds,latency", "--measurements", LATENCY),
    ],
    ids=lambda words: " ".join(Path(word).name for word in words),
)
def test_no_text_of_ours_is_cut(words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[str] = []

    def recorded(text: str, most: int) -> str:
        if len(text) > most:
            cut.append(text)
        return shortened(text, most)

    monkeypatch.setattr(bounded_figure, "shortened", recorded)
    done = nasbench(*words, "-o", str(tmp_path / "figure.png"))
    assert done.code == 0, done.err
    assert list(tmp_path.glob("figure*.png"))
    assert cut == []
