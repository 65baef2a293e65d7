"""The same dialogues on every layer that a connection can have, whatever it splits and delays."""

from __future__ import annotations

import asyncio
import hashlib
import random
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from gatewayd.comport.wire import Command, Request
from gatewayd.config.schema import Face
from gatewayd.line.model import LineSettings
from gatewayd.net.channel import Carrier, PlainChannel
from gatewayd.port import farewell
from tests.comport.client import play
from tests.comport.table import TABLE
from tests.net.choppy import choppy
from tests.net.dialogues import DIALOGUES, Step
from tests.net.stand import Client, Stand, run, standing
from tests.tls import far
from tests.until import turning

CARRIERS: Final[dict[str, Callable[[], Carrier]]] = {
    "plain": lambda: PlainChannel,
    "choppy-1": lambda: choppy(1),
    "choppy-2": lambda: choppy(2),
}
LAYERS: Final = (*CARRIERS, "tls", "tls-1.2", "tls-aside")
layers = pytest.mark.parametrize("layer", LAYERS)
BULK: Final = 50_000


@pytest.fixture(autouse=True)
def _no_long_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell, "QUIET_S", 0.02)
    monkeypatch.setattr(farewell, "TICK_S", 0.02)


def put_on(stand: Stand, layer: str) -> ssl.SSLContext | None:
    """Have what comes to a stand go by a layer; what its clients need for that."""
    if layer in CARRIERS:
        stand.listener.carrier = CARRIERS[layer]()
        return None
    identity = far.identity()
    far.speaks_tls(stand, replace(identity, slow=layer == "tls-aside"))
    context = far.context()
    if layer == "tls-1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


async def come(stand: Stand, layer: str) -> Client:
    """A client that has got the line by a layer."""
    context = put_on(stand, layer)
    return await (far.let_in(stand, context) if context else stand.let_in())


async def reaches(stand: Stand, count: int) -> None:
    """Wait until so many bytes have left the line since the beginning."""
    await turning(lambda: len(stand.line.sent) >= count)


@layers
@pytest.mark.parametrize("name", DIALOGUES)
def test_dialogue(layer: str, name: str) -> None:
    steps: tuple[Step, ...] = DIALOGUES[name]

    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            client = await come(stand, layer)
            reached = 0
            for step in steps:
                await client.sends(step.sends)
                assert await client.gets(len(step.gets)) == step.gets
                reached += len(step.reaches)
                await reaches(stand, reached)
                assert stand.line.sent[len(stand.line.sent) - len(step.reaches) :] == step.reaches
                assert len(stand.line.sent) == reached
                await stand.device_sends(step.device)
                assert await client.gets(len(step.told)) == step.told
            client.half_closes()
            assert await client.gets_all() == b""

    run(scenario())


async def answers(layer: str) -> list[list[bytes]]:
    """What each request of the table is answered on a simulated line."""
    async with standing(Face.RFC2217, line=LineSettings(baudrate=9600)) as stand:
        context = put_on(stand, layer)
        address = (stand.listener.address.host, stand.listener.address.port)
        answers = []
        for row in TABLE:
            if row.request != Request(Command.FLOWCONTROL_SUSPEND):
                answers.append(await asyncio.to_thread(play, address, row, context))
                await stand.free()
    return answers


@pytest.mark.parametrize("layer", ["choppy-1", "choppy-2", "tls"])
def test_every_request_of_the_table_is_answered_as_on_the_plain_socket(layer: str) -> None:
    async def scenario() -> None:
        assert await answers(layer) == await answers("plain")

    run(scenario())


@layers
@pytest.mark.parametrize("face", [Face.RAW, Face.RFC2217])
def test_no_byte_is_lost_added_or_moved(layer: str, face: Face) -> None:
    data = random.Random(3).randbytes(BULK).replace(b"\xff", b"\xfe").replace(b"\r", b"\n")

    async def scenario() -> None:
        async with standing(face) as stand:
            client = await come(stand, layer)
            opening = 18 if face is Face.RFC2217 else 0
            sends = asyncio.create_task(client.sends(data))
            device = asyncio.create_task(stand.device_sends(data))
            received = await client.gets(opening + BULK)
            await reaches(stand, BULK)
            await asyncio.gather(sends, device)
            digests = {hashlib.sha256(one).hexdigest() for one in (stand.line.sent, data)}
            assert len(digests | {hashlib.sha256(received[opening:]).hexdigest()}) == 1

    run(scenario())
