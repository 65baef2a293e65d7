"""The page as a program asks it: what is refused, what a token is for, what each answer has."""

from __future__ import annotations

import base64
import contextlib
import gzip
import re
import socket
from contextlib import closing
from time import monotonic

import pytest

from gatewayd.comport.wire import Command
from gatewayd.web.site import TERMINALS
from gatewayd.web.token import new_token
from tests.service.client import Client, connect
from tests.until import PATIENCE
from tests.web.rig import Rig
from tests.web.websocket import Talk

LIST = ("/page.html", "/page.css", "/page.js", "/shared.js", "/icon.svg")
"""All that a browser loads before it shows a terminal."""


def own(page: Rig) -> dict[str, str]:
    """The Origin of the page itself."""
    return {"Origin": page.url.rstrip("/")}


@pytest.mark.parametrize("path", ["/live", "/fleet/live", "/port/psu1"])
def test_another_page_opens_no_websocket(page: Rig, path: str) -> None:
    for origin in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {}):
        with Talk(page.port, path, origin) as talk:
            assert talk.status == 403
    with Talk(page.port, path, own(page)) as talk:
        assert talk.status == 101


def test_a_foreign_host_is_refused_everything(page: Rig) -> None:
    host = f"evil.example:{page.port}"
    assert page.ask("GET", "/", headers={"Host": host}).status == 403
    assert page.ask("GET", "/rights", headers={"Host": host}).status == 403
    foreign = {"Host": host, "Origin": f"http://{host}"}
    assert page.ask("POST", "/sign-in", {"token": page.token}, headers=foreign).status == 403
    with Talk(page.port, "/live", foreign) as talk:
        assert talk.status == 403


def test_another_page_changes_nothing(page: Rig) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        foreign = {"Origin": "http://evil.example"}
        assert page.ask(method, "/sign-in", {"token": page.token}, foreign).status == 403
    assert page.ask("DELETE", "/").status == 405


def test_a_wrong_token_waits_and_is_not_logged(page: Rig) -> None:
    before = monotonic()
    wrong = page.token[:-1] + "!"
    answer = page.ask("POST", "/sign-in", {"token": wrong})
    assert monotonic() - before >= 1.0
    assert (answer.status, answer.headers["Set-Cookie"]) == (403, None)
    page.page.wait_for("a wrong token")
    assert wrong not in page.page.text


def test_a_token_becomes_a_cookie_that_scripts_and_others_do_not_get(page: Rig) -> None:
    answer = page.ask("POST", "/sign-in", {"token": page.token})
    cookie = str(answer.headers["Set-Cookie"])
    assert answer.status == 200
    assert page.token not in cookie
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert page.token not in page.page.text
    rights = page.ask("GET", "/rights", headers={"Cookie": cookie.partition(";")[0]}).body
    assert b'"signed_in": true' in rights
    assert b'"signed_in": false' in page.ask("GET", "/rights").body


@pytest.mark.parametrize("body", [None, {}, {"token": 1}, {"token": ""}, {"token": "\ud800"}])
def test_no_token_is_a_wrong_one(page: Rig, body: dict[str, object] | None) -> None:
    assert page.ask("POST", "/sign-in", body).status == 403


def test_every_answer_forbids_what_a_page_of_ours_does_not_do(page: Rig) -> None:
    for path in ("/", "/rights", "/nothing"):
        headers = page.ask("GET", path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_the_page_is_small_and_has_no_script_in_it(page: Rig) -> None:
    sizes = [len(page.ask("GET", path).body) for path in LIST]
    assert sum(sizes) < 30000
    text = page.ask("GET", "/").body.decode()
    assert not re.search(r"<script(?![^>]*src=)| on\w+=|style=|javascript:", text)
    assert text.count("stylesheet") == 1


def test_files_are_packed_and_asked_for_again(page: Rig) -> None:
    plain = page.ask("GET", "/page.js").body
    packed = page.ask("GET", "/page.js", headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain
    again = page.ask("GET", "/page.js", headers={"If-None-Match": packed.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert page.ask("HEAD", "/page.js").body == b""


@pytest.mark.parametrize(
    "path", ["/../site.py", "/static/page.js", "/page", "/xterm/", "//", "/%00"]
)
def test_nothing_else_is_served(page: Rig, path: str) -> None:
    assert page.ask("GET", path).status == 404


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"hello\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n", b"431"),
        (b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999\r\n\r\n", b""),
        (b"\x16\x03\x01\xff\r\n\r\n", b"400"),
    ],
)
def test_what_is_no_request_costs_its_own_connection(page: Rig, sent: bytes, status: bytes) -> None:
    with closing(socket.create_connection(("127.0.0.1", page.port), PATIENCE)) as sock:
        sock.sendall(sent)
        if status:
            with sock.makefile("rb") as answer:
                assert answer.readline().split()[1] == status
                assert answer.read()
    assert page.ask("GET", "/").status == 200


def test_a_body_that_is_too_long_is_not_read(page: Rig) -> None:
    with closing(socket.create_connection(("127.0.0.1", page.port), PATIENCE)) as sock:
        sock.sendall(b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n")
        sock.sendall(b"x" * 5000)
        with sock.makefile("rb") as answer:
            assert b" 413 " in answer.readline()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"do": "take"}' * 2, "[" * 60000, "x" * 70000])
def test_a_message_that_is_none_costs_its_own_websocket(page: Rig, text: str) -> None:
    with Talk(page.port, "/port/psu1", own(page)) as talk:
        talk.say_text(text)
        while talk.hear() is not None:
            pass
    assert page.ask("GET", "/").status == 200


@pytest.mark.parametrize(
    "message",
    [{"do": "type"}, {"do": "type", "data": "%"}, {"do": "line", "baudrate": "x"}, {"do": 1}, {}],
)
def test_a_message_that_asks_for_nothing_does_nothing(
    page: Rig, message: dict[str, object]
) -> None:
    headers = {**own(page), "Cookie": page.cookie()}
    with Talk(page.port, "/port/psu1", headers) as talk:
        talk.say(do="take")
        while talk.hear_of("hold") != "yours":
            pass
        talk.say(**message)
        talk.say(do="leave")
        assert talk.hear_of("hold") == "none"
    page.until_free()


def test_who_has_no_token_looks_and_does_not_type(page: Rig) -> None:
    with Talk(page.port, "/port/psu1", own(page)) as talk:
        assert "received" in talk.hear_of("watch")
        talk.say(do="take", name="mallory", over=True)
        assert talk.hear_of("hold") == "none"
        talk.say(do="type", data=base64.b64encode(b"no").decode())
        talk.say(do="break")
        with socket.create_connection(("127.0.0.1", page.raw), PATIENCE) as typing:
            typing.sendall(b"psst\n")
            assert page.device.read(5) == b"psst\n"
            page.device.write(b"heard\n")
            while not (watched := talk.hear_of("watch")).get("from_line"):
                # What others type is not for everybody.
                assert "to_line" not in watched
    page.until_free()


def test_what_was_typed_reaches_the_device_and_those_who_signed_in(page: Rig) -> None:
    headers = {**own(page), "Cookie": page.cookie()}
    with Talk(page.port, "/port/psu1", headers) as typing:
        typing.say(do="take", name="\x1b\ud800alice\n")
        assert typing.hear_of("hold") == "asking"
        assert typing.hear_of("hold") == "yours"
        assert page.daemon.status("psu1")["session"]["peer"].startswith("alice through ")
        typing.say(do="type", data=base64.b64encode(b"\xff\x00\r").decode())
        assert page.device.read(3) == b"\xff\x00\r"
        while not (typed := typing.hear_of("watch").get("to_line")):
            pass
        assert base64.b64decode(typed)[:1] == b"\xff"
        line = {"bytesize": 8, "parity": "N", "stopbits": "2", "flow": "none"}
        typing.say(do="line", baudrate=19200, **line)
        page.until("psu1", lambda port: port["line"] == "19200 8N2")
        with Talk(page.port, "/port/psu1", headers) as second:
            second.say(do="take", name="bob")
            assert second.hear_of("hold") == "asking"
            # The port has it wait; it does not want to.
            second.say(do="leave")
            assert second.hear_of("hold") == "none"
            second.say(do="take", name="bob", over=True)
            while (answer := typing.hear()) is not None and "hold" not in answer:
                pass
            assert answer is not None
            assert answer["why"].startswith("taken over by bob through ")
    page.until_free()


def test_a_port_that_has_a_second_client_watch_is_not_taken(page: Rig) -> None:
    headers = {**own(page), "Cookie": page.cookie()}
    with Client(page.other) as client, Talk(page.port, "/port/dut-a", headers) as talk:
        client.ask(Command.SET_BAUDRATE)
        talk.say(do="take", name="bob")
        assert talk.hear_of("hold") == "asking"
        while (answer := talk.hear()) is not None and "hold" not in answer:
            pass
        assert answer is not None
        assert answer["why"].startswith("in use by 127.0.0.1:")
    page.until_free("dut-a")


def test_who_waits_gets_the_port_when_it_is_free(page: Rig) -> None:
    headers = {**own(page), "Cookie": page.cookie()}
    with Talk(page.port, "/port/psu1", headers) as talk:
        with connect(page.raw):
            page.until("psu1", lambda port: port["session"])
            talk.say(do="take")
            assert talk.hear_of("hold") == "asking"
        assert talk.hear_of("hold") == "yours"
    page.until_free()


def test_a_new_token_ends_all_tickets(page: Rig) -> None:
    cookie = page.cookie()
    new_token(page.token_file)
    rights = page.ask("GET", "/rights", headers={"Cookie": cookie}).body
    assert b'"signed_in": false' in rights


def test_records_are_for_those_who_signed_in(page: Rig) -> None:
    assert page.ask("GET", "/record/psu1").status == 403
    cookie = {"Cookie": page.cookie()}
    page.device.write(b"for the record\r\n")
    page.until_recorded("psu1", "< for the record")
    (log,) = (page.records / "psu1").glob("*.log")
    assert log.name in page.ask("GET", "/record/psu1", headers=cookie).body.decode()
    answer = page.ask("GET", f"/record/psu1/{log.name}", headers=cookie)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="psu1-{log.name}"'
    assert b"< for the record" in answer.body
    for path in (
        "psu1/../../token",
        "psu1/..%2f..%2ftoken",
        "none",
        "dut-a",
        "psu1/2026-01-01.log",
    ):
        assert page.ask("GET", f"/record/{path}", headers=cookie).status == 404


def test_one_stream_of_changes_serves_all_browsers(page: Rig) -> None:
    with Talk(page.port, "/live", own(page)) as one, Talk(page.port, "/live", own(page)) as two:
        assert one.hear_of("names") == two.hear_of("names") == ["psu1", "dut-a", "scope"]
        assert page.looking() == 1
        page.board.write(b"x")
        assert one.hear_of("ports")[0]["name"] == two.hear_of("ports")[0]["name"] == "dut-a"


def test_a_browser_that_does_not_read_misses_bytes_and_costs_no_memory(page: Rig) -> None:
    total, chunk = 32 << 20, bytes(range(256)) * 256
    with Talk(page.port, "/port/dut-a", own(page)) as slow, Talk(page.port, "/live", own(page)):
        begun = slow.hear_of("watch")["received"]
        before = page.memory()
        for _ in range(total // len(chunk)):
            page.board.write(chunk)
        page.until("dut-a", lambda port: port["received"] == begun + total)
        assert page.memory() - before < 8 << 20
        page.board.write(b"the end")
        seen = missed = 0
        while seen + missed < total + 7:
            told = slow.hear_of("watch")
            seen += len(base64.b64decode(told.get("from_line", "")))
            missed += told.get("missed", 0)
        assert seen + missed == total + 7
        assert missed


def test_terminals_are_bounded(page: Rig) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(TERMINALS):
            talk = stack.enter_context(Talk(page.port, "/port/psu1", own(page)))
            assert talk.status == 101
        with Talk(page.port, "/port/psu1", own(page)) as one_more:
            assert one_more.status == 503
        assert page.ask("GET", "/").status == 200
    # The first that leaves makes room; that it has left is known a little later.
    statuses = iter(lambda: Talk.status_of(page.port, "/port/psu1", own(page)), 101)
    assert set(statuses) <= {503}


def test_replay_is_what_was_said_before(page: Rig) -> None:
    before = page.daemon.status("psu1")["received"]
    page.device.write(b"said before\r\n")
    page.until("psu1", lambda port: port["received"] >= before + 13)
    with Talk(page.port, "/port/psu1", own(page)) as talk:
        first = talk.hear_of("watch")
        assert first["received"] >= before + 13
        assert b"said before\r\n" in base64.b64decode(first["replay"])


def test_the_peer_of_another_face_is_shown_as_ever(page: Rig) -> None:
    with connect(page.raw), Talk(page.port, "/live", own(page)) as live:
        held = page.until("psu1", lambda port: port["session"])["session"]["peer"]
        while not (told := {port["name"]: port for port in live.hear_of("ports")}).get("psu1"):
            pass
        while (session := told["psu1"]["session"]) is None:
            told = {port["name"]: port for port in live.hear_of("ports")}
        assert session["peer"] == held
    page.until_free()
