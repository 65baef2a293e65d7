"""A daemon that is scraped, by clients good and bad."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.metrics.server import VISITS
from gatewayd.metrics.text import Form
from tests.metrics.told import parsed, value, values
from tests.ports import free_ports
from tests.service.adapter import Adapter
from tests.service.client import connect, receive
from tests.service.running import Running
from tests.until import PATIENCE


class Bench:
    """One port `psu1` on an adapter, with metrics."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.raw, self.metrics = free_ports(2)
        self.adapter = Adapter(directory / "ttyUSB0")

    @property
    def port(self) -> str:
        return f"  psu1: {{device: {self.adapter.path}, raw: {self.raw}}}\n"

    def serve(self) -> Running:
        return Running(self.directory, self.port, top=f"metrics: {self.metrics}\n")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    with bench.adapter:
        yield bench


def scrape(
    port: int, accept: str = "", method: str = "GET"
) -> tuple[http.client.HTTPResponse, str]:
    """An answer, and its text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, "/metrics", headers={"Accept": accept} if accept else {})
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()


def test_who_is_not_in_the_list_is_told_nothing(bench: Bench) -> None:
    top = f"metrics: {{listen: {bench.metrics}, allow: 127.0.0.2}}\n"
    with Running(bench.directory, bench.port, top=top) as daemon:
        daemon.wait_for(f"metrics on 127.0.0.1:{bench.metrics}")
        with pytest.raises((ConnectionError, http.client.BadStatusLine)):
            scrape(bench.metrics)
        daemon.wait_for("refused: its address is not in allow")
        source = ("127.0.0.2", 0)
        address = ("127.0.0.1", bench.metrics)
        with socket.create_connection(address, PATIENCE, source_address=source) as client:
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert receive(client, 12) == b"HTTP/1.1 200"


def test_what_passes_is_counted(bench: Bench) -> None:
    with bench.serve() as daemon:
        daemon.wait_for("psu1: .* open, ")
        daemon.wait_for(f"metrics on 127.0.0.1:{bench.metrics}, for this machine only")
        with connect(bench.raw) as client:
            client.sendall(b"*IDN?\n")
            bench.adapter.read(6)
            bench.adapter.write(b"GATEWAYD\n")
            receive(client, 9)
            for form in Form:
                answer, text = scrape(bench.metrics, form.value)
                assert answer.status == 200
                assert answer.headers["Content-Type"] == form.value
                for name, expected in {
                    "sent_bytes_total": 6,
                    "received_bytes_total": 9,
                    "sessions_total": 1,
                    "held": 1,
                }.items():
                    assert value(text, form, f"gatewayd_port_{name}", port="psu1") == expected
                assert value(text, form, "gatewayd_port_state", port="psu1", state="ready") == 1
        printed = daemon.command("metrics")
        assert printed.returncode == 0
        assert value(printed.stdout, Form.TEXT, "gatewayd_port_sent_bytes_total", port="psu1") == 6
        other = daemon.command("metrics", "--openmetrics").stdout
        assert "gatewayd_port_sent_bytes" in parsed(other, Form.OPENMETRICS)
        answer, text = scrape(bench.metrics, method="HEAD")
        assert (answer.status, text) == (200, "")
        assert scrape(bench.metrics, method="DELETE")[0].status == 405


def test_who_is_slow_or_says_too_much_is_closed(bench: Bench) -> None:
    with bench.serve() as daemon:
        daemon.wait_for("psu1: .* open, ")
        slow = [connect(bench.metrics) for _ in range(2)]
        for sock in slow:
            sock.sendall(b"GET /metrics HTTP/1.1\r\n")
        with connect(bench.metrics) as much:
            try:
                much.sendall(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * (1 << 20))
                answer = much.recv(4096)
            except OSError:
                # It was closed while we were still sending.
                answer = b""
        assert answer[:12] in (b"", b"HTTP/1.1 431")
        # The port and other scrapers are served meanwhile.
        with connect(bench.raw) as client:
            bench.adapter.write(b"x\n")
            receive(client, 2)
        assert scrape(bench.metrics)[0].status == 200
        for sock in slow:
            assert sock.recv(4096).startswith(b"HTTP/1.1 408 ")
            sock.close()


def test_one_more_ends_the_oldest(bench: Bench) -> None:
    with bench.serve():
        waiting = [connect(bench.metrics) for _ in range(VISITS)]
        assert scrape(bench.metrics)[0].status == 200
        # The first was closed without a word; or its time was over before.
        assert waiting[0].recv(12) in (b"", b"HTTP/1.1 408")
        for sock in waiting:
            sock.close()


def test_a_reload_begins_moves_and_ends_it(bench: Bench) -> None:
    (other,) = free_ports(1)
    with bench.serve() as daemon:
        # The port takes the address that the metrics give up.
        daemon.top = f"metrics: {other}\n"
        daemon.reload(bench.port.replace("raw: ", f"rfc2217: {bench.metrics}, raw: "))
        assert scrape(other)[0].status == 200
        # A file with faults changes nothing.
        daemon.top = f"metrics: {bench.raw}\n"
        daemon.write(bench.port)
        refused = daemon.command("reload")
        assert refused.returncode == 1
        assert "metrics: 127.0.0.1" in refused.stderr
        assert scrape(other)[0].status == 200
        daemon.top = ""
        daemon.reload(bench.port)
        with pytest.raises(ConnectionRefusedError):
            connect(other)


def test_an_address_that_is_in_use_is_waited_for(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", bench.metrics)) as other, bench.serve() as daemon:
        daemon.wait_for("no metrics: cannot listen on .*in use")
        daemon.wait_for("psu1: .* open, ")
        other.close()
        daemon.wait_for(f"metrics on 127.0.0.1:{bench.metrics}, ")
        assert scrape(bench.metrics)[0].status == 200


def test_what_is_not_configured_is_not_imported(tmp_path: Path) -> None:
    script = (
        "import sys; import gatewayd.service.daemon; "
        "sys.exit(any('metrics' in name or 'measuring' in name for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_counters_go_on_over_a_scrape_and_differ_by_what_passed(bench: Bench) -> None:
    with bench.serve() as daemon:
        daemon.wait_for("psu1: .* open, ")
        before = values(scrape(bench.metrics)[1], Form.TEXT)
        with connect(bench.raw) as client:
            bench.adapter.write(b"12345")
            receive(client, 5)
        daemon.wait_for("raw session from .* over")
        after = values(scrape(bench.metrics)[1], Form.TEXT)
        changed = {name[0] for name in after if after[name] != before.get(name)}
        assert changed == {
            *("gatewayd_port_received_bytes_total", "gatewayd_port_sessions_total"),
            "gatewayd_port_last_received_timestamp_seconds",
        }
        daemon.signal(signal.SIGTERM)
        daemon.wait()
