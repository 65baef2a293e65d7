"""Several programs of others at one line: who owns it, who watches, and what each is told."""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import cast

import pytest
import pyvisa
import serial
import serial.rfc2217
from pyvisa.resources import MessageBasedResource

from gatewayd.telnet.constants import Option
from tests.cli.program import gatewayd
from tests.interop.lab import Lab, lab
from tests.interop.served import program
from tests.interop.terminal import Terminal, run
from tests.ports import free_ports
from tests.same import same
from tests.service.client import Talk, receive
from tests.until import PATIENCE
from tests.watched import Watched

QUIET_S = 0.5
LIVE = b"*live*"
WATCHES = r" watches\b(?! no)"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:serial.rfc2217")


@contextlib.contextmanager
def opened(port: int, baudrate: int = 115200) -> Iterator[serial.Serial]:
    """pyserial's client of an address."""
    client: serial.Serial = serial.serial_for_url(
        f"rfc2217://127.0.0.1:{port}", baudrate, timeout=PATIENCE
    )
    try:
        yield client
    finally:
        client.close()


def telnet(port: int) -> Terminal:
    return Terminal(program("inetutils-telnet"), "127.0.0.1", str(port))


@contextlib.contextmanager
def netcat(port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [program("nc"), "127.0.0.1", str(port)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, bufsize=0) as process:
        try:
            yield process
        finally:
            process.kill()


def read(process: subprocess.Popen[bytes], size: int) -> bytes:
    assert process.stdout is not None
    got = b""
    while len(got) < size and (data := process.stdout.read(size - len(got))):
        got += data
    return got


def exchange(lab: Lab, client: serial.Serial) -> None:
    """See that a client owns the line."""
    client.write(b"*IDN?")
    assert lab.instrument.read(5) == b"*IDN?"
    lab.instrument.write(b"ACME")
    assert client.read(4) == b"ACME"


def test_by_default_a_second_one_is_told_who_has_it_and_the_owner_notices_nothing(
    tmp_path: Path,
) -> None:
    with lab(tmp_path) as one, opened(one.rfc2217) as owner:
        exchange(one, owner)
        with telnet(one.rfc2217) as second:
            second.expect(rb"psu1: in use by 127\.0\.0\.1:\d+ since ")
            second.wait()
        assert run([program("nc"), "127.0.0.1", str(one.raw)]) == b""
        exchange(one, owner)


def test_busy_watch_lets_a_person_watch_and_a_program_fail(tmp_path: Path) -> None:
    with lab(tmp_path, ", busy: watch") as one, opened(one.rfc2217) as owner:
        exchange(one, owner)
        with telnet(one.rfc2217) as second:
            second.expect(rb"\[psu1: in use by [^\n]*; you watch\]")
            one.instrument.write(b"BOOT\r\n")
            second.expect(rb"BOOT\r\n")
            assert owner.read(6) == b"BOOT\r\n"
            second.type(b"hello\r")
            second.expect(rb"\[psu1: you watch, [^\n]* has it; what you type is not sent\]")
            second.type(b"again\r")
            before = one.instrument.termios()
            begun = monotonic()
            with pytest.raises(serial.SerialException), opened(one.rfc2217):
                pass
            assert monotonic() - begun < PATIENCE
            assert one.instrument.termios() == before
            one.instrument.write(b"END\r\n")
            assert b"not sent" not in second.expect(rb".*END\r\n")[0]
            assert owner.read(5) == b"END\r\n"
        assert run([program("nc"), "127.0.0.1", str(one.raw)]) == b""
        exchange(one, owner)


def test_behind_glass_pyserial_opens_where_the_line_is_as_it_wants_it(tmp_path: Path) -> None:
    with lab(tmp_path) as one, opened(one.rfc2217) as owner:
        exchange(one, owner)
        before = one.instrument.termios()
        with opened(one.watch) as watcher:
            one.instrument.write(b"MEAS 1.5\n")
            assert watcher.read(9) == owner.read(9) == b"MEAS 1.5\n"
            watcher.write(b"not sent")
            watcher.dtr = False
            watcher.break_condition = True
            watcher.break_condition = False
            watcher.reset_output_buffer()
            one.instrument.write(b"MEAS 1.6\n")
            assert watcher.read(9) == owner.read(9) == b"MEAS 1.6\n"
        with pytest.raises(ValueError, match="remote rejected value for option 'baudrate'"):
            serial.serial_for_url(f"rfc2217://127.0.0.1:{one.watch}", 9600).close()
        assert one.instrument.termios() == before
        exchange(one, owner)


def test_whoever_watches_gets_what_is_said_while_nobody_has_the_port(tmp_path: Path) -> None:
    plink = program("plink")
    with (
        lab(tmp_path) as one,
        Terminal(plink, "-telnet", "-P", str(one.watch), "127.0.0.1") as putty,
        telnet(one.watch) as person,
        netcat(one.watch_raw) as logger,
    ):
        one.gateway.wait_for_all(WATCHES, 3)
        one.instrument.write(b"hello\n")
        putty.expect(rb"hello")
        person.expect(rb"hello")
        assert read(logger, 6) == b"hello\n"
        told = gatewayd("status", "--json", "--control", one.control)
        assert '"received_discarded": 0,' in told.stdout


def test_kermit_watches(tmp_path: Path) -> None:
    with lab(tmp_path) as one:
        commands = (
            f"set host 127.0.0.1 {one.watch}, input 10 ACME, if success echo [seen], close, exit 0"
        )
        with Terminal(program("kermit"), "-Y", "-C", commands) as kermit:
            one.gateway.wait_for(WATCHES)
            one.instrument.write(b"ACME,PSU\n")
            kermit.expect(rb"\[seen\]")
            assert kermit.wait() == 0


@pytest.mark.filterwarnings("ignore::UserWarning:pyvisa_py")
def test_pyvisa_reads_along_at_a_plain_address_for_watching(tmp_path: Path) -> None:
    with lab(tmp_path) as one, opened(one.rfc2217) as owner:
        manager = pyvisa.ResourceManager("@py")
        name = f"TCPIP::127.0.0.1::{one.watch_raw}::SOCKET"
        watcher = cast("MessageBasedResource", manager.open_resource(name, timeout=10_000))
        watcher.read_termination = watcher.write_termination = "\n"
        one.gateway.wait_for(WATCHES)
        watcher.write("*RST")
        exchange(one, owner)
        one.instrument.write(b",PSU\n")
        assert watcher.read() == "ACME,PSU"
        watcher.close()
        manager.close()


def test_a_person_that_is_taken_over_watches_and_has_the_port_again(tmp_path: Path) -> None:
    with lab(tmp_path, ", busy: takeover") as one, telnet(one.rfc2217) as first:
        one.gateway.wait_for("rfc2217 session from")
        with telnet(one.rfc2217) as second:
            first.expect(rb"\[psu1: taken over by [^\n]*; you watch until it goes\]")
            second.expect(rb"psu1: taken over from 127\.0\.0\.1:\d+")
            second.type(b"2")
            assert one.instrument.read(1) == b"2"
            one.instrument.write(b"both\r\n")
            first.expect(rb"both")
            second.expect(rb"both")
        first.expect(rb"\[psu1: it is yours now\]")
        first.type(b"1")
        assert one.instrument.read(1) == b"1"


def test_a_program_that_is_taken_over_gets_last_words_and_nothing_before(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with lab(tmp_path, ", busy: takeover") as one:
        with overheard(one.rfc2217, said) as port, opened(port) as first:
            exchange(one, first)
            with telnet(one.rfc2217) as second:
                second.expect(rb"taken over from")
                one.gateway.wait_for("rfc2217 session from .* over")
        talk = Talk()
        talk.hear(said.read_bytes())
        last = talk.data.removeprefix(b"ACME")
        assert last.startswith(b"\r\npsu1: taken over by 127.0.0.1:")
        assert last.count(b"\n") == 2


def test_expect_waits_for_its_turn(tmp_path: Path) -> None:
    script = tmp_path / "script"
    with lab(tmp_path, ", busy: wait 20s") as one:
        script.write_text(
            f"set timeout 20\nspawn {program('inetutils-telnet')} 127.0.0.1 {one.rfc2217}\n"
            'expect "Escape character"\nsend "hello\\r"\n'
            'expect "ready" {send_user "\\[seen\\]"}\n'
        )
        with opened(one.rfc2217) as owner, Terminal(program("expect"), str(script)) as expecting:
            exchange(one, owner)
            expecting.expect(rb"Escape character")
            one.gateway.wait_for("rfc2217 session from")
            owner.close()
            assert one.instrument.read(5) == b"hello"
            one.instrument.write(b"ready\r\n")
            expecting.expect(rb"\[seen\]")


def test_who_waits_in_vain_is_refused_after_its_time(tmp_path: Path) -> None:
    with lab(tmp_path, ", busy: wait 1s") as one, opened(one.rfc2217) as owner:
        exchange(one, owner)
        begun = monotonic()
        with socket.create_connection(("127.0.0.1", one.raw), PATIENCE) as second:
            assert second.recv(1) == b""
        assert monotonic() - begun >= 0.9


def test_an_idle_owner_yields_though_the_device_chatters(tmp_path: Path) -> None:
    with lab(tmp_path, ", idle: steal after 2s") as one, opened(one.rfc2217) as owner:
        exchange(one, owner)
        assert run([program("nc"), "127.0.0.1", str(one.raw)]) == b""
        second = None
        deadline = monotonic() + PATIENCE
        while second is None:
            assert monotonic() < deadline
            one.instrument.write(b"chatter\n")
            trial = socket.create_connection(("127.0.0.1", one.raw), PATIENCE)
            if select.select([trial], [], [], QUIET_S)[0] and not trial.recv(1):
                trial.close()
            else:
                second = trial
        with second:
            second.sendall(b"mine")
            assert one.instrument.read(4) == b"mine"


def test_a_stuck_watcher_costs_the_owner_nothing_and_is_told_what_it_missed(
    tmp_path: Path,
) -> None:
    size = 8 << 20
    piece = bytes(range(32, 96)) * 512
    with (
        lab(tmp_path) as one,
        socket.create_connection(("127.0.0.1", one.raw), PATIENCE) as owner,
        socket.create_connection(("127.0.0.1", one.watch), PATIENCE) as stuck,
        socket.create_connection(("127.0.0.1", one.watch_raw), PATIENCE) as plain,
    ):
        one.gateway.wait_for_all(WATCHES, 2)
        before = one.gateway.resident_bytes()
        sent, got = 0, 0
        while got < size:
            if sent < size:
                one.instrument.write(piece)
                sent += len(piece)
            while got < sent:
                got += len(owner.recv(1 << 16))
        assert one.gateway.resident_bytes() - before < 1 << 20
        told, live = catch_up(one, stuck)
        before_mark, _, rest = told.partition(b"\r\n[psu1: ")
        missed, _, after = rest.partition(b" bytes missed]\r\n")
        data = before_mark[before_mark.index(b" !") :]
        assert len(data) + int(missed) + len(after) == sent + live
        same(after, LIVE * (len(after) // len(LIVE)))
        told, more = catch_up(one, plain)
        assert b"missed" not in told
        told_of = json.loads(gatewayd("who", "--json", "--control", one.control).stdout)
        missed_by = {one["face"]: one["missed"] for one in told_of[0]["watchers"]}
        assert len(told) + missed_by["watch_raw"] == sent + live + more


def catch_up(one: Lab, watcher: socket.socket) -> tuple[bytes, int]:
    """What a watcher has been sent, up to something that the device says now; and how many bytes
    that are."""
    got, live = bytearray(), 0
    while not got.endswith(LIVE):
        one.instrument.write(LIVE)
        live += len(LIVE)
        while select.select([watcher], [], [], QUIET_S)[0]:
            got += watcher.recv(1 << 16)
    return bytes(got), live


def test_a_lease_keeps_the_port_for_one_address(tmp_path: Path) -> None:
    with lab(tmp_path) as one:
        arguments = ("--for", "1h", "--as", "alice", "--note", "burn-in 7", "--from", "10.0.0.1")
        assert gatewayd("lease", *arguments, "--control", one.control, "psu1").returncode == 0
        with telnet(one.rfc2217) as other:
            other.expect(rb"psu1: leased to alice until [^\n]* \(burn-in 7\)")
        with netcat(one.watch_raw) as watcher:
            one.gateway.wait_for(WATCHES)
            one.instrument.write(b"hello\n")
            assert read(watcher, 6) == b"hello\n"


def test_one_too_many_is_refused_with_a_word(tmp_path: Path) -> None:
    with lab(tmp_path, ", watchers: 1") as one, netcat(one.watch_raw):
        one.gateway.wait_for(WATCHES)
        with telnet(one.watch) as second:
            second.expect(rb"psu1: too many clients watch")


def test_a_persons_own_name_stands_beside_its_address(tmp_path: Path) -> None:
    with lab(tmp_path) as one:
        command = (program("inetutils-telnet"), "-l", "alice", "127.0.0.1", str(one.rfc2217))
        with Terminal(*command) as owner:
            one.gateway.wait_for(r"the client calls itself 'alice'")
            with telnet(one.rfc2217) as second:
                second.expect(rb'psu1: in use by 127\.0\.0\.1:\d+ "alice" since')
            assert b' "alice" ' in gatewayd("who", "--control", one.control).stdout.encode()
            owner.type(b"x")
            assert one.instrument.read(1) == b"x"
        one.gateway.wait_for(r"rfc2217 session from [^ ]+ \"alice\" over")
        plink = (program("plink"), "-telnet", "-P", str(one.watch), "-l", "bob", "127.0.0.1")
        with Terminal(*plink):
            one.gateway.wait_for(r"the client calls itself 'bob'")


def test_a_program_is_never_asked_for_its_name(tmp_path: Path) -> None:
    program("socat")
    said = tmp_path / "said"
    with lab(tmp_path) as one:
        with overheard(one.rfc2217, said) as port, opened(port) as client:
            exchange(one, client)
        with overheard(one.watch, said) as port, opened(port) as client:
            one.instrument.write(b"hello")
            assert client.read(5) == b"hello"
    options = re.findall(rb"\xff[\xfb\xfd](.)", said.read_bytes(), re.DOTALL)
    assert options.count(bytes((Option.COM_PORT,))) >= 2
    assert bytes((Option.NEW_ENVIRON,)) not in options


@contextlib.contextmanager
def overheard(port: int, said: Path) -> Iterator[int]:
    """Another port for a client, by which all that it is told is added to a file."""
    (ours,) = free_ports(1)
    here = f"TCP-LISTEN:{ours},bind=127.0.0.1,reuseaddr"
    relay = Watched(["socat", "-d", "-d", "-R", said, here, f"TCP:127.0.0.1:{port}"])
    with relay:
        relay.wait_for("listening on")
        yield ours


def test_a_client_of_a_ports_own_address_gets_nothing_of_what_was_said_before(
    tmp_path: Path,
) -> None:
    with lab(tmp_path, ", replay: 64KiB") as one:
        with socket.create_connection(("127.0.0.1", one.watch_raw), PATIENCE) as watcher:
            one.gateway.wait_for(WATCHES)
            said = bytes(range(64, 128)) * 1600
            one.instrument.write(said)
            same(receive(watcher, len(said)), said)
        with opened(one.rfc2217) as client:
            one.instrument.write(LIVE)
            assert client.read(len(LIVE)) == LIVE
        one.gateway.wait_for(r"rfc2217 session from [^ ]+ over")
        with socket.create_connection(("127.0.0.1", one.raw), PATIENCE) as plain:
            plain.sendall(b"?")
            assert one.instrument.read(1) == b"?"
            one.instrument.write(LIVE)
            assert receive(plain, len(LIVE)) == LIVE
