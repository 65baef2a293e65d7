"""The clients of one port: what the arbiter decides about them is carried out here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

from gatewayd.config.schema import PortConfig
from gatewayd.line.api import Clock, Timer
from gatewayd.line.pending import Pending
from gatewayd.port.arbiter import Arbiter
from gatewayd.port.chronicle import Chronicle
from gatewayd.port.counters import Counters
from gatewayd.port.event import EventKind
from gatewayd.port.holder import Holder
from gatewayd.port.hub import Hub
from gatewayd.port.lease import Lease
from gatewayd.port.leftover import Leftover
from gatewayd.port.outbox import Action, Outbox
from gatewayd.port.places import Act, Decision, Place
from gatewayd.port.settling import Settling

HANG_UP_S: Final = 0.5
"""How long a device sees that DTR or RTS is off between two sessions, where they tell of them."""

Decisions = Iterable[Decision[Holder]]


class Reception:
    """Who is at a port. `changed()` is called when another client holds it, or nobody."""

    def __init__(
        self,
        config: PortConfig,
        clock: Clock,
        *,
        hub: Hub,
        outbox: Outbox,
        settling: Settling,
        leftover: Leftover,
        chronicle: Chronicle,
        counters: Counters,
        changed: Callable[[], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._hub = hub
        self._outbox = outbox
        self._settling = settling
        self._leftover = leftover
        self._chronicle = chronicle
        self._counters = counters
        self._changed = changed
        self._arbiter: Arbiter[Holder] = Arbiter(config)
        self._look_timer: Timer | None = None
        self._told_lease: Lease | None = None
        self.on_lease: Callable[[], None] | None = None
        """Called when the port is kept for somebody, or for nobody any more."""
        self._restores = 0
        """Sessions whose bytes are still before their `_restore` in the outbox."""

    @property
    def title(self) -> str:
        """What people call the port."""
        about = self._config.description
        return f"{self._config.name} ({about})" if about else self._config.name

    @property
    def owner(self) -> Holder | None:
        """The session that holds the port."""
        return self._arbiter.owner

    @property
    def lease(self) -> Lease | None:
        """For whom the port is kept."""
        return self._arbiter.lease

    @property
    def watchers(self) -> list[Holder]:
        """Those who watch."""
        return self._arbiter.watchers

    @property
    def waiting(self) -> list[Holder]:
        """Those who wait, in their order."""
        return self._arbiter.waiting

    @property
    def awaited(self) -> bool:
        """Whether a client waits for the line to be free."""
        return self._arbiter.awaited

    def leaving(self, session: Holder) -> bool:
        """Whether a session is at its end: its client sends no more."""
        return self._arbiter.place(session) is Place.LEAVING

    @property
    def heirs(self) -> list[Holder]:
        """Those who watch and get the port when it is free, in order."""
        return self._arbiter.heirs

    @property
    def mark(self) -> Action | None:
        """The last action in the outbox that belongs to sessions which are over, if one waits."""
        return self._restore if self._restores else None

    # ---- what clients do

    def arrive(self, session: Holder) -> None:
        """A client came: it gets the line, waits for it, watches, or is told why not."""
        self._carry_out(self._arbiter.arrive(session, self._clock.time()))

    def ends(self, session: Holder) -> None:
        """A client sends no more."""
        self._carry_out(self._arbiter.ends(session, self._clock.time()))

    def leave(self, session: Holder, reason: str = "") -> None:
        """A client is gone. What it sent still goes to the line, then the line is restored."""
        self._carry_out(self._arbiter.leave(session, self._clock.time(), reason))

    def dismiss(self, reason: str = "", *, session: Holder | None = None) -> None:
        """End a session that watches or holds the port; the one that holds it if none is named."""
        session = session or self.owner
        self._carry_out(self._arbiter.dismiss(session, self._clock.time(), reason))

    def inherit(self, session: Holder, place: Place, *, heir: bool = False) -> None:
        """A session of another process goes on here."""
        self._arbiter.inherit(session, self._clock.time(), place, heir=heir)
        if place is Place.WATCHING:
            session.seat.look(session)
        else:
            self._hub.serve(session.line_data)
            session.seat.grant()
            self._settling.held = True
        self._carry_out(())
        self._changed()

    def let(self, lease: Lease | None, seconds: float = math.inf) -> None:
        """Keep the port for somebody for so long; or, without a lease, for nobody any more."""
        self._carry_out(self._arbiter.let(lease, self._clock.time(), seconds))

    # ---- what else happens

    def look(self) -> None:
        """See whether something is due: a client has had its answer, or waited long enough."""
        self._carry_out(self._arbiter.look(self._clock.time()))

    def opening(self) -> None:
        """The device is being opened."""
        self._carry_out(self._arbiter.opening(self._clock.time()))

    def ready(self) -> None:
        """The device is open."""
        self._carry_out(self._arbiter.ready(self._clock.time()))

    def unable(self, why: str) -> None:
        """The device is not to be had, for the reason `why`."""
        self._carry_out(self._arbiter.unable(why, self._clock.time()))

    def line_lost(self) -> None:
        """The device is gone, and those who are here stay."""
        for session in self._all():
            session.line_lost()

    def line_back(self) -> None:
        """The device is there again, set as it was."""
        for session in self._all():
            session.line_back()

    def reconfigure(self, config: PortConfig) -> None:
        """The settings of the port are others now."""
        self._config = config
        for session in self._all():
            session.reconfigured()
        self._carry_out(self._arbiter.reconfigure(config, self._clock.time()))

    def close(self) -> None:
        """The port is served no more: all clients go."""
        self._carry_out(self._arbiter.close())

    def _all(self) -> list[Holder]:
        owner = self.owner
        return [*((owner,) if owner is not None else ()), *self.watchers]

    # ---- decisions

    def _carry_out(self, decisions: Decisions) -> None:
        for decision in decisions:
            client, text = decision.client, decision.text
            match decision.act:
                case Act.WAIT:
                    client.wait()
                case Act.REFUSE:
                    self._counters.refused += 1
                    self._chronicle.refused(client, text)
                    client.refuse(f"{self.title}: {text}")
                case Act.SEAT:
                    self._seat(client, decision.other)
                case Act.VACATE:
                    self._vacate(client, text, decision.other)
                case Act.WATCH:
                    client.seat.look(client)
                    self._chronicle.session(EventKind.WATCHER_CAME, client)
                    client.watches(text)
                case Act.UNWATCH:
                    missed = f", {client.missed} bytes missed" if client.missed else ""
                    self._counters.missed += client.missed
                    client.seat.revoke()
                    self._chronicle.session(EventKind.WATCHER_LEFT, client, missed)
                case Act.CLOSE:
                    client.close(text)
        self._tell_lease()
        if self._look_timer is not None:
            self._look_timer.cancel()
            self._look_timer = None
        due = self._arbiter.next_look(self._clock.time())
        if due is not None:
            self._look_timer = self._clock.call_later(due, self.look)

    def _tell_lease(self) -> None:
        before, self._told_lease = self._told_lease, self.lease
        if self.lease != before:
            self._chronicle.leased(self.lease, before)
            if self.on_lease is not None:
                self.on_lease()

    def _seat(self, session: Holder, before: Holder | None) -> None:
        self._hub.serve(session.line_data)
        # It may have watched until now.
        self._counters.missed += session.missed
        session.seat.grant()
        self._settling.held = True
        if self._settling.hangs_up:
            self._outbox.then(self._settling.taken)
        self._counters.sessions += 1
        self._chronicle.session(EventKind.SESSION_OPENED, session)
        session.admitted()
        self._leftover.watch()
        if before is not None:
            session.tell(f"{self._config.name}: taken over from {before.peername}")
        self._changed()

    def _vacate(self, session: Holder, reason: str, after: Holder | None) -> None:
        if after is not None:
            self._counters.takeovers += 1
            self._chronicle.session(EventKind.TAKEN_OVER, session)
        self._hub.serve(None)
        session.seat.revoke()
        self._settling.end_break()
        self._settling.held = False
        counts = f", {session.bytes_in} bytes in, {session.bytes_out} out"
        self._chronicle.session(EventKind.SESSION_CLOSED, session, counts, reason)
        self._leftover.report()
        self._changed()
        self._restores += 1
        self._outbox.then(self._restore)
        if self._settling.hangs_up:
            self._outbox.then(self._hang_up)
        self._leftover.watch()

    def _restore(self) -> Pending | None:
        self._restores -= 1
        return self._settling.left()

    def _hang_up(self) -> float:
        return HANG_UP_S

    # ---- hand-over to another process

    @property
    def _actions(self) -> dict[str, Action]:
        """What may wait in the outbox and is not a session's, by name."""
        return {
            "restore": self._restore,
            "left": self._settling.left,
            "hang_up": self._hang_up,
            "taken": self._settling.taken,
            "apply_file": self._settling.apply_file,
        }

    def give_away(self) -> tuple[list[dict[str, str]], bool]:
        """What waits for the line, as values that JSON can hold, and whether that is all."""
        known = {action: name for name, action in self._actions.items()}
        # No request of a client is before it: those are not given away.
        known[self._settling.follow_file] = "apply_file"
        given, complete = self._outbox.give_away(known)
        return [
            {"do": one} if isinstance(one, str) else {"bytes": one.hex()} for one in given
        ], complete

    def understood(self, given: list[dict[str, str]]) -> list[bytes | Action]:
        """What was given away by another process. Raises KeyError, ValueError or TypeError."""
        actions = self._actions
        return [actions[one["do"]] if "do" in one else bytes.fromhex(one["bytes"]) for one in given]

    def put_back(self, items: list[bytes | Action]) -> None:
        """Have that wait again."""
        for item in items:
            if isinstance(item, bytes):
                self._outbox.write(item)
                continue
            if item == self._restore:
                self._restores += 1
            self._outbox.then(item)
        self._leftover.watch()
