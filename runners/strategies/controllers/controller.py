"""The recurrent controller: a policy over the decisions of any space.

It samples and scores architectures in batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nasbench.runners.strategies.controllers.segments import Anchor, Segment, prefix, segments
from nasbench.spaces.base import Decision

Heads = Literal["decision", "group"]


class Scores(NamedTuple):
    """Log-probabilities and entropies of a batch of architectures.

    The entropy is the sum over decisions of their entropy given the choices before.

    Attributes:
        log_prob: [batch], joint log-probability of the choices, in nats.
        entropy: [batch], sum over the decisions of their entropy given the choices before, in nats.
    """

    log_prob: Tensor
    entropy: Tensor


def seeded_generator(seed: int) -> torch.Generator:
    """Make a CPU generator of its own whose state is a well-mixed function of a seed.

    Args:
        seed: any integer >= 0.

    Returns:
        The generator.
    """
    # torch's Mersenne twister reads 32 bits only; without mixing, large seeds would collide.
    return torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread within the block. Small matrices do not gain from more, and sums keep their order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Controller(nn.Module):
    """LSTM that makes the decisions of a space one after another.

    A categorical decision is a softmax of the hidden state, and the embedding of the choice is the next step's input.
    All skip bits of a layer are drawn at one anchor step, independently: P(j is input of i) = sigmoid(v^T tanh(W_prev
    h_j + W_curr h_i)) with h the hidden states at the anchors. The first input is a learned start vector.

    Args:
        decisions: decisions of the space, in order.
        layers: LSTM layers, >= 1.
        hidden: units of each layer and of the embeddings, >= 1.
        init: every parameter starts uniform in [-init, init], > 0.
        heads: "decision": a softmax and an embedding of its own for every decision; "group": decisions of the same
            group and number of options share them.
        generator: draws the initial parameters.
        bounds: one number > 0 per decision, or None for no bounds. A decision's logits x become bound * tanh(x), which
            prevents the policy from becoming deterministic (Bello et al. 2017, 1611.09940, appendix A.1; ENAS's "tanh
            constant").

    Source: Zoph & Le 2016 (1611.01578), sections 3.1 and 3.3; Zoph et al. 2017 (1707.07012), appendix A ("2 x 5B
    softmax
        predictions", hence a head for each decision by default).
    Deviation: the papers do not say what follows an anchor step. Here the next input is the mean of the anchor states
    of the
        layers chosen, or the start vector where none was. (ENAS's released code divides their sum by one more than
        their number.)
    """

    def __init__(
        self,
        decisions: Sequence[Decision],
        layers: int,
        hidden: int,
        init: float,
        heads: Heads,
        generator: torch.Generator,
        bounds: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.segments = segments(decisions)
        self._bounds = None if bounds is None else torch.tensor(bounds, dtype=torch.float32)
        self._options = [decision.options for decision in decisions]
        self._first_rows, rows = _head_rows(decisions, heads)

        def parameter(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(*shape, dtype=torch.float32))

        # On the meta device no initial values are drawn, so the global random state does not change.
        self.lstm = nn.LSTM(hidden, hidden, layers, device="meta", dtype=torch.float32).to_empty(device="cpu")
        self.start = parameter(hidden)
        self.embedding, self.weight, self.bias = parameter(rows, hidden), parameter(rows, hidden), parameter(rows)
        if any(part.anchor for part in self.segments):
            self.previous, self.current = parameter(hidden, hidden), parameter(hidden, hidden)
            self.attention = parameter(hidden)
        with torch.no_grad():
            for weights in self.parameters():
                weights.uniform_(-init, init, generator=generator)
        self._layout = lru_cache(maxsize=None)(self._make_layout)

    @torch.no_grad()
    def sample(self, batch: int, generator: torch.Generator, count: int | None = None) -> Tensor:
        """Draw a batch of architectures.

        Args:
            batch: number of architectures, >= 1.
            generator: one uniform number is drawn for each architecture and decision.
            count: only the first `count` decisions are made; None for all.

        Returns:
            Choices [batch, count], int64.
        """
        count = len(self._options) if count is None else count
        uniform = torch.rand(batch, count, generator=generator, dtype=torch.float32)
        choices = torch.zeros(batch, count, dtype=torch.int64)
        state: tuple[Tensor, Tensor] | None = None
        inputs = self.start.expand(1, batch, -1)
        anchors: list[Tensor] = []
        for part in self._layout(count).segments:
            for index in part.decisions:
                outputs, state = self.lstm(inputs, state)
                choices[:, index] = self._choose(outputs[0], index, uniform[:, index])
                inputs = self.embedding[self._first_rows[index] + choices[:, index]][None]
            if part.anchor:
                outputs, state = self.lstm(inputs, state)
                anchors.append(outputs[0])
                if part.anchor.decisions:
                    skips = list(part.anchor.decisions)
                    probabilities = self._attend(torch.stack(anchors), part.anchor)
                    choices[:, skips] = (uniform[:, skips] < probabilities.T).long()
                inputs = self._after(part.anchor, anchors, choices)
        return choices

    def score(self, choices: Tensor, counts: Tensor | None = None) -> Scores:
        """Compute log-probabilities and entropies of given choices, differentiable in the parameters.

        Args:
            choices: [batch, count], int64; the first `count` decisions of each architecture.
            counts: [batch], number of decisions made per architecture; the rest is padding. None for all.

        Returns:
            Two tensors [batch].
        """
        layout = self._layout(choices.shape[1])
        hidden, anchors = self._run(choices, layout.segments)
        parts = [self._score_softmaxes(hidden, choices, layout)] if hidden else []
        parts += [self._score_skips(anchors, choices, layout)] if len(layout.skips) else []
        log_prob = torch.cat([part.log_prob for part in parts])
        entropy = torch.cat([part.entropy for part in parts])
        if counts is not None:
            made = layout.order[:, None] < counts
            log_prob, entropy = log_prob * made, entropy * made
        return Scores(log_prob.sum(0), entropy.sum(0))

    def skip_logits(self, choices: Tensor) -> Tensor:
        """Compute the logits of the skip bits of given architectures, differentiable in the parameters.

        Each logit depends on the choices before it.

        Args:
            choices: [batch, decisions], int64.

        Returns:
            [skip decisions, batch], in the order of the decisions; no rows if the space has no skip decisions.
        """
        layout = self._layout(choices.shape[1])
        if not len(layout.skips):
            return torch.zeros(0, len(choices))
        return self._skip_logits(self._run(choices, layout.segments)[1], layout)

    def _run(self, choices: Tensor, parts: Sequence[Segment]) -> tuple[list[Tensor], list[Tensor]]:
        """Hidden states at softmax steps, [steps, batch, hidden] per segment, and at anchors, [batch, hidden]."""
        hidden: list[Tensor] = []
        anchors: list[Tensor] = []
        state: tuple[Tensor, Tensor] | None = None
        inputs = self.start.expand(1, len(choices), -1)
        for part in parts:
            steps = len(part.decisions)
            if steps:
                inputs = torch.cat([inputs, self._embed(choices, part.decisions)])
            outputs, state = self.lstm(inputs if part.anchor else inputs[:steps], state)
            if steps:
                hidden.append(outputs[:steps])
            if part.anchor:
                anchors.append(outputs[steps])
                inputs = self._after(part.anchor, anchors, choices)
        return hidden, anchors

    def _embed(self, choices: Tensor, decisions: Sequence[int]) -> Tensor:
        """Embeddings of the choices made, [decisions, batch, hidden]."""
        first = torch.tensor([self._first_rows[index] for index in decisions])
        return self.embedding[(choices[:, list(decisions)] + first).T]

    def _choose(self, hidden: Tensor, index: int, uniform: Tensor) -> Tensor:
        """Draw one categorical decision by inverting its distribution function, [batch]."""
        rows = slice(self._first_rows[index], self._first_rows[index] + self._options[index])
        logits = self._bounded(functional.linear(hidden, self.weight[rows], self.bias[rows]), [index])
        probabilities = logits.softmax(-1)
        # The last boundary is not compared, because rounding could make it less than 1.
        return (probabilities.cumsum(-1)[:, :-1] <= uniform[:, None]).sum(-1)

    def _attend(self, anchors: Tensor, anchor: Anchor) -> Tensor:
        """Probabilities of the skip bits drawn at the newest anchor, [bits, batch]."""
        sources = anchors[list(anchor.sources)]
        mixed = torch.tanh(functional.linear(sources, self.previous) + functional.linear(anchors[-1], self.current))
        return torch.sigmoid(self._bounded(mixed @ self.attention, list(anchor.decisions)))

    def _after(self, anchor: Anchor, anchors: list[Tensor], choices: Tensor) -> Tensor:
        """Input of the step after an anchor, [1, batch, hidden]."""
        if not anchor.decisions:
            return self.start.expand(1, len(choices), -1)
        chosen = choices[:, list(anchor.decisions)].to(torch.float32)
        number = chosen.sum(1, keepdim=True)
        sources = torch.stack([anchors[place] for place in anchor.sources], dim=1)
        mean = (chosen[:, :, None] * sources).sum(1) / number.clamp(min=1)
        return torch.where(number > 0, mean, self.start)[None]

    def _score_softmaxes(self, hidden: list[Tensor], choices: Tensor, layout: _Layout) -> Scores:
        states = torch.cat(hidden)
        logits = torch.baddbmm(self.bias[layout.rows][:, None], states, self.weight[layout.rows].transpose(1, 2))
        if self._bounds is not None:
            logits = self._bounds[layout.softmaxes, None, None] * torch.tanh(logits)
        log_probs = logits.masked_fill(layout.padding, -torch.inf).log_softmax(-1)
        taken = log_probs.gather(-1, choices[:, layout.softmaxes].T[..., None])[..., 0]
        entropy = -(log_probs.exp() * log_probs.masked_fill(layout.padding, 0)).sum(-1)
        return Scores(taken, entropy)

    def _skip_logits(self, anchors: list[Tensor], layout: _Layout) -> Tensor:
        """[skips, batch]."""
        states = torch.stack(anchors)
        previous, current = functional.linear(states, self.previous), functional.linear(states, self.current)
        logits = torch.tanh(previous[layout.sources] + current[layout.targets]) @ self.attention
        return self._bounded(logits, layout.skips)

    def _bounded(self, logits: Tensor, decisions: Tensor | list[int]) -> Tensor:
        """Apply the bounds of the decisions to their logits, [decisions, ...]; any shape for a single decision."""
        if self._bounds is None:
            return logits
        return self._bounds[decisions][:, None] * torch.tanh(logits)

    def _score_skips(self, anchors: list[Tensor], choices: Tensor, layout: _Layout) -> Scores:
        logits = self._skip_logits(anchors, layout)
        taken = functional.logsigmoid(torch.where(choices[:, layout.skips].T > 0, logits, -logits))
        return Scores(taken, functional.softplus(logits) - logits * torch.sigmoid(logits))

    def _make_layout(self, count: int) -> _Layout:
        parts = prefix(self.segments, count)
        softmaxes = [index for part in parts for index in part.decisions]
        anchors = [part.anchor for part in parts if part.anchor]
        skips = [index for anchor in anchors for index in anchor.decisions]
        options = torch.tensor([self._options[index] for index in softmaxes], dtype=torch.int64)
        first = torch.tensor([self._first_rows[index] for index in softmaxes], dtype=torch.int64)
        columns = torch.arange(max(map(int, options), default=0))
        padding = columns >= options[:, None]
        return _Layout(
            segments=parts,
            softmaxes=torch.tensor(softmaxes, dtype=torch.int64),
            rows=torch.where(padding, 0, first[:, None] + columns),
            padding=padding[:, None],
            skips=torch.tensor(skips, dtype=torch.int64),
            sources=torch.tensor([place for anchor in anchors for place in anchor.sources], dtype=torch.int64),
            targets=torch.tensor([i for i, anchor in enumerate(anchors) for _ in anchor.decisions], dtype=torch.int64),
            order=torch.tensor(softmaxes + skips, dtype=torch.int64),
        )


@dataclass(frozen=True)
class _Layout:
    """Index tensors that let all decisions of one kind be scored at once.

    `softmaxes`, `skips`: the decisions of each kind; `order`: both, one after the other. `rows` [softmaxes, most
    options]: the rows of each softmax's options, `padding` [softmaxes, 1, most options] where it has fewer. `sources`,
    `targets`: anchors of each skip.
    """

    segments: tuple[Segment, ...]
    softmaxes: Tensor
    rows: Tensor
    padding: Tensor
    skips: Tensor
    sources: Tensor
    targets: Tensor
    order: Tensor


def _head_rows(decisions: Sequence[Decision], heads: Heads) -> tuple[list[int], int]:
    """First row of each decision's options in the tables of embeddings and softmax weights, and the tables' length."""
    first: dict[object, int] = {}
    rows: list[int] = []
    length = 0
    for index, decision in enumerate(decisions):
        key = index if heads == "decision" else (decision.group, decision.options)
        if decision.kind == "categorical" and key not in first:
            first[key] = length
            length += decision.options
        rows.append(first.get(key, 0))
    return rows, length
