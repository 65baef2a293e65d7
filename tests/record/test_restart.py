"""A record over a restart that keeps its sessions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.control.client import call
from tests.record.files import lines, said, wait_for
from tests.same import same
from tests.service.client import connect, receive
from tests.service.manager import Manager
from tests.service.restarting import Bench


class Recorded(Bench):
    """A recorded port, and a manager that keeps descriptors."""

    def __init__(self, directory: Path, manager: Manager) -> None:
        super().__init__(directory, manager)
        self.control = str(directory / "control")
        self.record = directory / "records/psu1"
        records = f"record: {{directory: {directory}/records, free: 0}}\n"
        self.write(f"raw: {self.raw}, record: both", control=self.control, top=records)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Recorded]:
    with Manager(tmp_path) as manager:
        bench = Recorded(tmp_path, manager)
        with bench.adapter:
            yield bench


def test_what_the_device_says_meanwhile_is_recorded(bench: Recorded) -> None:
    bench.start_with_device()
    with connect(bench.raw) as client:
        bench.adapter.write(b"one\ntwo is cut ")
        receive(client, 15)
        bench.manager.stop()
        bench.adapter.write(b"here\nthree\n")
        bench.start_with_device()
        receive(client, 11)
        wait_for(bench.record, "three")
    bench.manager.stop()
    found = [line[1:] for line in lines(bench.record)]
    assert [text for mark, text in found if mark == "<"] == ["one", "two is cut ", "here", "three"]
    begun = [text for mark, text in found if mark == "!" and text.startswith("recording ")]
    assert [text.split(",")[0] for text in begun] == ["recording begins", "recording ends"] * 2


def test_what_the_line_had_taken_is_recorded_and_counted_once(bench: Recorded) -> None:
    payload = b"".join(b"%08d %b\n" % (number, b"x" * 90) for number in range(300))
    bench.start_with_device()
    with connect(bench.raw) as client:
        # More than a PTY, and what may wait for a line, have room for.
        client.sendall(payload)
        wait_for(bench.record, "> 00000000")
        bench.restart()
        same(bench.adapter.read(len(payload)), payload)
        wait_for(bench.record, "> 00000299")
        (port,) = call(bench.control, "Status")["ports"]
        assert port["sent"] == len(payload)
    bench.manager.stop()
    # Where one process ended the other began: there a line is in two parts.
    same("".join(said(bench.record, ">")).encode(), payload.replace(b"\n", b""))
