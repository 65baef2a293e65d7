"""Stacks of streams, taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.ser2net.gensio import Layer, Stack, parse, parse_accepter, split

TCP = Layer("tcp")


@pytest.mark.parametrize(
    ("text", "stack"),
    [
        ("tcp,2000", Stack((), TCP, ("2000",))),
        ("tcp,localhost,2000", Stack((), TCP, ("localhost", "2000"))),
        (
            "telnet(rfc2217),tcp(readbuf=100),2000",
            Stack((Layer("telnet", ("rfc2217",)),), Layer("tcp", ("readbuf=100",)), ("2000",)),
        ),
        (
            "telnet(rfc2217=true,mode=server),mux,certauth(),ssl,tcp,1",
            Stack(
                (
                    Layer("telnet", ("rfc2217=true", "mode=server")),
                    Layer("mux"),
                    Layer("certauth"),
                    Layer("ssl"),
                ),
                TCP,
                ("1",),
            ),
        ),
        (
            "serialdev, /dev/ttyS0, 9600n81,local",
            Stack((), Layer("serialdev"), ("/dev/ttyS0", "9600n81", "local")),
        ),
        ('serialdev,"/dev/a,b",1200', Stack((), Layer("serialdev"), ("/dev/a,b", "1200"))),
        (
            'sctp(laddr="localhost,4001"),::1,3023',
            Stack((), Layer("sctp", ("laddr=localhost,4001",)), ("::1", "3023")),
        ),
    ],
)
def test_stacks(text: str, stack: Stack) -> None:
    assert parse(text) == stack


@pytest.mark.parametrize(
    ("text", "bottom", "words"),
    [
        ("2000", "tcp", "2000"),
        ("tcp,2000", "tcp", "2000"),
        ("tcp(readbuf=9),::1,2000", "tcp", "::1,2000"),
        ("localhost,2000", "tcp", "localhost,2000"),
        ("127.0.0.1,2000", "tcp", "127.0.0.1,2000"),
        ("ipv4,2000", "tcp", "ipv4,2000"),
        ("ipv4,tcp,2000", "tcp", "ipv4,2000"),
        ("tcp,ipv4,2000", "tcp", "ipv4,2000"),
        ("ipv6,tcp,localhost,2000", "tcp", "ipv6,localhost,2000"),
        ("tcp,*,2000", "tcp", "*,2000"),
        ("udp,2000", "udp", "2000"),
        ("ipv4,udp,2000", "udp", "ipv4,2000"),
        ("unix,/tmp/x", "unix", "/tmp/x"),
        ("", "tcp", ""),
    ],
)
def test_where_clients_come_in(text: str, bottom: str, words: str) -> None:
    for filters in ("", "telnet(rfc2217),"):
        found = parse_accepter(filters + text)
        assert (found.bottom.name, ",".join(found.words)) == (bottom, words)
        assert [layer.name for layer in found.filters] == (["telnet"] if filters else [])


@pytest.mark.parametrize("text", ["", "telnet", "telnet(rfc2217,tcp,2000", "tcp,'x", ",2000"])
def test_what_is_no_stack_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"names no stream|not closed|no name"):
        parse(text)


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        stack = parse(text)
    except ValueError:
        return
    assert stack.bottom.name


@given(st.lists(st.text("ab/:=.", min_size=1), min_size=1))
def test_words_come_back_as_they_were_joined(words: list[str]) -> None:
    assert split(",".join(words), ",") == words
