"""ENAS: train a controller on the accuracy of paths through a super-network, then train the best paths from scratch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import logsigmoid

from nasbench.runners.strategies.controllers.baseline import MovingAverage
from nasbench.runners.strategies.controllers.controller import Controller, Heads, seeded_generator
from nasbench.runners.strategies.controllers.fitting import sample_fitting
from nasbench.runners.strategies.one_shot import OneShotConfig, OneShotStrategy, make_shared_weights
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.supernets.training import SharedWeights, cosine_restarts


class EnasConfig(OneShotConfig):
    """Options of ENAS. The defaults take one to two minutes on digits (two blocks, one CPU core).

    Each description ends with the values of the released code, micro | macro. A strategy does not see the run's
    protocol, so the protocol that gives the super-network its data, augmentation and scale is an option here.
    """

    protocol: str = Field(
        "digits", description="protocol whose data, split, augmentation and network scale are used (ours)"
    )
    data: str = Field("", description="data to train and score on; empty: the protocol's (released: cifar10)")
    cells: int = Field(0, ge=0, description="N of the super-network; 0: the protocol's (released: 2 | no cells)")
    filters: int = Field(0, ge=0, description="F of the super-network; 0: the protocol's (released: 20 | 36)")
    device: str = Field("cpu", description="cpu, cuda, cuda:0, ...: where the super-network is trained")

    epochs: int = Field(150, ge=1, description="passes over the training images (released: 150 | 310)")
    batch_size: int = Field(0, ge=0, description="images per step; 0: the protocol's (released: 160 | 128)")
    learning_rate: float = Field(0.05, gt=0, description="highest rate of the shared weights (released: 0.05)")
    learning_rate_end: float = Field(0.0005, ge=0, description="lowest rate of each cosine (released: 0.0005)")
    restart_epochs: int = Field(10, ge=1, description="epochs of the first cosine (released: 10)")
    restart_factor: int = Field(
        2, ge=1, description="factor by which each cosine is longer than the last (released: 2)"
    )
    weight_decay: float = Field(
        2e-4, ge=0, description="L2 penalty on the weights of a step's path (released: 2e-4 | 5e-4)"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout before the classifier (released: 0.1)")
    minibatch: int = Field(
        64, ge=1, description="validation images on which an architecture is scored (released: 160 | 128)"
    )

    layers: int = Field(1, ge=1, description="LSTM layers of the controller (paper: 1)")
    hidden: int = Field(64, ge=1, description="units of each LSTM layer and of the embeddings (paper: 64)")
    init: float = Field(0.1, gt=0, description="controller parameters start uniform in [-init, init] (paper: 0.1)")
    heads: Heads = Field(
        "group",
        description="group: decisions of the same group and number of options share softmax and embedding (released: all operations "
        "do); decision: each has its own",
    )
    controller_steps: int = Field(3, ge=1, description="updates of the controller after each epoch (released: 30 | 50)")
    aggregate: int = Field(10, ge=1, description="architectures per update (released: 10 | 20)")
    controller_learning_rate: float = Field(
        0.0035, gt=0, description="learning rate of Adam (released: 0.0035 | 0.001)"
    )
    tanh_constant: float = Field(
        1.1, ge=0, description="logits x become constant * tanh(x); 0: unchanged (released: 1.10 | 1.5)"
    )
    operation_reduce: float = Field(
        2.5, gt=0, description="the constant is divided by this for operations (released: 2.5 | not reduced)"
    )
    entropy_weight: float = Field(
        1e-4, ge=0, description="entropy in nats that is added to the reward (released: 1e-4)"
    )
    baseline_decay: float = Field(
        0.99, ge=0, lt=1, description="weight of the past in the moving average of rewards (released: 0.99)"
    )
    skip_weight: float = Field(
        0.8, ge=0, description="weight of the divergence of skip probabilities from skip_rate (released: - | 0.8)"
    )
    skip_rate: float = Field(0.4, gt=0, lt=1, description="target probability of skips (released: - | 0.4)")
    candidates: int = Field(
        50,
        ge=1,
        description="architectures with different hashes that are drawn and scored before the best is proposed (paper: several)",
    )

    def protocol_changes(self) -> dict[str, Any]:
        """Return the fields of the protocol that the options replace; see `OneShotConfig.protocol_changes`."""
        return super().protocol_changes() | {"dropout": self.dropout}


class Enas(OneShotStrategy[EnasConfig, "tuple[SharedWeights, Policy]"]):
    """Train shared weights and a controller in turns, then propose the controller's best architectures.

    All of it happens inside the first `ask`. A turn is one pass over the training images, each step on another path
    drawn from the controller, followed by `controller_steps` REINFORCE updates of the controller; the reward is the
    accuracy of a path on one minibatch of validation images. At the end `candidates` architectures are drawn, scored on
    one minibatch, the same for all, and proposed best first. When all have been proposed, further ones are drawn and
    scored. Hashes drawn before are skipped, and the search ends after 1000 of these in a row. Outcomes of children are
    not used.

    `OneShotStrategy` says what is charged, and how a run resumes.

    In a search with limits on the architectures (`where_arch`), draws that do not fit are rejected and drawn again,
    also for the paths that train the shared weights; `PolicyGradient` says what that means for the updates.

    Source: Pham et al. 2018 (1802.03268), sections 2.2, 2.4 and 3.2; settings of the released code
    (github.com/melodyguan/enas).
    Deviation: see `nasbench.supernets.cells` for the weights. Input states of cells are drawn from a softmax over
    states, where the released code attends to the steps that made them, and no operation has a head start, where that
    code's micro controller starts with biases for separable convolutions. A skip's probability is the sigmoid of its
    logit, in sampling and in the penalty; the released code samples with the sigmoid of twice the logit. The baseline
    starts at the first reward, not at 0, and does not contain the reward it is subtracted from. The controller's
    entropy is exact; the released macro code takes p log p of the drawn choices alone. The validation images are the
    protocol's share, not the last 5,000.
    """

    name = "enas"
    config_type = EnasConfig

    @property
    def shared_weights(self) -> SharedWeights:
        """The trained super-network; see `OneShotStrategy.shared_weights`."""
        assert self.trained is not None, "ask first"
        return self.trained[0]

    def _train(self) -> tuple[SharedWeights, Policy]:
        options = self.config
        shared = make_shared_weights(self.space, self._protocol, self.seed, options.minibatch, options.device)
        policy = Policy(self.space, self.seed, options)
        for rate in cosine_restarts(
            options.epochs,
            options.learning_rate,
            options.learning_rate_end,
            options.restart_epochs,
            options.restart_factor,
        ):
            shared.train_epoch(policy.sample(shared.images.steps), rate)
            for _ in range(options.controller_steps):
                policy.learn(shared)
        return shared, policy

    def _derive(self, trained: tuple[SharedWeights, Policy]) -> list[Architecture]:
        """Draw new architectures and sort them, best first; ties keep the order of drawing.

        They are fewer than wanted if no more are found.
        """
        shared, policy = trained
        draws = policy.stream()
        pool = self._new(draws, self.config.candidates)
        next(draws)  # drawn and not used by earlier versions: runs of these resume with the same draws
        minibatch = shared.minibatch()
        scores = {architecture: shared.accuracy(architecture, minibatch) for architecture in pool}
        return sorted(pool, key=lambda architecture: -scores[architecture])


class Policy:
    """The controller with its optimizer and baseline.

    Args:
        space: the space to draw from.
        seed: seed of its parameters and draws.
        options: options of ENAS: sizes, rates and weights.
    """

    def __init__(self, space: Space, seed: int, options: EnasConfig) -> None:
        self._space, self._options = space, options
        self._generator = seeded_generator(seed)
        self.controller = Controller(
            space.decisions,
            options.layers,
            options.hidden,
            options.init,
            options.heads,
            self._generator,
            _bounds(space.decisions, options),
        )
        self.optimizer = torch.optim.Adam(
            self.controller.parameters(),
            lr=options.controller_learning_rate,
            betas=(0.0, 0.999),  # betas and epsilon are those of the released code
            eps=1e-3,
        )
        self.baseline = MovingAverage(options.baseline_decay)
        self._skip_layers = len({decision.layer for decision in space.decisions if decision.kind == "skip"})

    def sample(self, count: int) -> list[Architecture]:
        """Draw architectures from the controller.

        Args:
            count: number of architectures, >= 1.

        Returns:
            The architectures; some may be equal.
        """
        return sample_fitting(self.controller, self._space, count, self._generator).architectures

    def stream(self) -> Iterator[Architecture]:
        """Draw architectures without end."""
        while True:
            yield from self.sample(self._options.candidates)

    def learn(self, shared: SharedWeights) -> None:
        """Update the controller once by REINFORCE.

        `aggregate` architectures are drawn, and each is scored on its own minibatch of validation images. The reward is
        the accuracy plus the weighted entropy; the penalty on skips is added to the loss.

        Args:
            shared: the super-network that scores the architectures.
        """
        options = self._options
        architectures, choices = sample_fitting(self.controller, self._space, options.aggregate, self._generator)
        accuracies = [shared.accuracy(architecture, shared.minibatch()) for architecture in architectures]
        scores = self.controller.score(choices)
        rewards = torch.tensor(accuracies) + options.entropy_weight * scores.entropy.detach()
        advantages = torch.tensor(self.baseline.advantages(rewards.tolist()))
        loss = -(advantages * scores.log_prob).mean()
        if self._skip_layers and options.skip_weight:
            penalty = skip_divergence(self.controller.skip_logits(choices), options.skip_rate) / self._skip_layers
            loss = loss + options.skip_weight * penalty.mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()


def skip_divergence(logits: Tensor, rate: float) -> Tensor:
    """Kullback-Leibler divergence, in nats, of skip bits from bits of probability `rate`, summed over the bits.

    Args:
        logits: [bits, batch]; the probability that a bit is 1 is the sigmoid of its logit.
        rate: probability in (0, 1).

    Returns:
        [batch].
    """
    target = torch.tensor(rate)
    yes, no = logsigmoid(logits), logsigmoid(-logits)
    return (yes.exp() * (yes - target.log()) + no.exp() * (no - (1 - target).log())).sum(0)


def _bounds(decisions: Sequence[Decision], options: EnasConfig) -> list[float] | None:
    """Bounds of the logits, one per decision."""
    if not options.tanh_constant:
        return None
    reduced = options.tanh_constant / options.operation_reduce
    return [reduced if decision.group == "operation" else options.tanh_constant for decision in decisions]
