"""What the control socket's methods do; see `gatewayd.control.interface` for their contract."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from gatewayd.config.problem import ConfigError
from gatewayd.config.schema import Face
from gatewayd.control import interface
from gatewayd.control.caller import Handed
from gatewayd.control.server import Methods, Tell
from gatewayd.control.varlink import SERVICE, Call, CallError, argument
from gatewayd.errors import GatewayError
from gatewayd.port.port import Port
from gatewayd.service import status
from gatewayd.service.gateway import Gateway
from gatewayd.service.leases import asked_lease, printable

DESK: Final = "desk"
"""What `Attach` is told for the front desk in place of a face."""


class Commands:
    """The methods, on one gateway. `reload` reads the file again; None where there is no file."""

    def __init__(self, gateway: Gateway, reload: Callable[[], Awaitable[str]] | None) -> None:
        self._gateway = gateway
        self._reload = reload

    @property
    def methods(self) -> Methods:
        """By their names in the interface."""
        return Methods(
            {
                "Status": self.status,
                "Reload": self.reload,
                "Kick": self.kick,
                "Lease": self.lease,
                "Free": self.free,
                "Attach": self.attach,
            },
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
        return await status.answer(self._gateway)

    async def changes(self, call: Call, tell: Tell) -> None:
        """All ports, then those that changed."""
        from gatewayd.service.watching import Changes  # in memory once somebody looks on

        about = status.about(self._gateway)
        with Changes(self._gateway) as changes:
            while True:
                changed = await changes.wait()
                served = self._gateway.served
                ports = [status.describe(one) for name, one in served.items() if name in changed]
                await tell({**about, "names": list(served), "ports": ports})

    async def watch(self, call: Call, tell: Tell) -> None:
        """What happens at a port, and what goes by."""
        await self._watch(call, tell, clients=True)

    async def look(self, call: Call, tell: Tell) -> None:
        """The same, without what clients send."""
        await self._watch(call, tell, clients=False)

    async def _watch(self, call: Call, tell: Tell, *, clients: bool) -> None:
        from gatewayd.service.watching import Following, Watcher

        watcher = Watcher(data=_wants_data(call), clients=clients)
        name = argument(call, "port", str)
        with Following(self._gateway, name, watcher) as following:
            await tell(following.begin(replay=argument(call, "replay", bool, False)))
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
        port = self._port(call)
        sessions = port.clients.watchers
        if not argument(call, "watchers", bool, False):
            sessions = [port.owner] if port.owner is not None else []
        if not sessions:
            raise CallError(interface.NOT_HELD, {"port": port.name})
        for session in sessions:
            port.clients.dismiss("ended by the operator", session=session)
        peers = [session.peername for session in sessions]
        return {"peer": peers[0], "peers": peers}

    async def lease(self, call: Call) -> Mapping[str, Any]:
        """Keep a port for somebody."""
        port = self._port(call)
        lease, seconds = asked_lease(call)
        before = port.clients.lease
        if before is not None and before.holder != lease.holder:
            until = before.until.isoformat(timespec="seconds")
            about = {"port": port.name, "holder": before.holder, "until": until}
            raise CallError(interface.LEASED, about)
        port.clients.let(lease, seconds)
        owner = port.owner
        holding = owner.peername if owner is not None and not lease.admits(owner) else None
        return {"lease": status.plain_lease(lease), "holding": holding}

    async def free(self, call: Call) -> Mapping[str, Any]:
        """Keep it for nobody any more."""
        port = self._port(call)
        lease = port.clients.lease
        if lease is None:
            raise CallError(interface.NOT_LEASED, {"port": port.name})
        port.clients.let(None)
        return {"holder": lease.holder}

    def _port(self, call: Call) -> Port:
        name = argument(call, "port", str)
        port = status.find_port(self._gateway, name)
        if port is None:
            raise CallError(interface.NO_SUCH_PORT, {"port": name})
        return port

    async def attach(self, call: Call) -> Handed:
        """Hand over a connection to a port."""
        if argument(call, "mode", str, "") == DESK:
            return self._attach_to_desk(call)
        name = argument(call, "port", str)
        try:
            face = Face(argument(call, "mode", str, Face.RFC2217.value))
        except ValueError:
            raise CallError(f"{SERVICE}.InvalidParameter", {"parameter": "mode"}) from None
        peer = printable(argument(call, "peer", str, ""))
        takeover = argument(call, "takeover", bool, False)
        served = self._gateway.served.get(name)
        if served is None:
            raise CallError(interface.NO_SUCH_PORT, {"port": name})
        peername = _peername(call)
        try:
            sock = self._gateway.attach(served, face, peername, insists=takeover, name=peer)
        except OSError as error:
            raise CallError(interface.CANNOT_ATTACH, {"reason": str(error)}) from error
        return Handed({"fd": 0}, (sock.detach(),))

    def _attach_to_desk(self, call: Call) -> Handed:
        # Not in memory before somebody asks for it.
        from gatewayd.service.fronting import desk_of

        port = argument(call, "port", str, "")
        if port and port not in self._gateway.served:
            raise CallError(interface.NO_SUCH_PORT, {"port": port})
        try:
            sock = desk_of(self._gateway).attach(_peername(call), port)
        except OSError as error:
            raise CallError(interface.CANNOT_ATTACH, {"reason": str(error)}) from error
        return Handed({"fd": 0}, (sock.detach(),))


def _peername(call: Call) -> str:
    """What somebody is called who comes by the control socket."""
    peer = printable(argument(call, "peer", str, ""))
    return f"{peer} through {call.caller}" if peer else call.caller


def _wants_data(call: Call) -> bool:
    return bool(argument(call, "bytes", bool, True))
