"""How addresses, devices, lines and times are written."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass

from gatewayd.config.door import Network
from gatewayd.config.kinds import ScalarKind
from gatewayd.config.model import Address, OnUnplug
from gatewayd.config.problem import quoted
from gatewayd.config.setting import Json
from gatewayd.config.tree import Scalar
from gatewayd.line.model import FASTEST, LineSettings, Parity, StopBits
from gatewayd.value import replace

LOOPBACK = "127.0.0.1"
BAUDRATES = (1, FASTEST)
"""What is beyond is a slip of the finger."""
SHORT_LINE = re.compile(
    r"([0-9]{1,9}) +([5-8])([NOEMS])(1\.5|1|2)((?: +(?:rtscts|xonxoff))*)", re.I
)
PAGE_URL = re.compile(
    r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[!#-;=?A-\[\]-~]*)?"
)
LONGEST_PAGE_URL = 250
NOT_SERIAL = ("/dev/ptmx", "/dev/pts/ptmx", "/dev/tty")
LONGEST_PATH = 4095
LONGEST_SOCKET_PATH = 107
"""What a sockaddr_un holds, without the final NUL."""


def parse_address(text: str, *, any_port: bool = False) -> Address:
    """`PORT`, `HOST:PORT` or `[v6]:PORT` as an address; without a host it is loopback.

    Port 0 (any free one) needs `any_port`. Raises ValueError with what would do.
    """
    host, colon, port = text.rpartition(":")
    if not colon:
        if not re.fullmatch(r"[0-9]+", text):
            raise ValueError(f"{quoted(text)} has no port; write PORT, HOST:PORT or [v6]:PORT")
        host = LOOPBACK
    lowest = 0 if any_port else 1
    if not re.fullmatch(r"0|[1-9][0-9]{0,4}", port) or not lowest <= int(port) <= 65535:
        raise ValueError(f"{quoted(port)} is no TCP port; write a number from {lowest} to 65535")
    return Address(_host(host), int(port))


def _host(text: str) -> str:
    """The numeric address `text` in its usual spelling."""
    if text == "localhost":
        return LOOPBACK
    if text == "*":
        raise ValueError(
            "'*' is no address; write 0.0.0.0 for all of IPv4, or '[::]' for IPv6 as well"
        )
    bracketed = text.startswith("[") and text.endswith("]")
    try:
        if not re.fullmatch(r"[\[\]0-9A-Za-z:.%_-]{1,64}", text):
            raise ValueError
        host = ipaddress.ip_address(text[1:-1] if bracketed else text)
    except ValueError:
        raise ValueError(
            f"{quoted(text)} is no numeric address; write one, or localhost (names are not looked "
            "up, so that a start needs no network)"
        ) from None
    if bracketed != (host.version == 6):
        form = f"[{host}]:PORT" if host.version == 6 else f"{host}:PORT"
        raise ValueError(f"{quoted(text)} is an IPv{host.version} address; write {form}")
    if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped:
        raise ValueError(f"{host} is an IPv4 address in disguise; write {host.ipv4_mapped}:PORT")
    if isinstance(host, ipaddress.IPv6Address) and host.is_link_local and not host.scope_id:
        raise ValueError(f"{host} is on every link; write its interface too: [{host}%eth0]:PORT")
    if host.is_multicast:
        raise ValueError(f"{host} is a multicast address; write one of this machine's own")
    return str(host)


def parse_line(text: str) -> LineSettings:
    """The short form of a line, such as `9600 8N1` or `115200 8E1 rtscts`.

    Raises ValueError with what would do.
    """
    form = SHORT_LINE.fullmatch(text.strip(" "))
    if form is None:
        raise ValueError(
            f"found {quoted(text)}; write BAUDRATE 8N1, with rtscts or xonxoff behind it"
        )
    baudrate, bytesize, parity, stopbits, flow = form.groups()
    words = flow.lower().split()
    if len(set(words)) < len(words):
        raise ValueError(f"{quoted(text)} says {words[0]} twice; write it once")
    if baudrate.startswith("0") or not BAUDRATES[0] <= int(baudrate) <= BAUDRATES[1]:
        raise ValueError(
            f"baud rate {baudrate} is out of range; write one from 1 to {BAUDRATES[1]}"
        )
    return possible_line(
        LineSettings(
            baudrate=int(baudrate),
            bytesize=int(bytesize),
            parity=Parity(parity.upper()),
            stopbits=StopBits(float(stopbits)),
            ixon="xonxoff" in words,
            ixoff="xonxoff" in words,
            rtscts="rtscts" in words,
        )
    )


def possible_line(line: LineSettings) -> LineSettings:
    """`line` itself. Raises ValueError when no UART can be set so."""
    if line.stopbits is StopBits.ONE_POINT_FIVE and line.bytesize != 5:
        raise ValueError("1.5 stop bits go with 5 data bits only; write 1 or 2 stop bits")
    return line


def parse_seconds(text: str, minimum: float, maximum: float) -> float:
    """A time in seconds, minutes or hours: `30`, `30s`, `0.5s`, `2min`, `1h`. Raises ValueError."""
    form = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?(s|min|h)?", text)
    if form is None:
        raise ValueError(f"{quoted(text)} is no time; write seconds such as 30, or 30s, 2min, 1h")
    seconds = float(form[1]) * {"s": 1, "min": 60, "h": 3600}[form[2] or "s"]
    if not minimum <= seconds <= maximum:
        wanted = f"write {minimum:g}s to {maximum:g}s"
        raise ValueError(f"{text} is out of range; {wanted}")
    return seconds


@dataclass(frozen=True, slots=True)
class AddressKind(ScalarKind[Address]):
    """Where to listen."""

    syntax: str = "PORT | HOST:PORT | '[v6]:PORT'"

    @property
    def schema(self) -> Json:
        number = {"type": "integer", "minimum": 1, "maximum": 65535}
        return {"anyOf": [number, {"type": "string", "pattern": r"^(.+:)?[1-9][0-9]{0,4}$"}]}

    def parse(self, scalar: Scalar) -> Address:
        return replace(parse_address(scalar.text), where=scalar.place)


class LineKind(ScalarKind[LineSettings]):
    """The settings of a line in short."""

    syntax = "BAUDRATE 8N1 [rtscts] [xonxoff]"

    @property
    def schema(self) -> Json:
        flow = "([Rr][Tt][Ss][Cc][Tt][Ss]|[Xx][Oo][Nn][Xx][Oo][Ff][Ff])"
        form = rf"^[1-9][0-9]{{0,8}} +[5-8][NOEMSnoems](1\.5|1|2)( +{flow})*$"
        return {"type": "string", "pattern": form}

    def parse(self, scalar: Scalar) -> LineSettings:
        return parse_line(scalar.text)


class DevicePath(ScalarKind[str]):
    """The path of a tty."""

    syntax = "/dev/PATH"

    @property
    def schema(self) -> Json:
        return {"type": "string", "pattern": "^/.", "maxLength": LONGEST_PATH}

    def parse(self, scalar: Scalar) -> str:
        text = scalar.text
        if "://" in text:
            raise ValueError(
                f"{quoted(text)} is a URL, and only a tty can be waited for without blocking; "
                "write the path of a tty, or let clients connect to the other gateway themselves"
            )
        if not text.startswith("/"):
            hint = (
                f"write /dev/{text}" if re.fullmatch(r"tty\w+", text) else "write an absolute path"
            )
            raise ValueError(f"{quoted(text)} is not an absolute path; {hint}")
        if text in NOT_SERIAL:
            raise ValueError(f"{text} is no serial device; write the path of one, as /dev/ttyS0")
        if not text.isprintable() or len(text.encode()) > LONGEST_PATH:
            raise ValueError(
                f"{quoted(text)} cannot be the path of a device; write one such as /dev/ttyS0"
            )
        return text


@dataclass(frozen=True, slots=True)
class HexId(ScalarKind[str]):
    """A USB vendor or product, in lower case."""

    syntax: str = "FOUR HEXADECIMAL DIGITS"

    @property
    def schema(self) -> Json:
        # An editor takes 0403 for a number, and 403 is what it then says.
        return {"type": ["string", "integer"], "pattern": "^(0[xX])?[0-9a-fA-F]{4}$"}

    def parse(self, scalar: Scalar) -> str:
        form = re.fullmatch(r"(?:0[xX])?([0-9a-fA-F]{4})", scalar.text)
        if form is None:
            raise ValueError(
                f"found {quoted(scalar.text)}; write four hexadecimal digits, as in 0403"
            )
        return form[1].lower()


@dataclass(frozen=True, slots=True)
class Seconds(ScalarKind[float]):
    """A time in seconds."""

    minimum: float
    maximum: float

    @property
    def syntax(self) -> str:
        return f"TIME ({self.minimum:g}s to {self.maximum:g}s: 30, 30s, 2min, 1h)"

    @property
    def schema(self) -> Json:
        number = {"type": "number", "minimum": self.minimum, "maximum": self.maximum}
        return {
            "anyOf": [number, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?(s|min|h)?$"}]
        }

    def parse(self, scalar: Scalar) -> float:
        return parse_seconds(scalar.text, self.minimum, self.maximum)


class OnUnplugKind(ScalarKind[OnUnplug]):
    """What becomes of a session whose device goes."""

    syntax = "hold | close | hold for TIME"
    longest = 7 * 86400.0

    @property
    def schema(self) -> Json:
        return {
            "type": "string",
            "pattern": r"^(hold|close|hold for [0-9]+(\.[0-9]+)? ?(s|min|h)?)$",
        }

    def parse(self, scalar: Scalar) -> OnUnplug:
        if scalar.text in ("hold", "close"):
            return OnUnplug(math.inf if scalar.text == "hold" else 0.0)
        if not scalar.text.startswith("hold for "):
            raise ValueError(f"found {quoted(scalar.text)}; write hold, close or hold for 30s")
        return OnUnplug(parse_seconds(scalar.text.removeprefix("hold for "), 1, self.longest))


class ControlPath(ScalarKind[str | None]):
    """The path of a socket; None for `none`."""

    syntax = "/PATH | none"

    @property
    def schema(self) -> Json:
        return {"type": "string", "pattern": "^(/.+|none)$", "maxLength": LONGEST_SOCKET_PATH}

    def parse(self, scalar: Scalar) -> str | None:
        text = scalar.text
        if text == "none":
            return None
        if not text.startswith("/") or not text.isprintable():
            raise ValueError(f"found {quoted(text)}; write an absolute path, or none")
        if len(text.encode()) > LONGEST_SOCKET_PATH:
            raise ValueError(
                f"the path is longer than {LONGEST_SOCKET_PATH} bytes; write a shorter one"
            )
        return text


class NetworkKind(ScalarKind[Network]):
    """Addresses that begin alike."""

    syntax = "ADDRESS | NETWORK/BITS"

    @property
    def schema(self) -> Json:
        return {"type": "string", "pattern": r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"}

    def parse(self, scalar: Scalar) -> Network:
        text = scalar.text
        try:
            if not re.fullmatch(r"[0-9A-Fa-f:.]{1,45}(/[0-9]{1,3})?", text):
                raise ValueError
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError(
                f"{quoted(text)} is no network; write one such as 10.1.0.0/16, or an address"
            ) from None
        if "/" in text and ipaddress.ip_interface(text).ip != network.network_address:
            raise ValueError(f"{text} is an address of a network; write {network} for all of it")
        return network


class EscapeKind(ScalarKind[bytes]):
    """One or two keys, the first a control key: `^Ec`, `^]`; empty for `none`."""

    syntax = "^X | ^Xy | none"

    @property
    def schema(self) -> Json:
        return {"type": "string", "pattern": r"^(\^[A-Z\[\]\\^_][!-~]?|none)$"}

    def parse(self, scalar: Scalar) -> bytes:
        text = scalar.text
        if text == "none":
            return b""
        if not re.fullmatch(r"\^[A-Z\[\]\\^_][!-~]?", text):
            raise ValueError(
                f"found {quoted(text)}; write a control key and perhaps one more, as in ^Ec or ^], "
                "or none"
            )
        if text[1] in "MJ":
            raise ValueError(f"{quoted(text[:2])} is Enter; take another control key")
        return bytes((ord(text[1]) - 64,)) + text[2:].encode()


class PageUrl(ScalarKind[str]):
    """Where browsers are sent; empty for `none`."""

    syntax = "URL | none"

    @property
    def schema(self) -> Json:
        return {
            "type": "string",
            "pattern": rf"^({PAGE_URL.pattern}|none)$",
            "maxLength": LONGEST_PAGE_URL,
        }

    def parse(self, scalar: Scalar) -> str:
        text = scalar.text
        if text == "none":
            return ""
        if not is_page_url(text):
            raise ValueError(
                f"{quoted(text)} is no page; write one such as https://pi-lab3.example:8323/"
            )
        return text


def is_page_url(text: str) -> bool:
    """Whether it is a URL of http or https without a user, that a TXT record has room for."""
    return len(text) <= LONGEST_PAGE_URL and PAGE_URL.fullmatch(text) is not None


class NoDsrDtr(ScalarKind[bool]):
    """pyserial's `dsrdtr`, which may be said but not be true."""

    syntax = "false"

    @property
    def schema(self) -> Json:
        return {"const": False}

    def parse(self, scalar: Scalar) -> bool:
        if scalar.text == "true":
            raise ValueError("Linux has no DSR/DTR flow control; write false, or use rtscts")
        if scalar.text != "false" or not scalar.plain:
            raise ValueError(f"found {quoted(scalar.text)}; write false")
        return False


class Version(ScalarKind[int]):
    """The version of the configuration's format."""

    syntax = "1"

    @property
    def schema(self) -> Json:
        return {"const": 1}

    def parse(self, scalar: Scalar) -> int:
        if scalar.text != "1" or not scalar.plain:
            raise ValueError(f"found {quoted(scalar.text)}, and this gatewayd knows 1; write 1")
        return 1
