"""The table as docs/rfc2217.md prints it.

After a change of the table: `python -m tests.comport.published docs/rfc2217.md`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from gatewayd.comport.wire import ANSWER, Command, Request
from tests.comport.table import TABLE, Answers, Row


def _spelled(command: Command) -> str:
    return command.name.replace("_", "-")


def _value(request: Request) -> str:
    if request.command is Command.SIGNATURE:
        return f"“{request.text.decode()}”" if request.text else "no text"
    if request.command in (Command.NOTIFY_LINESTATE, Command.NOTIFY_MODEMSTATE):
        return "any or none"
    if request.command in (Command.FLOWCONTROL_SUSPEND, Command.FLOWCONTROL_RESUME):
        return "none"
    return str(request.value)


def _answer(payload: bytes, asked: Command) -> str:
    command = Command(payload[0] - ANSWER)
    if command is Command.SIGNATURE:
        return f"“{payload[1:].decode()}”"
    value = str(int.from_bytes(payload[1:], "big"))
    return value if command is asked else f"{_spelled(command)} {value}"


def _answers(payloads: Answers, asked: Command) -> str:
    return ", then ".join(_answer(payload, asked) for payload in payloads) or "no answer"


def _ser2net(row: Row) -> str:
    theirs = row.answers if row.ser2net is None else row.ser2net
    same = theirs == row.answers
    said = "the same" if same else _answers(theirs, row.request.command)
    return f"{said}, {row.ser2net_remark}" if row.ser2net_remark else said


def render(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| value | meaning | gatewayd answers | the line | ser2net 4.3.11 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        effect = row.effect or row.remark or "stays"
        answers = _answers(row.answers, row.request.command)
        cells = (_value(row.request), row.meaning, answers, effect, _ser2net(row))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def fill_in(document: str) -> str:
    """The document with every `<!-- table: COMMAND -->` ... `<!-- end -->` made from TABLE.

    Raises KeyError for a command that does not exist.
    """

    def table(found: re.Match[str]) -> str:
        command = Command[found[1].replace("-", "_")]
        rows = [row for row in TABLE if row.request.command is command]
        return f"<!-- table: {found[1]} -->\n{render(rows)}\n<!-- end -->"

    return re.sub(r"<!-- table: ([A-Z-]+) -->\n.*?<!-- end -->", table, document, flags=re.DOTALL)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(fill_in(Path(name).read_text(encoding="utf-8")), encoding="utf-8")
