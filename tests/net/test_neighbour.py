"""What one client sends, it does not make others wait for."""

from __future__ import annotations

import asyncio

import pytest

from bench.neighbour import ATTACKS
from gatewayd.config.schema import Face
from gatewayd.port.session import Session
from gatewayd.port.telnet_face import AT_ONCE
from tests.net.stand import run, standing
from tests.until import turning

LONGEST = 12
"""Bytes of the longest command among the attacks."""
SLICES = 2
"""A client may have two turns in one round of the loop: as one that can be read, and as one that
has something left."""


class Turns:
    """Looks, in each round of the loop, how much was taken from a client."""

    def __init__(self, session: Session) -> None:
        self.most = 0
        self._session = session
        self._before = session.bytes_in
        self._look()

    def _look(self) -> None:
        taken = self._session.bytes_in
        self.most, self._before = max(self.most, taken - self._before), taken
        asyncio.get_running_loop().call_soon(self._look)


@pytest.mark.parametrize("name", sorted(ATTACKS.keys() - {"nul", "iac", "data-and-nop", "brk"}))
def test_a_storm_of_commands_is_taken_in_turns(name: str) -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            client = await stand.let_in()
            await client.sends(bytes.fromhex("fffb2c fffb00 fffd00"))
            session = stand.connection.session
            assert session is not None
            turns = Turns(session)
            before = session.bytes_in
            storm = ATTACKS[name][: 64 * 336]
            sending = asyncio.ensure_future(client.sends(storm))

            async def reads() -> None:
                while await client.receives(65536):
                    pass

            reading = asyncio.ensure_future(reads())
            await sending
            await turning(lambda: session.bytes_in - before >= len(storm))
            reading.cancel()
            assert turns.most <= SLICES * AT_ONCE * LONGEST

    run(scenario())
