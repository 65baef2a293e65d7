"""A daemon that records: whoever is there, whatever becomes of device, disk and daemon."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from tests.ports import free_ports
from tests.record import tshark
from tests.record.disk import mounted, needs_root, stalling
from tests.record.files import lines, said, text, wait_for
from tests.record.tshark import needs_tshark
from tests.service.adapter import Adapter
from tests.service.client import Client, connect, receive
from tests.service.running import Running
from tests.spell import pace_beside, quiet_beside
from tests.until import PATIENCE

PIECE: Final = 3
"""Lines that the device says at once; a PTY has room for 4 KiB."""


class Bench:
    """One recorded port `psu1` on an adapter."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.records = directory / "records"
        self.telnet, self.raw = free_ports(2)
        self.adapter = Adapter(directory / "ttyUSB0")

    @property
    def record(self) -> Path:
        """The directory of the port."""
        return self.records / "psu1"

    def entry(self, more: str) -> str:
        faces = f"rfc2217: {self.telnet}, raw: {self.raw}"
        return f"  psu1: {{device: {self.adapter.path}, {faces}, {more}}}\n"

    def serve(self, more: str, *, free: str = "0", top: str = "") -> Running:
        top += f"record: {{directory: {self.records}, free: {free}}}\n"
        return Running(self.directory, self.entry(more), top=top)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    with bench.adapter:
        yield bench


def ready(daemon: Running, times: int = 1) -> None:
    daemon.wait_for_more("psu1: .* (open|taken over), ", times)


def test_nobody_needs_to_be_there(bench: Bench) -> None:
    with bench.serve("record: both") as daemon:
        ready(daemon)
        before = time.time()
        bench.adapter.write(b"U-Boot 2024.01\r\nHit any key\r\n")
        wait_for(bench.record, "Hit any key")
    found = [line for line in lines(bench.record) if line[1] == "<"]
    assert [content for *_, content in found] == ["U-Boot 2024.01", "Hit any key"]
    for stamp, *_ in found:
        # Cut to the millisecond.
        assert -0.001 <= datetime.fromisoformat(stamp).timestamp() - before < 1


def test_both_sides_and_what_happened(bench: Bench) -> None:
    with bench.serve("record: both") as daemon:
        ready(daemon)
        with connect(bench.raw) as client:
            client.sendall(b"*IDN?\n")
            bench.adapter.read(6)
            bench.adapter.write(b"GATEWAYD,DEMO\r\n")
            receive(client, 15)
            address = "{}:{}".format(*client.getsockname())
        wait_for(bench.record, "! .* left")
    found = [line[1:] for line in lines(bench.record)]
    assert found.index((">", "*IDN?")) < found.index(("<", "GATEWAYD,DEMO"))
    happened = said(bench.record, "!")
    assert happened[0].startswith("recording begins, gatewayd ")
    assert happened[-1] == "recording ends"
    assert any(address in one for one in happened)
    assert any("device ready" in one for one in happened)
    assert "line set to 9600 8N1" in happened


def test_what_clients_send_is_not_recorded_unless_asked_for(bench: Bench) -> None:
    with bench.serve("record: output") as daemon:
        ready(daemon)
        with connect(bench.raw) as client:
            client.sendall(b"secret\n")
            bench.adapter.read(7)
            bench.adapter.write(b"welcome\n")
            receive(client, 8)
        wait_for(bench.record, "welcome")
    assert said(bench.record, ">") == []
    assert "secret" not in text(bench.record)


def test_an_unfinished_line_is_there_soon(bench: Bench) -> None:
    with bench.serve("record: output") as daemon:
        ready(daemon)
        bench.adapter.write(b"login: ")
        wait_for(bench.record, "< login: $")


def test_unplug_and_replug(bench: Bench) -> None:
    with bench.serve("record: output") as daemon:
        ready(daemon)
        bench.adapter.write(b"before\n")
        wait_for(bench.record, "before")
        bench.adapter.pull()
        wait_for(bench.record, "! device absent")
        bench.adapter.plug()
        ready(daemon, 2)
        bench.adapter.write(b"after\n")
        wait_for(bench.record, "after")
    assert said(bench.record, "<") == ["before", "after"]


def test_reload_begins_ends_and_moves_it(bench: Bench) -> None:
    with bench.serve("record: off") as daemon:
        ready(daemon)
        bench.adapter.write(b"nobody listens\n")
        daemon.reload(bench.entry("record: output"))
        bench.adapter.write(b"one\n")
        wait_for(bench.record, "one")
        # Other keys leave it alone.
        daemon.reload(bench.entry("record: output, description: supply"))
        bench.adapter.write(b"two\n")
        wait_for(bench.record, "two")
        assert len([one for one in said(bench.record, "!") if "begins" in one]) == 1
        elsewhere = bench.directory / "elsewhere"
        daemon.top = f"record: {{directory: {elsewhere}, free: 0}}\n"
        daemon.reload(bench.entry("record: output"))
        bench.adapter.write(b"three\n")
        wait_for(elsewhere / "psu1", "three")
        daemon.reload(bench.entry("record: off"))
        wait_for(elsewhere / "psu1", "recording ends")
        bench.adapter.write(b"four\n")
        assert daemon.status("psu1")["record"] is None
    assert said(bench.record, "<") == ["one", "two"]
    assert said(elsewhere / "psu1", "<") == ["three"]


def test_the_next_daemon_goes_on_in_the_same_file(bench: Bench) -> None:
    for line in ("one", "two"):
        with bench.serve("record: output, pcapng: true") as daemon:
            ready(daemon)
            bench.adapter.write(f"{line}\n".encode())
            wait_for(bench.record, line)
    assert said(bench.record, "<") == ["one", "two"]
    assert len(list(bench.record.glob("*.log"))) == 1


def test_a_killed_daemon_leaves_files_that_can_be_read(bench: Bench) -> None:

    def until_killed() -> None:
        with bench.serve("record: output, pcapng: true") as daemon:
            ready(daemon)
            bench.adapter.write(b"one\n")
            wait_for(bench.record, "one")
            daemon.signal(signal.SIGKILL)
            daemon.wait()

    with pytest.raises(AssertionError):
        until_killed()
    with bench.serve("record: output, pcapng: true") as daemon:
        ready(daemon)
        bench.adapter.write(b"two\n")
        wait_for(bench.record, "two")
    assert said(bench.record, "<") == ["one", "two"]


@needs_tshark
def test_tshark_reads_the_packets(bench: Bench) -> None:
    with bench.serve("record: both, pcapng: true") as daemon:
        ready(daemon)
        with Client(bench.telnet) as client:
            client.send(b"*IDN?\n")
            bench.adapter.read(6)
            bench.adapter.write(b"GATEWAYD,DEMO\r\n")
            client.read(15)
        wait_for(bench.record, "GATEWAYD,DEMO")
    (file,) = bench.record.glob("*.pcapng")
    found = tshark.fields(file, "rtacser.eventtype", "data.data")
    assert ("0x01", b"*IDN?\n".hex()) in found
    assert ("0x02", b"GATEWAYD,DEMO\r\n".hex()) in found
    comments = [comment for (comment,) in tshark.fields(file, "frame.comment")]
    assert "line set to 9600 8N1" in comments
    assert "alformed" not in tshark.run(file, "-V")


def stream(bench: Bench, client: socket.socket, count: int) -> None:
    """The device says `count` pieces of numbered lines, which a client must get all."""
    for number in range(count):
        line = f"{number:08} {'x' * 1000}\r\n".encode() * PIECE
        bench.adapter.write(line)
        assert receive(client, len(line)) == line


def streams_until_recorded(bench: Bench, client: socket.socket, daemon: Running) -> None:
    """Whether a record can be written again is tried with what the line says."""
    deadline = time.monotonic() + PATIENCE
    while daemon.status("psu1")["record"]["cause"]:
        assert time.monotonic() < deadline
        stream(bench, client, 1)
        pace_beside(0.1)


@needs_root
def test_a_full_disk_disturbs_nobody(bench: Bench) -> None:
    with mounted(bench.records, "1M") as disk, bench.serve("record: output") as daemon:
        ready(daemon)
        filler = disk.path / "filler"
        filler.write_bytes(bytes(700 << 10))
        with connect(bench.raw) as client:
            stream(bench, client, 200)
            daemon.wait_for("warning psu1: recording stops, the port goes on: .* No space left")
            assert daemon.status("psu1")["record"]["cause"] == "No space left on device"
            assert daemon.status("psu1")["record"]["lost"] > 0
            assert 'gatewayd_port_recording{port="psu1"} 0\n' in daemon.command("metrics").stdout
            filler.unlink()
            streams_until_recorded(bench, client, daemon)
        daemon.wait_for(r"psu1: recording goes on; \d+ bytes of the line are not in the record")
        assert daemon.times("recording stops") == 1
        missing = daemon.status("psu1")["record"]["lost"]
        assert f"! {missing} bytes not recorded" in wait_for(bench.record, "not recorded")
        metrics = daemon.command("metrics").stdout
        assert 'gatewayd_port_recording{port="psu1"} 1\n' in metrics
        assert f'gatewayd_port_unrecorded_bytes_total{{port="psu1"}} {missing}\n' in metrics


def test_a_directory_that_goes_away_is_made_again(bench: Bench) -> None:
    with bench.serve("record: output") as daemon:
        ready(daemon)
        bench.adapter.write(b"one\n")
        wait_for(bench.record, "one")
        shutil.rmtree(bench.records)
        bench.adapter.write(b"two\n")
        wait_for(bench.record, "two")


def test_a_directory_that_cannot_be_is_told_and_waited_for(bench: Bench) -> None:
    bench.records.write_text("in the way")
    with bench.serve("record: output") as daemon:
        ready(daemon)
        daemon.wait_for("warning psu1: recording stops, the port goes on: .*File exists")
        with connect(bench.raw) as client:
            stream(bench, client, 10)
            bench.records.unlink()
            streams_until_recorded(bench, client, daemon)
        assert "not recorded" in wait_for(bench.record, "not recorded")


@needs_root
def test_a_card_that_stalls_disturbs_nobody(bench: Bench) -> None:
    with stalling(bench.records) as card, bench.serve("record: output") as daemon:
        ready(daemon)
        bench.adapter.write(b"one\n")
        wait_for(bench.record, "one")
        card.stall()
        with connect(bench.raw) as client:
            stream(bench, client, 5000 // PIECE)
            daemon.wait_for("warning psu1: the disk does not keep up: recording stops")
            lost = daemon.status("psu1")["record"]["lost"]
            assert 0 < lost < 5000 * 1011
            card.go_on()
            daemon.wait_for("psu1: recording goes on")
        missing = daemon.status("psu1")["record"]["lost"]
        written = wait_for(bench.record, f"! {missing} bytes not recorded")
    assert daemon.times("recording stops") == 1
    whole = [line for line in written.splitlines() if line.endswith("x" * 1000)]
    assert 4000 < len(whole) <= (5000 * 1011 - missing) // 1011 + 1


@needs_root
def test_a_card_that_stalls_does_not_hold_up_the_end(bench: Bench) -> None:
    with stalling(bench.records) as card, bench.serve("record: output") as daemon:
        ready(daemon)
        bench.adapter.write(b"one\n")
        wait_for(bench.record, "one")
        card.stall()
        bench.adapter.write(b"two\n")
        daemon.signal(signal.SIGTERM)
        daemon.wait_for("stopping")
        # What waits in a system call of a disk cannot end before it.
        daemon.wait_for("bytes of records are not on the disk in time")
        card.go_on()
        assert daemon.wait() == 0


def test_recorder_and_metrics_sleep_without_work(bench: Bench) -> None:
    (metrics,) = free_ports(1)
    more = "record: both, pcapng: true, replay: 64KiB"
    with bench.serve(more, top=f"metrics: {metrics}\n") as daemon:
        ready(daemon)
        wait_for(bench.record, "device ready")
        with connect(metrics) as scraper:
            scraper.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            receive(scraper, 15)
        deadline = time.monotonic() + 60
        before = None
        # Whoever makes a PTY on this machine wakes the watch for devices: one quiet spell of more
        # than two flushes is enough.
        while (now := switches(daemon.pid)) != before:
            assert time.monotonic() < deadline
            before = now
            quiet_beside(1.2)


def switches(pid: int) -> dict[str, int]:
    """How often each thread of a process was given the processor because it wanted to."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = (task / "status").read_text()
        found[task.name] = int(status.split("voluntary_ctxt_switches:")[1].split()[0])
    return found


def test_what_nobody_asks_for_is_not_begun(bench: Bench) -> None:
    with bench.serve("record: off") as daemon:
        ready(daemon)
        names = []
        for task in Path(f"/proc/{daemon.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):  # a thread that is over by now
                names.append((task / "comm").read_text())
        assert "record\n" not in names
    assert not bench.records.exists()
