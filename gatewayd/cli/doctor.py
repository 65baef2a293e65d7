"""`gatewayd doctor`: what is wrong around the gateway, each with the command that mends it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from gatewayd.config.load import load
from gatewayd.config.problem import ConfigError
from gatewayd.config.schema import Config
from gatewayd.device.match import find
from gatewayd.device.scan import SerialDevice, scan
from gatewayd.doctor import devices as device_checks
from gatewayd.doctor import ports, surroundings
from gatewayd.doctor.machine import Finding, Machine, account
from gatewayd.errors import DeviceError, GatewayError

HELP = "look for what keeps ports from working, and print the commands that mend it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd doctor`."""
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        default="/etc/gatewayd/gatewayd.yaml",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--user",
        metavar="NAME",
        help="whose access is judged (default: gatewayd, or the caller where there is none)",
    )
    parser.add_argument("--root", default="/", help=argparse.SUPPRESS)


def main(args: argparse.Namespace) -> int:
    """Print what was found. Returns 1 when something is wrong, 0 when there is only advice."""
    try:
        machine = Machine(account(args.user), Path(args.root))
    except KeyError:
        raise GatewayError(f"--user: there is no user {args.user}") from None
    present = scan(str(machine.sysfs), str(machine.dev))
    findings = list(examine(machine, Path(args.config), present))
    for finding in findings:
        print(f"{'wrong:  ' if finding.wrong else 'advice: '}{finding.text}")
        print(f"        {finding.remedy}")
    if os.getuid() != 0:
        print("note:   other users' programs are hidden from you; sudo gatewayd doctor sees them")
    wrong = sum(finding.wrong for finding in findings)
    print(f"serial devices: {len(present)}, wrong: {wrong}, advice: {len(findings) - wrong}")
    return 1 if wrong else 0


def examine(machine: Machine, path: Path, present: tuple[SerialDevice, ...]) -> Iterator[Finding]:
    """All findings. Only the devices of ports are judged, or where there is no port, all."""
    config = Config()
    if path.exists():
        yield from surroundings.unreadable(machine, path)
        try:
            config = load(str(path))
        except ConfigError as error:
            text = f"{path} has {len(error.problems)} problems"
            yield Finding(text, f"gatewayd check {path}   # names each with its line")
    else:
        yield Finding(f"there is no {path}", "gatewayd devices   # prints one to begin with", False)
    # A console that nobody asked for is as it should be.
    used = _used(config, present) or tuple(device for device in present if not device.console)
    yield from ports.devices(config, present)
    yield from ports.listeners(config)
    if config.tls:
        from gatewayd.doctor import keys

        yield from keys.findings(config.tls)
    if config.kerberos:
        from gatewayd.doctor import keys

        yield from keys.kerberos(config.kerberos)
    for device in used:
        yield from device_checks.access(machine, device)
        yield from device_checks.others(machine, device)
        yield from device_checks.latency(machine, device)
    yield from device_checks.identity(present)
    yield from surroundings.probers(machine, present)
    yield from surroundings.udev_rules(machine, present)
    yield from surroundings.modules()


def _used(config: Config, present: tuple[SerialDevice, ...]) -> tuple[SerialDevice, ...]:
    """The devices of the configuration's ports, also those that are not in sysfs."""
    used = []
    for port in config.ports:
        try:
            found = find(port.device, present)
        except DeviceError:
            continue
        used.append(SerialDevice(os.path.realpath(found)) if isinstance(found, str) else found)
    return tuple(used)
