"""The step of a way in at which a Telnet client is asked to begin with TLS: by START_TLS, or by SSL
of AUTHENTICATION."""

from __future__ import annotations

from typing import Final

from gatewayd.config.schema import ClientCertificate
from gatewayd.line.api import Timer
from gatewayd.net.arrival import Arrival
from gatewayd.telnet import environ
from gatewayd.telnet.start_tls import Offered, Outcome
from gatewayd.tls.identity import Identity
from gatewayd.tls.securing import Securing

ANSWER_S: Final = 0.3
"""How long a client may take, beside two round trips, to answer before it is served in clear."""
ASIDE_BYTES: Final = 1024
"""A client that has sent so much meanwhile does not answer."""
WANTED: Final = "this address wants TLS, by START_TLS (option 46)"


class Starting(Securing):
    """TLS is offered, and agreed if the client wants it; it has to if it `must`.

    Nothing else is agreed or answered before. What a client has said by then is forgotten with TLS,
    and is the session's without.
    """

    reads_telnet = False

    def __init__(
        self, arrival: Arrival, identity: Identity, asks: ClientCertificate, *, must: bool
    ) -> None:
        super().__init__(arrival, identity, asks)
        self._must = must
        self._offered = Offered()
        self._timer: Timer | None = None

    def start(self) -> None:
        """Offer it, and nothing beside it."""
        self._say()

    def _say(self) -> None:
        """Say what there is to be said, and wait for the answer."""
        data = self._offered.data_to_send()
        if not data:
            return
        self.arrival.connection.write(data)
        self._cancel()
        if not self._must:
            wait = ANSWER_S + 2 * self.arrival.connection.round_trip()
            self._timer = self.arrival.clock.call_later(wait, self._unanswered)

    def receive(self, data: bytes) -> None:
        """Bytes from the client, as they came."""
        offered = self._offered
        outcome = offered.receive(data)
        self._say()
        if offered.violation:
            self.arrival.violation(offered.violation)
            offered.violation = ""
        if outcome is Outcome.FOLLOWS:
            self._cancel()
            self.arrival.newcomer.name = environ.called(environ.plain(offered.name))
            self._secure(offered.rest)
        elif outcome is Outcome.WRONG:
            self.arrival.refuse("what was said of TLS has no meaning")
        elif outcome is Outcome.REFUSED:
            self._in_clear()
        elif len(offered.aside) >= ASIDE_BYTES and not self._must:
            self._unanswered()

    def _inside(self) -> None:
        self.arrival.connection.write(self._offered.refusals)

    def _unanswered(self) -> None:
        if not self._offered.agreed:
            self._in_clear()

    def _in_clear(self) -> None:
        self._cancel()
        if self._must:
            self.arrival.refuse(WANTED)
        else:
            self.arrival.passed(self._offered.all())

    def peer_eof(self) -> None:
        """The client sends no more; it may still listen."""
        if self._channel is not None:
            super().peer_eof()
        elif self._must:
            self.arrival.leave()
        else:
            self._in_clear()

    def late(self) -> None:
        """It has had its time."""
        if self._channel is not None:
            super().late()
        else:
            self.arrival.refuse(WANTED)

    def over(self) -> None:
        """It is settled, or the connection is gone."""
        self._cancel()
        super().over()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
