"""Who is there, by the commands and the control interface: look, end, keep for somebody."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gatewayd.comport.wire import Command
from tests.service.client import Client, closed, connect, receive
from tests.service.rack import Rack, opened


def of(client: Client) -> str:
    return "{}:{}".format(*client.socket.getsockname()[:2])


def test_who_shows_owner_watchers_and_lease(rack: Rack) -> None:
    entry = rack.entry("one", rack.one, rfc2217=rack.ports[0], watch_raw=rack.ports[1])
    with rack.serve(entry) as daemon:
        opened(daemon, 1)
        with Client(rack.ports[0]) as owner, connect(rack.ports[1]) as watcher:
            owner.ask(Command.SET_BAUDRATE)
            rack.one.write(b"data")
            assert receive(watcher, 4) == b"data"
            arguments = ("--for", "2h", "--as", "alice", "--note", "burn-in 7")
            leased = daemon.command("lease", *arguments, "--from", "10.0.0.1", "one")
            assert leased.stdout.startswith("one: leased to alice until ")
            assert f"one: {of(owner)} holds it until a client of the lease comes" in leased.stdout
            heading, first, second, third = daemon.command("who", "one").stdout.splitlines()
            assert heading.split()[:3] == ["PORT", "ROLE", "WHO"]
            assert first.split()[:4] == ["one", "owner", of(owner), "rfc2217"]
            assert second.split()[0] == "watch"
            assert third.split()[0] == "lease"
            assert 'alice from 10.0.0.1, "burn-in 7", until ' in third
            (told,) = json.loads(daemon.command("who", "--json").stdout)
            assert told["session"]["idle"] < 60
            (one,) = told["watchers"]
            assert (one["face"], one["missed"], one["bytes_out"]) == ("watch_raw", 0, 4)
            assert told["lease"]["host"] == "10.0.0.1"
        done = daemon.command("who", "two")
        assert (done.returncode, done.stderr) == (1, "there is no port two\n")


def test_kick_ends_the_owner_or_those_who_watch(rack: Rack) -> None:
    entry = rack.entry("one", rack.one, rfc2217=rack.ports[0], watch=rack.ports[1])
    with rack.serve(entry) as daemon:
        opened(daemon, 1)
        with Client(rack.ports[0]) as owner, Client(rack.ports[1]) as watcher:
            owner.ask(Command.SET_BAUDRATE)
            watcher.ask(Command.SET_BAUDRATE)
            done = daemon.command("kick", "--watchers", "one")
            assert done.stdout == f"one: session of {of(watcher)} ended\n"
            assert b"one: ended by the operator" in watcher.read_to_end()
            owner.ask(Command.SET_BAUDRATE)
            told = json.loads(daemon.command("kick", "--json", "one").stdout)
            assert told == {"peer": of(owner), "peers": [of(owner)]}
            assert b"one: ended by the operator" in owner.read_to_end()
        done = daemon.command("kick", "--watchers", "one")
        assert (done.returncode, done.stderr) == (1, "nobody watches port one\n")


def test_a_lease_is_one_persons_until_it_is_freed(rack: Rack) -> None:
    with rack.serve(rack.entry("one", rack.one, raw=rack.ports[0])) as daemon:
        opened(daemon, 1)
        assert daemon.command("lease", "--as", "alice", "one").returncode == 0
        done = daemon.command("lease", "--as", "bob", "one")
        assert done.returncode == 1
        assert done.stderr.startswith("port one is leased to alice until ")
        told = json.loads(daemon.command("lease", "--as", "alice", "--json", "one").stdout)
        assert (told["lease"]["holder"], told["holding"]) == ("alice", None)
        with connect(rack.ports[0]) as other:
            assert closed(other)
        assert daemon.command("free", "one").stdout == "one: the lease of alice is over\n"
        done = daemon.command("free", "one")
        assert (done.returncode, done.stderr) == (1, "port one is leased to nobody\n")
        with connect(rack.ports[0]) as other:
            other.sendall(b"x")
            assert rack.one.read(1) == b"x"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("--for", "8d"), "write 90min, 2h or 3d"),
        (("--for", "soon"), "write 90min, 2h or 3d"),
        (("--from", "lab"), "is no numeric address"),
        (("--as", ""), "names nobody"),
        (("--as", "\t "), "names nobody"),
    ],
)
def test_a_lease_that_cannot_be_is_refused_with_a_hint(
    rack: Rack, arguments: tuple[str, str], hint: str
) -> None:
    with rack.serve(rack.entry("one", rack.one, raw=rack.ports[0])) as daemon:
        done = daemon.command("lease", *arguments, "one")
        assert done.returncode == 2
        assert hint in done.stderr


def test_a_lease_outlives_a_reload_that_puts_another_device_there(rack: Rack) -> None:
    with rack.serve(rack.entry("one", rack.one, raw=rack.ports[0])) as daemon:
        opened(daemon, 1)
        daemon.command("lease", "--as", "alice", "one")
        assert "1 changed" in daemon.reload(rack.entry("one", rack.two, raw=rack.ports[0]))
        (told,) = json.loads(daemon.command("who", "--json").stdout)
        assert told["lease"]["holder"] == "alice"


def test_watch_can_be_read_by_a_program(rack: Rack) -> None:
    with rack.serve(rack.entry("one", rack.one, raw=rack.ports[0])) as daemon:
        opened(daemon, 1)
        watch = (sys.executable, "-m", "gatewayd", "watch", "--control", str(daemon.control))
        with subprocess.Popen((*watch, "--json", "one"), stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["received"] == 0
            with connect(rack.ports[0]) as client:
                client.sendall(b"x")
                assert rack.one.read(1) == b"x"
                rack.one.write(b"hello\n")
                told = ""
                while told != "aGVsbG8K":
                    told = json.loads(process.stdout.readline())["from_line"] or ""
            process.terminate()
