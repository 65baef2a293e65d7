"""`gatewayd ls`: the gateways and ports on the network, those of ser2net too."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from typing import Any, Final

from gatewayd.errors import GatewayError
from gatewayd.fleet.listing import GATEWAYS, KINDS, Fleet, clean, fleet, table

HELP = "list the gateways and ports on the network"
MOST_NAMED: Final = 5
"""How many that gave no answer are named."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd ls`."""
    add = parser.add_argument
    add("--who", action="store_true", help="ask each gateway over ssh who has its ports")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print it as JSON")
    form.add_argument(
        "--prometheus", action="store_true", help="print where the metrics are, for file_sd_configs"
    )


def main(args: argparse.Namespace) -> int:
    """Print them; 1 when a gateway that was asked gave no answer. Raises GatewayError."""
    # Of what is not shown nothing is looked up: a link may have more than a thousand ports.
    fleet = found(GATEWAYS if args.prometheus else KINDS)
    complete = not args.who or _ask_who(fleet)
    if args.prometheus:
        print(json.dumps(fleet.targets(), indent=2))
    elif args.json:
        print(json.dumps(fleet.as_json(), indent=2))
    else:
        print("\n".join(table(fleet.ports)))
    return 0 if complete else 1


def found(kinds: Iterable[str]) -> Fleet:
    """What of `kinds` is on the network; what has no address is named on standard error.

    Raises GatewayError.
    """
    try:
        from gatewayd.fleet.browse import browse
    except ImportError as error:
        raise GatewayError(f"this needs jeepney ({error}): apt install python3-jeepney") from None
    seen = browse(kinds)
    if seen.silent:
        names = ", ".join(clean(name) for name in seen.silent[:MOST_NAMED])
        more = len(seen.silent) - MOST_NAMED
        rest = f" and {more} more" if more > 0 else ""
        print(f"told of, but gives no address now: {names}{rest}", file=sys.stderr)
    return fleet(seen.found)


def everybody(fleet: Fleet) -> tuple[dict[str, list[dict[str, Any]]], bool]:
    """By gateway, what `gatewayd who --json` prints there, and whether all answered; those that did
    not are named on standard error. Raises GatewayError."""
    from gatewayd.fleet.remote import ask

    answers: dict[str, list[dict[str, Any]]] = {}
    for answer in ask(fleet.gateways, "who", "--json"):
        trouble = answer.trouble
        if not trouble:
            try:
                answers[answer.host] = json.loads(answer.text)
            except ValueError:
                trouble = "what it says is no JSON"
        if trouble:
            print(f"{answer.host}: {trouble}", file=sys.stderr)
    return answers, len(answers) == len(fleet.gateways)


def _ask_who(fleet: Fleet) -> bool:
    answers, complete = everybody(fleet)
    for port in fleet.ports:
        for told in answers.get(port.gateway, ()):
            if told["name"] == port.name:
                port.who = clean(_holder(told))
                free = "free" if told["state"] == "ready" else told["state"]
                port.state = "in use" if told["session"] else free
    return complete


def _holder(told: dict[str, Any]) -> str:
    session, lease = told["session"], told["lease"]
    if session is not None:
        return " ".join(part for part in (session["name"], session["peer"]) if part)
    return f"kept for {lease['holder']}" if lease is not None else ""
