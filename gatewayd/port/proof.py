"""What a client has proved before its session began."""

from __future__ import annotations

from gatewayd.value import Value


class Proof(Value):
    """How a client came in, and as whom."""

    tls: str = ""
    """The version of TLS, such as `TLSv1.3`; empty in clear text."""
    name: str = ""
    """Who the client is; empty where it has not proved that."""
    by: str = ""
    """By what it has proved it, for the log."""

    def __str__(self) -> str:
        """For people: `by TLSv1.3, as alice by certificate 3F:A0:...`."""
        how = self.tls or "clear text"
        return f"by {how}, as {self.name} by {self.by}" if self.name else f"by {how}"
