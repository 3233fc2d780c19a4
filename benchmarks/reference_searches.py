"""The searches as the field runs them: a plain loop, one query of NATS-Bench's API a child. Written from the published pseudo-code.

The API is the real package (PyPI: nats_bench). Its 2.3 GB of records are not needed to time it: a query costs what the records' structure
costs, so three complete sample cells stand under all 15,625 indices, and the loops take score and cost from the table that ours take.
"""

from __future__ import annotations

import collections
import copy
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nasbench.spaces.nasbench201 import EDGES, OPERATIONS
from nasbench.tabular.tables import Table

EPOCHS = 12
Query = Callable[[str], tuple[float, float]]  # official string -> validation accuracy in %, simulated seconds
Cell = list[str]  # the operation of each edge


def official(cell: Cell) -> str:
    """The official string of a cell."""
    nodes: dict[int, str] = {}
    for (node, source), operation in zip(EDGES, cell):
        nodes[node] = nodes.get(node, "|") + f"{operation}~{source}|"
    return "+".join(nodes.values())


def api_query(table: Table, sample: Path) -> Query:
    """A query through the real API, with its answer replaced by the table's.

    Args:
        table: of NAS-Bench-201.
        sample: nats_tss_3arch_full_records.json.gz.
    """
    api = _api(table, sample)
    answers = {
        str(architecture): (100 * table.val_acc[code], table.seconds[code])
        for code, architecture in ((code, table.architecture(code)) for code in range(table.space.size))
    }

    def query(arch: str) -> tuple[float, float]:
        api.simulate_train_eval(arch, "cifar10", hp="12")
        return answers[arch]

    return query


def _api(table: Table, sample: Path) -> Any:
    from nats_bench import NATStopology
    from nats_bench.api_utils import ArchResults

    with gzip.open(sample, "rt", encoding="utf-8") as file:
        records = [record for record in json.load(file) if record["hp"] == str(EPOCHS)]
    cells = sorted({record["index"] for record in records})
    infos = []
    for cell in cells:
        info = ArchResults(cell, next(record["arch"] for record in records if record["index"] == cell))
        for record in records:
            if record["index"] == cell:
                info.update(record["dataset"], record["seed"], _trial(record))
        infos.append(collections.OrderedDict({str(EPOCHS): info}))
    names = [str(architecture) for architecture in table.space.enumerate()]  # type: ignore[attr-defined]
    api = NATStopology({"meta_archs": names, "arch2infos": {}, "evaluated_indexes": []}, verbose=False)
    for index in range(len(names)):
        api.arch2infos_dict[index] = infos[index % len(infos)]
        api.evaluated_indexes.add(index)
    return api


def _trial(record: dict[str, Any]) -> Any:
    """One trial as the API holds it; the sample has no losses and no evaluation times, which take their place as numbers."""
    from nats_bench.api_utils import ResultsCount

    names = sorted({key.split("@")[0] for key in record["eval_acc"]})
    state = {
        "name": "infer.tiny",
        "net_state_dict": None,
        "train_acc1es": {int(epoch): value for epoch, value in record["train_acc"].items()},
        "train_acc5es": None,
        "train_losses": {int(epoch): 1.0 for epoch in record["train_acc"]},
        "train_times": {int(epoch): value for epoch, value in record["train_times"].items()},
        "arch_config": {"channel": 16, "num_cells": 5, "arch_str": record["arch"], "class_num": 10},
        "params": record["params_m"],
        "flop": record["flops_m"],
        "seed": record["seed"],
        "epochs": EPOCHS,
        "latency": record["latency_s"],
        "eval_names": names,
        "eval_acc1es": dict(record["eval_acc"]),
        "eval_times": dict.fromkeys(record["eval_acc"], 2.5),
        "eval_losses": dict.fromkeys(record["eval_acc"], 1.0),
    }
    return ResultsCount.create_from_state_dict(state)


def random_search(query: Query, budget: float, seed: int) -> tuple[str, int]:
    """Draw, query, keep the best, until the budget is spent. Returns the choice and the number of queries."""
    random.seed(seed)
    best, best_score, spent, queries = "", -1.0, 0.0, 0
    while True:
        arch = official([random.choice(OPERATIONS) for _ in EDGES])
        score, cost = query(arch)
        queries += 1
        if spent + cost > budget:
            return best, queries
        spent += cost
        if score > best_score:
            best, best_score = arch, score


class Model:
    """A member of the population."""

    def __init__(self) -> None:
        self.cell: Cell = []
        self.accuracy = 0.0


def evolution(query: Query, budget: float, seed: int, population: int = 10, sample: int = 3) -> tuple[str, int]:
    """Regularized evolution (1802.01548, algorithm 1). Returns the choice and the number of queries."""
    random.seed(seed)
    alive: collections.deque[Model] = collections.deque()
    history: list[Model] = []
    spent, queries = 0.0, 0
    while True:
        model = Model()
        if len(alive) < population:
            model.cell = [random.choice(OPERATIONS) for _ in EDGES]
        else:
            drawn = [random.choice(list(alive)) for _ in range(sample)]
            model.cell = _mutated(max(drawn, key=lambda member: member.accuracy).cell)
        model.accuracy, cost = query(official(model.cell))
        queries += 1
        if spent + cost > budget:
            return official(max(history, key=lambda member: member.accuracy).cell), queries
        spent += cost
        history.append(model)
        alive.append(model)
        if len(alive) > population:
            alive.popleft()


def _mutated(cell: Cell) -> Cell:
    child = copy.deepcopy(cell)
    edge = random.randrange(len(child))
    child[edge] = random.choice([operation for operation in OPERATIONS if operation != cell[edge]])
    return child


def reinforce(query: Query, budget: float, seed: int, learning_rate: float = 0.03) -> tuple[str, int]:
    """REINFORCE on 6 x 5 logits by torch. Returns the choice and the number of queries."""
    import torch
    from torch.distributions import Categorical

    torch.manual_seed(seed)
    logits = torch.nn.Parameter(1e-3 * torch.randn(len(EDGES), len(OPERATIONS)))
    adam = torch.optim.Adam([logits], lr=learning_rate)
    numerator = denominator = 0.0
    best, best_score, spent, queries = "", -1.0, 0.0, 0
    while True:
        policy = Categorical(torch.nn.functional.softmax(logits, dim=-1))
        action = policy.sample()  # type: ignore[no-untyped-call]
        arch = official([OPERATIONS[choice] for choice in action.tolist()])
        score, cost = query(arch)
        queries += 1
        if spent + cost > budget:
            return best, queries
        spent += cost
        if score > best_score:
            best, best_score = arch, score
        numerator, denominator = 0.9 * numerator + 0.1 * score, 0.9 * denominator + 0.1
        adam.zero_grad()
        (-policy.log_prob(action) * (score - numerator / denominator)).sum().backward()  # type: ignore[no-untyped-call]
        adam.step()
