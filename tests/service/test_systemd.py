"""The service manager's protocols, against a real datagram socket and real passed descriptors."""

from __future__ import annotations

import array
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.service import systemd

ROOT = Path(__file__).resolve().parents[2]


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(5)

    def receive(self) -> tuple[dict[str, str], list[int]]:
        """The next message: its fields and the descriptors that came with it."""
        fds = array.array("i")
        text, rights, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(4 * 253))
        for _, _, data in rights:
            fds.frombytes(data)
        return dict(line.split("=", 1) for line in text.decode().split("\n")), list(fds)


@pytest.fixture(params=["path", "abstract"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Manager]:
    path = str(tmp_path / "notify")
    manager = Manager(path if request.param == "path" else "@" + path)
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    yield manager
    manager.socket.close()
    assert systemd.flush()


def test_fields_arrive_by_name(manager: Manager) -> None:
    assert systemd.under_systemd()
    assert systemd.notify(READY=1, STATUS="2 ports, 1 session")
    assert manager.receive() == ({"READY": "1", "STATUS": "2 ports, 1 session"}, [])


def test_reloading_carries_the_monotonic_clock(manager: Manager) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert systemd.notify(RELOADING=1)
    fields, _ = manager.receive()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert fields["RELOADING"] == "1"
    assert before <= int(fields["MONOTONIC_USEC"]) <= after


def test_a_value_cannot_start_another_field(manager: Manager) -> None:
    assert systemd.notify(STATUS="absent:\nSTOPPING=1\r\x0b\u2028x")
    fields, _ = manager.receive()
    assert list(fields) == ["STATUS"]


def test_a_path_that_is_not_utf8_can_be_told(manager: Manager) -> None:
    assert systemd.notify(STATUS=os.fsdecode(b"/dev/tty\xff"))
    assert manager.receive()[0]["STATUS"] == "/dev/tty\\udcff"


def test_stored_descriptors_are_the_same_files(manager: Manager) -> None:
    with tempfile.TemporaryFile() as first, tempfile.TemporaryFile() as second:
        assert systemd.store("tty-psu1", first.fileno(), second.fileno())
        fields, fds = manager.receive()
        assert fields == {"FDSTORE": "1", "FDNAME": "tty-psu1"}
        same = [
            os.path.sameopenfile(a.fileno(), b) for a, b in zip((first, second), fds, strict=True)
        ]
        assert same == [True, True]
        for fd in fds:
            os.close(fd)


def test_more_descriptors_than_one_message_carries(manager: Manager) -> None:
    with tempfile.TemporaryFile() as file:
        assert systemd.store("session", *[file.fileno()] * 300)
        counts = []
        for _ in range(2):
            _, fds = manager.receive()
            counts.append(len(fds))
            for fd in fds:
                os.close(fd)
        assert counts == [253, 47]


def test_a_manager_that_stands_still_is_told_in_order_once_it_moves(manager: Manager) -> None:
    """Nobody waits for it, and what makes no difference any more is not kept."""
    stalled = []
    systemd.when_waiting(lambda: stalled.append(len(stalled)))
    began = time.monotonic()
    sent = 0
    while not systemd.waiting():
        assert systemd.notify(STATUS=f"number {sent}")
        sent += 1
    with tempfile.TemporaryFile() as file:
        inode = os.fstat(file.fileno()).st_ino
        assert systemd.store("tty.psu1", file.fileno())
        assert systemd.store("tty.psu2", file.fileno())
        assert systemd.unstore("tty.psu1")
        for number in range(100):
            assert systemd.notify(STATUS=f"later {number}")
            assert systemd.notify(WATCHDOG=1)
        assert systemd.notify(STOPPING=1)
    assert time.monotonic() - began < 5
    assert not systemd.flush()
    for number in range(sent - 1):
        assert manager.receive() == ({"STATUS": f"number {number}"}, [])
        systemd.flush()
    assert systemd.flush()
    fields, fds = manager.receive()
    assert fields["FDNAME"] == "tty.psu2"
    assert [os.fstat(fd).st_ino for fd in fds] == [inode]
    os.close(fds[0])
    told = [manager.receive()[0] for _ in range(4)]
    assert told == [
        {"FDSTOREREMOVE": "1", "FDNAME": "tty.psu1"},
        {"STATUS": "later 99"},
        {"WATCHDOG": "1"},
        {"STOPPING": "1"},
    ]
    systemd.when_waiting(None)
    assert stalled == [0]


def test_unstore_names_what_goes(manager: Manager) -> None:
    assert systemd.unstore("tty-psu1")
    assert manager.receive() == ({"FDSTOREREMOVE": "1", "FDNAME": "tty-psu1"}, [])


@pytest.mark.parametrize(
    "name", ["", "a:b", "a\nFDSTORE=1", "ü", pytest.param("x" * 256, id="long")]
)
def test_names_that_systemd_refuses(name: str) -> None:
    with pytest.raises(ValueError, match="descriptor store"):
        systemd.store(name, 0)
    with pytest.raises(ValueError, match="descriptor store"):
        systemd.unstore(name)


def test_without_a_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not systemd.under_systemd()
    assert not systemd.notify(READY=1)
    assert not systemd.store("tty", 0)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert not systemd.notify(READY=1)
    assert not systemd.store("tty")


RECEIVER = """
import fcntl, json, os, sys
pid, *given = sys.argv[1:]
os.environ["LISTEN_PID"] = pid.replace("self", str(os.getpid()))
for at, fd in enumerate([fcntl.fcntl(int(fd), fcntl.F_DUPFD, 20) for fd in given]):
    os.dup2(fd, 3 + at)  # inheritable, as the manager passes them
from gatewayd.service import systemd
passed = systemd.listen_fds()
print(json.dumps({
    "passed": {name: [os.fstat(fd).st_ino for fd in fds] for name, fds in passed.items()},
    "inheritable": sum(os.get_inheritable(fd) for fds in passed.values() for fd in fds),
    "again": systemd.listen_fds(),
    "left": [key for key in os.environ if key.startswith("LISTEN_")],
    "children see": os.popen("env | grep -c ^LISTEN_").read().strip(),
}))
"""


class Passed:
    """Files that are passed to a child as the manager passes descriptors."""

    def __init__(self) -> None:
        self.files = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115
        self.inodes = [os.fstat(file.fileno()).st_ino for file in self.files]

    def to_child(self, pid: str, count: str, names: str | None) -> dict[str, object]:
        environment = {**os.environ, "LISTEN_FDS": count, "PYTHONPATH": str(ROOT)}
        environment.pop("LISTEN_FDNAMES", None)
        if names is not None:
            environment["LISTEN_FDNAMES"] = names
        fds = [file.fileno() for file in self.files]
        said = subprocess.run(
            [sys.executable, "-c", RECEIVER, pid, *map(str, fds)],
            env=environment,
            pass_fds=fds,
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        )
        answer: dict[str, object] = json.loads(said.stdout)
        return answer


@pytest.fixture
def passed() -> Iterator[Passed]:
    passed = Passed()
    yield passed
    for file in passed.files:
        file.close()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("psu1:tty-psu1:psu1", {"psu1": [0, 2], "tty-psu1": [1]}),
        ("psu1::unknown", {"psu1": [0], "unknown": [1, 2]}),
        (None, {"unknown": [0, 1, 2]}),
    ],
)
def test_passed_descriptors_by_name(
    passed: Passed, names: str | None, expected: dict[str, list[int]]
) -> None:
    answer = passed.to_child("self", "3", names)
    assert answer == {
        "passed": {name: [passed.inodes[at] for at in places] for name, places in expected.items()},
        "inheritable": 0,
        "again": {},
        "left": [],
        "children see": "0",
    }


@pytest.mark.parametrize(
    ("pid", "count", "names"),
    [
        ("1", "3", "a:b:c"),
        ("", "3", "a:b:c"),
        ("self", "0", None),
        ("self", "three", None),
        ("self", "3", "a"),
    ],
)
def test_what_was_meant_for_others_is_left_alone(
    passed: Passed, pid: str, count: str, names: str | None
) -> None:
    answer = passed.to_child(pid, count, names)
    assert answer["passed"] == {}
    assert answer["left"] == []


def test_a_number_that_was_not_passed_after_all_is_left_out(passed: Passed) -> None:
    answer = passed.to_child("self", "4", "a:b:c:d")
    assert answer["passed"] == {name: [passed.inodes[at]] for at, name in enumerate("abc")}


@pytest.mark.parametrize(
    ("usec", "pid", "expected"),
    [
        ("30000000", None, 15.0),
        ("30000000", "self", 15.0),
        ("30000000", "1", None),
        ("0", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_watchdog_interval_is_half_the_limit(
    monkeypatch: pytest.MonkeyPatch, usec: str | None, pid: str | None, expected: float | None
) -> None:
    for key, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", pid)):
        monkeypatch.delenv(key, raising=False)
        if value is not None:
            monkeypatch.setenv(key, value.replace("self", str(os.getpid())))
    assert systemd.watchdog_interval() == expected


def test_importing_it_brings_in_nothing_heavy() -> None:
    """The command line asks whether it runs under systemd before it knows what else it needs."""
    heavy = {"asyncio", "systemd", "serial", "yaml"}
    program = f"import sys, gatewayd.service.systemd; print(*{heavy} & {{*sys.modules}})"
    said = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert said.stdout.strip() == ""
