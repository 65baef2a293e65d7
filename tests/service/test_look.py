"""The two sockets of a running daemon: what may be called where."""

from __future__ import annotations

import array
import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

from gatewayd.control.client import call
from tests.ports import free_ports
from tests.service.running import Running
from tests.until import PATIENCE

NAME = "io.gatewayd.Gateway"


class Line:
    """A caller that writes messages and reads answers one by one."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self._rest = b""
        self.fds: list[int] = []

    def say(self, method: str, *, more: bool = False, **parameters: object) -> None:
        message = {"method": f"{NAME}.{method}", "parameters": parameters, "more": more}
        self.socket.sendall(json.dumps(message).encode() + b"\0")

    def hear(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            data, ancillary, *_ = self.socket.recvmsg(65536, socket.CMSG_SPACE(4))
            assert data
            for _, _, packed in ancillary:
                self.fds += array.array("i", packed)
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        heard: dict[str, Any] = json.loads(message)
        return heard

    def close(self) -> None:
        self.socket.close()


def test_looking_changes_nothing(tmp_path: Path) -> None:
    with Running(tmp_path, f"  psu1: {{device: /dev/none, raw: {free_ports(1)[0]}}}\n") as daemon:
        look = Path(f"{daemon.control}-look")
        assert stat.S_IMODE(look.stat().st_mode) == 0o660
        assert call(str(look), "Status")["ports"][0]["name"] == "psu1"
        caller = Line(look)
        for method in ("Kick", "Reload", "Attach"):
            caller.say(method, port="psu1")
            assert caller.hear()["error"] == "org.varlink.service.PermissionDenied"
        caller.say("Watch", port="psu1", more=True)
        assert caller.hear()["continues"] is True
        caller.close()
        caller = Line(daemon.control)
        caller.say("Attach", port="psu1", mode="raw")
        assert caller.hear() == {"parameters": {"fd": 0}}
        (fd,) = caller.fds
        with socket.socket(fileno=fd) as attached:
            attached.settimeout(PATIENCE)
            # There is no device: a plain client is refused without a word.
            assert attached.recv(1) == b""
        caller.close()
    assert not look.exists()
    assert not os.path.exists(daemon.control)
