"""What a client has proved before its session began."""

from __future__ import annotations

from collections.abc import Mapping

from gatewayd.value import Value


class Proof(Value):
    """How a client came in, and as whom."""

    tls: str = ""
    """The version of TLS, such as `TLSv1.3`; empty in clear text."""
    name: str = ""
    """Who the client is; empty where it has not proved that."""
    by: str = ""
    """By what it has proved it, for the log."""

    @classmethod
    def told(cls, snapshot: Mapping[str, object]) -> Proof:
        """What another process knew, as `gatewayd.value.as_dict` gives it. Raises TypeError and
        AttributeError for what is none."""
        return cls(**{name: str(value) for name, value in snapshot.items()})

    def __str__(self) -> str:
        """For people: `by TLSv1.3, as alice by certificate 3F:A0:...`."""
        how = self.tls or "clear text"
        return f"by {how}, as {self.name} by {self.by}" if self.name else f"by {how}"
