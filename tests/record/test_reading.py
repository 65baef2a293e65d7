"""A record that is read while it is written, and `gatewayd log`."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.cli.log import parse_since
from gatewayd.errors import GatewayError
from gatewayd.record.reading import Growth, Reader, in_hex
from gatewayd.record.text import escaped
from tests.cli.program import ROOT, gatewayd
from tests.ports import free_ports
from tests.service.adapter import Adapter
from tests.service.running import Running
from tests.until import PATIENCE
from tests.watched import Watched

DAYS = ("2026-11-24.log", "2026-11-25.log", "2026-11-25.2.log", "2026-11-25.10.log")
NOW = datetime(2026, 11, 25, 12, tzinfo=timezone(timedelta(hours=1)))

LOG = [sys.executable, "-m", "gatewayd", "log", "psu1"]


def line(day: int, hour: int, text: str, mark: str = "<") -> bytes:
    """A line of a record, in local time."""
    stamp = datetime(2026, 11, day, hour).astimezone().isoformat(timespec="milliseconds")
    return f"{stamp} {mark} {text}\n".encode()


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Four files with two lines each; the hours go on from file to file."""
    hours = itertools.count()
    for name in DAYS:
        lines = [line(int(name[8:10]), next(hours), f"{name} {n}") for n in (1, 2)]
        (tmp_path / name).write_bytes(b"".join(lines))
    (tmp_path / "2026-11-25.pcapng").write_bytes(b"packets")
    (tmp_path / "notes.txt").write_text("not ours\n")
    return tmp_path


def content(lines: Iterator[bytes] | list[bytes]) -> list[str]:
    return [one.decode().split(" < ")[1].rstrip() for one in lines]


def at(day: int, hour: int) -> datetime:
    return datetime(2026, 11, day, hour).astimezone()


def test_all_files_in_their_order(record: Path) -> None:
    found = content(Reader(str(record)).begin(at(1, 0)))
    assert found == [f"{name} {n}" for name in DAYS for n in (1, 2)]


def test_from_a_time_on(record: Path) -> None:
    found = content(Reader(str(record)).begin(at(25, 4)))
    assert found == [f"{name} {n}" for name in DAYS[2:] for n in (1, 2)]
    assert content(Reader(str(record)).begin(at(26, 0))) == []


def test_the_last_lines(record: Path) -> None:
    reader = Reader(str(record))
    assert content(reader.begin_at_end(3)) == [
        "2026-11-25.2.log 2",
        *(f"{DAYS[3]} {n}" for n in (1, 2)),
    ]
    assert list(reader.more()) == []


def test_what_comes_also_in_another_file(record: Path) -> None:
    reader = Reader(str(record))
    reader.begin_at_end(1)
    with (record / DAYS[3]).open("ab") as file:
        file.write(line(25, 9, "half a li")[:-1])
        file.flush()
        assert list(reader.more()) == []
        file.write(b"ne\n")
    with (record / "2026-11-26.log").open("ab") as other:
        other.write(line(26, 0, "next day"))
    assert content(reader.more()) == ["half a line", "next day"]
    # What the disk had no room for is taken back.
    with (record / "2026-11-26.log").open("r+b") as other:
        other.seek(0, os.SEEK_END)
        other.write(line(26, 1, "kept") + b"part of wh")
        other.flush()
        assert content(reader.more()) == ["kept"]
        other.truncate(other.tell() - 10)
        other.seek(0, os.SEEK_END)
        other.write(line(26, 2, "written again"))
    assert content(reader.more()) == ["written again"]


def test_files_that_are_pruned_or_made_anew(record: Path) -> None:
    reader = Reader(str(record))
    lines = reader.begin(at(1, 0))
    assert content([next(lines)]) == [f"{DAYS[0]} 1"]
    for name in DAYS[:3]:
        (record / name).unlink()
    # What was open is read to its end.
    assert content(lines) == [f"{DAYS[0]} 2", f"{DAYS[3]} 1", f"{DAYS[3]} 2"]
    (record / DAYS[3]).unlink()
    assert list(reader.more()) == []
    (record / DAYS[3]).write_bytes(line(25, 9, "anew"))
    assert content(reader.more()) == ["anew"]


def test_growth_is_seen_and_nothing_is_missed(tmp_path: Path) -> None:
    growth = Growth(str(tmp_path))
    (tmp_path / DAYS[0]).write_bytes(line(24, 0, "one"))
    growth.wait()
    with (tmp_path / DAYS[0]).open("ab") as file:
        file.write(line(24, 1, "two"))
    growth.wait()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10min", NOW - timedelta(minutes=10)),
        ("2 h ago", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-11-25T09:12:03.118+01:00", datetime(2026, 11, 25, 9, 12, 3, 118000, NOW.tzinfo)),
        ("2026-11-25 09:12", datetime(2026, 11, 25, 9, 12).astimezone()),
        ("09:12", datetime(2026, 11, 25, 9, 12).astimezone()),
        ("2026-11-20", datetime(2026, 11, 20).astimezone()),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    assert parse_since(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "soon", "10", "99999999d", "25:00", "2026-13-01"])
def test_no_times(text: str) -> None:
    with pytest.raises(GatewayError):
        parse_since(text, NOW)


def test_bytes_in_hexadecimal() -> None:
    happened = line(24, 0, "break received", "!")
    assert in_hex(happened) == happened
    stamp = line(24, 0, "")[:29].decode()
    said = line(24, 0, "MEAS 1.234\\x1b[0m and more")
    assert in_hex(said).decode().splitlines() == [
        f"{stamp} < 4d 45 41 53 20 31 2e 32 33 34 1b 5b 30 6d 20 61  MEAS 1.234.[0m a",
        f"{stamp} < 6e 64 20 6d 6f 72 65                             nd more",
    ]


@given(st.binary(max_size=100))
def test_all_bytes_come_back_in_hexadecimal(data: bytes) -> None:
    data = data.replace(b"\n", b"").replace(b"\r", b"")
    head = line(24, 0, "")[:32]
    rows = in_hex(head + escaped(data) + b"\n").decode("ascii").splitlines()
    assert bytes.fromhex("".join(row[32:80] for row in rows)) == data


def test_the_command_follows_a_daemon(tmp_path: Path) -> None:
    adapter = Adapter(tmp_path / "ttyUSB0")
    entry = f"  psu1: {{device: {adapter.path}, raw: 1, record: output}}\n"
    top = f"record: {{directory: {tmp_path}/records, free: 0}}\n"
    with (
        adapter,
        Running(tmp_path, entry.replace("raw: 1", f"raw: {free_ports(1)[0]}"), top=top) as daemon,
    ):
        daemon.wait_for("psu1: .* open, ")
        argv = [*LOG, "-f", "--control", str(daemon.control)]
        with Watched(argv, directory=ROOT) as following:
            adapter.write(b"U-Boot 2024.01\r\n")
            following.wait_for(r"\+?\S+ < U-Boot 2024.01\n")
            # Somebody throws it all away.
            for file in (tmp_path / "records/psu1").iterdir():
                file.unlink()
            adapter.write(b"Hit any key\r\n")
            following.wait_for(" < Hit any key\n")
            assert following.stop(signal.SIGINT) == 130
            assert "Traceback" not in following.text
        printed = daemon.command("log", "psu1", "--since", "1h", "--hex").stdout
        assert "48 69 74 20 61 6e 79 20 6b 65 79" in printed
    # Without a daemon the configuration tells where it is.
    again = gatewayd("log", "psu1", "-c", str(tmp_path / "gatewayd.yaml"))
    assert again.stdout.endswith(" ! recording ends\n")
    with open("/dev/full", "wb") as full:
        argv = [*LOG, "-c", str(tmp_path / "gatewayd.yaml")]
        done = subprocess.run(
            argv, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE
        )
    assert (done.returncode, "standard output: No space left" in done.stderr) == (1, True)
    for name in ("psu2", ".", ""):
        none = gatewayd("log", "-f", name, "-c", str(tmp_path / "gatewayd.yaml"))
        assert (none.returncode, none.stdout) == (1, "")
        assert "there is no port" in none.stderr
    # Of a port that is no more what there is may be read.
    (tmp_path / "records/psu1").rename(tmp_path / "records/psu2")
    gone = gatewayd("log", "psu2", "-c", str(tmp_path / "gatewayd.yaml"))
    assert gone.stdout == again.stdout
    none = gatewayd("log", "psu1", "-c", str(tmp_path / "gatewayd.yaml"))
    assert (none.returncode, none.stdout) == (1, "")
    assert "no record of psu1" in none.stderr
