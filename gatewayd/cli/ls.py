"""`gatewayd ls`: the gateways and ports on the network, those of ser2net too."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from gatewayd.errors import GatewayError

if TYPE_CHECKING:
    from gatewayd.fleet.listing import Fleet

HELP = "list the gateways and ports on the network"


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
    fleet = found()
    complete = not args.who or _ask_who(fleet)
    if args.prometheus:
        print(json.dumps(fleet.targets(), indent=2))
    elif args.json:
        print(json.dumps(fleet.as_json(), indent=2))
    else:
        from gatewayd.fleet.listing import table

        print("\n".join(table(fleet.ports)))
    return 0 if complete else 1


def found() -> Fleet:
    """What is on the network. Raises GatewayError."""
    try:
        from gatewayd.fleet.browse import browse
    except ImportError as error:
        raise GatewayError(f"this needs jeepney ({error}): apt install python3-jeepney") from None
    from gatewayd.fleet.listing import KINDS, fleet

    return fleet(browse(KINDS))


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
    from gatewayd.fleet.listing import clean

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
