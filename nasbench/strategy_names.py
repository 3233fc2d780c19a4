"""The strategies of the suite by name: what the registry imports at first use, and what analyses know as built in."""

from __future__ import annotations

from typing import Final

BUILT_IN: Final = {
    "asha": "nasbench.runners.strategies.asha:Asha",
    "bananas": "nasbench.runners.strategies.bananas:Bananas",
    "bohb": "nasbench.runners.strategies.bohb:Bohb",
    "darts": "nasbench.runners.strategies.darts:Darts",
    "dehb": "nasbench.runners.strategies.dehb:Dehb",
    "drnas": "nasbench.runners.strategies.drnas:Drnas",
    "enas": "nasbench.runners.strategies.enas:Enas",
    "evolution": "nasbench.runners.strategies.evolution:Evolution",
    "gdas": "nasbench.runners.strategies.gdas:Gdas",
    "gp": "nasbench.runners.strategies.gp:GaussianProcess",
    "hyperband": "nasbench.runners.strategies.hyperband:Hyperband",
    "local_search": "nasbench.runners.strategies.local_search:LocalSearch",
    "median_stop": "nasbench.runners.strategies.median_stop:MedianStop",
    "mo_evolution": "nasbench.runners.strategies.mo_evolution:MoEvolution",
    "npenas": "nasbench.runners.strategies.npenas:Npenas",
    "nsga2": "nasbench.runners.strategies.nsga2:Nsga2",
    "optuna": "nasbench.runners.strategies.optuna_samplers:OptunaSearch",
    "parego": "nasbench.runners.strategies.parego:Parego",
    "pcdarts": "nasbench.runners.strategies.pcdarts:PcDarts",
    "pnas": "nasbench.runners.strategies.pnas:Pnas",
    "ppo": "nasbench.runners.strategies.ppo:PPO",
    "pymoo": "nasbench.runners.strategies.pymoo_algorithms:PymooSearch",
    "random": "nasbench.runners.strategies.random:RandomSearch",
    "reinforce": "nasbench.runners.strategies.reinforce:Reinforce",
    "reinforce_logits": "nasbench.runners.strategies.reinforce_logits:ReinforceLogits",
    "rs_ws": "nasbench.runners.strategies.rs_ws:RandomSearchWithSharedWeights",
    "successive_halving": "nasbench.runners.strategies.successive_halving:SuccessiveHalving",
    "syne_tune": "nasbench.runners.strategies.syne_tune_searchers:SyneTuneSearch",
    "zero_cost": "nasbench.runners.strategies.zero_cost:ZeroCostSearch",
}
"""Name -> "module:class"."""
