"""The walks in docs/design.md are those that a chunk, and a request, take; and they are short."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

from gatewayd.comport.wire import Command, Request, encode_request
from gatewayd.config.schema import Face
from gatewayd.line.model import LineSettings, SignalPolicies
from gatewayd.line.opening import open_line
from gatewayd.port.phase import Cue
from gatewayd.telnet.constants import Option
from tests.line.pty import Pty
from tests.net.stand import AGREED, Client, run, standing
from tests.port.wire import OPENING, sub, will

ROOT: Final = Path(__file__).parents[2]
MOST: Final = ((7, 6), (6, 6), (81, 21))
"""How many calls, in how many modules, each of the walks may take: let them only get shorter."""


class Call(NamedTuple):
    """Something of the program that is called."""

    depth: int
    name: str
    module: str = ""


Calls = list[Call]


def written_down() -> list[Calls]:
    text = (
        (ROOT / "docs/design.md").read_text().partition("## Three walks")[2].partition("\n## ")[0]
    )
    blocks = re.findall(r"(?:^ {4}.*\n)+", text, re.MULTILINE)
    return [
        [Call(len(line) - len(line.lstrip()), line.strip()) for line in block.splitlines()]
        for block in blocks
    ]


@contextmanager
def traced() -> Iterator[Calls]:
    """What of the program is called meanwhile."""
    calls: Calls = []

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and "/gatewayd/" in frame.f_code.co_filename:
            depth, outer = 0, frame.f_back
            while outer is not None:
                depth, outer = depth + 1, outer.f_back
            calls.append(Call(depth, frame.f_code.co_qualname, frame.f_code.co_filename))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def inside(call: Call, after: Calls) -> int:
    """How many of those that come after it are called by it."""
    return next((i for i, one in enumerate(after) if one.depth <= call.depth), len(after))


def missing(walk: Calls, calls: Calls) -> str:
    """What of a walk is not called in this order, each inside what it stands under; or nothing."""
    if not walk:
        return ""
    first, *rest = walk
    inner = inside(first, rest)
    why = first.name
    for at, call in enumerate(calls):
        if call.name == first.name:
            after = calls[at + 1 :]
            end = inside(call, after)
            why = missing(rest[:inner], after[:end]) or missing(rest[inner:], after[end:])
            if not why:
                break
    return why


def length(walk: Calls, calls: Calls) -> tuple[int, int]:
    """How many calls it takes from where it begins, and in how many modules."""
    begins = next(at for at, call in enumerate(calls) if call.name == walk[0].name)
    taken = calls[begins : begins + 1 + inside(calls[begins], calls[begins + 1 :])]
    return len(taken), len({call.module for call in taken})


async def answered(client: Client, by: bytes) -> None:
    received = b""
    while by not in received:
        received += await client.receives(1024)


def test_the_walks() -> None:
    async def scenario() -> None:
        closed = asyncio.Event()
        with Pty() as pty:
            pty.release_slave()
            async with standing(Face.RFC2217, plugged=False) as stand:
                port = stand.port
                line = await open_line(pty.path, LineSettings(), SignalPolicies(), port)
                port.move(Cue.TRY, "being opened")
                port.move(Cue.OPENED)
                port.opened(line)
                client = stand.connects()
                assert await client.gets(len(OPENING)) == OPENING
                await client.sends(AGREED + will(Option.COM_PORT) + b"!")
                await pty.read(1)
                await pty.write(b"#")
                await answered(client, b"#")
                with traced() as to_line:
                    await client.sends(b"*IDN?\n")
                    await pty.read(6)
                with traced() as to_client:
                    await pty.write(b"ACME\n")
                    await answered(client, b"ACME\n")
                with traced() as request:
                    baudrate = encode_request(Request(Command.SET_BAUDRATE, 19200))
                    await client.sends(sub(Option.COM_PORT, baudrate))
                    await answered(client, b"\x65\x00\x00\x4b\x00")
                client.closes()
                port.line_lost(None)
                line.close(closed.set)
                await closed.wait()
        walks = written_down()
        for walk, calls, (most, modules) in zip(
            walks, (to_line, to_client, request), MOST, strict=True
        ):
            assert missing(walk, calls) == ""
            counts = length(walk, calls)
            assert counts[0] <= most
            assert counts[1] <= modules

    run(scenario())
