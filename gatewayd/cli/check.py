"""`gatewayd check`: judges a configuration without starting anything."""

from __future__ import annotations

import argparse
import ipaddress

from gatewayd.cli import CONFIG_PATH
from gatewayd.config.load import load
from gatewayd.config.problem import ConfigError
from gatewayd.config.schema import PortConfig, RecordMode

HELP = "judge a configuration without starting anything"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `gatewayd check`."""
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default=CONFIG_PATH, help="default: %(default)s"
    )


def main(args: argparse.Namespace) -> int:
    """Print every problem, one a line, and return 1; or that there is none, and warnings, and
    return 0."""
    path: str = args.file
    try:
        config = load(path)
    except ConfigError as error:
        print(error)
        return 1
    warnings: list[str] = []
    if config.tls:
        from gatewayd.credentials import CredentialError
        from gatewayd.tls.identity import IdentityError
        from gatewayd.tls.identity import load as load_keys

        try:
            wrong = load_keys(config.tls).validity()
            warnings += [f"tls: {wrong}"] if wrong else []
        except CredentialError as error:
            warnings.append(f"tls: not looked at: {error}")
        except IdentityError as error:
            print(f"{path}: tls: {error}")
            return 1
    if config.users:
        from gatewayd.credentials import CredentialError, located
        from gatewayd.login.users import UsersError, read_users

        try:
            read_users(located(config.users))
        except CredentialError as error:
            warnings.append(f"users: not looked at: {error}")
        except UsersError as error:
            print(f"{path}: users: {error}")
            return 1
    if config.kerberos:
        from gatewayd.credentials import CredentialError, located
        from gatewayd.kerberos.tickets import TicketError, look_at

        try:
            look_at(located(config.kerberos.keytab))
        except CredentialError as error:
            warnings.append(f"kerberos: not looked at: {error}")
        except TicketError as error:
            print(f"{path}: kerberos: {error}")
            return 1
    addresses = sum(len(port.listeners) for port in config.ports)
    ports = _count(len(config.ports), "port")
    print(f"{path}: no problems; {ports} at {_count(addresses, 'address')}")
    for warning in warnings:
        print(f"{path}: warning: {warning}")
    for port in config.ports:
        if port.takeover:
            print(f"{path}: hint: ports.{port.name}.takeover: true is now written busy: takeover")
        if port.record is RecordMode.BOTH and _is_exposed(port):
            print(
                f"{path}: warning: ports.{port.name}.record: both, and other machines can reach "
                "the port: what they type is recorded, passwords too; with output it is not"
            )
    return 0


def _is_exposed(port: PortConfig) -> bool:
    hosts = (ipaddress.ip_address(address.host) for _, address in port.listeners)
    return not all(host.is_loopback for host in hosts)


def _count(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
