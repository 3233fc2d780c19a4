"""Lines at the start of trainings: what their data are, and what their protocol takes from the data."""

from __future__ import annotations

from nasbench.data import load_data
from nasbench.data.describing import describe_in_a_line
from nasbench.data.fitting import fitting_in_a_line
from nasbench.protocols.protocol import Protocol


class Announcements:
    """Lines about data and protocols, each line once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def lines(self, protocol: Protocol) -> list[str]:
        """Describe the data of a protocol, and the fields that follow from them.

        Args:
            protocol: the protocol, before `fitting.fitted`.

        Returns:
            At most two lines: those that were not returned before.

        Raises:
            InputError, MissingData: when the data cannot be read.
        """
        data = load_data(protocol.data)
        lines = (describe_in_a_line(protocol.data, data), fitting_in_a_line(protocol, data))
        new = [line for line in lines if line and line not in self._said]
        self._said.update(new)
        return new
