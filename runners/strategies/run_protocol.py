"""Options of strategies that train or score networks themselves: in a run, by the protocol of the run."""

from __future__ import annotations

from typing import TypeVar

from pydantic import PrivateAttr

from nasbench.protocols.protocol import Protocol, get_protocol
from nasbench.runners.strategies.base import StrategyConfig

S = TypeVar("S", bound="OwnNetworksConfig")


class OwnNetworksConfig(StrategyConfig):
    """Options that name a protocol, which is the whole protocol of the run where the user names none.

    The run's protocol is no option: it is not stored with them, and does not enter the seed of the strategy.
    """

    _of_the_run: Protocol | None = PrivateAttr(None)

    def within_run(self: S, protocol: Protocol) -> S:
        """Return the options with the protocol of a run as their base; see `StrategyConfig.within_run`."""
        found = self.model_copy()
        found._of_the_run = protocol
        return found

    def base_protocol(self, name: str) -> Protocol:
        """Return the protocol of which the options replace some fields.

        Args:
            name: name of the protocol outside of a run.

        Returns:
            That of the run, with what the user replaced in it; outside of a run, the named one.
        """
        return self._of_the_run if self._of_the_run is not None else get_protocol(name)
