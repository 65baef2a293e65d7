"""Each key of the file with another value than its default, and how it shows that it is in force.

A judge finds the device ready and `caller` holding the port.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from gatewayd.comport.wire import Command, Control
from gatewayd.config.schema import Face
from gatewayd.control.client import ControlClientError, call
from gatewayd.line.model import Signal
from gatewayd.login.users import Secret, write_users
from gatewayd.port.phase import Phase
from gatewayd.service import status
from gatewayd.telnet.constants import Option, Side
from tests.kerberos.keytab import keytab
from tests.service.caller import Caller
from tests.service.house import House
from tests.tls import pki

Judge = Callable[[House, Caller], Coroutine[Any, Any, None]]


async def nothing(house: House, caller: Caller) -> None:
    """Nothing is to be done."""


@dataclass(frozen=True)
class Row:
    """A key, its value before and after, and what shows that the latter is in force.

    `{directory}`, `{one}` and `{other}` in values are a directory and two free TCP ports. `also`
    are other keys that it takes, `first` what its client does before.
    """

    key: str
    before: str
    after: str
    judge: Judge
    also: dict[str, str] = field(default_factory=dict)
    first: Judge = nothing
    ends_session: frozenset[Phase] = frozenset()
    """In which phases the change itself ends a session."""
    prepare: Callable[[Path], None] = lambda directory: None
    """Makes the files that it names."""
    beside: dict[str, str] = field(default_factory=dict)
    """Keys of the gateway that a key of a port takes."""
    held: bool = False
    """It matters to a client alone that was there before."""

    def __str__(self) -> str:
        return f"{self.key}: {self.after}"


async def talk(house: House, caller: Caller) -> None:
    """Both hear each other."""
    sent = len(house.device.sent)
    await caller.send(b"question")
    await house.until(lambda: house.device.sent[sent:] == b"question")
    house.device.receive(b"answer")
    assert await caller.read(6) == b"answer"


async def leave(house: House, caller: Caller) -> None:
    """The caller goes, and the line is as it stays."""
    caller.client.closes()
    await house.until(lambda: house.port.owner is None and house.port.outbox.empty)


async def ended(caller: Caller) -> None:
    """The gateway ends the session."""
    await caller.read_to_end()


# ---- the judges


async def is_described(house: House, caller: Caller) -> None:
    assert status.describe(house.served)["description"] == "bench 2"
    other = Caller(house.connect("rfc2217"), com_port=False)
    assert b"bench 2" in await other.read_to_end()
    other.client.closes()


async def is_set(house: House, caller: Caller) -> None:
    assert await caller.ask(Command.SET_BAUDRATE) == 19200
    assert house.device.settings() == house.port.config.line
    assert house.device.settings().bytesize == 7


async def sets_38400(house: House, caller: Caller) -> None:
    assert await caller.ask(Command.SET_BAUDRATE, 38400) == 38400


async def is_set_when_the_client_goes(house: House, caller: Caller) -> None:
    assert await caller.ask(Command.SET_BAUDRATE) == 38400
    assert house.device.settings().baudrate == 38400
    await leave(house, caller)
    assert house.device.settings() == house.port.config.line


async def listens_there_alone(house: House, caller: Caller) -> None:
    listening = {one.face.value: one.address.port for one in house.served.listeners}
    assert listening == {face: int(house.value(face)) for face in ("rfc2217", "raw")}
    for face in listening:
        client = house.connect(face)
        await client.gets_all()  # refused by the port, which is in use
        client.closes()
    gone = house.names["one"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(gone))).close()


async def repeats_the_question(house: House, caller: Caller) -> None:
    house.device.refused.add(("bytesize", 5))
    assert await caller.ask(Command.SET_DATASIZE, 5) == 5
    assert house.device.settings().bytesize == 8


async def gives_way(house: House, caller: Caller) -> None:
    other = Caller(house.connect("rfc2217"))
    await ended(caller)
    while b"taken over from" not in other.talk.data:
        assert await other.hear()
    await house.until(lambda: house.port.owner is not None)
    other.client.closes()


async def is_closed_when_silent(house: House, caller: Caller) -> None:
    await ended(caller)
    await house.until(lambda: house.port.owner is None)


async def shows_what_the_device_says(house: House, caller: Caller) -> None:
    await listens_to_those_who_watch(house, "watch")


async def shows_it_in_plain_tcp(house: House, caller: Caller) -> None:
    await listens_to_those_who_watch(house, "watch_raw")


async def listens_to_those_who_watch(house: House, face: str) -> None:
    client = house.connect(face)
    await house.until(lambda: house.port.clients.watchers)
    house.device.receive(b"for all")
    got = b""
    while not got.endswith(b"for all"):
        got += await client.receives(4096)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(house.names["one"]))).close()


async def one_may_watch(house: House, caller: Caller) -> None:
    house.connect("watch_raw")
    await house.until(lambda: house.port.clients.watchers)
    assert await house.connect("watch_raw").gets_all() == b""


async def echoes(house: House, caller: Caller) -> None:
    await caller.ask(Command.SET_BAUDRATE)
    assert caller.talk.engine.is_enabled(Side.REMOTE, Option.ECHO)


async def echoes_not(house: House, caller: Caller) -> None:
    await caller.ask(Command.SET_BAUDRATE)
    assert not caller.talk.engine.is_enabled(Side.REMOTE, Option.ECHO)


async def moves_no_signals(house: House, caller: Caller) -> None:
    assert house.device.outputs == Signal.RTS
    await caller.ask(Command.SET_CONTROL, Control.DTR_ON)
    await caller.ask(Command.SET_CONTROL, Control.RTS_OFF)
    assert house.device.outputs == Signal.RTS


async def signals_tell_of_the_session(house: House, caller: Caller) -> None:
    await caller.ask(Command.SET_BAUDRATE)
    assert house.device.outputs == Signal.DTR | Signal.RTS
    await leave(house, caller)
    await house.until(lambda: house.device.outputs == Signal.NONE)


async def vanishes_in_5_s(house: House, caller: Caller) -> None:
    await talk(house, caller)
    ((_, connection),) = house.served.connections()
    with socket.socket(fileno=os.dup(connection.fileno())) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 2
    assert connection.stage is not None
    assert connection.stage.vigilance == 5


async def is_kept(house: House, caller: Caller) -> None:
    assert await caller.ask(Command.SET_BAUDRATE, 38400) == 38400
    await leave(house, caller)
    assert house.device.settings().baudrate == 38400


async def ends_with_its_device(house: House, caller: Caller) -> None:
    await house.come(Phase.ABSENT)
    await ended(caller)


async def waits_at_the_client(house: House, caller: Caller) -> None:
    await talk(house, caller)
    await house.come(Phase.ABSENT)
    await caller.send(b"kept for it")
    await house.come(Phase.READY)
    await house.until(lambda: house.device.sent == b"kept for it")
    assert house.port.leftover.discarded == 0


async def goes_on_with_whatever_comes(house: House, caller: Caller) -> None:
    await house.come(Phase.ABSENT)
    await house.come(Phase.READY)
    await talk(house, caller)


async def both_are_recorded(house: House, caller: Caller) -> None:
    await talk(house, caller)
    text = await recorded(house, "log", b"answer")
    assert b"question" in text


async def recorded(house: House, ending: str, wanted: bytes) -> bytes:
    """The record, when it has `wanted`."""
    record = house.served.record
    assert record is not None
    directory = house.directory / record.directory

    def text() -> bytes:
        return b"".join(file.read_bytes() for file in directory.glob(f"*.{ending}"))

    await house.until(lambda: wanted in text())
    return text()


def old_file(house: House) -> Path:
    """Forty days old."""
    day = (datetime.now() - timedelta(days=40)).date().isoformat()  # noqa: DTZ005
    return house.directory / f"here/psu1/{day}.log"


async def has_an_old_file(house: House, caller: Caller) -> None:
    await recorded(house, "log", b"answer")
    old_file(house).write_text("old\n")


async def keeps_30_days(house: House, caller: Caller) -> None:
    await talk(house, caller)
    await house.until(lambda: not old_file(house).exists())


async def has_packets(house: House, caller: Caller) -> None:
    await talk(house, caller)
    await recorded(house, "pcapng", b"answer")


async def is_replayed(house: House, caller: Caller) -> None:
    await talk(house, caller)
    assert house.served.ring is not None
    assert house.served.ring.last().endswith(b"answer")


async def is_told(house: House, caller: Caller) -> None:
    await house.until(lambda: house.published.get("psu1"))


async def is_told_as_scpi(house: House, caller: Caller) -> None:
    await house.until(
        lambda: "_scpi-raw._tcp" in {one.type for one in house.published.get("psu1", ())}
    )


async def is_told_with_its_page(house: House, caller: Caller) -> None:
    page = "page=https://other.example:8323/"
    await house.until(
        lambda: page in {txt for one in house.published.get("", ()) for txt in one.txt}
    )


async def is_there_now(house: House, caller: Caller) -> None:
    assert house.tried[-1] == house.names["directory"] + "/two"
    await talk(house, caller)


async def is_asked_there(house: House, caller: Caller) -> None:
    path = house.names["directory"]
    told = await asyncio.to_thread(call, f"{path}/elsewhere", "Status")
    assert [one["name"] for one in told["ports"]] == ["psu1"]
    with pytest.raises(ControlClientError):
        await asyncio.to_thread(call, f"{path}/control", "Status")


async def is_recorded_there(house: House, caller: Caller) -> None:
    await talk(house, caller)
    await recorded(house, "log", b"answer")
    assert house.served.record is not None
    assert house.served.record.directory == house.names["directory"] + "/elsewhere/psu1"


async def is_scraped_there(house: House, caller: Caller) -> None:
    client = house.connect("metrics", int(house.names["other"]))
    await client.sends(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert b'port="psu1"' in await client.gets_all()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(house.names["one"]))).close()


async def is_told_at_the_desk(house: House, caller: Caller) -> None:
    desk = Caller(house.connect("desk", int(house.names["other"])), com_port=False)
    while b"psu1" not in desk.talk.data:
        assert await desk.hear()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(house.names["one"]))).close()


async def is_pressed_first(house: House, caller: Caller) -> None:
    assert house.gateway.escape == b"\x1d"


async def lets_few_come(house: House, caller: Caller) -> None:
    come = [house.gateway.turnstile.lets("192.0.2.1", "psu1", "192.0.2.1:1") for _ in range(13)]
    assert come.count(True) == 12


def two_certificates(directory: Path) -> None:
    for name in ("one", "other"):
        pki.make(f"{name}.example", directory=directory)


async def shows_the_other_certificate(house: House, caller: Caller) -> None:
    address = ("127.0.0.1", int(house.names["other"]))
    shown = await asyncio.to_thread(ssl.get_server_certificate, address)
    wanted = (house.directory / "other.example.crt").read_text()
    assert ssl.PEM_cert_to_DER_cert(shown) == ssl.PEM_cert_to_DER_cert(wanted)


def two_files_of_users(directory: Path) -> None:
    for name, password in (("users", b"one"), ("others", b"other")):
        salt = bytes(16)
        quick = hashlib.scrypt(password, salt=salt, n=1 << 10, r=1, p=1, dklen=32)
        secret = Secret(10, 1, 1, salt, quick)
        write_users(str(directory / name), {"alice": secret, "bob": secret})


def _log_in(house: House, name: str, password: str) -> bytes:
    """What somebody is told who gives a name and a password, up to the session or the end."""
    with socket.create_connection(("127.0.0.1", int(house.names["other"])), 10) as sock:
        sock.sendall(f"{name}\r\n{password}\r\n".encode())
        told = b""
        while WILL_BINARY not in told and (more := sock.recv(1000)):
            told += more
    return told


async def lets_bob_in(house: House, caller: Caller) -> None:
    assert WILL_BINARY in await asyncio.to_thread(_log_in, house, "bob", "one")


async def knows_the_others(house: House, caller: Caller) -> None:
    assert WILL_BINARY in await asyncio.to_thread(_log_in, house, "alice", "other")


def two_keytabs(directory: Path) -> None:
    for name in ("one", "other"):
        keytab(directory / f"{name}.keytab", f"{name}.example")


async def judges_by_the_other_keytab(house: House, caller: Caller) -> None:
    kerberos = house.gateway.doors.keys.kerberos
    assert Path(kerberos.keytab).name == "other.keytab"
    assert kerberos.principals == (("bob@LAB", "bob"),)

    def asked() -> bytes:
        with socket.create_connection(("127.0.0.1", int(house.names["other"])), 10) as sock:
            sock.sendall(b"\xff\xfb\x25")
            told = b""
            while SEND_KERBEROS not in told:
                more = sock.recv(1000)
                assert more, told
                told += more
        return told

    assert SEND_KERBEROS in await asyncio.to_thread(asked)


async def is_for_a_lab(house: House, caller: Caller) -> None:
    (door,) = {one.door for one in house.served.listeners if one.face is Face.RAW}
    assert [str(network) for network in door.allow] == ["10.1.0.0/16"]


SEND_KERBEROS: Final = b"\xff\xfa\x25\x01\x02\x02\x02\x00\xff\xf0"
WILL_BINARY: Final = b"\xff\xfb\x00"
LOGIN: Final = {"watch": "{{listen: {other}, login: required}}"}
ALLOWED: Final = {"raw": "'0.0.0.0:{other}'"}
ANYWHERE: Final = {"raw": "{{listen: 0.0.0.0:{other}, clear_text: true}}"}
AWAY: Final = frozenset(Phase) - {Phase.READY}

PORT: Final = (
    Row(
        *("device", "{directory}/one", "{directory}/two", is_there_now),
        ends_session=AWAY | {Phase.READY},
    ),
    Row("description", "bench 1", "bench 2", is_described),
    Row("line", "9600 8N1", "19200 7E2 xonxoff rtscts", is_set),
    Row(
        *("line", "9600 8N1", "19200 7E2", is_set_when_the_client_goes),
        first=sets_38400,
        held=True,
    ),
    Row("rfc2217", "{one}", "{other}", listens_there_alone),
    Row("raw", "{one}", "{other}", listens_there_alone),
    Row("allow", "10.0.0.0/8", "10.1.0.0/16", is_for_a_lab, ALLOWED),
    Row(
        *("users", "alice", "[alice, bob]", lets_bob_in, LOGIN),
        prepare=two_files_of_users,
        beside={"users": "users"},
    ),
    Row("lenient", "false", "true", repeats_the_question),
    Row("takeover", "false", "true", gives_way),
    Row("busy", "refuse", "takeover", gives_way),
    Row("idle", "never", "close after 1s", is_closed_when_silent),
    Row("watch", "{one}", "{other}", shows_what_the_device_says),
    Row("watch_raw", "{one}", "{other}", shows_it_in_plain_tcp),
    Row("watchers", "16", "1", one_may_watch, {"watch_raw": "{other}"}),
    Row("echo", "auto", "client", echoes_not),
    Row("echo", "client", "device", echoes),
    Row("signals", "{{dtr: client, rts: client}}", "{{dtr: off, rts: on}}", moves_no_signals),
    Row(
        *("signals", "{{dtr: client}}", "{{dtr: session, rts: session}}"),
        signals_tell_of_the_session,
    ),
    Row("peer_timeout", "30s", "5s", vanishes_in_5_s),
    Row("between_sessions", "restore", "keep", is_kept),
    Row("on_unplug", "hold", "close", ends_with_its_device, ends_session=AWAY),
    Row("while_absent", "discard", "refuse", waits_at_the_client),
    Row(
        *("trust_path", "false", "true", goes_on_with_whatever_comes),
        also={"device": "{directory}/ttyUSB0"},
    ),
    Row("record", "off", "both", both_are_recorded),
    Row(
        *("log", "{{keep: 90 days}}", "{{keep: 30 days, max: 1G}}", keeps_30_days),
        *({"record": "output"}, has_an_old_file),
    ),
    Row("pcapng", "false", "true", has_packets, {"record": "output"}),
    Row("replay", "0", "64KiB", is_replayed),
    Row("advertise", "gateway", "true", is_told, ANYWHERE),
    Row("scpi", "false", "true", is_told_as_scpi, {**ANYWHERE, "advertise": "true"}),
)
"""Those of a port."""

GATEWAY: Final = (
    Row("control", "{directory}/control", "{directory}/elsewhere", is_asked_there),
    Row(
        *("record", "{{directory: '{directory}/here'}}", "{{directory: '{directory}/elsewhere'}}"),
        *(is_recorded_there, {"record": "output"}),
    ),
    Row("advertise", "false", "true", is_told, ANYWHERE),
    Row(
        *("page", "none", "https://other.example:8323/", is_told_with_its_page),
        {**ANYWHERE, "advertise": "true"},
    ),
    Row("metrics", "{one}", "{other}", is_scraped_there),
    Row("allow", "10.0.0.0/8", "10.1.0.0/16", is_for_a_lab, ALLOWED),
    Row("users", "users", "others", knows_the_others, LOGIN, prepare=two_files_of_users),
    Row(
        "kerberos",
        "{{keytab: one.keytab, principals: {{alice@LAB: alice}}}}",
        "{{keytab: other.keytab, principals: {{bob@LAB: bob}}}}",
        judges_by_the_other_keytab,
        also=LOGIN,
        prepare=two_keytabs,
    ),
    Row("desk", "{one}", "{other}", is_told_at_the_desk),
    Row("escape", "^Ec", "^]", is_pressed_first),
    Row("accept_rate", "50", "2", lets_few_come),
    Row(
        "tls",
        "{{certificate: one.example.crt, key: one.example.key}}",
        "{{certificate: other.example.crt, key: other.example.key}}",
        shows_the_other_certificate,
        also={"raw": "{{listen: {other}, tls: implicit}}"},
        prepare=two_certificates,
    ),
)
"""Those of the whole gateway."""
