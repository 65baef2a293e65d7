"""Com Port Control of one session: when each request acts, and what the client is told unasked.

Requests act at their place in the stream, so they go through the port's outbox. Four do not wait:
PURGE-DATA, because a stuck line could never be purged otherwise, the end of a break, because many a
driver sends nothing meanwhile, and SUSPEND and RESUME. Their answers still keep the order of the
requests.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from gatewayd import __version__
from gatewayd.comport.access import PURGES, AccessServer
from gatewayd.comport.wire import Command, Control, Malformed, Request, decode_request
from gatewayd.line.model import LineErrors, Purge, Signal
from gatewayd.line.pending import Pending, in_turn
from gatewayd.log import LOGGER, Happening
from gatewayd.port.gate import Hold
from gatewayd.port.outbox import ACTION_WEIGHT
from gatewayd.port.port import Port
from gatewayd.port.seat import Seat
from gatewayd.port.telnet_face import TelnetFace
from gatewayd.telnet.constants import Option


class ComPort:
    """The access server of a session, in its place.

    `seat` is the session's; `note` logs something about it.
    """

    def __init__(
        self,
        port: Port,
        face: TelnetFace,
        *,
        seat: Seat,
        note: Callable[..., None],
    ) -> None:
        self._port = port
        self._face = face
        self._seat = seat
        self._note = note
        self._access = AccessServer(
            f"gatewayd {__version__} {port.name}",
            lenient=port.config.lenient,
            client_signals=seat.control.client_signals,
        )
        self._agreed = False
        self._ended = False
        """The client sends no more."""
        self._beginning: Pending | None = None
        """The look at the line that the first notification waits for."""
        self._requests: list[Request] = []
        self._introduced = False
        """The client has told its name, which the log has."""

    def reconfigured(self) -> None:
        """The settings of the port are others now."""
        self._access.lenient = self._port.config.lenient
        self._access.client_signals = self._seat.control.client_signals
        # Another place than before knows nothing of what the client wants to be told.
        self._watch()

    # ---- from the client

    def agreed(self, enabled: bool) -> None:
        """COM-PORT was agreed, or is off again."""
        self._agreed = enabled
        if enabled:
            self._beginning = self._seat.control.refresh()
            if self._beginning is None:
                self._begin()
            else:
                self._beginning.then(self._begin_late)
        elif self._access.suspended:
            self.resume()
        self._watch()

    def _begin(self) -> None:
        first = self._access.begin(self._seat.control)
        self._face.send_subnegotiation(Option.COM_PORT, first)

    def _begin_late(self) -> None:
        self._beginning = None
        if self._agreed and self._seat.used:
            self._begin()
            self._face.flush()

    def subnegotiation(self, payload: bytes) -> str:
        """A request; return what is wrong with it, if anything."""
        request = decode_request(payload)
        if isinstance(request, Malformed):
            return request.reason
        if request.command is Command.PURGE_DATA and request.value in PURGES:
            self._seat.purge(PURGES[request.value])
            if PURGES[request.value] & Purge.RX:
                self._face.drop_undecided()
        elif request.command is Command.SET_CONTROL and request.value == Control.BREAK_OFF:
            # One that is still to begin, behind bytes, ends in its turn.
            self._seat.end_break()
        elif request.command is Command.FLOWCONTROL_SUSPEND:
            self._suspend()
            return ""
        elif request.command is Command.FLOWCONTROL_RESUME:
            self.resume()
            return ""
        elif request.text and not self._introduced:
            self._introduced = True
            self._note(Happening.SESSION_OPENED, "the client is %r", request.text[:80])
        self._requests.append(request)
        return ""

    def queue_requests(self) -> None:
        """Give what was asked so far its place in the stream.

        Requests that came together act together; see `AccessServer.plan`.
        """
        if not self._requests:
            return
        requests, self._requests = self._requests, []
        self._seat.then(partial(in_turn, self._steps(requests)), ACTION_WEIGHT * len(requests))

    def _steps(self, requests: list[Request]) -> Iterator[Pending | None]:
        if self._beginning is not None:
            # What is told first is how the line was before the client asked for anything.
            yield self._beginning
            requests = requests if self._seat.used else []
        line, access = self._seat.control, self._access
        before = line.settings() if LOGGER.isEnabledFor(logging.DEBUG) else None
        masks = (access.modemstate_mask, access.linestate_mask)
        for change in access.plan(requests, line):
            yield change.apply(line)
            if not self._seat.used:
                return
            for answer in access.answers(change, line):
                if self._agreed:
                    # RFC 855: an option that is off has no subnegotiations.
                    self._face.send_subnegotiation(Option.COM_PORT, answer)
        if (access.modemstate_mask, access.linestate_mask) != masks:
            self._watch()
        if self._ended:
            self._seat.end_break()
        if before is not None and line.settings() != before:
            text = "line set to %s"
            self._note(Happening.LINE_SET, text, line.settings(), level=logging.DEBUG)
        self._face.flush()

    def _watch(self) -> None:
        self._seat.watch(
            signals=self._agreed and self._access.wants_signals,
            errors=self._agreed and self._access.wants_errors,
        )

    def _suspend(self) -> None:
        self._access.suspended = self._face.suspended = True
        self._seat.hold_line(Hold.SUSPENDED)

    def ends(self) -> None:
        """The client sends no more: neither a RESUME, nor the end of a break that is still to
        begin."""
        self._ended = True
        self.resume()

    def resume(self) -> None:
        """Send again, if the client has suspended."""
        if not self._access.suspended:
            return
        self._access.suspended = False
        self._face.resume()
        self._seat.release_line(Hold.SUSPENDED)
        if not self._face.overfull(0):
            self._seat.caught_up()
        self.catch_up()

    # ---- to the client

    def catch_up(self) -> None:
        """Tell what changed meanwhile; the state before is that of the last notification."""
        if not self._seat.used:
            return
        if self._port.line is None:
            self.signals_changed(Signal.NONE)
        else:
            self.signals_changed(self._seat.control.signals())
            self.errors_changed(self._seat.control.errors())

    def signals_changed(self, signals: Signal) -> None:
        """A modem line changed. Where that is not told, it is left to the client's next look."""
        if self._agreed and self._access.wants_signals and not self._face.lagging:
            self._notify(self._access.signals_changed(signals))

    def errors_changed(self, errors: LineErrors) -> None:
        """The receiver found errors. Where that is not told, it is left to the next look."""
        if self._agreed and self._access.wants_errors and not self._face.lagging:
            self._notify(self._access.errors_changed(errors))

    def _notify(self, notification: bytes | None) -> None:
        if notification is not None:
            self._face.notify(Option.COM_PORT, notification)

    def line_back(self) -> None:
        """The device is there again: tell of its modem lines."""
        # Another device counts its errors from elsewhere.
        self._access.errors_changed(self._seat.control.errors())
        self.signals_changed(self._seat.control.signals())

    # ---- hand-over to another process

    def snapshot(self) -> dict[str, Any]:
        """What a successor needs to go on, as values that JSON can hold."""
        return {
            "access": self._access.snapshot(),
            "agreed": self._agreed,
            "introduced": self._introduced,
        }

    @property
    def is_agreed(self) -> bool:
        """Whether the client speaks it."""
        return self._agreed

    @property
    def suspended(self) -> bool:
        """Whether the client has suspended what is sent to it."""
        return self._access.suspended

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on where another one was. Raises KeyError, ValueError, TypeError."""
        self._access.restore(snapshot["access"], self._seat.control)
        self._agreed = bool(snapshot["agreed"])
        self._introduced = bool(snapshot.get("introduced", False))

    def restored(self) -> None:
        """The session has its line again: tell what happened in between."""
        self._seat.hold_break(self._access.breaking)
        if self._access.suspended:
            self._seat.hold_line(Hold.SUSPENDED)
        self._watch()
        self.catch_up()
