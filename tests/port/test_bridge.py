"""The bridge loses nothing: whatever happens in whatever order, each stream arrives as it was sent.

A model of both ends runs beside the real port: the bytes that each end sent, and the answers that
are due. Only what may be bounded in number or time is random in size.
"""

from __future__ import annotations

from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gatewayd.comport.wire import ANSWER, Command
from gatewayd.line.model import LineSettings
from gatewayd.port.outbox import ACTION_WEIGHT
from gatewayd.port.peer import HIGH_BYTES
from gatewayd.port.telnet_face import READ_BYTES
from gatewayd.port.telnet_session import LOOK_AHEAD_BYTES
from gatewayd.telnet.constants import Option, Side
from gatewayd.telnet.engine import TelnetEngine
from gatewayd.telnet.events import Subnegotiation, TimingMarkRequested
from tests.port.desk import Client, Desk
from tests.port.wire import ask, do, sub

FIFO: Final = 4096
REQUESTS: Final = 100
"""More requests than one example makes."""
MOST_KEPT: Final = HIGH_BYTES + 2 * FIFO + READ_BYTES
"""What may wait for a client: up to the limit where the line is not read, one FIFO of it in bytes
that Telnet doubles, and the answers to one read."""
MOST_WAITING: Final = LOOK_AHEAD_BYTES + READ_BYTES * ACTION_WEIGHT
"""What may wait for the line: up to the limit where reading stops, and one read more, which may be
nothing but commands of two bytes with two actions each."""

chunks = st.binary(min_size=1, max_size=2000) | st.builds(
    lambda word, count: word * count,
    st.sampled_from([b"\xff", b"\r", b"\r\0", b"\n\r", b"\0\x11\x13", b"abc"]),
    st.sampled_from([1, 100, 3000, 40_000]),
)
pieces = st.lists(st.integers(1, 97), max_size=8)
"""Where the network cuts what a client sends: sizes of the first pieces."""
baudrates = st.sampled_from([115200, 921600, 4_000_000])


class Bridge(RuleBasedStateMachine):
    """One session; what both faces have in common."""

    client: Client
    most_waiting: int
    """What of this client may wait for the line."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(line=LineSettings(baudrate=921600))
        self.to_line = bytearray()
        """What the client has sent as data."""
        self.to_client = bytearray()
        """What the device has sent."""
        self.network = bytearray()
        """What the client has sent and the gateway has not read."""
        self.device_waits = bytearray()
        """What the device has to send when its FIFO has room again."""

    # ---- what may happen

    @rule(data=chunks, cuts=pieces)
    def client_sends(self, data: bytes, cuts: list[int]) -> None:
        self.to_line += data
        self.from_client(self.encoded(data), cuts)

    @rule(data=chunks)
    def device_sends(self, data: bytes) -> None:
        self.to_client += data
        self.device_waits += data
        self.deliver()

    @rule(seconds=st.sampled_from([0.0, 0.0004, 0.01, 0.3, 2.0]))
    def time_passes(self, seconds: float) -> None:
        self.desk.passes(seconds)
        self.deliver()

    @rule(room=st.sampled_from([0, 1, 100, 5000, 200_000]))
    def client_reads(self, room: int) -> None:
        self.client.takes(room)
        self.deliver()

    @rule()
    def client_stops_reading(self) -> None:
        self.client.room = 0

    @rule()
    def line_stops(self) -> None:
        self.desk.stop_line()

    @rule()
    def line_goes_on(self) -> None:
        self.desk.let_line_go()
        self.deliver()

    # ---- how it is carried

    def encoded(self, data: bytes) -> bytes:
        return data

    def decoded(self, received: bytes) -> bytes:
        return received

    def from_client(self, wire: bytes, cuts: list[int]) -> None:
        for cut in cuts:
            if wire:
                self.network += wire[:cut]
                self.deliver()
                wire = wire[cut:]
        self.network += wire
        self.deliver()

    def deliver(self) -> None:
        """What the gateway reads, it gets; what the FIFO of the line holds, the device sends."""
        while self.network and self.client.is_read():
            size = self.client.session.read_size
            data = bytes(self.network[:size])
            del self.network[:size]
            self.client.sends(data)
        while self.device_waits and self.desk.line.fifo_room():
            size = self.desk.line.fifo_room()
            self.desk.line.receive(bytes(self.device_waits[:size]))
            del self.device_waits[:size]
            self.desk.passes(0)

    # ---- what must hold

    @invariant()
    def nothing_is_lost_doubled_or_reordered(self) -> None:
        line = self.desk.line
        assert self.to_line.startswith(line.sent)
        assert self.to_client.startswith(self.decoded(bytes(self.client.received)))

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.desk.port.outbox.load <= self.most_waiting
        assert self.client.most_kept <= MOST_KEPT
        assert self.desk.line.unsent() <= 65536

    def teardown(self) -> None:
        """When both ends go on, all arrives."""
        self.desk.let_line_go()
        self.client.takes(float("inf"))
        while self.network or self.device_waits or not self.desk.port.outbox.empty:
            before = self.progress()
            self.desk.passes(60)
            self.deliver()
            assert self.progress() != before, "nothing moves any more"
        self.desk.passes(60)
        assert self.desk.line.sent == self.to_line
        assert self.decoded(bytes(self.client.received)) == self.to_client
        assert self.desk.port.leftover.discarded == 0
        assert self.desk.port.counters.discarded_from_device == 0

    def progress(self) -> tuple[int, ...]:
        return (
            len(self.network),
            len(self.device_waits),
            self.desk.port.outbox.load,
            len(self.desk.line.sent),
            len(self.client.received),
        )


class RawBridge(Bridge):
    """The raw face."""

    @initialize()
    def connect(self) -> None:
        self.client = self.desk.raw()
        self.most_waiting = self.desk.port.settling.window


class TelnetBridge(Bridge):
    """The RFC 2217 face, with requests among the data, BINARY or not."""

    @initialize(binary=st.booleans())
    def connect(self, binary: bool) -> None:
        both = (Option.BINARY, Option.SUPPRESS_GO_AHEAD)
        options = both if binary else (Option.SUPPRESS_GO_AHEAD,)
        self.engine = TelnetEngine(local=(*options, Option.COM_PORT), remote=options)
        self.data = bytearray()
        self.answers: list[bytes] = []
        self.due: list[bytes] = []
        self.marks = self.marks_due = 0
        self.read = 0
        self.suspended = False
        self.client = self.desk.client_that_says_nothing()
        self.most_waiting = LOOK_AHEAD_BYTES + READ_BYTES + REQUESTS * ACTION_WEIGHT
        self.engine.ask(Side.LOCAL, Option.COM_PORT, enable=True)
        self.decoded(bytes(self.client.received))
        self.from_client(self.engine.data_to_send(), [])
        assert self.engine.is_enabled(Side.REMOTE, Option.BINARY) == binary
        self.decoded(bytes(self.client.received))
        self.answers.clear()

    def encoded(self, data: bytes) -> bytes:
        return self.engine.encode(data)

    def decoded(self, received: bytes) -> bytes:
        for event in self.engine.receive_data(received[self.read :]):
            if isinstance(event, bytes):
                self.data += event
            elif isinstance(event, Subnegotiation):
                self.answers.append(event.payload)
            else:
                assert not isinstance(event, TimingMarkRequested)
        self.read = len(received)
        return bytes(self.data)

    def request(self, what: Command, value: int, cuts: list[int]) -> None:
        size = 4 if what is Command.SET_BAUDRATE else 1
        self.due.append(bytes((what + ANSWER,)) + value.to_bytes(size, "big"))
        self.from_client(ask(what, value), cuts)

    @rule(baudrate=baudrates, cuts=pieces)
    def client_sets_baudrate(self, baudrate: int, cuts: list[int]) -> None:
        self.request(Command.SET_BAUDRATE, baudrate, cuts)

    @rule(parity=st.integers(1, 5), cuts=pieces)
    def client_sets_parity(self, parity: int, cuts: list[int]) -> None:
        self.request(Command.SET_PARITY, parity, cuts)

    @rule(control=st.sampled_from([8, 9, 11, 12]), cuts=pieces)
    def client_sets_an_output(self, control: int, cuts: list[int]) -> None:
        self.request(Command.SET_CONTROL, control, cuts)

    @rule(burst=st.lists(baudrates, min_size=2, max_size=5))
    def client_asks_many_things_at_once(self, burst: list[int]) -> None:
        wire = b""
        for baudrate in burst:
            self.due.append(bytes((Command.SET_BAUDRATE + ANSWER,)) + baudrate.to_bytes(4, "big"))
            self.due.append(bytes((Command.SET_DATASIZE + ANSWER, 8)))
            wire += ask(Command.SET_BAUDRATE, baudrate) + ask(Command.SET_DATASIZE)
        self.from_client(wire, [])

    @rule(cuts=pieces)
    def client_asks_for_a_timing_mark(self, cuts: list[int]) -> None:
        self.from_client(do(Option.TIMING_MARK), cuts)

    @precondition(lambda self: not self.suspended)
    @rule()
    def client_suspends(self) -> None:
        self.suspended = True
        self.from_client(ask(Command.FLOWCONTROL_SUSPEND), [])

    @rule()
    def client_resumes(self) -> None:
        self.suspended = False
        self.from_client(ask(Command.FLOWCONTROL_RESUME), [])

    @rule(payload=st.binary(max_size=40))
    def client_sends_nonsense(self, payload: bytes) -> None:
        self.from_client(sub(200, payload) + b"\xff\x07", [])

    @invariant()
    def answers_keep_the_order_of_the_requests(self) -> None:
        told = [
            answer for answer in self.answers if answer[0] != Command.NOTIFY_MODEMSTATE + ANSWER
        ]
        assert told == self.due[: len(told)]

    def teardown(self) -> None:
        self.client_resumes()
        super().teardown()
        self.decoded(bytes(self.client.received))
        told = [
            answer for answer in self.answers if answer[0] != Command.NOTIFY_MODEMSTATE + ANSWER
        ]
        assert told == self.due


_PLENTY = settings(
    max_examples=250,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestRawBridge = RawBridge.TestCase
TestRawBridge.settings = _PLENTY
TestTelnetBridge = TelnetBridge.TestCase
TestTelnetBridge.settings = _PLENTY


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.binary(max_size=200)
        | st.lists(
            st.sampled_from([255, 250, 240, 251, 252, 253, 254, 243, 242, 0, 1, 5, 12, 44, 8, 9]),
            max_size=60,
        ).map(bytes),
        max_size=12,
    ),
    st.booleans(),
)
def test_no_input_raises_and_all_that_it_leaves_is_bounded(
    inputs: list[bytes], stuck: bool
) -> None:
    desk = Desk()
    client = desk.agreed()
    if stuck:
        desk.stop_line()
    for data in inputs:
        if client.is_read() and not client.is_closed():
            client.sends(data)
        desk.passes(0.1)
        assert desk.port.outbox.load <= MOST_WAITING
    client.goes()
    desk.let_line_go()
    desk.passes(60)
    assert desk.port.outbox.empty
    assert desk.port.owner is None
    assert desk.line.settings() == desk.port.config.line
    assert desk.line.breaks[-1:] == [] or not desk.line.breaks[-1][1]
