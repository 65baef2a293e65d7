"""`gatewayd COMMAND`: finds the command's module, and tells errors without a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from types import ModuleType
from typing import Final, cast

from gatewayd.errors import SHORTAGES, GatewayError
from gatewayd.later import make_later

RARELY_USED: Final = (
    *("inspect", "locale", "linecache", "tokenize", "textwrap"),
    *("asyncio.sslproto", "asyncio.staggered", "json"),
)
"""What asyncio and what it rests on import at once, and use when something fails or not at all; and
what only whoever asks the daemon has a use for."""


def have_standard_streams() -> None:
    """Have something behind descriptors 0 to 2, where whoever started us closed them: the next
    files would get these numbers, and errors written there would go to a device or a client."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != fd:
                os.dup2(opened, fd)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(fd, "w" if fd else "r", closefd=False))
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        # As on standard error: what a terminal cannot show is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns 0 when done, 1 when refused or failed, 2 on wrong usage."""
    have_standard_streams()
    # asyncio imports ssl if it can: 2 MB of memory that nothing here uses.
    sys.modules.setdefault("ssl", cast(ModuleType, None))
    make_later(*RARELY_USED)
    try:
        status = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except GatewayError as error:
        print(error, file=sys.stderr)
        return 1
    except MemoryError:
        print("gatewayd: out of memory", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has had enough. What is left must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in SHORTAGES:
            raise
        print(f"gatewayd: {error.strerror}", file=sys.stderr)
        return 1
    return status


def _run(argv: Sequence[str]) -> int:
    if "run" in argv:
        from gatewayd.cli.run import start

        # The daemon is to have nothing of the command line's parser in its memory.
        status = start(argv)
        if status is not None:
            return status
    from gatewayd.cli.catalogue import command_module
    from gatewayd.cli.parser import build_parser

    args = build_parser().parse_args(argv)
    return command_module(args.command).main(args)
