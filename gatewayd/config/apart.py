"""A configuration that another process reads and judges, whose memory ends with it.

PyYAML, the command line's parser and the judge take as much memory as all ports of a small gateway,
and only for a moment.
"""

from __future__ import annotations

import sys

# What `pickle` consists of that is needed here; the module itself takes 250 KB more.
from _pickle import UnpicklingError, dumps, loads
from typing import Final, cast

from gatewayd import __version__
from gatewayd.apart import run
from gatewayd.config.problem import ConfigError, Place, Problem, cut
from gatewayd.config.schema import Config

PATIENCE_S: Final = 60.0
"""How long a process is waited for that reads a file, by a thread that nobody waits for then."""

_ENVIRONMENT: Final = ("LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH")
"""What such a process is told of ours: how paths are encoded, and where its libraries are."""

Outcome = Config | tuple[Problem, ...]
"""A configuration, or what is wrong with it."""


def outcome(path: str) -> Outcome:
    """What `config.load` makes of a file, here."""
    from gatewayd.config.load import load

    try:
        return load(path)
    except ConfigError as error:
        return error.problems


def load(path: str) -> Config:
    """As `config.load` does it, by a program of its own. Raises ConfigError, also when there is no
    process to be had. It may be called from any thread."""
    # Not as a fork: this process has threads, and descriptors that nobody else must hold.
    code = "from gatewayd.config.apart import main; main()"
    try:
        done = run(code, path, __version__, given=b"", patience=PATIENCE_S, keep=_ENVIRONMENT)
    except OSError as error:
        cause = error.strerror or str(error)
        raise _unread(path, f"cannot be read now ({cause}); try again later") from None
    if done.status:
        *_, cause = ["", *done.complained.decode(errors="replace").split("\n")[:-1]]
        raise _unread(path, f"cannot be read now ({cause or done.status}); try again later")
    try:
        found = cast(Outcome, loads(done.said))
    except (UnpicklingError, EOFError, AttributeError, ImportError, TypeError):
        found = _of_another_version(path)
    if isinstance(found, tuple):
        raise ConfigError(found)
    return found


def _unread(path: str, text: str) -> ConfigError:
    return ConfigError([Problem(Place(path), cut(text))])


def main() -> None:
    """The program: the outcome of the file that is named, on standard output."""
    path, version = sys.argv[1:]
    found = outcome(path) if version == __version__ else _of_another_version(path)
    sys.stdout.buffer.write(dumps(found))


def _of_another_version(path: str) -> Outcome:
    text = "not read, since another version of gatewayd was installed meanwhile; restart it"
    return (Problem(Place(path), text),)
