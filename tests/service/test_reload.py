"""`gatewayd reload`, SIGHUP, `status` and `kick`, on a running daemon with live sessions."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import socket
import termios
from time import monotonic

import pytest

from gatewayd.comport.wire import Command
from tests.cli.program import gatewayd
from tests.service.adapter import Adapter
from tests.service.client import Client, closed, connect, talk
from tests.service.rack import Rack, opened
from tests.until import PATIENCE


def nobody_listens(port: int) -> bool:
    try:
        connect(port).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_port_that_did_not_change_keeps_its_session(rack: Rack) -> None:
    one = rack.entry("one", rack.one, raw=rack.ports[0])
    with rack.serve(one) as daemon:
        opened(daemon, 1)
        with connect(rack.ports[0]) as session:
            talk(session, rack.one)
            two = rack.entry("two", rack.two, raw=rack.ports[1])
            said = daemon.reload("  # another line number\n" + two + one)
            assert said == "1 added, 0 removed, 0 changed, 1 unchanged\n"
            opened(daemon, 2)
            talk(session, rack.one)
            with connect(rack.ports[1]) as other:
                talk(other, rack.two)
            assert daemon.reload(one) == "0 added, 1 removed, 0 changed, 1 unchanged\n"
            assert nobody_listens(rack.ports[1])
            talk(session, rack.one)
        assert daemon.times("one: .* open, ") == 1


def test_line_settings_apply_under_the_session(rack: Rack) -> None:
    def entry(line: str) -> str:
        return rack.entry("one", rack.one, rfc2217=rack.ports[0], line=line)

    with rack.serve(entry("9600 8N1")) as daemon:
        opened(daemon, 1)
        with Client(rack.ports[0]) as client:
            assert client.ask(Command.SET_BAUDRATE) == 9600
            assert "1 changed" in daemon.reload(entry("19200 8N1"))
            assert client.ask(Command.SET_BAUDRATE) == 19200
            assert rack.one.baudrate() == termios.B19200
            # What the client has set is the client's, until it goes.
            assert client.ask(Command.SET_BAUDRATE, 38400) == 38400
            assert "1 changed" in daemon.reload(entry("4800 8N1"))
            assert client.ask(Command.SET_BAUDRATE) == 38400
        with Client(rack.ports[0]) as client:
            assert client.ask(Command.SET_BAUDRATE) == 4800


def test_listeners_come_and_go_under_the_session(rack: Rack) -> None:
    first, second, third, _ = rack.ports
    with rack.serve(rack.entry("one", rack.one, raw=first)) as daemon:
        opened(daemon, 1)
        with connect(first) as session:
            talk(session, rack.one)
            daemon.reload(rack.entry("one", rack.one, raw=second, rfc2217=third))
            assert nobody_listens(first)
            talk(session, rack.one)
            with Client(third) as refused:
                assert b"one: in use by 127.0.0.1:" in refused.read_to_end()
            with connect(second) as refused_too:
                assert closed(refused_too)
        daemon.wait_for("one: raw session from .* over")
        with connect(second) as session:
            talk(session, rack.one)
        assert daemon.status("one")["listeners"] == [
            f"rfc2217 127.0.0.1:{third}",
            f"raw 127.0.0.1:{second}",
        ]


def test_ports_do_not_wait_for_a_file_that_takes_long_to_judge(rack: Rack) -> None:
    one = rack.entry("one", rack.one, raw=rack.ports[0])
    many = "  a: {device: /dev/none, raw: [" + "7001, " * 20_000 + "7001]}\n"
    with rack.serve(one) as daemon:
        opened(daemon, 1)
        with connect(rack.ports[0]) as session:
            talk(session, rack.one)
            daemon.write(one + many)
            daemon.signal(signal.SIGHUP)
            trips = 0
            while "more problems from here on" not in daemon.text:
                talk(session, rack.one)
                trips += 1
            # In the loop it would be none, or one.
            assert trips > 5
        assert daemon.times("cannot be beside") == 100


def test_a_fifo_as_the_file_holds_up_nobody(rack: Rack) -> None:
    with rack.serve(rack.entry("one", rack.one, raw=rack.ports[0])) as daemon:
        opened(daemon, 1)
        daemon.config.unlink()
        os.mkfifo(daemon.config)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("is a FIFO; name a regular file")
        with connect(rack.ports[0]) as session:
            talk(session, rack.one)
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0


def test_two_ports_swap_their_addresses(rack: Rack) -> None:
    first, second, _, _ = rack.ports
    before = rack.entry("one", rack.one, raw=first) + rack.entry("two", rack.two, raw=second)
    after = rack.entry("one", rack.one, raw=second) + rack.entry("two", rack.two, raw=first)
    with rack.serve(before) as daemon:
        opened(daemon, 2)
        with connect(first) as one, connect(second) as two:
            talk(one, rack.one)
            talk(two, rack.two)
            daemon.reload(after)
            talk(one, rack.one)
            talk(two, rack.two)
        daemon.wait_for_more("session from .* over", 2)
        with connect(second) as one, connect(first) as two:
            talk(one, rack.one)
            talk(two, rack.two)


def test_an_address_changes_its_face(rack: Rack) -> None:
    with rack.serve(rack.entry("one", rack.one, raw=rack.ports[0])) as daemon:
        opened(daemon, 1)
        daemon.reload(rack.entry("one", rack.one, rfc2217=rack.ports[0]))
        with Client(rack.ports[0]) as client:
            assert client.ask(Command.SET_BAUDRATE) == 9600


def test_from_loopback_to_all_addresses_and_back(rack: Rack) -> None:
    number = rack.ports[0]
    narrow = rack.entry("one", rack.one, raw=f"127.0.0.1:{number}")
    wide = rack.entry("one", rack.one, raw=f"{{listen: 0.0.0.0:{number}, clear_text: true}}")
    with rack.serve(narrow) as daemon:
        opened(daemon, 1)
        with connect(number) as session:
            talk(session, rack.one)
            for ports, exposed in ((wide, True), (narrow, False)):
                daemon.reload(ports)
                talk(session, rack.one)
                with contextlib.closing(socket.socket()) as other:
                    # Another address of this machine, which only the wide one has.
                    connected = other.connect_ex(("127.0.0.2", number)) == 0
                assert connected is exposed
        daemon.wait_for("clear text and without login")


def test_another_device_ends_the_session(rack: Rack) -> None:
    number = rack.ports[0]
    with rack.serve(rack.entry("one", rack.one, raw=number)) as daemon:
        opened(daemon, 1)
        with connect(number) as session:
            talk(session, rack.one)
            daemon.reload(rack.entry("one", rack.two, raw=number))
            assert closed(session)
        opened(daemon, 2)
        with connect(number) as session:
            talk(session, rack.two)


def test_a_device_moves_from_one_port_to_another(rack: Rack) -> None:
    first, second, _, _ = rack.ports
    with rack.serve(rack.entry("one", rack.one, raw=first)) as daemon:
        opened(daemon, 1)
        daemon.reload(rack.entry("other", rack.one, raw=second))
        opened(daemon, 2)
        assert daemon.times("in use") == 0
        with connect(second) as session:
            talk(session, rack.one)
        assert nobody_listens(first)


def test_a_removed_port_ends_its_session_and_leaves_its_device(rack: Rack) -> None:
    one = rack.entry("one", rack.one, raw=rack.ports[0])
    two = rack.entry("two", rack.two, raw=rack.ports[1])
    with rack.serve(one + two) as daemon:
        opened(daemon, 2)
        with connect(rack.ports[0]) as session:
            talk(session, rack.one)
            session.sendall(b"the rest")
            assert rack.one.read(8) == b"the rest"
            daemon.reload(two)
            assert closed(session)
        assert daemon.command("status", "one").returncode == 1
        # The settings of the port that comes back under the name are those of the file.
        daemon.reload(one.replace("}", ", line: 4800 8N1}") + two)
        opened(daemon, 3)
        assert rack.one.baudrate() == termios.B4800


@pytest.mark.parametrize("way", ["command", "signal"])
def test_a_bad_file_changes_nothing(rack: Rack, way: str) -> None:
    good = rack.entry("one", rack.one, raw=rack.ports[0])
    with rack.serve(good) as daemon:
        opened(daemon, 1)
        with connect(rack.ports[0]) as session:
            daemon.write(good.replace("raw", "row") + "  two: {}\n")
            said = gatewayd("check", str(daemon.config)).stdout
            assert said.count("\n") > 1
            if way == "command":
                done = daemon.command("reload")
                assert (done.returncode, done.stderr) == (1, said)
            else:
                daemon.signal(signal.SIGHUP)
            for problem in said.splitlines():
                daemon.wait_for("error " + re.escape(problem))
            talk(session, rack.one)
        daemon.config.unlink()
        done = daemon.command("reload")
        assert (done.returncode, "No such file" in done.stderr) == (1, True)
        with connect(rack.ports[0]) as session:
            talk(session, rack.one)


def test_a_signal_reloads(rack: Rack) -> None:
    with rack.serve(rack.entry("one", rack.one, raw=rack.ports[0])) as daemon:
        opened(daemon, 1)
        daemon.write(rack.entry("one", rack.one, raw=rack.ports[1]))
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("configuration in force: 0 added, 0 removed, 1 changed, 0 unchanged")
        with connect(rack.ports[1]) as session:
            talk(session, rack.one)


def test_an_address_that_cannot_be_had_changes_nothing(rack: Rack) -> None:
    """Neither what moves, nor what goes, nor what is narrower than before."""
    first, second, third, taken = rack.ports
    before = rack.entry(
        "one", rack.one, raw=f"['127.0.0.1:{first}', {{listen: 0.0.0.0:{third}, clear_text: true}}]"
    ) + rack.entry("two", rack.two, raw=second)
    after = rack.entry("one", rack.one, raw=f"['127.0.0.1:{second}', '127.0.0.1:{third}', {taken}]")
    with rack.serve(before) as daemon:
        opened(daemon, 2)
        status = [daemon.status(name) for name in ("one", "two")]
        with socket.create_server(("127.0.0.1", taken)), connect(first) as one:
            talk(one, rack.one)
            daemon.write(after)
            done = daemon.command("reload")
            assert done.returncode == 1
            assert f"cannot listen on 127.0.0.1:{taken}: the address is in use" in done.stderr
            talk(one, rack.one)
            with connect(second) as two:
                talk(two, rack.two)
        daemon.wait_for_more("raw session from .* over", 2)
        for number in (first, third):
            with connect(number) as session:
                talk(session, rack.one)
        again = [daemon.status(name)["listeners"] for name in ("one", "two")]
        assert again == [one["listeners"] for one in status]
        # And once the address is free the same file goes through.
        assert daemon.reload(after) == "0 added, 1 removed, 1 changed, 0 unchanged\n"
        for number in (second, third, taken):
            with connect(number) as session:
                talk(session, rack.one)
            daemon.wait_for_more("one: raw session from .* over", 1)
        assert nobody_listens(first)


def test_many_reloads_leave_nothing_behind(rack: Rack) -> None:
    one = rack.entry("one", rack.one, raw=rack.ports[0])
    two = rack.entry("two", rack.two, raw=rack.ports[1], rfc2217=rack.ports[2])
    with rack.serve(one) as daemon:
        opened(daemon, 1)
        descriptors = []
        for number in range(1, 11):
            daemon.reload(one + two)
            opened(daemon, number + 1)
            daemon.reload(one)
            descriptors.append(len(daemon.files()))
        # The daemon closes the connection of who asked a moment later than that one does.
        deadline = monotonic() + PATIENCE
        while len(daemon.files()) > descriptors[2]:
            assert monotonic() < deadline, descriptors


def test_the_control_socket_moves(rack: Rack) -> None:
    one = rack.entry("one", rack.one, raw=rack.ports[0])
    with rack.serve(one) as daemon:
        opened(daemon, 1)
        before = daemon.control
        daemon.control = rack.directory / "elsewhere"
        daemon.write(one)
        assert gatewayd("reload", "--control", str(before)).returncode == 0
        assert daemon.status("one")["state"] == "ready"
        assert not before.exists()
        daemon.wait_for("configuration in force")


def test_status_is_a_table_or_json(rack: Rack) -> None:
    absent = Adapter(rack.directory / "absent", plugged=False)
    ports = rack.entry("one", rack.one, raw=rack.ports[0], description="bench") + rack.entry(
        "two", absent, raw=rack.ports[1]
    )
    with rack.serve(ports) as daemon:
        opened(daemon, 1)
        with connect(rack.ports[0]) as session:
            talk(session, rack.one)
            peer = "{}:{}".format(*session.getsockname())
            lines = daemon.command("status").stdout.splitlines()
            assert lines[0].split() == [
                *("PORT", "DEVICE", "LINE", "SESSION", "SINCE", "RECEIVED", "SENT", "ERRORS")
            ]
            assert re.fullmatch(
                rf"one +ready +9600 8N1 +{re.escape(peer)} raw +\d s +6 B +8 B +0", lines[1]
            )
            assert re.fullmatch(r"two +absent +9600 8N1 +- +- +0 B +0 B +0", lines[2])
            assert lines[3] == f"  {absent.path} is not there"
            assert len(lines) == 4

            status = json.loads(daemon.command("status", "--json", "one").stdout)
            (one,) = status["ports"]
            assert one["session"]["peer"] == peer
            assert (one["session"]["bytes_in"], one["session"]["bytes_out"]) == (8, 6)
            assert (one["description"], one["received"], one["sent"]) == ("bench", 6, 8)
        done = daemon.command("status", "three")
        assert (done.returncode, done.stderr) == (1, "there is no port three\n")


def test_kick_ends_a_session(rack: Rack) -> None:
    ports = rack.entry("one", rack.one, rfc2217=rack.ports[0], raw=rack.ports[1])
    with rack.serve(ports) as daemon:
        opened(daemon, 1)
        with Client(rack.ports[0]) as client:
            client.ask(Command.SET_BAUDRATE)
            done = daemon.command("kick", "one")
            peer = "{}:{}".format(*client.socket.getsockname())
            assert (done.returncode, done.stdout) == (0, f"one: session of {peer} ended\n")
            assert b"one: ended by the operator" in client.read_to_end()
        with connect(rack.ports[1]) as session:
            talk(session, rack.one)
            done = daemon.command("kick", "one", "--watchers")
            assert (done.returncode, "nobody watches port one" in done.stderr) == (1, True)
            talk(session, rack.one)
            assert daemon.command("kick", "one").returncode == 0
            assert closed(session)
        for name in ("one", "three"):
            done = daemon.command("kick", name)
            assert done.returncode == 1
            assert name in done.stderr
            assert "Traceback" not in done.stderr


def test_a_reload_without_descriptors_changes_nothing_and_can_be_repeated(rack: Rack) -> None:
    first, second, third, _ = rack.ports
    before = rack.entry("one", rack.one, raw=f"127.0.0.1:{first}")
    # A wider address on the same number needs the old socket closed first.
    after = rack.entry(
        "one", rack.one, raw=f"{{listen: 0.0.0.0:{first}, clear_text: true}}", rfc2217=second
    )
    after += rack.entry("two", rack.two, raw=third)
    with rack.serve(before) as daemon:
        opened(daemon, 1)
        with connect(first) as session:
            talk(session, rack.one)
            daemon.write(after)
            soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
            for spare in range(3):
                highest = max(map(int, os.listdir(f"/proc/{daemon.pid}/fd")))
                resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (highest + spare, hard))
                daemon.signal(signal.SIGHUP)
                daemon.wait_for_more("cannot listen on|cannot be read", spare + 1)
                talk(session, rack.one)
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (soft, hard))
        daemon.wait_for("one: raw session from .* over")
        with connect(first) as again:
            talk(again, rack.one)
        daemon.reload(after)
        opened(daemon, 2)
        with connect(first) as one, connect(third) as two, Client(second) as refused:
            talk(one, rack.one)
            talk(two, rack.two)
            assert b"one: in use by" in refused.read_to_end()
