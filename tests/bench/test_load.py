"""The load generator counts what passes, and notices whatever a gateway does wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import toolchain
from bench.rig import Rig
from bench.subjects import Line, Subject, gatewayd, relay, ser2net, stunnel
from bench.toolchain import SER2NET, BenchError, Tools, can_tls

FAULTY = Path(__file__).with_name("faulty_gateway.py")


def faulty(fault: str) -> Subject:
    """A gateway that does something wrong."""

    def command(lines: Sequence[Line], directory: Path) -> list[str]:
        (line,) = lines
        return [sys.executable, str(FAULTY), fault, line.device, str(line.tcp_port)]

    return Subject("faulty", "faulty", False, command)


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("change", "wrong bytes to the client"),
        ("drop", "wrong bytes to the client"),
        ("double", "wrong bytes to the client|nobody sent"),
        ("close", "closed the connection"),
    ],
)
def test_a_fault_ends_the_work(tools: Tools, fault: str, complaint: str) -> None:
    with Rig(faulty(fault), tools, 1) as rig:
        rig.connect()
        with pytest.raises(BenchError, match=complaint):
            rig.do("bulk up random 100000")


@pytest.mark.parametrize("content", ["text", "random", "ff"])
@pytest.mark.parametrize(("way", "times"), [("up", 1), ("down", 1), ("both", 2)])
def test_all_bytes_are_counted(tools: Tools, way: str, times: int, content: str) -> None:
    with Rig(relay(tools), tools, 1) as rig:
        rig.connect()
        assert rig.do(f"bulk {way} {content} 300000")["bytes"] == times * 300000


@pytest.mark.parametrize("content", ["text", "random", "ff"])
def test_telnet_is_spoken_both_ways(tools: Tools, content: str) -> None:
    with Rig(gatewayd(sys.executable), tools, 2) as rig:
        rig.connect()
        assert rig.do(f"bulk both {content} 300000")["bytes"] == 600000


BY_TLS = {
    "tls": lambda tools: gatewayd(sys.executable, tls=True),
    "ssl": lambda tools: ser2net(tuned=True, tls=True),
    "stunnel": stunnel,
}


@pytest.mark.parametrize("name", BY_TLS)
def test_clients_come_by_tls(tools: Tools, name: str) -> None:
    if not can_tls() or (name == "ssl" and not os.access(SER2NET, os.X_OK)):
        pytest.skip("the rows by TLS need libssl-dev, openssl, stunnel4 and ser2net")
    with Rig(BY_TLS[name](tools), tools, 1) as rig:
        rig.connect()
        for way, times in (("up", 1), ("down", 1), ("both", 2)):
            assert rig.do(f"bulk {way} random 300000")["bytes"] == times * 300000
        assert rig.do("rtt 1 20 5")["rounds"] == 20
        assert rig.pss_kib() > 0
        rig.do("disconnect")
        assert rig.do(f"handshakes {rig.lines[0].tcp_port} 0.2")["rounds"] > 0


def test_without_openssl_the_load_generator_is_built_all_the_same(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "TLS_HEADER", "/nowhere/ssl.h")
    without = toolchain.build()
    assert not without.tls
    with Rig(relay(without), without, 1) as rig:
        rig.connect()
        assert rig.do("bulk up text 100000")["bytes"] == 100000


@pytest.mark.parametrize("how", ["", " uneven"])
def test_pieces_come_at_the_pace_of_the_baud_rate(tools: Tools, how: str) -> None:
    with Rig(relay(tools), tools, 3) as rig:
        rig.connect()
        measured = rig.do(f"paced 115 115200 both 0.2{how}")
    per_flow = measured["bytes"] / 6
    # 11520 bytes/s, and what was under way before the clock started; a piece has up to 172.
    assert measured["wall_s"] >= 0.2
    assert 11520 * 0.2 - 172 <= per_flow <= 11520 * measured["wall_s"] + 2 * 172
    assert measured["rounds"] == pytest.approx(6 * 20, rel=0.2)
    assert measured["late_p99_us"] > 0
    assert measured["lost"] == 0
    assert 0 < measured["p50_us"] <= measured["p99_us"] <= measured["max_us"]


def test_a_gateway_that_ends_is_reported_with_its_words(tools: Tools) -> None:
    def command(lines: Sequence[Line], directory: Path) -> list[str]:
        return [sys.executable, "-c", "raise SystemExit('no such luck')"]

    with (
        pytest.raises(BenchError, match="no such luck"),
        Rig(Subject("broken", "broken", False, command), tools, 1),
    ):
        pass
