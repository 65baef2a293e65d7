"""The menu of ports: the first thing that somebody at the desk meets."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gatewayd.desk.choice import choose
from gatewayd.desk.front import Front, Wish
from gatewayd.desk.keyboard import LineReader, TooLong
from gatewayd.desk.listing import WIDTH, Entry, plain, table
from gatewayd.line.api import Clock, Timer
from gatewayd.net.arrival import Arrival, Step
from gatewayd.telnet import environ
from gatewayd.telnet.constants import Option, Side
from gatewayd.telnet.environ import called
from gatewayd.telnet.events import Event, OptionChanged

ANSWERS_S: Final = 0.3
"""How long a client has to say what it is: one that answers no offer sends lines."""
HELP: Final = (
    "  a number, a name, or the beginning of a name   go to that port",
    "  /PORT       watch it            who         who is where",
    "  name NAME   what to call you    quit        leave",
    "  Enter       the list again      PORT NAME   for programs: one line, then the port",
)


class Menu(Step):
    """Shows the ports and takes a choice."""

    patience = 900.0
    most_bytes = 65536

    def __init__(self, arrival: Arrival, front: Front, clock: Clock) -> None:
        super().__init__(arrival)
        assert arrival.telnet is not None
        self._telnet = arrival.telnet
        self._front = front
        self._clock = clock
        self._reader = LineReader()
        self._begun = False
        """The list was shown, or not needed."""
        self._width = WIDTH
        self._asked: Entry | None = None
        """A port that somebody has, and what is to be done about that."""
        self._timer: Timer | None = None

    def start(self) -> None:
        """Say what we can do; what the client can do decides what it sees."""
        telnet = self._telnet
        telnet.welcome(Side.REMOTE, Option.NEW_ENVIRON, self._environment)
        telnet.welcome(Side.REMOTE, Option.NAWS, self._window)
        known = telnet.is_enabled(Side.LOCAL, Option.ECHO)
        telnet.ask(Side.LOCAL, Option.ECHO)
        telnet.ask(Side.LOCAL, Option.SUPPRESS_GO_AHEAD)
        telnet.ask(Side.REMOTE, Option.SUPPRESS_GO_AHEAD)
        telnet.ask(Side.REMOTE, Option.NAWS)
        telnet.ask(Side.REMOTE, Option.NEW_ENVIRON)
        if known:
            self._begin()
        else:
            self._timer = self._clock.call_later(ANSWERS_S, self._begin)

    def over(self) -> None:
        """No timer is left."""
        if self._timer is not None:
            self._timer.cancel()

    # ---- what the client is

    def event(self, event: Event) -> None:
        """Ask for the name when it may be told, and for nothing else."""
        if self.arrival.newcomer.wish and event == OptionChanged(
            Side.LOCAL, Option.ECHO, enabled=True
        ):
            self._begin()
        elif event == OptionChanged(Side.REMOTE, Option.NEW_ENVIRON, enabled=True):
            self._telnet.send_subnegotiation(Option.NEW_ENVIRON, environ.ask("USER"))

    def _environment(self, payload: bytes) -> str:
        variables = environ.decode(payload)
        if variables is None:
            return "NEW-ENVIRON as no client may send it"
        if not self._begun:
            self._called(environ.user_name(variables))
            self._begin()
        return ""

    def _called(self, user: str) -> None:
        """A name that is a port's is the wish to go there; else it is what to call somebody."""
        names = [entry.name for entry in self._front.entries()]
        name, _, port = user.rpartition(":")
        newcomer = self.arrival.newcomer
        if port in names:
            newcomer.wish, newcomer.name = port, called(name) or newcomer.name
        elif user:
            newcomer.name = called(user)

    def _window(self, payload: bytes) -> str:
        if len(payload) != 4:
            return "a window has four bytes"
        self._width = int.from_bytes(payload[:2], "big") or WIDTH
        return ""

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        self.over()
        wish, self.arrival.newcomer.wish = self.arrival.newcomer.wish, ""
        if wish:
            self._choose(wish, straight=True)
        else:
            self._list()
            self._prompt()

    # ---- what it says

    def receive(self, data: bytes) -> None:
        """A byte that was typed."""
        try:
            line = self._reader.feed(data)
        except TooLong:
            self.arrival.refuse("that is no port's name")
            return
        if self._reader.echo and self._telnet.is_enabled(Side.LOCAL, Option.ECHO):
            self._telnet.say(self._reader.echo)
        if line is not None:
            self._begun = True
            self.over()
            self._line(line.strip())

    def _line(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if self._asked is not None:
            entry, self._asked = self._asked, None
            self._decided(entry, line.lower())
        elif word.upper() in ("PORT", "WATCH") and rest:
            self._program(rest.strip(), watch=word.upper() == "WATCH")
        elif line in ("quit", "exit", "q"):
            self.arrival.leave()
        elif line.startswith("/"):
            self._choose(line[1:], watch=True)
        else:
            match word:
                case "":
                    self._list()
                case "?" | "help":
                    self._show(HELP)
                case "who" if not rest:
                    self._show(self._front.who() or ["  nobody is at any port"])
                case "name" if rest:
                    self.arrival.newcomer.name = called(rest.strip())
                case _:
                    self._choose(line)
                    return
            self._prompt()

    def _program(self, name: str, *, watch: bool) -> None:
        if name in [entry.name for entry in self._front.entries()]:
            self._go(Wish(name, watch=watch, program=True, straight=True))
        else:
            self._telnet.say(f"-ERR there is no port {name[:64]!r}\r\n".encode("ascii", "replace"))
            self.arrival.leave()

    def _choose(self, text: str, *, watch: bool = False, straight: bool = False) -> None:
        entries = {entry.name: entry for entry in self._front.entries()}
        try:
            entry = entries[choose(text, list(entries))]
        except ValueError as error:
            self._show([plain(str(error))])
            self._prompt()
            return
        if entry.owner and not watch:
            self._asked = entry
            self._prompt()
        else:
            self._go(Wish(entry.name, watch=watch, straight=straight))

    def _decided(self, entry: Entry, answer: str) -> None:
        if answer in ("w", "watch"):
            self._go(Wish(entry.name, watch=True))
        elif answer in ("t", "take over"):
            self._go(Wish(entry.name, insists=True))
        else:
            self._prompt()

    def _go(self, wish: Wish) -> None:
        why_not = self._front.forbids(wish.port, self.arrival.newcomer)
        if why_not and wish.program:
            self._telnet.say(f"-ERR {why_not}\r\n".encode("ascii", "replace"))
            self.arrival.leave()
            return
        if why_not:
            self._show([plain(why_not)])
            self._prompt()
            return
        wish = replace(wish, after_cr=self._reader.after_cr)
        self.arrival.passed(seat=self._front.seat(wish))

    # ---- what it sees

    def _list(self) -> None:
        lines = table(self._front.entries(), self._width - 1)
        self._show(["", plain(self._front.title), "", *(lines or ["  there are no ports"]), ""])

    def _show(self, lines: list[str] | tuple[str, ...]) -> None:
        self._telnet.say("".join(f"{line}\r\n" for line in lines).encode("ascii", "replace"))

    def _prompt(self) -> None:
        text = "port> "
        if self._asked is not None:
            name, owner = self._asked.name, self._asked.owner
            text = plain(f"{name}: {owner} has it. [w]atch, [t]ake over, [b]ack? ")
        self._telnet.say(text.encode("ascii", "replace"))
