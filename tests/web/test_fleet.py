"""The page of all gateways as a program asks it, where nobody can be asked for others."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.web.access import cookie_name, ticket
from gatewayd.web.token import new_token
from tests.cli.program import ROOT, Program
from tests.web.rig import Rig
from tests.web.websocket import Talk

LIST = ("/fleet", "/page.css", "/fleet.js", "/shared.js", "/icon.svg")
"""All that a browser loads."""


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """A page on a machine without a system bus: its port, and the Origin of the page itself."""
    options = ("--control", str(tmp_path / "control"), "--token", str(tmp_path / "token"))
    none = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={tmp_path}/none"}
    with Program("web", "--listen", "127.0.0.1:0", *options, environment=none) as program:
        port = int(program.wait_for(r"the page is at http://127\.0\.0\.1:(\d+)/")[1])
        yield port, {"Origin": f"http://127.0.0.1:{port}"}


def test_it_is_small_and_has_no_script_in_it(page: Rig) -> None:
    answers = [page.ask("GET", path) for path in LIST]
    assert [answer.status for answer in answers] == [200] * len(LIST)
    assert sum(len(answer.body) for answer in answers) < 25000
    text = answers[0].body.decode()
    assert not re.search(r"<script(?![^>]*src=)| on\w+=|style=|javascript:", text)
    assert text.count("stylesheet") == 1
    policy = answers[0].headers["Content-Security-Policy"]
    assert policy == page.ask("GET", "/").headers["Content-Security-Policy"]


def test_who_cannot_look_around_is_told_why(alone: tuple[int, dict[str, str]]) -> None:
    port, origin = alone
    for _ in range(2):  # the one who comes back as well
        with Talk(port, "/fleet/live", origin) as talk:
            told = talk.hear()
            assert told is not None
            assert told["why"].startswith("no system bus to ask Avahi over: ")
            assert (told["names"], told["machines"], told["searching"]) == ([], [], False)


def test_all_who_look_are_told(alone: tuple[int, dict[str, str]]) -> None:
    port, origin = alone
    with Talk(port, "/fleet/live", origin) as one, Talk(port, "/fleet/live", origin) as two:
        assert one.hear_of("why") == two.hear_of("why") != ""
    with Talk(port, "/live", origin) as other:
        assert other.hear_of("why") == "gatewayd does not answer"


def test_who_has_not_signed_in_is_told_nothing(tmp_path: Path) -> None:
    secret = new_token(tmp_path / "token")
    options = ("--control", str(tmp_path / "control"), "--token", str(tmp_path / "token"))
    none = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={tmp_path}/none"}
    listen = ("--listen", "127.0.0.1:0", "--name", "pi")
    with Program("web", *listen, *options, environment=none) as program:
        port = int(program.wait_for(r"the page is at http://127\.0\.0\.1:(\d+)/")[1])
        # By its name: a proxy may be behind, which serves anybody.
        by_name = {"Host": f"pi:{port}", "Origin": f"http://pi:{port}"}
        assert Talk.status_of(port, "/fleet/live", by_name) == 403
        program.wait_for("refused: sign in first")
        cookie = {"Cookie": f"{cookie_name(by_name['Host'])}={ticket(secret, time.time())}"}
        with Talk(port, "/fleet/live", {**by_name, **cookie}) as talk:
            assert talk.hear_of("why")


_IMPORTED = """
import sys
import gatewayd.web.server
import gatewayd.web.site
loaded = {name for name in sys.modules if name.startswith(("gatewayd.fleet", "jeepney"))}
assert not loaded, loaded
if sys.argv[1:]:
    sys.modules["jeepney"] = None
import asyncio
from gatewayd.web.horizon import Horizon

async def look():
    horizon = Horizon()
    viewer = horizon.join()
    print((await viewer.next())["why"])
    horizon.leave(viewer)

asyncio.run(look())
"""


def test_nothing_of_it_is_loaded_before_and_jeepney_may_be_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTED, "without"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("jeepney is not installed on this machine")
