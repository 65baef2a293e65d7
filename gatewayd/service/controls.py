"""The two control sockets: one for all methods, one for those that only look."""

from __future__ import annotations

import logging

from gatewayd.control import SYSTEM_LOOK_PATH, look_path
from gatewayd.control.server import ControlError, ControlServer, Turns
from gatewayd.log import Happening, note
from gatewayd.service.commands import Commands


class Controls:
    """Serves `commands` at `path`, and what only looks beside it."""

    def __init__(self, path: str, commands: Commands) -> None:
        turns = Turns()
        look = look_path(path)
        # There the directory decides who may come.
        mode = 0o666 if look == SYSTEM_LOOK_PATH else 0o660
        self._control = ControlServer(path, commands.methods, turns=turns)
        self._look = ControlServer(look, commands.looking, turns=turns, mode=mode)

    async def start(self) -> None:
        """Listen. Raises ControlError when the control socket cannot be made, or neither of them
        now."""
        await self._control.start()
        try:
            await self._look.start()
        except ControlError as error:
            if error.passing:
                self._control.leave()
                raise
            note(Happening.FAULT, "no looking on: %s", error, level=logging.WARNING)

    def leave(self) -> None:
        """Listen no more; who has called already is answered."""
        self._control.leave()
        self._look.leave()

    async def stop(self) -> None:
        """Listen no more, and close all callers."""
        await self._control.stop()
        await self._look.stop()
