"""Where log records go: journal fields under systemd, readable lines for people and files.

`install` looks at standard error and takes the one that fits. Text from clients and devices reaches
the log, so control characters are shown as escapes and cannot move a cursor or fake a line.

Nobody waits for the log, and nothing that befalls it reaches whoever notes something: what cannot
be written at once is dropped and counted, and the count is written as soon as something can be.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import stat
import sys
from abc import abstractmethod
from datetime import datetime
from typing import Final, TextIO

from gatewayd.log import LOGGER, Happening
from gatewayd.service.journal import Journal

RETRY_S: Final = 1.0
"""After so long the number of lost entries is tried to be told, if no other entry comes before."""

FIELDS = {
    "gatewayd_port": "GATEWAYD_PORT",
    "gatewayd_session": "GATEWAYD_SESSION",
    "gatewayd_peer": "GATEWAYD_PEER",
    "gatewayd_device": "GATEWAYD_DEVICE",
}
"""Attributes of a record and the journal fields they become."""

ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_FAULT: Final = {"happening": Happening.FAULT}
DIM, YELLOW, RED, BOLD, PLAIN = "\033[2m", "\033[33m", "\033[31m", "\033[1m", "\033[0m"


def priority(level: int) -> int:
    """A logging level as a syslog priority (syslog(3)): 7 for debug up to 2 for critical."""
    steps = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
    return next((number for least, number in steps if level >= least), 7)


def message(record: logging.LogRecord) -> str:
    """The record's text behind the name of its port, without control characters."""
    port = getattr(record, "gatewayd_port", None)
    text = record.getMessage()
    if not text.isprintable():
        text = text.translate(ESCAPES)
    return text if port is None else f"{port}: {text}"


def journal_fields(record: logging.LogRecord) -> dict[str, str]:
    """What the journal keeps of a record, by field name (systemd.journal-fields(7))."""
    fields = {
        "MESSAGE": message(record) + _traceback(record),
        "PRIORITY": str(priority(record.levelno)),
        "SYSLOG_IDENTIFIER": "gatewayd",
    }
    if record.pathname:
        # Our own entries tell their happening instead.
        fields |= {
            "CODE_FILE": record.pathname,
            "CODE_LINE": str(record.lineno),
            "CODE_FUNC": str(record.funcName),
        }
    for attribute, field in FIELDS.items():
        value = getattr(record, attribute, None)
        if value is not None:
            fields[field] = str(value)
    happening = getattr(record, "happening", None)
    if isinstance(happening, Happening):
        fields["MESSAGE_ID"] = happening.value
    return fields


class LossyHandler(logging.Handler):
    """Drops and counts what its sink does not take at once."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = 0
        """Entries that nobody took, since it was told how many."""
        self._retry: asyncio.TimerHandle | None = None

    @abstractmethod
    def take(self, record: logging.LogRecord) -> bool:
        """Write a record; False when that would have to wait. Raises whatever it likes."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record if there is room for it, and before it what is missing."""
        if not (self._tell_lost() and self._takes(record)):
            self.lost += 1
            self._try_later()

    def close(self) -> None:
        """See `logging.Handler`."""
        if self._retry is not None:
            self._retry.cancel()
        super().close()

    def _takes(self, record: logging.LogRecord) -> bool:
        try:
            return self.take(record)
        except Exception:  # noqa: BLE001  (logging's contract: never raise into the caller)
            return False

    def _tell_lost(self) -> bool:
        if not self.lost:
            return True
        text = "%d log entries were lost here: nobody took them"
        record = LOGGER.makeRecord(
            LOGGER.name, logging.WARNING, "", 0, text, (self.lost,), None, extra=_FAULT
        )
        if not self._takes(record):
            return False
        self.lost = 0
        return True

    def _try_later(self) -> None:
        if self._retry is not None:
            return
        try:
            self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._try_again)
        except RuntimeError:
            # Another thread: the next entry tells.
            return

    def _try_again(self) -> None:
        self._retry = None
        self.acquire()
        try:
            if not self._tell_lost():
                self._try_later()
        finally:
            self.release()


class JournalHandler(LossyHandler):
    """Sends records to the journal, with their fields."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def take(self, record: logging.LogRecord) -> bool:
        """See `LossyHandler`."""
        return self._journal.send(journal_fields(record))

    def close(self) -> None:
        """See `logging.Handler`."""
        super().close()
        self._journal.close()


class StreamHandler(LossyHandler):
    """Writes to the descriptor of a stream, which may be a pipe that nobody reads, or a terminal
    that was stopped."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._fd = stream.fileno()
        self._is_file = stat.S_ISREG(os.fstat(self._fd).st_mode)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLOUT)

    def take(self, record: logging.LogRecord) -> bool:
        """See `LossyHandler`."""
        if not self._is_file and not self._poll.poll(0):
            return False
        # A pipe that polls as writable takes so many bytes without waiting.
        data = self.format(record).encode("utf-8", "backslashreplace")[: select.PIPE_BUF - 1]
        os.write(self._fd, data + b"\n")
        return True


class PrefixFormatter(logging.Formatter):
    """Each line begins with its priority as `<6>`, which the journal takes off (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{priority(record.levelno)}>"
        lines = (message(record) + _traceback(record)).split("\n")
        return "\n".join(prefix + line for line in lines)


class LineFormatter(logging.Formatter):
    """`TIME [LEVEL] [PORT:] MESSAGE`: a terminal shows the time of day, a file has the date too."""

    def __init__(self, *, date: bool, colour: bool) -> None:
        super().__init__()
        self._date = date
        self._colour = colour
        self._second, self._time = -1, ""

    def format(self, record: logging.LogRecord) -> str:
        second = int(record.created)
        if second != self._second:
            when = datetime.fromtimestamp(second).astimezone()
            time = when.isoformat(timespec="seconds") if self._date else f"{when:%H:%M:%S}"
            self._second, self._time = second, self._paint(time, DIM)
        level = "" if record.levelno == logging.INFO else record.levelname.lower()
        shade = RED if record.levelno >= logging.ERROR else YELLOW
        parts = [self._time]
        if level:
            parts.append(self._paint(level, shade if record.levelno > logging.INFO else DIM))
        parts.append(message(record))
        return " ".join(parts) + _traceback(record)

    def _paint(self, text: str, shade: str) -> str:
        return f"{shade}{text}{PLAIN}" if self._colour else text


def install(verbose: bool, stream: TextIO | None = None) -> None:
    """Send all records to `stream` (standard error), in the shape that suits what is behind it;
    nowhere if there is none.

    `verbose` lets debug records through. Records of other libraries pass from warnings on. Calling
    it again replaces what it installed before.
    """
    stream = stream or sys.stderr
    handler, why = _handler(stream)
    handler.set_name("gatewayd")
    root = logging.getLogger()
    for former in [one for one in root.handlers if one.get_name() == "gatewayd"]:
        root.removeHandler(former)
        former.close()
    root.addHandler(handler)
    # Nothing here shows where a record came from; each costs as much as its text.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    LOGGER.setLevel(logging.DEBUG if verbose else logging.INFO)
    if why:
        LOGGER.warning("log entries have no fields: the journal cannot be reached, %s", why)


def on_journal() -> bool:
    """Whether standard error goes to the journal."""
    return sys.stderr is not None and _is_journal(sys.stderr)


def _handler(stream: TextIO | None) -> tuple[logging.Handler, str]:
    """What writes to `stream`, and why it is not the journal that does if it should."""
    why = ""
    if stream is None:
        return logging.NullHandler(), ""
    if _is_journal(stream):
        try:
            return JournalHandler(Journal()), ""
        except OSError as error:
            why = error.strerror or str(error)
    handler = StreamHandler(stream)
    handler.setFormatter(_formatter(stream))
    return handler, why


def _formatter(stream: TextIO) -> logging.Formatter:
    if _is_journal(stream):
        return PrefixFormatter()
    terminal = stream.isatty()
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return LineFormatter(date=not terminal, colour=colour)


def _is_journal(stream: TextIO) -> bool:
    """Whether `stream` is the one that systemd connected to the journal (systemd.exec(5))."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _traceback(record: logging.LogRecord) -> str:
    if not record.exc_info:
        return ""
    if isinstance(record.exc_info[1], MemoryError):
        # Where it was is chance.
        return ": out of memory"
    return "\n" + logging.Formatter().formatException(record.exc_info)
