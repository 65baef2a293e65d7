"""Telnet's numbers, by their RFC names."""

from __future__ import annotations

import enum


class Command(enum.IntEnum):
    """The byte behind IAC (RFC 854; EOF, SUSP, ABORT from RFC 1184; EOR from RFC 885)."""

    EOF = 236
    SUSP = 237
    ABORT = 238
    EOR = 239
    SE = 240
    NOP = 241
    DM = 242
    BRK = 243
    IP = 244
    AO = 245
    AYT = 246
    EC = 247
    EL = 248
    GA = 249
    SB = 250
    WILL = 251
    WONT = 252
    DO = 253
    DONT = 254
    IAC = 255


class Option(enum.IntEnum):
    """The options that gatewayd knows by name; what is not welcome is refused."""

    BINARY = 0
    """RFC 856."""
    ECHO = 1
    """RFC 857."""
    SUPPRESS_GO_AHEAD = 3
    """RFC 858."""
    STATUS = 5
    """RFC 859."""
    TIMING_MARK = 6
    """RFC 860. Not a state but a question: it never stays agreed."""
    LOGOUT = 18
    """RFC 727."""
    NAWS = 31
    """RFC 1073."""
    AUTHENTICATION = 37
    """RFC 2941."""
    NEW_ENVIRON = 39
    """RFC 1572."""
    COM_PORT = 44
    """RFC 2217."""
    START_TLS = 46
    """A draft of 1999: see `gatewayd.telnet.start_tls`."""


class Side(enum.StrEnum):
    """Who performs an option: us (WILL from us, DO from the peer) or the peer."""

    LOCAL = "local"
    REMOTE = "remote"


IAC = b"\xff"
STATUS_IS = 0
STATUS_SEND = 1
