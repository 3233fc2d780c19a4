"""Training of one published network on a data set that fits in memory, with the code that trains children of
searches."""

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
    """A space without decisions, whose only architecture is a given pair of cells.

    It is used for published cells that no other space contains. Methods without a description are as in `Space`.

    Args:
        pair: normal and reduction cell.
        skeleton: name of the rule by which cells are stacked, "nasnet" or "pnas".
    """

    pair: CellPair
    skeleton: Skeleton

    name: ClassVar[str] = "single-cell-pair"

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The empty tuple."""
        return ()

    def structure(self, architecture: Architecture) -> CellPair:
        """Return the pair of cells, see `Space.structure`."""
        return self.pair

    def form(self, architecture: Architecture) -> str:
        """Return skeleton and cells as text, see `Space.form`."""
        return f"{self.skeleton}|{encode_cell(self.pair.normal)}|{encode_cell(self.pair.reduction)}"

    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the architecture itself, see `Space.canonical`."""
        return architecture

    def describe(self, architecture: Architecture) -> str:
        """Return the same text as `form`, see `Space.describe`."""
        return self.form(architecture)

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count parameters and multiply-adds, see `Space.count_at`."""
        return count_cell_network(self.pair, scale, self.skeleton)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build the network, see `Space.build`."""
        from nasbench.networks.cells import build_cell_network

        return build_cell_network(self.pair, scale, regularization, skeleton=self.skeleton)


def train_resident(
    pair: CellPair, skeleton: Skeleton, protocol: Protocol, seed: int, device: str, folder: Path, about: dict[str, Any]
) -> dict[str, Any]:
    """Train a network, score it on the test images once, and write the record.

    There is no checkpoint: a training that is stopped starts again from the beginning. The record of the same training is
    replaced.

    Args:
        pair: normal and reduction cell.
        skeleton: name of the rule by which cells are stacked, "nasnet" or "pnas".
        protocol: the training protocol, with data set, N and F.
        seed: training seed, >= 0.
        device: "cpu", "cuda" or "cuda:1".
        folder: folder for record.json; created if missing.
        about: further entries of the record, e.g. the architecture's name.

    Returns:
        The record, as JSON values.

    Raises:
        InputError: when the device does not exist, the protocol does not fit the data or the device, the folder cannot
            be written (see `checkpoint.prepare_folder`), or has the record of another training.
        MissingData: when the files of the data set are missing.
        DeviceFault: when a CUDA device fails its self-test.
    """
    from nasbench.training.evaluate import evaluate
    from nasbench.transfer.checkpoint import prepare_folder, require_record_of, write_record

    prepare_folder(folder)
    identity = {**about, "protocol": protocol.model_dump(mode="json"), "seed": seed, "data_digest": _digest(protocol)}
    require_record_of(folder, identity)
    child = Child(SingleCellPair(pair, skeleton).decode(()), protocol, seed, test=True)
    outcome = asdict(evaluate(child, device))
    digest = identity.pop("data_digest")  # after the outcome, as in earlier records
    record = {"version": RECORD_VERSION, **identity, **outcome, "data_digest": digest, "provenance": provenance()}
    write_record(folder, record)
    return record


def _digest(protocol: Protocol) -> str:
    from nasbench.data import load_data

    return load_data(protocol.data).digest
