"""Where log records go: journal fields under systemd, readable lines for people and files.

`install` looks at standard error and takes the one that fits. Text from clients and devices reaches
the log, so control characters are shown as escapes and cannot move a cursor or fake a line.
"""

from __future__ import annotations

import importlib
import logging
import os
import select
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any, TextIO

from gatewayd.log import LOGGER, Happening

FIELDS = {
    "gatewayd_port": "GATEWAYD_PORT",
    "gatewayd_session": "GATEWAYD_SESSION",
    "gatewayd_peer": "GATEWAYD_PEER",
    "gatewayd_device": "GATEWAYD_DEVICE",
}
"""Attributes of a record and the journal fields they become."""

ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
DIM, YELLOW, RED, BOLD, PLAIN = "\033[2m", "\033[33m", "\033[31m", "\033[1m", "\033[0m"


def priority(level: int) -> int:
    """A logging level as a syslog priority (syslog(3)): 7 for debug up to 2 for critical."""
    steps = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
    return next((number for least, number in steps if level >= least), 7)


def message(record: logging.LogRecord) -> str:
    """The record's text behind the name of its port, without control characters."""
    port = getattr(record, "gatewayd_port", None)
    text = record.getMessage().translate(ESCAPES)
    return text if port is None else f"{port}: {text}"


def journal_fields(record: logging.LogRecord) -> dict[str, str]:
    """What the journal keeps beside the message, by field name (systemd.journal-fields(7))."""
    fields = {
        "PRIORITY": str(priority(record.levelno)),
        "SYSLOG_IDENTIFIER": "gatewayd",
    }
    if record.pathname:
        fields |= {"CODE_FILE": record.pathname, "CODE_FUNC": str(record.funcName)}
    else:
        # Our own entries tell their happening instead; without this `send` would name itself.
        fields["CODE_FUNC"] = ""
    for attribute, field in FIELDS.items():
        value = getattr(record, attribute, None)
        if value is not None:
            fields[field] = str(value)
    happening = getattr(record, "happening", None)
    if isinstance(happening, Happening):
        fields["MESSAGE_ID"] = happening.value
    return fields


class JournalHandler(logging.Handler):
    """Sends records to the journal by `send`, which is systemd-python's `systemd.journal.send`."""

    def __init__(self, send: Callable[..., Any]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = message(record) + _traceback(record)
            line = record.lineno if record.pathname else None
            self._send(text, CODE_LINE=line, **journal_fields(record))
        except Exception:  # noqa: BLE001  (logging's contract: never raise into the caller)
            self.handleError(record)


class LossyHandler(logging.StreamHandler[TextIO]):
    """Writes to a stream that may be a pipe nobody reads, or a terminal that was stopped: what
    would have to wait is dropped and counted, since ports must not wait for the log."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lost = 0
        self._poll = select.poll()
        self._poll.register(stream.fileno(), select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record if there is room for it."""
        if not self._poll.poll(0):
            self._lost += 1
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            self.stream.write(f"({lost} log entries were lost here: nobody read them)\n")
        super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        """A pipe that polls as writable takes `PIPE_BUF` bytes without waiting."""
        return super().format(record)[: select.PIPE_BUF - 256]


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

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created).astimezone()
        time = when.isoformat(timespec="seconds") if self._date else f"{when:%H:%M:%S}"
        level = "" if record.levelno == logging.INFO else record.levelname.lower()
        shade = RED if record.levelno >= logging.ERROR else YELLOW
        parts = [self._paint(time, DIM)]
        if level:
            parts.append(self._paint(level, shade if record.levelno > logging.INFO else DIM))
        parts.append(message(record))
        return " ".join(parts) + _traceback(record)

    def _paint(self, text: str, shade: str) -> str:
        return f"{shade}{text}{PLAIN}" if self._colour else text


def install(verbose: bool, stream: TextIO | None = None) -> None:
    """Send all records to `stream` (standard error), in the shape that suits what is behind it.

    `verbose` lets debug records through. Records of other libraries pass from warnings on. Calling
    it again replaces what it installed before.
    """
    stream = stream or sys.stderr
    journal = _journal() if _is_journal(stream) else None
    handler: logging.Handler
    if journal is not None:
        handler = JournalHandler(journal)
    else:
        handler = LossyHandler(stream)
        handler.setFormatter(_formatter(stream))
    handler.set_name("gatewayd")
    root = logging.getLogger()
    for former in [one for one in root.handlers if one.get_name() == "gatewayd"]:
        root.removeHandler(former)
    root.addHandler(handler)
    LOGGER.setLevel(logging.DEBUG if verbose else logging.INFO)
    if journal is None and _is_journal(stream):
        LOGGER.warning("log entries have no fields: systemd-python (python3-systemd) is missing")


def on_journal() -> bool:
    """Whether standard error goes to the journal."""
    return _is_journal(sys.stderr)


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


def _journal() -> Callable[..., Any] | None:
    try:
        send: Callable[..., Any] = importlib.import_module("systemd.journal").send
    except ImportError:
        return None
    return send


def _traceback(record: logging.LogRecord) -> str:
    if not record.exc_info:
        return ""
    return "\n" + logging.Formatter().formatException(record.exc_info)
