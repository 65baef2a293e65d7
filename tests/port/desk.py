"""A port on a simulated line, and clients whose connections are in the test's hands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from gatewayd.config.schema import PortConfig
from gatewayd.line.api import Gathering
from gatewayd.line.model import Capabilities, LineSettings, Signal
from gatewayd.line.pending import Pending
from gatewayd.port.arbiter import YOUNG_S
from gatewayd.port.peer import HIGH_BYTES, LOW_BYTES
from gatewayd.port.phase import Cue
from gatewayd.port.port import Port
from gatewayd.port.session import Session
from gatewayd.port.telnet_session import TelnetSession
from gatewayd.value import replace
from tests.sim.clock import FakeClock
from tests.sim.line import SimLine

SINCE: Final = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
ASSUMED: Final = Signal.CTS | Signal.DSR | Signal.CD
FAST: Final = LineSettings(baudrate=115200)


@dataclass
class Client:
    """A client and its connection: a `Peer` that keeps what is written."""

    room: float = float("inf")
    """Bytes that the client's side still takes."""
    received: bytearray = field(default_factory=bytearray)
    urgent: list[int] = field(default_factory=list)
    """Where in `received` an urgent byte stands."""
    closed: bool = False
    aborted: bool = False
    connected: bool = True
    sent_last: bool = False
    """It has closed its side, and that was not read yet."""
    left: bool = False
    """Not all that it sent was read."""
    most_kept: int = 0
    limited: bool = False
    """The system is to keep little for it."""
    place: Gathering | None = None
    """Where it is read."""
    _read: bool = True
    _kept: bytearray = field(default_factory=bytearray)
    _full: bool = False
    _seen: int = 0
    _back: bytes = b""
    _session: Session | None = None

    # ---- what the client does

    @property
    def session(self) -> Session:
        assert self._session is not None
        return self._session

    def connects(self, session: Session) -> None:
        self._session = session
        session.start()

    def sends(self, data: bytes) -> None:
        """Data that the gateway reads now; it must not have stopped reading."""
        assert self._read
        assert not self.closed
        self.session.receive(data)
        self._read_on()

    def _read_on(self) -> None:
        while self._back and self._read and not self.closed:
            data, self._back = self._back, b""
            self.session.receive(data)

    def announces_urgent_data(self) -> None:
        session = self.session
        assert isinstance(session, TelnetSession)
        session.urgent()

    def ends_its_side(self) -> None:
        """FIN, with the other direction still open."""
        self.session.peer_eof()

    def goes(self) -> None:
        self.connected = False
        self.session.peer_gone()

    def takes(self, room: float) -> None:
        """Read so many bytes more."""
        self.room += room
        kept, self._kept = bytes(self._kept), bytearray()
        self._take(kept)
        if self._full and len(self._kept) < LOW_BYTES:
            self._full = False
            if not self.closed:
                self.session.peer_ready()

    def gets(self) -> bytes:
        """What came since the last call."""
        new = bytes(self.received[self._seen :])
        self._seen = len(self.received)
        return new

    def is_read(self) -> bool:
        """Whether the gateway reads from this client."""
        return self._read

    def is_closed(self) -> bool:
        """Whether the gateway has closed the connection."""
        return self.closed

    # ---- Peer

    def write(self, data: bytes) -> None:
        if self.closed or not self.connected:
            return
        self._take(data)
        if not self._full and len(self._kept) > HIGH_BYTES:
            self._full = True
            self.session.peer_full()

    def write_urgent(self, data: bytes) -> None:
        self.write(data)
        self.urgent.append(len(self.received) + len(self._kept) - 1)

    def backlog(self) -> int:
        return len(self._kept)

    def ended(self) -> bool:
        return self.sent_last

    def unread(self) -> bool:
        return self.left

    def limit_kernel(self) -> None:
        self.limited = True

    def gather(self, place: Gathering | None) -> None:
        self.place = place

    def pause_reading(self) -> None:
        self._read = False

    def resume_reading(self) -> None:
        self._read = True
        if self._back:
            self.session.port.clock.call_later(0, self._read_on)

    def put_back(self, data: bytes) -> None:
        self._back = data + self._back

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = self.closed = True
        self.goes()

    def _take(self, data: bytes) -> None:
        now = int(min(self.room, len(data))) if not self._kept else 0
        self.room -= now
        self.received += data[:now]
        self._kept += data[now:]
        self.most_kept = max(self.most_kept, len(self._kept))


class Watched(SimLine):
    """A simulated line that remembers the calls that set it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.configured: list[LineSettings] = []
        self.breaks: list[tuple[float, bool]] = []
        """When break was switched, and to what."""

    def stop(self, stuck: bool) -> None:
        """Nothing leaves any more, or it does again."""
        self.sender.stuck = stuck
        self.sender.go_on()

    def configure(self, wanted: LineSettings) -> Pending | None:
        self.configured.append(wanted)
        return super().configure(wanted)

    def set_break(self, on: bool) -> Pending | None:
        if not self.breaks or on != self.breaks[-1][1]:
            self.breaks.append((self.clock.time(), on))
        return super().set_break(on)

    def fifo_room(self) -> int:
        """How many bytes the receiver still holds without an overrun."""
        return self.receiver.room


class Desk:
    """A port named `psu1` whose device is open, unless `plugged` is false."""

    def __init__(
        self, config: PortConfig | None = None, *, plugged: bool = True, **changes: Any
    ) -> None:
        self.clock = FakeClock()
        config = config or PortConfig("psu1", "/dev/ttyS9", line=FAST)
        self.port = Port(replace(config, **changes), self.clock)
        self._numbers = 0
        if plugged:
            self.line = self.plug()

    def plug(
        self,
        *,
        same_device: bool = True,
        capabilities: Capabilities | None = None,
        inputs: Signal = ASSUMED,
    ) -> Watched:
        """The device is there and gets opened."""
        self.tries()
        return self.opens(same_device=same_device, capabilities=capabilities, inputs=inputs)

    def tries(self) -> None:
        """The device is being opened."""
        self.port.move(Cue.TRY, "being opened")

    def opens(
        self,
        *,
        same_device: bool = True,
        capabilities: Capabilities | None = None,
        inputs: Signal = ASSUMED,
        settings: LineSettings | None = None,
        slow: bool = False,
    ) -> Watched:
        """The device is open, as was wanted unless `settings` says otherwise; `slow` is a driver
        that takes its time."""
        settings = settings or self.port.settling.wanted
        self.line = Watched(self.clock, self.port, settings=settings, capabilities=capabilities)
        self.line.set_inputs(inputs, ASSUMED & ~inputs)
        if slow:
            self.line.driver.sleep()
        self.port.move(Cue.OPENED)
        self.port.opened(self.line, same_device=same_device)
        self.passes(0)
        return self.line

    def device_sends(self, data: bytes) -> None:
        """The device sends, in pieces that its FIFO holds."""
        for start in range(0, len(data), 1024):
            self.line.receive(data[start : start + 1024])
            self.passes(0)

    def unplug(self) -> None:
        self.line.unplug()
        self.passes(0)

    def stop_line(self) -> None:
        """The device takes nothing any more."""
        self.line.stop(True)
        self.passes(0)

    def let_line_go(self) -> None:
        self.line.stop(False)
        self.passes(0)

    def passes(self, seconds: float) -> None:
        """Time goes by."""
        self.clock.advance(seconds)

    def client(
        self,
        kind: type[Session],
        *,
        room: float = float("inf"),
        host: str = "",
        only_watches: bool = False,
        name: str = "",
    ) -> Client:
        """A new client; it has been let in, or refused, or waits, or watches."""
        self._numbers += 1
        client = Client(room)
        peername = f"{host or f'192.0.2.{self._numbers}'}:4{self._numbers:03}"
        session = kind(
            self.port,
            client,
            number=self._numbers,
            peername=peername,
            since=SINCE,
            only_watches=only_watches,
            name=name,
        )
        client.connects(session)
        if self.port.owner is session:
            self.passes(YOUNG_S)
        return client

    def raw(self) -> Client:
        return self.client(Session)

    def client_that_says_nothing(self) -> Client:
        """A client of the Telnet face as it has come."""
        return self.client(TelnetSession)

    def telnet(self) -> Client:
        """A client that has read the opening and said nothing yet."""
        client = self.client_that_says_nothing()
        client.gets()
        return client

    def agreed(self) -> Client:
        """A client that has agreed to everything and got the first notification."""
        return self._agrees(self.telnet())

    def _agrees(self, client: Client) -> Client:
        client.sends(b"\xff\xfd\x00\xff\xfb\x00\xff\xfd\x03\xff\xfb\x03\xff\xfb\x2c")
        client.gets()
        return client

    def person(self) -> Client:
        """A client of the Telnet face that has agreed to BINARY and refuses Com Port Control."""
        client = self.telnet()
        client.sends(b"\xff\xfd\x00\xff\xfb\x00\xff\xfd\x03\xff\xfb\x03\xff\xfc\x2c")
        client.gets()
        return client

    def looks(self, kind: type[Session] = TelnetSession) -> Client:
        """A client of an address for those who only watch, which has agreed to BINARY if it speaks
        Telnet."""
        client = self.client(kind, only_watches=True)
        client.gets()
        if kind is TelnetSession:
            client.sends(b"\xff\xfd\x00\xff\xfb\x00\xff\xfd\x03\xff\xfb\x03\xff\xfc\x2c")
        client.gets()
        return client

    def looks_through_glass(self) -> Client:
        """One that has Com Port Control behind glass."""
        return self._agrees(self.client(TelnetSession, only_watches=True))
