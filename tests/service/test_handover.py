"""Restarts with live sessions, with a manager that keeps descriptors as systemd does."""

from __future__ import annotations

import hashlib
import random
import termios
import threading

from tests import master
from tests.same import same
from tests.service.client import connect, read_until
from tests.service.restarting import Bench

WILL_COM_PORT = b"\xff\xfb\x2c"
SET_19200 = b"\xff\xfa\x2c\x01\x00\x00\x4b\x00\xff\xf0"
QUERY_BAUDRATE = b"\xff\xfa\x2c\x01\x00\x00\x00\x00\xff\xf0"
IS_19200 = b"\xff\xfa\x2c\x65\x00\x00\x4b\x00\xff\xf0"


def test_a_session_goes_on_with_its_negotiated_state(bench: Bench) -> None:
    bench.start_with_device()
    with connect(bench.telnet) as client:
        client.sendall(WILL_COM_PORT + b"\xff\xfb\x00\xff\xfd\x00" + SET_19200)
        read_until(client, IS_19200)
        bench.restart()
        client.sendall(b"\xff\xffafter\r\0" + QUERY_BAUDRATE)
        answer = read_until(client, IS_19200)
        assert b"\xff\xfd\x2c" not in answer, "negotiated again"
        assert bench.adapter.read(8) == b"\xffafter\r\0"
        bench.adapter.write(b"to the client")
        assert read_until(client, b"to the client")


def test_the_rest_of_a_split_command_may_come_after_the_restart(bench: Bench) -> None:
    bench.start_with_device()
    with connect(bench.telnet) as client:
        client.sendall(WILL_COM_PORT + SET_19200)
        read_until(client, IS_19200)
        client.sendall(QUERY_BAUDRATE[:6])
        bench.restart()
        client.sendall(QUERY_BAUDRATE[6:])
        read_until(client, IS_19200)


def test_a_transfer_both_ways_runs_through_three_restarts(bench: Bench) -> None:
    """No byte lost, none twice."""
    bench.start_with_device()
    payload = random.Random(1).randbytes(3_000_000)
    with connect(bench.raw) as client:
        upward, downward = hashlib.sha256(), hashlib.sha256()

        def instrument_writes() -> None:
            for start in range(0, len(payload), 2048):
                bench.adapter.write(payload[start : start + 2048])

        def instrument_reads() -> None:
            left = len(payload)
            while left:
                data = master.read(bench.adapter.master, 65536)
                assert data
                downward.update(data)
                left -= len(data)

        def client_reads() -> None:
            left = len(payload)
            while left:
                data = client.recv(65536)
                assert data
                upward.update(data)
                left -= len(data)

        work = [instrument_writes, instrument_reads, client_reads]
        threads = [threading.Thread(target=one) for one in work]
        for thread in threads:
            thread.start()
        half = len(payload) // 4
        logs = []
        for number in range(3):
            client.sendall(payload[number * half : (number + 1) * half])
            logs.append(bench.restart())
        client.sendall(payload[3 * half :])
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), "\n".join(logs)
    expected = hashlib.sha256(payload).digest()
    assert (upward.digest(), downward.digest()) == (expected, expected)


def test_after_a_crash_the_device_is_kept_and_the_session_is_not(bench: Bench) -> None:
    bench.start_with_device()
    with connect(bench.telnet) as client:
        client.sendall(WILL_COM_PORT + SET_19200)
        read_until(client, IS_19200)
        bench.restart(kill=True)
        assert client.recv(1) == b""
    assert bench.adapter.baudrate() == termios.B9600
    with connect(bench.raw) as client:
        client.sendall(b"again")
        assert bench.adapter.read(5) == b"again"
    assert "ended without handing over" in bench.manager.stop()


def test_what_no_longer_fits_the_configuration_is_closed(bench: Bench) -> None:
    bench.start_with_device()
    with connect(bench.raw) as client:
        client.sendall(b"x")
        assert bench.adapter.read(1) == b"x"
        bench.manager.stop()
        bench.config.write_text(bench.config.read_text().replace("psu1", "psu2"))
        bench.manager.start("run", "-c", str(bench.config))
        assert client.recv(1) == b""


def test_unfinished_output_for_a_slow_client_is_not_lost(bench: Bench) -> None:
    bench.start_with_device()
    payload = random.Random(2).randbytes(400_000)
    with connect(bench.raw) as client:
        client.sendall(b"x")
        bench.adapter.read(1)
        writer = threading.Thread(target=lambda: bench.adapter.write(payload))
        writer.start()
        bench.restart()
        got = b""
        while len(got) < len(payload):
            got += client.recv(65536)
        writer.join()
    same(got, payload)


def test_a_session_of_the_desk_goes_on_with_its_keys_and_who_is_at_the_menu_is_told(
    bench: Bench,
) -> None:
    bench.write(f"raw: {bench.raw}", top=f"desk: {bench.spare}\n")
    bench.start_with_device()
    with connect(bench.spare) as owner, connect(bench.spare) as other:
        owner.sendall(b"\xff\xfd\x01name alice\rpsu1\r")
        read_until(owner, b"it is yours")
        read_until(other, b"port> ")
        bench.restart()
        read_until(other, b"desk: the gateway is restarted, come again")
        owner.sendall(b"on\x05cw")
        read_until(owner, b'"alice" desk since')
        assert bench.adapter.read(2) == b"on"
        owner.sendall(b"\x05cmpsu1\r\x05cw")
        # The menu, and the port again, may come in one piece.
        menu, _, port = read_until(owner, b"desk since").partition(b"port> ")
        assert menu
        assert port.count(b'"alice"') == 1
