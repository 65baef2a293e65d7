"""The step of a way in at which a client may say who it is before a person is asked: by a ticket
(AUTHENTICATION, RFC 2941), or by a name that proves nothing (NEW-ENVIRON, RFC 1572)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gatewayd.line.api import Timer
from gatewayd.log import Happening, note
from gatewayd.net.arrival import MOST_BYTES, PATIENCE_S, Arrival, Step
from gatewayd.telnet import authentication, environ
from gatewayd.telnet.authentication import (
    KERBEROS,
    KERBEROS_MUTUAL,
    Called,
    Is,
    Kerberos,
    Nothing,
)
from gatewayd.telnet.constants import Option, Side
from gatewayd.telnet.events import Event, OptionChanged
from gatewayd.value import replace

if TYPE_CHECKING:
    from gatewayd.kerberos.tickets import Shown, TicketError, Tickets

ANSWER_S: Final = 0.3
"""How long a client may take, beside two round trips, to answer before a person is asked."""
LONGEST_REQUEST: Final = 16384 + 8
"""Bytes of a subnegotiation: a ticket that lists the groups of its owner has some KiB."""
TRIES: Final = 3
PAIRS: Final = (KERBEROS_MUTUAL, KERBEROS)


class Asking(Step):
    """What a client can say by options is asked for; what it does not say nobody waits for.

    `tickets` judges those of Kerberos, if any are taken. With `optional` a client may be a program,
    which is not asked for the name of a person.
    """

    patience = PATIENCE_S
    most_bytes = MOST_BYTES + 2 * LONGEST_REQUEST

    def __init__(self, arrival: Arrival, tickets: Tickets | None, *, optional: bool) -> None:
        super().__init__(arrival)
        assert arrival.telnet is not None, "only Telnet has options"
        self._telnet = arrival.telnet
        self._tickets = tickets
        self._optional = optional
        self._options: list[Option] = []
        """Those whose answers are waited for."""
        self._timer: Timer | None = None
        self._judged: Callable[[], object] | None = None
        """Calls the judging of a ticket off."""
        self._tries = 0

    def start(self) -> None:
        """Ask."""
        if self.arrival.newcomer.proof.name:
            self.arrival.passed()
            return
        telnet = self._telnet
        if self._optional:
            telnet.welcome(Side.REMOTE, Option.COM_PORT, _ignored)
            self._ask(Option.COM_PORT)
        else:
            telnet.welcome(Side.REMOTE, Option.NEW_ENVIRON, self._named)
            self._ask(Option.NEW_ENVIRON)
        if self._tickets is not None:
            option = Option.AUTHENTICATION
            telnet.welcome(Side.REMOTE, option, self._authenticates, longest=LONGEST_REQUEST)
            self._ask(option)
        wait = ANSWER_S + 2 * self.arrival.connection.round_trip()
        self._timer = self.arrival.clock.call_later(wait, self._unanswered)

    def _ask(self, option: Option) -> None:
        self._options.append(option)
        self._telnet.ask(Side.REMOTE, option)

    # ---- from the arrival

    def receive(self, data: bytes) -> None:
        """It says something else: so it does not wait for questions."""
        self.arrival.passed(self._telnet.unread(data))

    def event(self, event: Event) -> None:
        """An option is agreed: ask by it."""
        if not (isinstance(event, OptionChanged) and event.side is Side.REMOTE and event.enabled):
            return
        if event.option == Option.COM_PORT:
            self.arrival.passed()
        elif event.option == Option.NEW_ENVIRON:
            self._telnet.send_subnegotiation(Option.NEW_ENVIRON, environ.ask("USER"))
        elif event.option == Option.AUTHENTICATION:
            asked = authentication.ask(PAIRS)
            self._telnet.send_subnegotiation(Option.AUTHENTICATION, asked)

    def heard(self) -> None:
        """Are there answers to wait for?"""
        for option in tuple(self._options):
            asked = self._telnet.is_asked(Side.REMOTE, option)
            if not asked and not self._telnet.is_enabled(Side.REMOTE, option):
                self._done(option)

    def late(self) -> None:
        """What it has not shown by now it does without."""
        if self._judged is not None:
            super().late()
        else:
            self.arrival.passed()

    def over(self) -> None:
        """Nobody waits for an answer any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._judged is not None:
            self._judged()
        if self._tickets is not None:
            self._telnet.welcome(Side.REMOTE, Option.AUTHENTICATION, _too_late)

    def _unanswered(self) -> None:
        """Who has agreed to AUTHENTICATION may take its time; nothing else is waited for."""
        if self._telnet.is_enabled(Side.REMOTE, Option.AUTHENTICATION):
            self._options = [Option.AUTHENTICATION]
        else:
            self.arrival.passed()

    def _done(self, option: Option) -> None:
        if option in self._options:
            self._options.remove(option)
            if not self._options:
                self.arrival.passed()

    # ---- subnegotiations

    def _named(self, payload: bytes) -> str:
        name = environ.told(payload)
        if name is None:
            return "NEW-ENVIRON as no client may send it"
        newcomer = self.arrival.newcomer
        newcomer.name = name or newcomer.name
        self._done(Option.NEW_ENVIRON)
        return ""

    def _authenticates(self, payload: bytes) -> str:
        match authentication.decode(payload):
            case Is(pair=pair, kind=Kerberos.AUTH, data=request) if pair in PAIRS:
                self._judge(pair, request)
            case Is(pair=pair):
                self.arrival.refuse(f"it authenticates by {pair.hex(' ')}, which was not asked for")
            case Nothing():
                self._done(Option.AUTHENTICATION)
            case Called(name=name):
                newcomer = self.arrival.newcomer
                newcomer.name = environ.called(environ.plain(name)) or newcomer.name
            case str(wrong):
                return wrong
        return ""

    def _judge(self, pair: bytes, request: bytes) -> None:
        assert self._tickets is not None
        self._tries += 1
        # It was asked for, however long it is.
        self.arrival.discount(len(request))
        self.arrival.hold()
        self._judged = self._tickets.judge(
            pair, request, lambda shown: self._is_judged(pair, shown)
        )

    def _is_judged(self, pair: bytes, shown: Shown | TicketError) -> None:
        self._judged = None
        arrival = self.arrival
        newcomer = arrival.newcomer
        port, peer = arrival.name, newcomer.peername
        if isinstance(shown, Exception):
            text, level = "a ticket is not taken: %s", logging.WARNING
            note(Happening.LOGIN_FAILED, text, shown, port=port, peer=peer, level=level)
            self._reply(pair, Kerberos.REJECT, b"not accepted")
            if self._tries >= TRIES:
                arrival.refuse(f"{TRIES} tickets that are not good")
        else:
            if pair == KERBEROS_MUTUAL:
                self._reply(pair, Kerberos.RESPONSE, shown.reply)
            self._reply(pair, Kerberos.ACCEPT, shown.principal.encode())
            by = f"Kerberos, {shown.principal}"
            newcomer.proof = replace(newcomer.proof, name=shown.name, by=by)
            note(Happening.LET_IN, "let in %s", newcomer.proof, port=port, peer=peer)
            arrival.passed()
        arrival.go_on()

    def _reply(self, pair: bytes, kind: Kerberos, data: bytes) -> None:
        reply = authentication.reply(pair, kind, data)
        self._telnet.send_subnegotiation(Option.AUTHENTICATION, reply)
        self._telnet.flush()


def _ignored(_payload: bytes) -> str:
    """A request that came before the session: it is not there yet to answer."""
    return ""


def _too_late(_payload: bytes) -> str:
    return "AUTHENTICATION when it is over"
