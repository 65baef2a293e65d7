"""Listeners: what can be bound, who is accepted, and what is said of it."""

from __future__ import annotations

import errno
import logging
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gatewayd.config.schema import Address, Face
from gatewayd.log import Happening
from gatewayd.net import acceptor, address
from gatewayd.net.address import BACKLOG, BindError, bind, exposed
from tests.net.stand import run, standing
from tests.port.wire import OPENING
from tests.until import turning

no_ipv6 = pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 here")


@contextmanager
def bound(host: str, number: int = 0) -> Iterator[socket.socket]:
    sock = bind(Address(host, number))
    try:
        yield sock
    finally:
        sock.close()


def can_connect(host: str, sock: socket.socket) -> bool:
    try:
        socket.create_connection((host, sock.getsockname()[1]), timeout=5).close()
    except OSError:
        return False
    return True


# ---- bind


def test_an_address_in_use_is_named_with_the_way_to_who_has_it() -> None:
    with bound("127.0.0.1") as first:
        number = first.getsockname()[1]
        with pytest.raises(BindError, match=rf"127\.0\.0\.1:{number}: .* in use.*ss -ltnp"):
            bind(Address("127.0.0.1", number))


@no_ipv6
def test_a_v6_address_is_named_in_brackets() -> None:
    with bound("::1") as first:
        number = first.getsockname()[1]
        with pytest.raises(BindError, match=rf"\[::1\]:{number}"):
            bind(Address("::1", number))


def test_a_reserved_port_is_explained() -> None:
    error = PermissionError(13, "Permission denied")
    assert "below 1024" in address.cause(error, Address("127.0.0.1", 23))


@no_ipv6
def test_without_a_socket_to_be_had_the_address_is_named_too() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(BindError, match=r"127\.0\.0\.1:7001: Too many open files"):
            bind(Address("127.0.0.1", 7001))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_machine_without_ipv6_is_explained() -> None:
    error = OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    assert address.cause(error, Address("::1", 7001)) == "this machine has no IPv6"


def test_another_cause_is_given_in_the_systems_words() -> None:
    with pytest.raises(BindError, match=r"\[fe80::1\]:7001: Invalid argument"):
        bind(Address("fe80::1", 7001))


def test_an_address_of_no_interface_yet_can_be_bound() -> None:
    with bound("192.0.2.99") as sock:
        assert sock.getsockname()[0] == "192.0.2.99"


def test_a_port_can_be_bound_again_at_once() -> None:
    with bound("127.0.0.1") as sock:
        number = sock.getsockname()[1]
        with socket.create_connection(("127.0.0.1", number)):
            served, _ = sock.accept()
            served.close()
    with bound("127.0.0.1", number):
        pass


@no_ipv6
def test_the_wildcard_of_v6_is_every_address() -> None:
    with bound("::") as sock:
        assert can_connect("::1", sock)
        assert can_connect("127.0.0.1", sock)


@no_ipv6
def test_a_v6_address_leaves_the_v4_port_to_others() -> None:
    with bound("::1") as sock, bound("127.0.0.1", sock.getsockname()[1]):
        pass


def test_the_wildcard_of_v4() -> None:
    with bound("0.0.0.0") as sock:
        assert can_connect("127.0.0.1", sock)


@pytest.mark.parametrize(
    ("host", "others"),
    [
        ("127.0.0.1", False),
        ("127.8.9.10", False),
        ("::1", False),
        ("0.0.0.0", True),
        ("::", True),
        ("192.0.2.1", True),
        ("2001:db8::1", True),
    ],
)
def test_whether_others_can_reach_it(host: str, others: bool) -> None:
    assert exposed(host) == others


# ---- what is said


@pytest.mark.parametrize(
    ("host", "happening", "text"),
    [
        ("127.0.0.1", Happening.LISTENING, "this machine only"),
        ("0.0.0.0", Happening.EXPOSED, "clear text"),
    ],
)
def test_the_start_tells_where_and_who_can_reach_it(
    host: str, happening: Happening, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gatewayd")

    async def scenario() -> None:
        async with standing(Face.RAW, listening=bind(Address(host, 0))) as stand:
            (record,) = (r for r in caplog.records if vars(r)["happening"] is happening)
            assert f"raw on {stand.listener.address}" in record.getMessage()
            assert text in record.getMessage()
            assert vars(record)["gatewayd_port"] == "psu1"

    run(scenario())


# ---- accept


def test_each_face_has_its_session() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            client = await stand.let_in()
            assert await client.gets(len(OPENING)) == OPENING
        async with standing(Face.RAW) as stand:
            client = await stand.let_in()
            await stand.device_sends(b"first byte")
            assert await client.gets(1) == b"f"

    run(scenario())


def test_clients_are_numbered_and_called_by_their_address() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW, takeover=True) as stand:
            for number in (1, 2, 3):
                client = await stand.let_in()
                owner = stand.port.owner
                assert owner is not None
                host, port = client.sock.getsockname()
                assert (owner.number, owner.peername) == (number, f"{host}:{port}")
                assert owner.since.tzinfo is not None

    run(scenario())


@no_ipv6
def test_a_v4_client_of_a_v6_wildcard_is_called_by_its_v4_address() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW, listening=bind(Address("::", 0))) as stand:
            number = stand.listener.socket.getsockname()[1]
            with socket.create_connection(("127.0.0.1", number)):
                await turning(lambda: stand.port.owner)
                owner = stand.port.owner
                assert owner is not None
                assert owner.peername.startswith("127.0.0.1:")

    run(scenario())


def test_many_clients_at_once_are_all_answered() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            await stand.let_in()
            others = [stand.connects() for _ in range(BACKLOG - 4)]
            for client in others:
                assert b"in use by" in await client.gets_all()
                client.closes()
            await turning(lambda: len(stand.listener.connections) == 1)
            assert stand.port.counters.refused == len(others)

    run(scenario())


def test_while_paused_clients_wait_in_the_backlog() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            stand.listener.pause()
            client = stand.connects()
            await client.sends(b"early")
            assert not stand.listener.connections
            stand.listener.resume()
            await stand.device_gets(b"early")

    run(scenario())


def test_without_descriptors_clients_wait_and_are_served_when_there_are_some(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "RETRY_S", 0.05)
    caplog.set_level(logging.INFO, "gatewayd")

    def complaints() -> int:
        return sum(vars(r)["happening"] is Happening.FAULT for r in caplog.records)

    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = stand.connects()
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest_descriptor() + 1, hard))
            plugs = list(plug_all_descriptors())
            try:
                await turning(complaints)
            finally:
                for fd in plugs:
                    os.close(fd)
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await client.sends(b"still there")
            await stand.device_gets(b"still there")
            assert not client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    run(scenario())
    (record, *_) = (r for r in caplog.records if vars(r)["happening"] is Happening.FAULT)
    assert record.levelno == logging.WARNING
    assert "Too many open files" in record.getMessage()


def highest_descriptor() -> int:
    return max(int(name) for name in os.listdir("/proc/self/fd"))


def plug_all_descriptors() -> Iterator[int]:
    """Take every descriptor that is still to be had."""
    while True:
        try:
            yield os.dup(0)
        except OSError:
            return


def test_a_client_that_waits_is_told_when_the_device_cannot_be_opened() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217, plugged=False) as stand:
            client = stand.connects()
            said = await client.gets_all()
            assert b"psu1: device is absent" in said

    run(scenario())
