"""The step of a way in at which a person logs in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from gatewayd.config.door_kinds import user_name_problem
from gatewayd.log import Happening, note
from gatewayd.login.dialogue import Anonymous, Dialogue, GaveUp, Judge, Prompt, Said
from gatewayd.login.judge import PasswordJudge
from gatewayd.net.admission import is_local
from gatewayd.net.arrival import Arrival, Step
from gatewayd.telnet.constants import Command, Option, Side
from gatewayd.telnet.events import ControlFunction, Event, OptionChanged
from gatewayd.value import replace

PATIENCE_S: Final = 60.0
"""A person types; a certificate has less time."""
_INTERRUPTS: Final = (Command.IP, Command.ABORT, Command.EOF, Command.BRK)


class LoggingIn(Step):
    """A name and a password are asked for. With `optional` a client that agrees to Com Port
    Control, or gives no name, goes on without."""

    patience = PATIENCE_S

    def __init__(self, arrival: Arrival, judge: PasswordJudge | None, *, optional: bool) -> None:
        """Without a `judge` there are no passwords, and where they could be read on the way none is
        asked for: what is left is a proof that the client has brought."""
        super().__init__(arrival)
        newcomer = arrival.newcomer
        self._judge = judge if newcomer.proof.tls or is_local(newcomer.host) else None
        self._optional = optional
        # An empty name means nobody where that may be.
        offered = "" if optional or user_name_problem(newcomer.name) else newcomer.name
        self._dialogue = Dialogue(optional=optional, offered=offered)
        self._call_off: Callable[[], object] | None = None

    def start(self) -> None:
        """Ask."""
        telnet = self.arrival.telnet
        assert telnet is not None, "only Telnet has a login"
        is_program = self._optional and telnet.is_enabled(Side.REMOTE, Option.COM_PORT)
        if self.arrival.newcomer.proof.name or is_program:
            self.arrival.passed()
        elif self._judge is not None:
            self._say(self._dialogue.begin())
        elif self._optional:
            self.arrival.passed()
        else:
            self._failed("this address wants a ticket of Kerberos (AUTHENTICATION, option 37)")

    def receive(self, data: bytes) -> None:
        """What is typed."""
        self._say(self._dialogue.typed(data))

    def event(self, event: Event) -> None:
        """A program speaks Com Port Control; ^C may be a command."""
        match event:
            case OptionChanged(side=Side.REMOTE, option=Option.COM_PORT, enabled=True):
                self.arrival.passed()
            case ControlFunction(command=command) if command in _INTERRUPTS:
                self._say([GaveUp("the client gave up")])

    def late(self) -> None:
        """It takes too long."""
        self._failed("no login in time")

    def over(self) -> None:
        """Nobody waits for an answer any more."""
        if self._call_off is not None:
            self._call_off()

    def _say(self, said: list[Said]) -> None:
        telnet = self.arrival.telnet
        assert telnet is not None
        for one in said:
            match one:
                case Prompt(text=text, shown=shown):
                    telnet.echo(not shown)
                    telnet.send_data(text.encode())
                case Judge(name=name, password=password):
                    host = self.arrival.newcomer.host
                    judged = partial(self._judged, name)
                    assert self._judge is not None
                    self._call_off = self._judge.judge(host, name, password, judged)
                case Anonymous():
                    self.arrival.passed()
                case GaveUp(why=why):
                    self._failed(why)

    def _judged(self, name: str, good: bool) -> None:
        self._call_off = None
        newcomer = self.arrival.newcomer
        port, peer = self.arrival.name, newcomer.peername
        if good:
            newcomer.proof = replace(newcomer.proof, name=name, by="password")
            note(Happening.LET_IN, "let in %s", newcomer.proof, port=port, peer=peer)
            self.arrival.passed()
            return
        text, level = "wrong password or name: %r", logging.WARNING
        note(Happening.LOGIN_FAILED, text, name, port=port, peer=peer, level=level)
        self._say(self._dialogue.judged(good=False))

    def _failed(self, why: str) -> None:
        port, peer = self.arrival.name, self.arrival.newcomer.peername
        note(Happening.LOGIN_FAILED, "not logged in: %s", why, port=port, peer=peer)
        self.arrival.leave(why)
