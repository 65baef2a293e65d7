"""`gatewayd devices`: what is plugged in, what tells it apart, and a port for each."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from gatewayd.cli.entry import Entry, entries_for
from gatewayd.device.match import DeviceMatch
from gatewayd.device.scan import SerialDevice, scan
from gatewayd.value import as_dict

HELP = "list the serial devices of this machine, with an entry for the configuration for each"

NONE_FOUND = """\
none found

Plug an adapter in and look again. Does the kernel know it? `dmesg | tail` says.
In a container, /dev and /sys of the machine must be passed in.
No hardware at hand? `gatewayd demo` serves a simulated instrument.
"""

COLUMNS = ("DEVICE", "DESCRIPTION", "SERIAL NUMBER", "SOCKET", "DRIVER", "LINK")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd devices`."""
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    add_roots(parser)


def add_roots(parser: argparse.ArgumentParser) -> None:
    """Where to look for devices, hidden: for tests and for looking into an image."""
    parser.add_argument("--sysfs", default="/sys", help=argparse.SUPPRESS)
    parser.add_argument("--dev", default="/dev", help=argparse.SUPPRESS)


def main(args: argparse.Namespace) -> int:
    """Print the devices. No device is no error: returns 0."""
    devices = scan(args.sysfs, args.dev)
    served = [device for device in devices if not device.console]
    entries = dict(zip((d.path for d in served), entries_for(served), strict=True))
    if args.json:
        print(json.dumps([as_json(d, entries.get(d.path)) for d in devices], indent=2))
    elif not devices:
        print(NONE_FOUND, end="")
    else:
        print("\n".join(table(devices)))
        for device in devices:
            if device.console:
                print(f"\n{device.path} is the kernel's console, so no port is proposed for it.")
        if entries:
            print("\nFor the configuration (change names, lines and addresses as you like):\n")
            print("ports:\n" + "\n".join(entry.yaml() for entry in entries.values()), end="")
    return 0


def table(devices: Sequence[SerialDevice]) -> list[str]:
    """The devices as lines, one each, below a heading."""
    rows = [COLUMNS, *map(_row, devices)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def as_json(device: SerialDevice, entry: Entry | None) -> dict[str, object]:
    """All that is known of `device`; `port` is the entry, as the configuration's YAML reads it."""
    known: dict[str, object] = as_dict(device) | {"description": device.description}
    if entry is None:
        return known | {"port": None}
    match = entry.choice.device
    keys = match if isinstance(match, str) else _given(match)
    port = {
        "name": entry.name,
        "description": entry.description,
        "device": keys,
        "line": entry.line,
        "rfc2217": f"127.0.0.1:{entry.rfc2217}",
        "raw": f"127.0.0.1:{entry.raw}",
    }
    return known | {"reason": entry.choice.reason, "port": port}


def _given(match: DeviceMatch) -> dict[str, object]:
    return {key: value for key, value in as_dict(match).items() if value is not None}


def _row(device: SerialDevice) -> tuple[str, ...]:
    socket = device.usb_path or "-"
    if device.interface:
        socket += f", interface {device.interface}"
    link = device.link or device.by_id or device.by_path or "-"
    return (
        device.path,
        device.description,
        device.serial or ("none" if device.usb_path else "-"),
        socket,
        device.driver or "-",
        link,
    )
