"""A session that was chosen at the desk: a Telnet session with keys of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from gatewayd.desk.escape import HELD_S, Escape, Key, written
from gatewayd.desk.front import Front, Guest, Wish
from gatewayd.line.api import Timer
from gatewayd.line.model import Signal
from gatewayd.port.gate import Hold
from gatewayd.port.peer import Peer
from gatewayd.port.port import Port
from gatewayd.port.session import Session
from gatewayd.port.telnet_face import TelnetFace
from gatewayd.port.telnet_session import TelnetSession
from gatewayd.telnet.constants import Command, Option, Side

HELP: Final = (
    ".  leave the port     w  who is here        b  send a break",
    "m  menu of ports      f  take it over       l  how the line is set",
    "x  close              s  watch only         d r  DTR, RTS on or off",
    "h  what came last     ?  this",
)


_OF_ENTER: Final = (b"\n", b"\0")


class DeskSession(TelnetSession):
    """A client that came by the desk: a person, or a program that named its port."""

    face = "desk"
    watching_face = "desk"
    asks_name = False

    def __init__(
        self,
        port: Port,
        peer: Peer,
        front: Front,
        wish: Wish,
        *,
        number: int,
        peername: str,
        since: datetime,
        address: str,
        name: str = "",
        telnet: TelnetFace | None = None,
    ) -> None:
        """`address` is where the client is, `name` what it says of itself."""
        super().__init__(
            port,
            peer,
            number=number,
            peername=peername,
            since=since,
            only_watches=wish.watch,
            insists=wish.insists,
            telnet=telnet,
        )
        self._address = address
        self._name = name
        self._front = front
        self._wish = wish
        self._escape = Escape(b"" if wish.program else front.escape)
        self._escape_timer: Timer | None = None
        self._after_cr = wish.after_cr
        self._to_menu = False
        self._rest = b""
        """What was read behind the key that leads to the menu."""

    # ---- from the port

    @property
    def person(self) -> bool:
        """Whether a text among the data does no harm."""
        return not self._wish.program

    def admitted(self) -> None:
        """The line is this session's from now on."""
        first = not self._opened
        if first and self._wish.program:
            self._answer(f"+OK {self.port.name} {self.port.settling.settings()}")
            if not self._converses:
                # It would only find our offers among the data.
                self._opened = True
                Session.admitted(self)
                return
        super().admitted()
        if first:
            self._greet("it is yours")

    def watches(self, reason: str) -> None:
        """It gets what the line says, and nothing that it sends has any effect."""
        first = not self._opened
        if first and self._wish.program:
            self._answer(f"+OK {self.port.name} {self.port.settling.settings()}, watching")
            if not self._converses:
                self._opened = True
                Session.watches(self, reason)
                return
        super().watches(reason)
        if first:
            self._greet("you watch")

    @property
    def _converses(self) -> bool:
        """Whether the client has answered our offers."""
        return not self._telnet.is_asked(Side.LOCAL, Option.ECHO)

    def _answer(self, line: str) -> None:
        self._telnet.say(f"{line}\r\n".encode("ascii", "replace"))

    def _greet(self, what: str) -> None:
        if not self.person:
            return
        kept = self._front.replay(self.port.name)
        follows = f"; the last {len(kept)} bytes follow" if kept else ""
        keys = f"; {written(self._front.escape)}? for help" if self._front.escape else ""
        self.tell(f"[{self.port.name}: {what}{follows}{keys}]")
        self._telnet.send_data(kept)

    def refuse(self, reason: str) -> None:
        """The line is not to be had: a person chooses again."""
        if not self.person:
            why = reason.removeprefix(f"{self.port.clients.title}: ")
            self._answer(f"-ERR {self.port.name} {why}")
            self._peer.close()
            return
        self.tell(f"[{reason}]")
        # The port is in the middle of its decisions.
        self._client_gate.hold(Hold.ABSENT)
        self.port.clock.call_later(0, self._go_to_menu)

    # ---- from the connection

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        super().receive(data)
        if self._to_menu:
            self._go_to_menu()

    def peer_gone(self) -> None:
        """The connection is closed, or at the menu."""
        if self._escape_timer is not None:
            self._escape_timer.cancel()
        super().peer_gone()

    def _data(self, data: bytes) -> None:
        if self._after_cr:
            self._after_cr = False
            data = data[data[:1] in _OF_ENTER :]
        for part in self._escape.feed(data):
            if self._to_menu:
                self._rest += part if isinstance(part, bytes) else self._typed_as(part)
            elif isinstance(part, bytes):
                super()._data(part)
            else:
                self._key(part.char)
        if self._escape.held:
            if self._escape_timer is None:
                self._escape_timer = self.port.clock.call_later(HELD_S, self._release)
        elif self._escape_timer is not None:
            self._escape_timer.cancel()
            self._escape_timer = None

    def _typed_as(self, key: Key) -> bytes:
        return self._front.escape + key.char.encode("latin-1")

    def _release(self) -> None:
        """The first key of the escape was meant for the device."""
        self._escape_timer = None
        held = self._escape.release()
        if held:
            super()._data(held)

    # ---- the keys

    def _key(self, key: str) -> None:
        match key:
            case "." if self._wish.straight:
                self.end()
            case "." | "m":
                self._to_menu = True
            case "x":
                self.end()
            case "w":
                self._lines(self._front.who(self.port.name))
            case "f":
                self._take_over()
            case "s":
                self._arrive_again(watch=True)
            case "l":
                signals = " ".join(str(one.name) for one in self.seat.control.signals())
                self._say(f"{self.port.settling.settings()}, on: {signals or 'nothing'}")
            case "h":
                self._replay()
            case "b" | "d" | "r" if not self.seat.held:
                self._say("you watch")
            case "b":
                self._control(Command.BRK)
                self._say("break sent")
            case "d":
                self._turn(Signal.DTR)
            case "r":
                self._turn(Signal.RTS)
            case _:
                self._lines(HELP)

    def _say(self, text: str) -> None:
        self.tell(f"[{self.port.name}: {text}]")

    def _lines(self, lines: list[str] | tuple[str, ...]) -> None:
        self._telnet.say("".join(f"\r\n{line}" for line in lines).encode("ascii", "replace"))
        self._telnet.say(b"\r\n")

    def _replay(self) -> None:
        kept = self._front.replay(self.port.name)
        if kept:
            self._say(f"the last {len(kept)} bytes follow")
            self._telnet.send_data(kept)
            self._say("that was it")
        else:
            self._say("nothing is kept; see replay: in the configuration")

    def _turn(self, signal: Signal) -> None:
        control = self.seat.control
        if not control.client_signals & signal:
            self._say(f"{signal.name} is not a client's here")
            return
        on = not control.signals() & signal
        up, down = (signal, Signal.NONE) if on else (Signal.NONE, signal)
        self.seat.then(lambda: control.set_signals(on=up, off=down))
        self._say(f"{signal.name} {'on' if on else 'off'}")

    def _take_over(self) -> None:
        if self.seat.held:
            self._say("it is yours already")
        else:
            self._arrive_again(insists=True)

    def _arrive_again(self, *, watch: bool = False, insists: bool = False) -> None:
        self.port.clients.leave(self)
        self.only_watches, self.insists = watch, insists
        self.port.clients.arrive(self)
        if watch:
            self._say("you watch")

    def _go_to_menu(self) -> None:
        self._com_port.resume()
        self.peer_gone()
        self._telnet.com_port(False)
        guest = Guest(self._peer, self._telnet, self._address, self._name, self.proof)
        self._front.back(guest, self._telnet.unread(self._rest))

    # ---- hand-over to another process

    def snapshot(self) -> dict[str, Any]:
        """What a successor needs to go on, as values that JSON can hold."""
        desk = {
            "address": self._address,
            "name": self._name,
            "program": self._wish.program,
            "straight": self._wish.straight,
        }
        return {**super().snapshot(), "desk": desk}
