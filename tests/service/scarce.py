"""A gateway in a system that refuses: three adapters, one daemon, and what clients do with it."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import struct
import time
from collections import Counter
from pathlib import Path
from typing import Final

from gatewayd.comport.wire import ANSWER, Command, Control
from gatewayd.control import interface
from gatewayd.control.client import ControlClientError, call
from tests import master
from tests.ports import free_ports
from tests.service.adapter import Adapter
from tests.service.client import Client, connect
from tests.service.refusals import Refusals
from tests.service.running import Running
from tests.spell import pace_beside
from tests.until import PATIENCE, asked

BRIEF_S: Final = 0.4
"""How long something is waited for that what is refused may keep from coming."""
ATTEMPT_S: Final = 2.0
"""After so long somebody who is not served tries again."""
STREAM: Final = 40
"""Pieces of a stream: enough for the line to be read with others."""


class Scarce:
    """Ports `one` with both faces and `two` with the raw one; `three` after a reload."""

    def __init__(self, library: Path, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self.refusals = Refusals(library, directory, directory / "gatewayd.yaml")
        self.adapters = {}
        for name in ("one", "two", "three"):
            # As udev's directories, which come with the first device in them and go with the last.
            (directory / name).mkdir()
            self.adapters[name] = Adapter(directory / name / "tty")
        self.telnet, *numbers = free_ports(4)
        self.raw = dict(zip(self.adapters, numbers, strict=True))
        self.served = ("one", "two")
        self.daemon = Running(directory, self.entries(), environment=self.refusals.environment)
        self._seen = 0
        self.at_rest: Counter[str] = Counter()
        """What the daemon has open when nobody is there."""

    def start(self) -> None:
        """When the daemon is: wait for the devices."""
        self.daemon.wait_for_more(" open, ", len(self.served))
        self.at_rest = self._descriptors()

    def entries(self, *, more: bool = False) -> str:
        """The ports of the file."""
        text = f"  one: {{device: {self.adapters['one'].path}, raw: {self.raw['one']}, "
        text += f"rfc2217: {self.telnet}}}\n"
        text += f"  two: {{device: {self.adapters['two'].path}, raw: {self.raw['two']}, "
        text += f"line: {19200 if more else 9600} 8N1}}\n"
        if more:
            text += (
                f"  three: {{device: {self.adapters['three'].path}, raw: {self.raw['three']}}}\n"
            )
        return text

    def close(self) -> None:
        """Take it all away."""
        self.refusals.close()
        for adapter in self.adapters.values():
            with adapter:
                pass

    # ---- what is done while something is refused; nothing of it must succeed

    def session(self) -> None:
        """A client comes, sets the line, asks, hears a stream, and leaves; another one as well."""
        losses = self._losses()
        with contextlib.suppress(OSError), Client(self.telnet) as client:
            if self._negotiates(client):
                heard = self._streams(client, losses)
                assert heard or self._losses() > losses, "bytes of the stream are lost"
        with contextlib.suppress(OSError), connect(self.raw["two"]) as raw:
            _cuts(raw)
            raw.sendall(b"question")
            _hears(self.adapters["two"], b"question", BRIEF_S)

    def _negotiates(self, client: Client) -> bool:
        """Whether it is answered."""
        client.socket.settimeout(BRIEF_S)
        with contextlib.suppress(OSError, AssertionError):
            client.tell(Command.SET_MODEMSTATE_MASK, 255)
            client.tell(Command.SET_LINESTATE_MASK, 255)
            client.tell(Command.SET_BAUDRATE, 19200)
            client.tell(Command.PURGE_DATA, 1)
            client.send(b"question")
            client.tell(Command.SET_CONTROL, Control.DTR_OFF)
            client.wait_for(Command.SET_CONTROL + ANSWER)
            return _hears(self.adapters["one"], b"question", BRIEF_S)
        return False

    def _streams(self, client: Client, losses: int) -> bool:
        """Whether a client that is not cut off hears everything, if later."""
        said = b"".join(b"%08d" % number for number in range(STREAM))
        for at in range(0, len(said), 8):
            self.adapters["one"].write(said[at : at + 8])
            pace_beside(0.002)
        patience = PATIENCE / BRIEF_S
        while len(client.talk.data) < len(said):
            try:
                if not client.receive():
                    return True
            except TimeoutError:
                self.refusals.lift()
                patience -= 1
                if patience < 0 or self._losses() > losses:
                    return False
        return client.talk.data == said

    def _reloads(self) -> int:
        return self.daemon.times("configuration in force|cannot be|cannot listen|given up")

    def _losses(self) -> int:
        return self.daemon.times("one: device lost")

    def replug(self) -> None:
        """A device goes and comes."""
        opened, losses = self.daemon.times("one: .* open, "), self._losses()
        adapter = self.adapters["one"]
        adapter.pull()
        adapter.path.parent.rmdir()
        self.daemon.comes_to(lambda: self.daemon.times("one: device lost") > losses, BRIEF_S)
        adapter.path.parent.mkdir()
        adapter.plug()
        self.daemon.comes_to(lambda: self.daemon.times("one: .* open, ") > opened, BRIEF_S)

    def reload(self) -> None:
        """A port more, another one with other settings; then as before."""
        for more in (True, False):
            done = self._reloads()
            self.daemon.write(self.entries(more=more))
            self.daemon.signal(signal.SIGHUP)
            self.daemon.comes_to(lambda: self._reloads() > done, BRIEF_S)  # noqa: B023

    def ask(self) -> None:
        """Somebody looks at the state."""
        question = b'{"method": "%s.Status"}\0' % interface.NAME.encode()
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(BRIEF_S)
            sock.connect(str(self.daemon.control))
            sock.sendall(question)
            sock.recv(1)

    # ---- what must be true again afterwards

    def serves(self) -> None:
        """The file can be put in force, all ports serve on both faces, their state is told."""
        self.daemon.write(self.entries())
        asked(lambda: self._is_asked("Reload"))
        for name in self.served:
            asked(lambda: self.daemon.status(name)["state"] == "ready")  # noqa: B023
            asked(lambda: self._talks(name))  # noqa: B023
        with Client(self.telnet) as client:
            _cuts(client.socket)
            assert client.ask(Command.SET_BAUDRATE, 9600) == 9600

    def _is_asked(self, method: str) -> bool:
        with contextlib.suppress(ControlClientError):
            call(str(self.daemon.control), method)
            return True
        return False

    def _talks(self, name: str) -> bool:
        with contextlib.suppress(OSError), connect(self.raw[name]) as raw:
            _cuts(raw)
            raw.sendall(b"still there?")
            if not _hears(self.adapters[name], b"still there?", ATTEMPT_S):
                return False
            self.adapters[name].write(b"yes")
            return raw.recv(3) == b"yes"
        return False

    def _descriptors(self) -> Counter[str]:
        """What the daemon has open, by kind."""
        return Counter(re.sub(r"\d+", "N", name) for name in self.daemon.files())

    def rests(self) -> None:
        """Nothing is open that was not when nobody was there."""
        try:
            asked(lambda: self._descriptors() == self.at_rest)
        except AssertionError:
            more, less = self._descriptors() - self.at_rest, self.at_rest - self._descriptors()
            raise AssertionError(f"open are {more}, not {less}") from None

    def news(self) -> str:
        """What the log says since the last time."""
        text = self.daemon.text[self._seen :]
        self._seen += len(text)
        return text


def _hears(adapter: Adapter, what: bytes, seconds: float) -> bool:
    """Whether `what` comes to the device; what came before it goes."""
    got = b""
    until = time.monotonic() + seconds
    while what not in got:
        more = master.read(adapter.master, 65536, until)
        if not more:
            return False
        got += more
    return True


def _cuts(sock: socket.socket) -> None:
    """Have it end by a reset: nobody waits for what could still come for it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
