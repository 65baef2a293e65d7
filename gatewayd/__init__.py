"""gatewayd: serial devices as Telnet (RFC 2217) and raw TCP ports."""

__version__ = "0.1.0"
