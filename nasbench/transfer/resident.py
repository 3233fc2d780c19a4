"""Training of one network of the family on a data set that fits in memory, by the same evaluator that trains searches' children."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nasbench.networks.cell_counts import count_cell_network
from nasbench.networks.skeletons import Skeleton
from nasbench.protocols.protocol import Protocol
from nasbench.provenance import provenance
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.spaces.cells import encode_cell
from nasbench.structures import CellPair, Counts, Regularization, Scale
from nasbench.training.evaluation import Child

if TYPE_CHECKING:
    from nasbench.networks.base import Network

RECORD_VERSION = 1


@dataclass(frozen=True)
class SingleCellPair(Space):
    """A one-architecture space that wraps published cells, which no other space contains. It has no decisions.

    Args:
        pair: the cells, built as they are.
        skeleton: name of the stacking rule.
    """

    pair: CellPair
    skeleton: Skeleton

    name: ClassVar[str] = "single-cell-pair"

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """None."""
        return ()

    def structure(self, architecture: Architecture) -> CellPair:
        """The pair."""
        return self.pair

    def form(self, architecture: Architecture) -> str:
        """Skeleton and cells."""
        return f"{self.skeleton}|{encode_cell(self.pair.normal)}|{encode_cell(self.pair.reduction)}"

    def canonical(self, architecture: Architecture) -> Architecture:
        """Itself."""
        return architecture

    def describe(self, architecture: Architecture) -> str:
        """As `form`."""
        return self.form(architecture)

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count the network in closed form."""
        return count_cell_network(self.pair, scale, self.skeleton)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build the network."""
        from nasbench.networks.cells import build_cell_network

        return build_cell_network(self.pair, scale, regularization, skeleton=self.skeleton)


def train_resident(
    pair: CellPair, skeleton: Skeleton, protocol: Protocol, seed: int, device: str, folder: Path, about: dict[str, Any]
) -> dict[str, Any]:
    """Train a network, score it on the test images once, and write the record.

    Args:
        pair: its cells.
        skeleton: name of the stacking rule.
        protocol: with data, N and F.
        seed: of weights, order and augmentation, >= 0.
        device: "cpu", "cuda" or "cuda:1".
        folder: gets record.json.
        about: entries of the record besides protocol and outcome, e.g. the architecture's name.

    Returns:
        The record. There is no checkpoint: a training that is stopped starts again from the beginning.

    Raises:
        InputError: when the device is not there, or the protocol does not fit the data.
        MissingData: when the data's files are not there.
    """
    from nasbench.training.evaluate import evaluate
    from nasbench.transfer.checkpoint import write_record

    child = Child(SingleCellPair(pair, skeleton).decode(()), protocol, seed, test=True)
    outcome = asdict(evaluate(child, device))
    record = {"version": RECORD_VERSION, **about, "protocol": protocol.model_dump(mode="json"), "seed": seed, **outcome}
    record |= {"data_digest": _digest(protocol), "provenance": provenance()}
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder, record)
    return record


def _digest(protocol: Protocol) -> str:
    from nasbench.data import load_data

    return load_data(protocol.data).digest
