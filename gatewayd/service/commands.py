"""What the control socket's methods do; see `gatewayd.control.interface` for their contract."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from gatewayd import __version__
from gatewayd.config.problem import ConfigError
from gatewayd.control import interface
from gatewayd.control.server import Methods, Tell
from gatewayd.control.varlink import Call, CallError, argument
from gatewayd.errors import GatewayError
from gatewayd.service import status
from gatewayd.service.gateway import Gateway
from gatewayd.service.watching import NOTHING, Changes, Following, Watcher


class Commands:
    """The methods, on one gateway. `reload` reads the file again; None where there is no file."""

    def __init__(self, gateway: Gateway, reload: Callable[[], Awaitable[str]] | None) -> None:
        self._gateway = gateway
        self._reload = reload
        self._since = datetime.now().astimezone()

    @property
    def methods(self) -> Methods:
        """By their names in the interface."""
        return Methods(
            {"Status": self.status, "Reload": self.reload, "Kick": self.kick},
            {"Watch": self.watch, "Changes": self.changes},
        )

    @property
    def looking(self) -> Methods:
        """Those that change nothing, and do not show what clients send."""
        all_methods = self.methods
        more = {"Watch": self.look, "Changes": self.changes}
        denied = all_methods.once.keys() - {"Status"}
        return Methods({"Status": self.status}, more, frozenset(denied))

    async def status(self, call: Call) -> Mapping[str, Any]:
        """What is served."""
        return {
            **self._about(),
            "ports": await status.ports(self._gateway),
        }

    def _about(self) -> dict[str, Any]:
        return {"version": __version__, "since": self._since.isoformat(timespec="seconds")}

    async def changes(self, call: Call, tell: Tell) -> None:
        """All ports, then those that changed."""
        with Changes(self._gateway) as changes:
            while True:
                changed = await changes.wait()
                served = self._gateway.served
                ports = [status.describe(one) for name, one in served.items() if name in changed]
                await tell({**self._about(), "names": list(served), "ports": ports})

    async def watch(self, call: Call, tell: Tell) -> None:
        """What happens at a port, and what goes by."""
        await self._watch(call, tell, Watcher(data=_wants_data(call), clients=True))

    async def look(self, call: Call, tell: Tell) -> None:
        """The same, without what clients send."""
        await self._watch(call, tell, Watcher(data=_wants_data(call), clients=False))

    async def _watch(self, call: Call, tell: Tell, watcher: Watcher) -> None:
        name = argument(call, "port", str)
        with Following(self._gateway, name, watcher) as following:
            await tell(NOTHING)
            while True:
                await tell(await following.take())

    async def reload(self, call: Call) -> Mapping[str, Any]:
        """Put the file in force."""
        if self._reload is None:
            raise CallError(interface.NO_CONFIG)
        try:
            return {"summary": await self._reload()}
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
            raise CallError(interface.CONFIG_REJECTED, {"problems": problems}) from error
        except GatewayError as error:
            raise CallError(interface.CONFIG_REJECTED, {"problems": [str(error)]}) from error

    async def kick(self, call: Call) -> Mapping[str, Any]:
        """End a session."""
        name = argument(call, "port", str)
        port = status.find_port(self._gateway, name)
        if port is None:
            raise CallError(interface.NO_SUCH_PORT, {"port": name})
        session = port.owner
        if session is None:
            raise CallError(interface.NOT_HELD, {"port": name})
        port.dismiss("ended by the operator")
        return {"peer": session.peername}


def _wants_data(call: Call) -> bool:
    return bool(argument(call, "bytes", bool, True))
