"""Log records as journal fields, prefixed and readable lines, each through its real channel."""

from __future__ import annotations

import asyncio
import logging
import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.log import LOGGER, Happening, note
from gatewayd.service import handlers
from gatewayd.service.journal import LONGEST_BYTES, Journal, encode

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "log.md"


@pytest.fixture(autouse=True)
def leave_logging_as_it_was() -> Iterator[None]:
    root, level = logging.getLogger(), LOGGER.level
    former = root.handlers[:]
    yield
    root.handlers[:] = former
    LOGGER.setLevel(level)


def record(level: int = logging.INFO, text: str = "opened %s", *args: object) -> logging.LogRecord:
    made = LOGGER.makeRecord(
        "gatewayd", level, __file__, 1, text, args or ("/dev/ttyUSB0",), None, "test"
    )
    made.happening = Happening.DEVICE_READY
    made.gatewayd_port, made.gatewayd_session = "psu1", 7
    made.gatewayd_peer, made.gatewayd_device = None, "/dev/ttyUSB0"
    return made


def test_journal_fields_name_what_the_record_knows() -> None:
    fields = handlers.journal_fields(record())
    assert fields["GATEWAYD_PORT"] == "psu1"
    assert fields["GATEWAYD_SESSION"] == "7"
    assert fields["GATEWAYD_DEVICE"] == "/dev/ttyUSB0"
    assert "GATEWAYD_PEER" not in fields
    assert fields["MESSAGE_ID"] == Happening.DEVICE_READY.value
    assert fields["PRIORITY"] == "6"


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (logging.DEBUG, 7),
        (logging.INFO, 6),
        (logging.WARNING, 4),
        (logging.ERROR, 3),
        (logging.CRITICAL, 2),
        (logging.INFO + 5, 6),
    ],
)
def test_levels_become_syslog_priorities(level: int, expected: int) -> None:
    assert handlers.priority(level) == expected


def test_a_message_begins_with_its_port_and_hides_nothing() -> None:
    assert handlers.message(record()) == "psu1: opened /dev/ttyUSB0"
    hostile = record(logging.INFO, "signature %s", "a\n<0>b\x1b[2J\x9bx")
    assert handlers.message(hostile) == r"psu1: signature a\x0a<0>b\x1b[2J\x9bx"


def test_every_line_of_a_prefixed_record_has_its_priority() -> None:
    try:
        raise OSError("gone")
    except OSError as error:
        made = record(logging.ERROR)
        made.exc_info = (type(error), error, error.__traceback__)
    lines = handlers.PrefixFormatter().format(made).split("\n")
    assert lines[0] == "<3>psu1: opened /dev/ttyUSB0"
    assert lines[-1] == "<3>OSError: gone"
    assert all(line.startswith("<3>") for line in lines)


PROGRAM = """
import os, sys
if "fallback" in sys.argv:
    from gatewayd.service import journal
    journal.Journal.__init__.__defaults__ = ("/nowhere/socket",)
if "journal" in sys.argv:
    status = os.fstat(2)
    os.environ["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
import logging
from gatewayd.log import Happening, note
from gatewayd.service import handlers
handlers.install("verbose" in sys.argv)
note(Happening.DEVICE_READY, "opened %s", "/dev/ttyUSB0", port="psu1", session=7, peer="[::1]:5",
     device="/dev/ttyUSB0")
note(Happening.DEVICE_ABSENT, "absent", level=logging.WARNING, port="psu1")
note(Happening.LINE_SET, "19200 8N1", level=logging.DEBUG, port="psu1")
logging.getLogger("asyncio").warning("late callback")
"""


def say(*words: str, stderr: int = subprocess.PIPE, **environment: str) -> str:
    """What the program above leaves on standard error."""
    inherited = {key: os.environ[key] for key in os.environ.keys() - {"NO_COLOR", "JOURNAL_STREAM"}}
    inherited |= {"PYTHONPATH": str(ROOT), "TERM": "xterm", "TZ": "UTC"} | environment
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env=inherited,
        stderr=stderr,
        check=True,
        text=True,
        timeout=30,
    )
    return said.stderr or ""


def say_on_a_terminal(*words: str, **environment: str) -> str:
    ours, theirs = pty.openpty()
    say(*words, stderr=theirs, **environment)
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 4096):
            text += piece
    except OSError:  # EIO: the other side is closed and all is read
        pass
    os.close(ours)
    return text.decode().replace("\r\n", "\n")


def test_a_file_gets_plain_lines_with_the_date() -> None:
    lines = say().splitlines()
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
    assert re.fullmatch(stamp + " psu1: opened /dev/ttyUSB0", lines[0])
    assert re.fullmatch(stamp + " warning psu1: absent", lines[1])
    assert re.fullmatch(stamp + " warning late callback", lines[2])
    assert len(lines) == 3


def test_verbose_lets_debug_records_through() -> None:
    assert any(line.endswith("debug psu1: 19200 8N1") for line in say("verbose").splitlines())


def test_a_terminal_gets_the_time_of_day_and_colours() -> None:
    lines = say_on_a_terminal().splitlines()
    assert re.fullmatch(r"\x1b\[2m\d\d:\d\d:\d\d\x1b\[0m psu1: opened /dev/ttyUSB0", lines[0])
    assert "\x1b[33mwarning\x1b[0m psu1: absent" in lines[1]


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_refused(environment: dict[str, str]) -> None:
    lines = say_on_a_terminal(**environment).splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d psu1: opened /dev/ttyUSB0", lines[0])


def test_without_the_journals_socket_it_gets_priorities_and_is_told() -> None:
    lines = say("journal", "fallback").splitlines()
    assert lines[0] == (
        "<4>log entries have no fields: the journal cannot be reached, No such file or directory"
    )
    assert lines[1:] == ["<6>psu1: opened /dev/ttyUSB0", "<4>psu1: absent", "<4>late callback"]


def test_another_stream_than_the_journals_is_not_the_journal() -> None:
    assert "<6>" not in say(JOURNAL_STREAM="1:1")


JOURNAL = """
import os, socket, subprocess, sys
os.makedirs("/run/systemd/journal")
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("/run/systemd/journal/socket")
journal.settimeout(5)
subprocess.run([sys.executable, "-c", sys.argv[1], "journal"], check=True, timeout=20)
for _ in range(3):
    sys.stdout.write(journal.recv(65536).decode() + "\\0")
"""


def in_private_run(*command: str) -> list[str]:
    """`command` in a mount namespace of its own, with an empty /run."""
    mount = 'mount -t tmpfs tmpfs /run && exec "$@"'
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh", *command]


def test_the_journals_own_socket_gets_the_fields() -> None:
    """A journal socket of the test's own, in a namespace where /run is empty."""
    if subprocess.run(in_private_run("true"), capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets nobody make a mount namespace")
    said = subprocess.run(
        in_private_run(sys.executable, "-c", JOURNAL, PROGRAM),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    entries = [
        dict(line.split("=", 1) for line in entry.splitlines() if "=" in line)
        for entry in said.stdout.split("\0")[:3]
    ]
    assert said.stderr == ""
    opened, absent, foreign = entries
    assert opened["MESSAGE"] == "psu1: opened /dev/ttyUSB0"
    assert opened["MESSAGE_ID"] == Happening.DEVICE_READY.value
    assert opened["GATEWAYD_PORT"] == "psu1"
    assert opened["GATEWAYD_SESSION"] == "7"
    assert opened["GATEWAYD_PEER"] == "[::1]:5"
    assert opened["GATEWAYD_DEVICE"] == "/dev/ttyUSB0"
    assert (opened["PRIORITY"], absent["PRIORITY"]) == ("6", "4")
    assert "GATEWAYD_PEER" not in absent
    assert foreign["MESSAGE"] == "late callback"
    assert "MESSAGE_ID" not in foreign


def test_installing_twice_says_everything_once(capfd: pytest.CaptureFixture[str]) -> None:
    handlers.install(False, sys.stderr)
    handlers.install(False, sys.stderr)
    note(Happening.SERVICE_READY, "ready")
    assert capfd.readouterr().err.count("ready") == 1


def test_message_ids_are_fixed_128_bit_numbers_of_their_own() -> None:
    values = [happening.value for happening in Happening]
    assert all(re.fullmatch("[0-9a-f]{32}", value) for value in values)
    assert len(set(values)) == len(values)


def test_the_documentation_lists_every_kind_of_entry_and_no_other() -> None:
    listed = re.findall(r"^\| ([A-Z_]+) \| `([0-9a-f]{32})` \| \S", DOCS.read_text(), re.MULTILINE)
    assert dict(listed) == {happening.name: happening.value for happening in Happening}


def test_the_documentation_lists_every_field() -> None:
    text = DOCS.read_text()
    for field in (*handlers.FIELDS.values(), "MESSAGE_ID", "PRIORITY"):
        assert f"`{field}`" in text


def entry(text: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": text, "levelno": logging.INFO, "levelname": "INFO"})


def test_a_pipe_that_nobody_reads_stops_nothing() -> None:
    """Also the entries that did fit come whole, and the others are counted."""
    read_end, write_end = os.pipe()
    with open(write_end, "w") as stream, open(read_end, "rb") as pipe:
        handler = handlers.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("%(message)s"))
        for number in range(5000):
            handler.emit(entry(f"entry {number} " + "x" * 60))
        os.set_blocking(read_end, False)
        shown = pipe.read().decode().splitlines()
        assert shown[0].startswith("entry 0 ")
        assert all(len(line) > 60 for line in shown)
        handler.emit(entry("again"))
        lost, again = pipe.read().decode().splitlines()
    assert lost == f"{5000 - len(shown)} log entries were lost here: nobody took them"
    assert again == "again"


def test_a_reader_that_is_gone_is_nobodys_fault() -> None:
    """Nothing is raised into whoever notes something, also when entries were lost before."""
    read_end, write_end = os.pipe()
    with open(write_end, "w") as stream:
        handler = handlers.StreamHandler(stream)
        while not handler.lost:
            handler.emit(entry("x" * 1000))
        os.close(read_end)
        handler.emit(entry("y"))
        handler.emit(entry("z"))
        assert handler.lost == 3
        os.set_blocking(write_end, False)


def test_long_text_in_letters_of_several_bytes_is_no_reason_to_wait() -> None:
    read_end, write_end = os.pipe()
    with open(write_end, "w") as stream, open(read_end, "rb", buffering=0) as pipe:
        handler = handlers.StreamHandler(stream)
        handler.emit(entry("\u20ac" * 100_000))
        assert len(pipe.read(1 << 20)) == select.PIPE_BUF


class StandingJournal:
    """A journal's socket that nobody reads yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(10)

    def message(self) -> str:
        fields = dict(line.split("=", 1) for line in self.socket.recv(65536).decode().splitlines())
        return fields["MESSAGE"]


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[StandingJournal]:
    journal = StandingJournal(tmp_path / "socket")
    yield journal
    journal.socket.close()


def test_a_journal_that_stands_still_loses_entries_and_is_told_how_many(
    standing: StandingJournal,
) -> None:
    """The count comes as soon as it can, whether anything else happens or not."""

    async def main() -> None:
        handler = handlers.JournalHandler(Journal(str(standing.path)))
        taken = 0
        while not handler.lost:
            handler.emit(entry(f"entry {taken}"))
            taken += 1
        for _ in range(9):
            handler.emit(entry("lost"))
        loop = asyncio.get_running_loop()
        for number in range(taken - 1):
            assert standing.message() == f"entry {number}"
        told = await loop.run_in_executor(None, standing.message)
        assert told == "10 log entries were lost here: nobody took them"
        handler.emit(entry("after"))
        assert standing.message() == "after"
        handler.close()

    asyncio.run(main())


def test_a_journal_that_was_started_again_is_written_to_again(standing: StandingJournal) -> None:
    handler = handlers.JournalHandler(Journal(str(standing.path)))
    handler.emit(entry("before"))
    assert standing.message() == "before"
    standing.socket.close()
    handler.emit(entry("lost"))
    standing.path.unlink()
    handler.emit(entry("lost too"))
    again = StandingJournal(standing.path)
    handler.emit(entry("after"))
    told = [again.message(), again.message()]
    assert told == ["2 log entries were lost here: nobody took them", "after"]
    again.socket.close()
    handler.close()


def test_what_the_journal_gets_is_its_native_protocol() -> None:
    many = encode({"MESSAGE": "two\nlines", "PRIORITY": "6"})
    assert many == b"MESSAGE\n" + struct.pack("<Q", 9) + b"two\nlines\nPRIORITY=6\n"
    assert len(encode({"MESSAGE": "x" * 10_000_000})) < 2 * LONGEST_BYTES


def test_without_standard_error_nothing_is_said_and_nothing_fails() -> None:
    program = "import os, sys; os.close(2); sys.stderr = None\n" + PROGRAM
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == b""
