"""Adds a port to a configuration file without touching anything else that stands in it.

The file is text that somebody wrote, with comments; so text is put in, and what came out is judged
before it takes the place of the file.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile

from gatewayd.cli.entry import Entry
from gatewayd.config.load import load, parse
from gatewayd.config.schema import Config
from gatewayd.errors import GatewayError
from gatewayd.value import replace

NEW_FILE = "version: 1\nports:\n"
PORTS = re.compile(r"ports[ \t]*:[ \t]*(\{[ \t]*\}[ \t]*)?(#.*)?")


class AppendError(GatewayError):
    """The entry could not be added; the file is as it was."""


def read_config(path: str) -> Config:
    """The configuration in `path`; an empty one when there is no such file yet.

    Raises ConfigError when it has problems or cannot be read.
    """
    return load(path) if os.path.lexists(path) else parse(NEW_FILE, path)


def append(path: str, entry: Entry) -> None:
    """Add `entry` to the `ports:` of the configuration file `path`, or make the file.

    The new content replaces the old at once or not at all; mode, owner and symlinks stay. Raises
    AppendError: the file cannot be read or written, was changed meanwhile, is laid out so that an
    entry cannot be put in, or would have problems with it.
    """
    path = os.path.realpath(path)
    try:
        before = _stamp(path)
        old = read_config(path)
        text = NEW_FILE
        if before is not None:
            with open(path, encoding="utf-8", newline="") as file:
                text = file.read()
        text = insert(text, entry)
        _judge(path, old, text, entry)
        _replace(path, text, before)
    except (GatewayError, OSError, UnicodeDecodeError) as error:
        raise AppendError(f"{path} is not changed:\n{error}") from error


def insert(text: str, entry: Entry) -> str:
    """`text` with `entry` behind the last indented line below `ports:`, indented like its siblings.

    Raises AppendError when there is no such block: no `ports:`, or one in braces.
    """
    lines = text.splitlines(keepends=True)
    headings = (n for n, line in enumerate(lines) if PORTS.fullmatch(line.rstrip("\r\n")))
    heading = next(headings, None)
    if heading is None:
        raise AppendError("there is no line `ports:` with an indented block below it to add to")
    newline = "\r\n" if lines[heading].endswith("\r\n") else "\n"
    lines[heading] = re.sub(r":[ \t]*\{[ \t]*\}", ":", lines[heading], count=1)
    end = heading + 1
    last = heading
    indent = None
    while end < len(lines) and not re.match(r"[^\s#]", lines[end]):
        if re.match(r"[ \t]+\S", lines[end]):
            last = end
        if indent is None and (sibling := re.match(r"( +)[^\s#]", lines[end])):
            indent = len(sibling[1])
        end += 1
    if not lines[last].endswith("\n"):
        lines[last] += newline
    lines.insert(last + 1, entry.yaml(indent or 2).replace("\n", newline))
    return "".join(lines)


def _judge(path: str, old: Config, text: str, entry: Entry) -> None:
    """See that `text` means what `old` did, and `entry`. Raises ConfigError and AppendError."""
    new = parse(text.encode(), path)
    kept = tuple(port for port in new.ports if port.name != entry.name)
    if len(new.ports) != len(old.ports) + 1 or replace(new, ports=kept) != old:
        raise AppendError("it is laid out so that a port cannot be put in by a program")


def _replace(path: str, text: str, before: tuple[int, int] | None) -> None:
    """Put a file with `text` in the place of `path`, whose stamp was `before`. Raises OSError."""
    with tempfile.NamedTemporaryFile(
        "w",
        encoding="utf-8",
        newline="",
        dir=os.path.dirname(path),
        prefix=f".{os.path.basename(path)}.",
        delete=False,
    ) as file:
        try:
            file.write(text)
            if before is None:
                os.fchmod(file.fileno(), 0o644)
            else:
                status = os.stat(path)
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
                shutil.copystat(path, file.name)
            os.utime(file.name)
            file.flush()
            os.fsync(file.fileno())
            if _stamp(path) != before:
                raise AppendError("somebody else changed it meanwhile")
            os.replace(file.name, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(file.name)
            raise


def _stamp(path: str) -> tuple[int, int] | None:
    """What differs when the file is changed; None when there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
