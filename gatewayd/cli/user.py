"""`gatewayd user`: adds, lists and removes those who may log in."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from typing import Final

from gatewayd.config.door_kinds import user_name_problem
from gatewayd.errors import GatewayError
from gatewayd.login.dialogue import LONGEST_PASSWORD
from gatewayd.login.users import read_users, secret, write_users

HELP = "add, list or remove those who may log in"

FILE: Final = "/etc/gatewayd/users"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd user`."""
    parser.add_argument(
        "what", metavar="WHAT", choices=("add", "list", "remove"), help="add, list or remove"
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="the user's name")
    parser.add_argument(
        "--file", metavar="FILE", default=FILE, help="the file of users (default: %(default)s)"
    )
    parser.add_argument(
        "--password-stdin",
        action="store_true",
        help="read the password from standard input, its first line; else it is asked for twice",
    )


def main(args: argparse.Namespace) -> int:
    """Do it; 1 when there is no such user. Raises UsersError, or GatewayError for a password that
    will not do."""
    if (args.name is None) is not (args.what == "list"):
        wrong = "list takes no name" if args.name else f"whom? gatewayd user {args.what} NAME"
        raise GatewayError(wrong)
    if args.what == "add":
        return _add(args.file, args.name, from_stdin=args.password_stdin)
    users = read_users(args.file)
    if args.what == "list":
        print("".join(f"{name}\n" for name in users), end="")
        return 0
    if args.name not in users:
        print(f"{args.file}: there is no user {args.name}", file=sys.stderr)
        return 1
    del users[args.name]
    write_users(args.file, users)
    print(f"{args.name} removed; gatewayd reload puts it in force")
    return 0


def _add(path: str, name: str, *, from_stdin: bool) -> int:
    if problem := user_name_problem(name):
        raise GatewayError(problem)
    users = read_users(path) if os.path.exists(path) else {}
    known = name in users
    users[name] = secret(_password(name, from_stdin=from_stdin))
    write_users(path, users)
    print(
        f"{name} {'has another password' if known else 'added'}; gatewayd reload puts it in force"
    )
    return 0


def _password(name: str, *, from_stdin: bool) -> bytes:
    """Raises GatewayError for one that cannot be used."""
    if from_stdin:
        # As UTF-8 in any locale.
        password = sys.stdin.buffer.readline().decode("utf-8", "surrogateescape").rstrip("\r\n")
    elif not sys.stdin.isatty():
        raise GatewayError("a password is asked for on a terminal; or use --password-stdin")
    else:
        password = getpass.getpass(f"Password for {name}: ")
        if getpass.getpass("Once more: ") != password:
            raise GatewayError("these were two passwords")
    try:
        encoded = password.encode()
    except UnicodeEncodeError:
        raise GatewayError("the password is not UTF-8; write it in UTF-8") from None
    if not encoded:
        raise GatewayError("an empty password is none")
    if len(encoded) > LONGEST_PASSWORD:
        raise GatewayError(f"a password has at most {LONGEST_PASSWORD} bytes")
    if not password.isprintable():
        raise GatewayError("a password has no control characters: nobody could type them")
    return encoded
