"""A restart of the daemon under systemd: who types goes on, and who watches sees what was said."""

from __future__ import annotations

import base64
from pathlib import Path

from gatewayd.web.token import new_token
from tests.cli.program import Program
from tests.ports import free_ports
from tests.service.adapter import Adapter
from tests.service.manager import Manager
from tests.web.rig import signed_in
from tests.web.websocket import Talk


def text(watched: dict[str, str]) -> bytes:
    """What the device said in an answer."""
    return base64.b64decode(watched.get("from_line", ""))


def test_who_types_goes_on(tmp_path: Path) -> None:
    control, token, (raw,) = tmp_path / "control", tmp_path / "token", free_ports(1)
    config = tmp_path / "gatewayd.yaml"
    with Adapter(tmp_path / "tty") as adapter, Manager(tmp_path) as manager:
        port = f"{{device: {adapter.path}, raw: {raw}, replay: 1KiB}}"
        config.write_text(f"version: 1\ncontrol: {control}\nports: {{psu1: {port}}}\n")
        manager.start("run", "-c", str(config))
        manager.wait_until(lambda: "tty.psu1" in dict(manager.store))
        secret = new_token(token)
        options = ("--control", str(control), "--token", str(token))
        with Program("web", "--listen", "127.0.0.1:0", *options) as page:
            number = int(page.wait_for(r"page is at http://127\.0\.0\.1:(\d+)/")[1])
            headers = {"Origin": f"http://127.0.0.1:{number}", **signed_in(number, secret)}
            with Talk(number, "/port/psu1", headers) as talk:
                talk.hear_of("watch")
                talk.say(do="take")
                while talk.hear_of("hold") != "yours":
                    pass
                adapter.write(b"before\r\n")
                while text(talk.hear_of("watch")) != b"before\r\n":
                    pass
                manager.stop()
                assert talk.hear_of("away")
                manager.start("run", "-c", str(config))
                begun = talk.hear_of("watch")
                # The count goes on, so the page can tell that it missed nothing.
                assert begun["received"] == 8
                talk.say(do="type", data=base64.b64encode(b"still here\r").decode())
                assert adapter.read(11) == b"still here\r"
                adapter.write(b"after\r\n")
                while text(talk.hear_of("watch")) != b"after\r\n":
                    pass
        manager.stop()
