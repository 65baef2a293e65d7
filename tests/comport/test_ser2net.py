"""What the table says of ser2net, asked of ser2net: the same requests, on a PTY."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.comport.client import play
from tests.comport.table import TABLE, Row, named

pytestmark = pytest.mark.interop

FETCHED = Path(__file__).parents[2] / ".venv/fetched/ser2net/usr/sbin"
MEASURED = "4.3.11"


@pytest.fixture(scope="module")
def ser2net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Debian's ser2net with an RFC 2217 port on a PTY: the address of the port."""
    program = shutil.which("ser2net", path=f"{FETCHED}:/usr/sbin")
    if program is None:
        pytest.skip("ser2net is not there; ./dev test fetches it")
    version = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stdout
    if MEASURED not in version:
        pytest.skip(f"the table is of ser2net {MEASURED}, this is {version.strip()}")
    master, slave = os.openpty()
    tty.setraw(slave)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address: tuple[str, int] = probe.getsockname()
    config = tmp_path_factory.mktemp("ser2net") / "ser2net.yaml"
    config.write_text(
        "connection: &one\n"
        f"  accepter: telnet(rfc2217),tcp,127.0.0.1,{address[1]}\n"
        f"  connector: serialdev(nouucplock=true),{os.ttyname(slave)},9600n81,local\n"
    )
    process = subprocess.Popen(
        [program, "-n", "-d", "-u", "-c", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield address
    finally:
        process.terminate()
        process.wait()
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize("row", named(TABLE))
def test_ser2net_answers_as_the_table_says(ser2net: tuple[str, int], row: Row) -> None:
    expected = list(row.answers if row.ser2net is None else row.ser2net)
    assert play(ser2net, row) == expected
