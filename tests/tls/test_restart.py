"""A restart: TLS cannot go on in another process, and what is beside it does."""

from __future__ import annotations

import re
import shutil
import socket
from pathlib import Path

from tests.ports import free_ports
from tests.service.adapter import Adapter
from tests.service.manager import Manager
from tests.tls import far, pki
from tests.until import PATIENCE


def test_a_session_by_tls_is_told_its_end_and_a_plain_one_goes_on(tmp_path: Path) -> None:
    shutil.copy(pki.server().certificate, tmp_path / "gatewayd.crt")
    shutil.copy(pki.server().key, tmp_path / "gatewayd.key")
    by_tls, in_clear = free_ports(2)
    one, other = Adapter(tmp_path / "one"), Adapter(tmp_path / "other")
    config = tmp_path / "gatewayd.yaml"
    config.write_text(
        "version: 1\n"
        "control: none\n"
        "tls: {certificate: gatewayd.crt, key: gatewayd.key}\n"
        "ports:\n"
        f"  one: {{device: {one.path}, raw: {{listen: {by_tls}, tls: implicit}}}}\n"
        f"  other: {{device: {other.path}, raw: {in_clear}}}\n"
    )
    with Manager(tmp_path) as manager, one, other:
        manager.start("run", "-c", str(config))
        manager.wait_until(lambda: {"tty.one", "tty.other"} <= dict(manager.store).keys())
        plain = socket.create_connection(("127.0.0.1", by_tls), PATIENCE)
        with (
            socket.create_connection(("127.0.0.1", in_clear), PATIENCE) as survivor,
            far.context().wrap_socket(
                plain, server_hostname="localhost", suppress_ragged_eofs=False
            ) as client,
        ):
            survivor.sendall(b"before")
            assert other.read(6) == b"before"
            client.sendall(b"all of it")
            assert one.read(9) == b"all of it"
            one.write(b"and back")
            assert client.recv(8) == b"and back"
            log = manager.stop()
            # FIN alone would raise SSLEOFError.
            assert client.recv(100) == b""
            assert len(re.findall("by TLS cannot go on in another process", log)) == 1
            manager.start("run", "-c", str(config))
            survivor.sendall(b"after")
            assert other.read(5) == b"after"
        with far.context().wrap_socket(
            socket.create_connection(("127.0.0.1", by_tls), PATIENCE), server_hostname="localhost"
        ) as again:
            again.sendall(b"again")
            assert one.read(5) == b"again"
