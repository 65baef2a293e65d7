"""The last step of a way in: who has proved his name may still not be among those who may come."""

from __future__ import annotations

from gatewayd.config.schema import Door
from gatewayd.net.admission import Verdict, decide
from gatewayd.net.arrival import Arrival, Step


class Doorkeeper(Step):
    """Judges what has been proved on the way."""

    def __init__(self, arrival: Arrival, door: Door) -> None:
        super().__init__(arrival)
        self._door = door

    def start(self) -> None:
        """Let the client in, or not."""
        newcomer = self.arrival.newcomer
        if decide(self._door, newcomer.host, newcomer.proof) is Verdict.YES:
            self.arrival.passed()
        else:
            self.arrival.refuse(f"{newcomer.proof.name or 'who has no name'} may not use it")
