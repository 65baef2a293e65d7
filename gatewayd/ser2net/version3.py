"""Reading ser2net.conf, the format of ser2net 3: one port a line, five fields between colons."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gatewayd.ser2net.model import Connection, Default, Option, Remark, Source

PORT_LINE = re.compile(
    r"(?P<port>[^:#]+):(?P<state>raw|rawlp|telnet|off):(?P<timeout>\d+):(?P<rest>.+)"
)
DIRECTIVE = re.compile(r"(?P<kind>[A-Z][A-Z0-9]+):(?P<name>[^:]*)(?::(?P<text>.*))?")

NAMED = {
    "BANNER": "banner",
    "OPENSTR": "openstr",
    "CLOSESTR": "closestr",
    "CLOSEON": "closeon",
    "SIGNATURE": "signature",
}
"""Directives that give a text a name; the name among a port's options is that option."""
TRACES = {"tr": "trace-read", "tw": "trace-write", "tb": "trace-both"}
SERIAL_FLAGS = {
    "XONXOFF": "xonxoff",
    "RTSCTS": "rtscts",
    "LOCAL": "local",
    "HANGUP_WHEN_DONE": "hangup-when-done",
    "NOBREAK": "nobreak",
}
NEW_NAMES = {
    "hangup_when_done": "hangup-when-done",
    "remctl": "rfc2217",
    "telnet_brk_on_sync": "telnet-brk-on-sync",
}
"""What ser2net 4 calls the defaults that have another name there."""
FLAGS = {"kickolduser", "hexdump", "timestamp", "chardelay", "telnet_brk_on_sync"}


def looks_like_conf(text: str) -> bool:
    """Whether `text` is in this format rather than in YAML."""
    return any(
        PORT_LINE.match(line) or re.match(r"(BANNER|DEVICE|DEFAULT|TRACEFILE):", line)
        for line in text.splitlines()
    )


def read(text: str) -> Source:
    """All of a ser2net.conf. A line that is not understood becomes a remark; nothing is raised."""
    connections: list[Connection] = []
    remarks: list[Remark] = []
    defaults: list[Default] = []
    every: list[Default] = []
    names: dict[str, str] = {}
    devices: dict[str, str] = {}
    for number, line in _logical_lines(text):
        port = PORT_LINE.fullmatch(line)
        if port is not None:
            connections.append(_connection(number, port, names, devices, tuple(defaults)))
            continue
        directive = DIRECTIVE.fullmatch(line)
        kind = directive["kind"] if directive else ""
        name, value = (directive["name"], directive["text"] or "") if directive else ("", "")
        if kind in NAMED:
            names[name] = NAMED[kind]
        elif kind == "TRACEFILE":
            names[name] = "trace"
        elif kind == "DEVICE":
            devices[name] = value
        elif kind == "DEFAULT":
            value, _, of = value.partition(":")
            default = Default(NEW_NAMES.get(name, name), value, of or None, number)
            defaults.append(default)
            every.append(default)
        elif kind == "DELDEFAULT":
            gone = (NEW_NAMES.get(name, name), value)
            defaults = [one for one in defaults if (one.name, one.kind or "") != gone]
        elif kind:
            remarks.append(Remark(number, f"{kind} {name}: has no counterpart"))
        else:
            remarks.append(Remark(number, f"{line[:60]!r}: not understood"))
    return Source(tuple(connections), tuple(remarks), tuple(every))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, without comments, a backslash at the end joining the next one."""
    begun, whole = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if not whole and (not line.strip() or line.lstrip().startswith("#")):
            continue
        begun = begun if whole else number
        whole += line.removesuffix("\\")
        if not line.endswith("\\"):
            yield begun, whole.strip()
            whole = ""
    if whole:
        yield begun, whole.strip()


def _connection(
    number: int,
    port: re.Match[str],
    names: dict[str, str],
    devices: dict[str, str],
    defaults: tuple[Default, ...],
) -> Connection:
    device, _, words = port["rest"].partition(":")
    alias = device if device in devices else ""
    device = devices.get(device, device)
    if not alias and not device.startswith("/"):
        device = f"/dev/{device}"
    settings: list[str] = []
    options = [Option("timeout", port["timeout"], number)] if port["timeout"] != "0" else []
    telnet, rfc2217 = port["state"] == "telnet", False
    for word in re.split(r"[\s,]+", words.strip()):
        name, _, value = re.sub("[=:]", "\0", word, count=1).partition("\0")
        plain = name.removeprefix("-")
        switched = "false" if name.startswith("-") else "true"
        if word == "remctl":
            rfc2217 = True
        elif plain.upper() in SERIAL_FLAGS:
            settings.append(f"{SERIAL_FLAGS[plain.upper()]}={switched}")
        elif plain in FLAGS:
            options.append(Option(plain.replace("_", "-"), switched, number))
        elif name in TRACES:
            options.append(Option(TRACES[name], value, number))
        elif word in names:
            options.append(Option(names[word], word, number))
        elif value:
            options.append(Option(name, value, number))
        elif word:
            settings.append(word)
    stack = ("telnet(rfc2217)," if rfc2217 else "telnet,") if telnet else ""
    # A port that is off does not say which protocol it would speak; options for Telnet hint at it.
    if port["state"] == "off" and rfc2217:
        stack = "telnet(rfc2217),"
    if port["state"] == "rawlp":
        settings.append("wronly=true")
    return Connection(
        name=alias or _name(device, port["port"]),
        line=number,
        accepter=Option("accepter", stack + port["port"], number),
        connector=Option("connector", f'serialdev,"{device}",' + ",".join(settings), number),
        enabled=port["state"] != "off",
        options=tuple(options),
        defaults=defaults,
    )


def _name(device: str, port: str) -> str:
    """A name for what had none: that of the device, or the port number when that is long."""
    short = device.rpartition("/")[2]
    return short if len(short) <= 16 else "port" + port.rpartition(",")[2]
