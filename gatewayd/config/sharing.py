"""How it is written what a second client gets, and what becomes of one that is silent."""

from __future__ import annotations

from gatewayd.config.kinds import ScalarKind
from gatewayd.config.model import Busy, Idle, OnBusy
from gatewayd.config.problem import quoted
from gatewayd.config.setting import Json
from gatewayd.config.tree import Scalar
from gatewayd.config.values import parse_seconds


class BusyKind(ScalarKind[Busy]):
    """What a second client gets."""

    syntax = "refuse | watch | takeover | wait [TIME]"
    usual = 2.0
    """Seconds: less than pyserial's 3 for an opening."""
    longest = 3600.0

    @property
    def schema(self) -> Json:
        time = r"[0-9]+(\.[0-9]+)? ?(s|min|h)?"
        return {"type": "string", "pattern": f"^(refuse|watch|takeover|wait( {time})?)$"}

    def parse(self, scalar: Scalar) -> Busy:
        text = scalar.text
        if text in [choice.value for choice in OnBusy]:
            return Busy(OnBusy(text))
        if text == "wait":
            return Busy(wait=self.usual)
        if not text.startswith("wait "):
            raise ValueError(f"found {quoted(text)}; write refuse, watch, takeover or wait 2s")
        return Busy(wait=parse_seconds(text.removeprefix("wait "), 0.1, self.longest))


class IdleKind(ScalarKind[Idle]):
    """What becomes of a client that sends nothing."""

    syntax = "never | steal after TIME | close after TIME"
    longest = 7 * 86400.0

    @property
    def schema(self) -> Json:
        time = r"[0-9]+(\.[0-9]+)? ?(s|min|h)?"
        return {"type": "string", "pattern": f"^(never|(steal|close) after {time})$"}

    def parse(self, scalar: Scalar) -> Idle:
        if scalar.text == "never":
            return Idle()
        what, after, time = scalar.text.partition(" after ")
        if what not in ("steal", "close") or not after:
            text = f"found {quoted(scalar.text)}; write never, steal after 30min or close after 8h"
            raise ValueError(text)
        seconds = parse_seconds(time, 1, self.longest)
        return Idle(steal=seconds) if what == "steal" else Idle(close=seconds)
