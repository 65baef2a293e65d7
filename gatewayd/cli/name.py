"""`gatewayd name`: pull an adapter, plug it in, give it a name."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gatewayd.cli.devices import add_roots
from gatewayd.cli.entry import Entry, entry_for
from gatewayd.device.match import DeviceMatch, find
from gatewayd.device.scan import SerialDevice, scan
from gatewayd.errors import DeviceError, GatewayError

if TYPE_CHECKING:
    from gatewayd.config.schema import Config

HELP = "name an adapter by pulling it and plugging it in"

INTERRUPTED = 130
"""What a shell reports of a program that Ctrl-C ended."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd name`."""
    parser.add_argument(
        "--append",
        metavar="FILE",
        help="add the port to this configuration file instead of printing it",
    )
    add_roots(parser)


def main(args: argparse.Namespace) -> int:
    """Talk on standard error and input; standard output gets nothing but the entry.

    Returns 0 when all that was plugged in was named or left out, 1 when the file has problems or
    the port could not be added, 130 after Ctrl-C or the end of the input.
    """
    from gatewayd.cli.append import append, read_config
    from gatewayd.config.schema import Config

    config = Config()
    given: list[Entry] = []
    try:
        # A file that will be refused is better known before the walk to the rack.
        if args.append:
            config = read_config(args.append)
        devices, come = wait_for_plugging(args.sysfs, args.dev)
        for device in come:
            entry = ask(device, devices, config, given)
            if entry is None:
                continue
            given.append(entry)
            if args.append:
                append(args.append, entry)
                say(f"{entry.name} is in {args.append} now; it is served after the next reload.")
            else:
                print(entry.yaml(), end="", flush=True)
    except GatewayError as error:
        say(str(error))
        return 1
    except (KeyboardInterrupt, EOFError):
        say("\nStopped.")
        return INTERRUPTED
    return 0


def wait_for_plugging(
    sysfs: str, dev: str
) -> tuple[tuple[SerialDevice, ...], tuple[SerialDevice, ...]]:
    """Ask for an adapter to be pulled and plugged in, and wait until that is done.

    Returns all devices that are there then, and those of the adapter.
    """
    import asyncio

    from gatewayd.device.plug import next_change
    from gatewayd.device.watch import DeviceWatch

    async def wait() -> tuple[tuple[SerialDevice, ...], tuple[SerialDevice, ...]]:
        watch = DeviceWatch(asyncio.get_running_loop(), sysfs=sysfs, dev=dev)
        try:
            devices = watch.devices()
            say(
                "Pull the adapter that you want to name, or plug in a new one."
                if any(device.usb_path for device in devices)
                else "Plug in the adapter that you want to name."
            )
            while True:
                devices, gone, come = await next_change(watch, devices)
                if come:
                    # Once more, since udev's links come after the node.
                    devices = scan(sysfs, dev)
                    paths = {device.path for device in come}
                    return devices, tuple(device for device in devices if device.path in paths)
                say(f"{_list(gone)} is gone. Plug it in where it is to stay.")
        finally:
            watch.close()

    return asyncio.run(wait())


def ask(
    device: SerialDevice,
    devices: Sequence[SerialDevice],
    config: Config,
    given: Sequence[Entry],
) -> Entry | None:
    """The entry for `device` with the name that the user gives it; None when it is to have none.

    No name or TCP port of `config` or of the entries `given` before is used again. Raises EOFError
    at the end of the input.
    """
    from gatewayd.config.document import PORT_NAME

    say(f"Found {device.description} at {device.place}.")
    for port in config.ports:
        if _means(port.device, device, devices):
            say(f"It is port {port.name} already.")
            return None
    names = {port.name for port in config.ports} | {entry.name for entry in given}
    numbers = {address.port for port in config.ports for _face, address in port.listeners}
    numbers |= {number for entry in given for number in (entry.rfc2217, entry.raw)}
    entry = entry_for(device, devices, names=names, ports=numbers)
    if entry.choice.reason is not None:
        say(f"Note that {entry.choice.reason}.")
    while True:
        print(f"Name [{entry.name}], or - for none: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        name = line.strip() or entry.name
        if name == "-":
            return None
        if not re.fullmatch(PORT_NAME, name):
            say("A name is 1 to 64 letters, digits, dots, dashes and underscores.")
        elif name.lower() in {taken.lower() for taken in names}:
            say(f"There is a port {name} already.")
        else:
            return entry_for(device, devices, name=name, ports=numbers)


def say(text: str) -> None:
    """To the user, and not into what a pipe or a file gets."""
    print(text, file=sys.stderr, flush=True)


def _list(devices: Sequence[SerialDevice]) -> str:
    more = f" and {len(devices) - 1} more" if len(devices) > 1 else ""
    return f"{devices[0].description} at {devices[0].place}{more}"


def _means(
    wanted: DeviceMatch | str, device: SerialDevice, devices: Sequence[SerialDevice]
) -> bool:
    """Whether a port of the configuration is for `device`."""
    try:
        return find(wanted, devices) is device
    except DeviceError:
        return False
