"""Predictors of a cell's accuracy from its blocks, and an ensemble that learns from few cells and ranks many."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Kind = Literal["lstm", "mlp"]

CHUNK = 8192  # number of candidates scored at a time


class Predictor(nn.Module):
    """Base class of predictors, with a sigmoid output.

    There is one embedding for all inputs, one for all operations, and one for combinations if the space has them.

    Args:
        tables: for each choice of a block, the embedding that it uses and its number of options.
        embedding: size of an embedding.
    """

    def __init__(self, tables: Sequence[tuple[str, int]], embedding: int) -> None:
        super().__init__()
        self.width = len(tables)
        first: dict[str, int] = {}
        rows = 0
        for name, options in tables:
            if name not in first:
                first[name] = rows
                rows += options
        self._first = torch.tensor([first[name] for name, _ in tables])
        self.embedding = nn.Parameter(torch.empty(rows, embedding, dtype=torch.float32))

    def forward(self, rows: Tensor, blocks: Tensor) -> Tensor:
        """Predict accuracies.

        Args:
            rows: [n, most blocks * width] int64, padded.
            blocks: [n] int64, number of blocks per row; the rest is padding.

        Returns:
            [n], each in (0, 1).
        """
        return self._output(self._summary(rows, blocks))

    @torch.no_grad()
    def grown(self, parents: Tensor, which: Tensor, added: Tensor) -> Tensor:
        """Predict accuracies of rows that have one block added. The parents' part is computed once per parent.

        Args:
            parents: [parents, blocks * width] int64, at least one block.
            which: [n] int64, the parent of each candidate.
            added: [n, width] int64, its new block.

        Returns:
            [n], each in (0, 1).
        """
        grow = self._grower(parents)
        parts = [grow(*part) for part in zip(torch.split(which, CHUNK), torch.split(added, CHUNK))]
        return torch.cat([self._output(part) for part in parts])

    @property
    @abstractmethod
    def output(self) -> nn.Linear:
        """The last layer."""

    @abstractmethod
    def _summary(self, rows: Tensor, blocks: Tensor) -> Tensor:
        """Input of the last layer, [n, hidden]."""

    @abstractmethod
    def _grower(self, parents: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Make a function from `which` and `added` to the input of the last layer."""

    def _embed(self, rows: Tensor) -> Tensor:
        """Embed rows: [n, blocks * width] -> [n, blocks * width, embedding]."""
        return self.embedding[rows + self._first.repeat(rows.shape[1] // self.width)]

    def _output(self, summary: Tensor) -> Tensor:
        return torch.sigmoid(self.output(summary)[:, 0])


class LstmPredictor(Predictor):
    """An LSTM reads the choices block by block; its last hidden state gives the prediction.

    Args:
        tables: as of `Predictor`.
        embedding: size of an embedding.
        hidden: units.
    """

    def __init__(self, tables: Sequence[tuple[str, int]], embedding: int, hidden: int) -> None:
        super().__init__(tables, embedding)
        # On the meta device no initial values are drawn, so the global random state does not change.
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True, device="meta", dtype=torch.float32).to_empty(
            device="cpu"
        )
        self.last = nn.Linear(hidden, 1, device="meta", dtype=torch.float32).to_empty(device="cpu")

    @property
    def output(self) -> nn.Linear:
        """The last layer."""
        return self.last

    def _summary(self, rows: Tensor, blocks: Tensor) -> Tensor:
        states, _ = self.lstm(self._embed(rows))
        last: Tensor = states[torch.arange(len(rows)), blocks * self.width - 1]
        return last

    def _grower(self, parents: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        _, (hidden, memory) = self.lstm(self._embed(parents))

        def grow(which: Tensor, added: Tensor) -> Tensor:
            states, _ = self.lstm(self._embed(added), (hidden[:, which], memory[:, which]))
            last: Tensor = states[:, -1]
            return last

        return grow


class MlpPredictor(Predictor):
    """Concatenate the embeddings of a block's choices, average over the blocks, then apply two hidden layers.

    Args:
        tables: as of `Predictor`.
        embedding: size of an embedding.
        hidden: units of each hidden layer.
    """

    def __init__(self, tables: Sequence[tuple[str, int]], embedding: int, hidden: int) -> None:
        super().__init__(tables, embedding)
        sizes = (self.width * embedding, hidden, hidden, 1)
        self.layers = nn.ModuleList(
            nn.Linear(size, following, device="meta", dtype=torch.float32).to_empty(device="cpu")
            for size, following in pairwise(sizes)
        )

    @property
    def output(self) -> nn.Linear:
        """The last layer."""
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        return last

    def _summary(self, rows: Tensor, blocks: Tensor) -> Tensor:
        vectors = self._vectors(rows)
        counts = torch.arange(vectors.shape[1]) < blocks[:, None]
        return self._hidden((vectors * counts[..., None]).sum(1) / blocks[:, None])

    def _grower(self, parents: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        vectors = self._vectors(parents)
        total, blocks = vectors.sum(1), vectors.shape[1] + 1

        def grow(which: Tensor, added: Tensor) -> Tensor:
            return self._hidden((total[which] + self._vectors(added)[:, 0]) / blocks)

        return grow

    def _vectors(self, rows: Tensor) -> Tensor:
        """[n, blocks, width * embedding]."""
        return self._embed(rows).reshape(len(rows), -1, self.width * self.embedding.shape[1])

    def _hidden(self, mean: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            mean = functional.relu(layer(mean))
        return mean


PREDICTORS: dict[Kind, Callable[[Sequence[tuple[str, int]], int, int], Predictor]] = {
    "lstm": LstmPredictor,
    "mlp": MlpPredictor,
}


class Ensemble:
    """Predictors of one kind, each trained on another part of the data; the prediction is their mean.

    Args:
        kind: class of the members.
        members: number of members, >= 1.
        tables: as of `Predictor`.
        embedding: size of an embedding.
        hidden: units.
        init: every parameter starts uniform in [-init, init].
        generator: draws the initial parameters and the order of the data.
    """

    def __init__(
        self,
        kind: Kind,
        members: int,
        tables: Sequence[tuple[str, int]],
        embedding: int,
        hidden: int,
        init: float,
        generator: torch.Generator,
    ) -> None:
        self._generator = generator
        self._fitted = False
        self.members = [PREDICTORS[kind](tables, embedding, hidden) for _ in range(members)]
        with torch.no_grad():
            for member in self.members:
                for weights in member.parameters():
                    weights.uniform_(-init, init, generator=generator)

    def fit(self, rows: Tensor, blocks: Tensor, rewards: Tensor, epochs: int, batch: int, learning_rate: float) -> None:
        """Continue the training of every member, by Adam on the mean absolute error.

        Each of M members leaves out a different M-th of the data, drawn again in each fit; a single member uses all
        data.

        Args:
            rewards: [n], each in [0, 1].
            epochs: passes over a member's part.
            batch: rows per step.
            learning_rate: learning rate of Adam, whose moments are reset in each fit.
            rows: [n, most blocks * width] int64, padded, as in `Predictor.forward`.
            blocks: [n] int64, number of blocks per row.
        """
        if not self._fitted:
            for member in self.members:
                nn.init.constant_(member.output.bias, float(torch.logit(rewards.mean().clamp(0.01, 0.99))))
            self._fitted = True
        order = torch.randperm(len(rows), generator=self._generator)
        for number, member in enumerate(self.members):
            kept = order[torch.arange(len(order)) % len(self.members) != number] if len(self.members) > 1 else order
            self._train(member, rows[kept], blocks[kept], rewards[kept], epochs, batch, learning_rate)

    def grown(self, parents: Tensor, which: Tensor, added: Tensor) -> Tensor:
        """Predict as the mean over the members; see `Predictor.grown`."""
        return torch.stack([member.grown(parents, which, added) for member in self.members]).mean(0)

    def _train(
        self,
        member: Predictor,
        rows: Tensor,
        blocks: Tensor,
        rewards: Tensor,
        epochs: int,
        batch: int,
        learning_rate: float,
    ) -> None:
        optimizer = torch.optim.Adam(member.parameters(), lr=learning_rate)
        for _ in range(epochs):
            for part in torch.split(torch.randperm(len(rows), generator=self._generator), batch):
                loss = functional.l1_loss(member(rows[part], blocks[part]), rewards[part])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
