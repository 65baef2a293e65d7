"""What goes over the wire between a client and the Telnet face, spelt short."""

from __future__ import annotations

from gatewayd.comport.wire import Command, Request, encode_answer, encode_request
from gatewayd.telnet.constants import Command as Telnet
from gatewayd.telnet.constants import Option

IAC = b"\xff"
DM = IAC + bytes((Telnet.DM,))


def command(which: Telnet) -> bytes:
    """IAC and a command."""
    return IAC + bytes((which,))


def will(option: int) -> bytes:
    return IAC + bytes((Telnet.WILL, option))


def wont(option: int) -> bytes:
    return IAC + bytes((Telnet.WONT, option))


def do(option: int) -> bytes:
    return IAC + bytes((Telnet.DO, option))


def dont(option: int) -> bytes:
    return IAC + bytes((Telnet.DONT, option))


def sub(option: int, payload: bytes) -> bytes:
    """A subnegotiation."""
    begin, end = bytes((Telnet.SB, option)), bytes((Telnet.SE,))
    return IAC + begin + payload.replace(IAC, IAC + IAC) + IAC + end


def ask(what: Command, value: int = 0) -> bytes:
    """A client's Com Port Control request."""
    return sub(Option.COM_PORT, encode_request(Request(what, value)))


def answer(what: Command, value: int) -> bytes:
    """The server's answer or notification."""
    return sub(Option.COM_PORT, encode_answer(what, value))


PURGE_RX = ask(Command.PURGE_DATA, 1)
PURGE_TX = ask(Command.PURGE_DATA, 2)
SUSPEND = ask(Command.FLOWCONTROL_SUSPEND)
RESUME = ask(Command.FLOWCONTROL_RESUME)
ASK_DATASIZE = ask(Command.SET_DATASIZE)
IS_DATASIZE_8 = answer(Command.SET_DATASIZE, 8)
LEVELS = 0xB0
"""NOTIFY-MODEMSTATE with CTS, DSR and CD on."""


def notify(state: int) -> bytes:
    """NOTIFY-MODEMSTATE."""
    return answer(Command.NOTIFY_MODEMSTATE, state)


OPENING = bytes.fromhex("fffb00 fffd00 fffb03 fffd03 fffb01 fffd2c")
"""WILL BINARY, DO BINARY, WILL SGA, DO SGA, WILL ECHO, DO COM-PORT."""
