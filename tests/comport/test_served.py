"""The table through a running gatewayd: over TCP, on a PTY."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gatewayd import __version__
from gatewayd.comport.wire import ANSWER, Command, Request, encode_signature
from tests.comport.client import begin, play
from tests.comport.table import SIGNATURE, TABLE, Row, named
from tests.interop.gateway import Gateway
from tests.interop.instrument import bare_line


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, int]]:
    """Where a gatewayd serves a PTY."""
    with bare_line() as (device, _):
        arguments = ["serve", "--device", str(device), "--line", "9600 8N1"]
        with Gateway(*arguments, "--rfc2217", "127.0.0.1:0", faces=1) as gateway:
            yield "127.0.0.1", gateway.port("rfc2217")


SUSPEND = Request(Command.FLOWCONTROL_SUSPEND)
RESUME = Request(Command.FLOWCONTROL_RESUME)
ANSWERED = [row for row in TABLE if row.request != SUSPEND]
"""Behind a SUSPEND the answer that ends a row's answers would not come."""


@pytest.mark.parametrize("row", named(ANSWERED))
def test_row_of_a_served_pty(served: tuple[str, int], row: Row) -> None:
    answers = play(served, row)
    if row.answers == (encode_signature(SIGNATURE.encode()),):
        (signature,) = answers
        assert signature.startswith(encode_signature(f"gatewayd {__version__} ".encode()))
    else:
        assert answers == list(row.answers)


def test_what_is_asked_while_suspended_is_answered_after_the_resume(
    served: tuple[str, int],
) -> None:
    client = begin(served)
    try:
        query = Request(Command.SET_PARITY)
        (answer,) = client.perform(SUSPEND, query, RESUME)
    finally:
        client.close()
    assert answer == bytes((Command.SET_PARITY + ANSWER, 1))
