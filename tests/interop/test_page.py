"""The page in a real Chromium."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.spell import pace_beside

pytest.importorskip("selenium")
pytest.importorskip("h11")
pytest.importorskip("wsproto")

from selenium.webdriver.common.keys import Keys

from tests.cli.program import Program
from tests.service.client import connect
from tests.web.browser import Browser, needs_chromium
from tests.web.rig import Rig, rig
from tests.web.stage import Stage, bench, boot

DOCS = Path(__file__).parents[2] / "docs" / "page"
PSU1, DUT_A = "[aria-labelledby=port-psu1]", "[aria-labelledby=port-dut-a]"
VIEWS = {"light": (1200, False), "dark": (1200, True), "phone": (390, False)}
"""The pictures, by name: how wide, and whether dark."""

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A daemon and the page."""
    with rig(tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture
def browser(one_browser: Browser, page: Rig) -> Iterator[Browser]:
    """Chromium, signed out; whatever is shown complains of nothing."""
    with one_browser.content(page.url):
        yield one_browser
    page.until_free("psu1")
    page.until_free("dut-a")


def sign_in(browser: Browser, page: Rig, width: int = 1200) -> None:
    """Open the address that `gatewayd web-token` prints."""
    browser.open(page.signing_url, width=width)
    browser.until_shown("Signed in", "live")


def type_at_psu1(browser: Browser, page: Rig) -> None:
    """Sign in, and take psu1."""
    sign_in(browser, page)
    browser.find(f"{PSU1} .take").click()
    browser.until_shown("You type.")


def test_the_list_goes_live(browser: Browser, page: Rig) -> None:
    browser.open(page.url)
    browser.until_shown("live", "psu1", "bench supply, rack 2", "dut-a", "scope", "away")
    assert "nobody" in browser.find(f"{PSU1} .who").text
    with connect(page.raw) as client:
        browser.until(lambda: "held" in browser.find(f"{PSU1} .state").text)
        host, port = client.getsockname()
        assert f"{host}:{port}" in browser.find(f"{PSU1} .who").text
        page.device.write(b"x" * 500)
        browser.until(lambda: "↓ 0 B/s" not in browser.find(f"{PSU1} .down").text)
    browser.until(lambda: "free" in browser.find(f"{PSU1} .state").text)
    # And back to rest, when nothing comes any more.
    browser.until(lambda: "↓ 0 B/s" in browser.find(f"{PSU1} .down").text)


def test_it_asks_nothing_again_and_again(browser: Browser, page: Rig) -> None:
    browser.open(page.url)
    browser.until_shown("live", "psu1")
    asked = "return performance.getEntriesByType('resource').length"
    before = browser.run(asked)
    with connect(page.raw):
        browser.until(lambda: "held" in browser.find(f"{PSU1} .state").text)
    assert browser.run(asked) == before


def test_ports_are_filtered_by_name(browser: Browser, page: Rig) -> None:
    browser.open(page.url)
    browser.until_shown("live", "psu1", "dut-a")
    browser.find("#filter input").send_keys("STM32")
    browser.until(lambda: "psu1" not in browser.text())
    assert "dut-a" in browser.text()
    browser.find("#filter input").send_keys("!")
    browser.until_shown("No port is called “stm32!”.")


def test_who_may_only_look_has_nothing_to_type_with(browser: Browser, page: Rig) -> None:
    browser.open(page.url)
    browser.until_shown("You may look on; sign in to type.")
    browser.find(f"{PSU1} .open").click()
    browser.until_shown("You watch.")
    assert not browser.find(f"{PSU1} .term button").is_enabled()
    page.device.write(b"hello, watchers\r\n")
    browser.until_on_screen(PSU1, "hello, watchers")


def test_a_person_signs_in_by_hand_and_out(browser: Browser, page: Rig) -> None:
    browser.open(page.url)
    browser.until_shown("You may look on")
    browser.find(f"{PSU1} .open").click()
    browser.until_shown("You watch.")
    browser.find("#sign").click()
    browser.find("#signing [name=name]").send_keys("alice")
    browser.find("#signing [name=token]").send_keys("wrong\n")
    browser.until_shown("that is not the token")
    # The console tells of the refusal; that is what the browser itself does.
    assert all(" 403 " in complaint for complaint in browser.complaints())
    browser.find("#signing [name=token]").clear()
    browser.find("#signing [name=token]").send_keys(f"{page.token}\n")
    browser.until_shown("Signed in as alice.", "connected again, nothing missed")
    browser.press(f"{PSU1} .term", "Type")
    browser.until_shown("alice through ", "You type.")
    browser.type("hello\n")
    assert page.device.read(6) == b"hello\r"
    browser.until_on_screen(PSU1, "hello")
    browser.find("#sign").click()
    browser.until_shown("You may look on; sign in to type.")


def test_the_token_is_nowhere_once_it_was_used(browser: Browser, page: Rig) -> None:
    sign_in(browser, page)
    token = page.token
    assert browser.run("return location.href") == page.url
    assert browser.run("return document.cookie") == ""
    assert token not in browser.run("return JSON.stringify({...localStorage, ...sessionStorage})")
    assert token not in page.page.text


def test_typing_reaches_the_device_and_the_answer_the_screen(browser: Browser, page: Rig) -> None:
    type_at_psu1(browser, page)
    browser.type("*IDN?\n")
    assert page.device.read_until(b"\r") == b"*IDN?\r"
    page.device.write(b"ACME,PSU,0,1\r\n")
    browser.until_on_screen(PSU1, "ACME,PSU,0,1")
    # The device does not echo, so the page shows what was sent.
    browser.until_on_screen(PSU1, "*IDN?")
    browser.press(f"{PSU1} .term", "Hex")
    browser.until_on_screen(PSU1, "< 41 43 4d 45")
    browser.until_on_screen(PSU1, "> 2a")
    browser.press(f"{PSU1} .term", "Hex")
    browser.press(f"{PSU1} .term", "Times")
    browser.until_on_screen_like(PSU1, r"\d\d:\d\d:\d\d\.\d{3} ACME,PSU,0,1")


def test_what_is_shown_again_asks_nothing_again(browser: Browser, page: Rig) -> None:
    page.device.write(b"where are you?\x1b[6n\r\n")
    type_at_psu1(browser, page)
    browser.until_on_screen(PSU1, "where are you?")
    browser.press(f"{PSU1} .term", "Times")
    browser.until_on_screen(PSU1, "where are you?")
    browser.find(f"{PSU1} .screen").click()
    browser.type("x")
    assert page.device.read(1) == b"x"
    # But what is asked now is answered.
    page.device.write(b"\x1b[6n")
    assert page.device.read_until(b"R").startswith(b"\x1b[")


def test_the_line_is_set_and_set_back(browser: Browser, page: Rig) -> None:
    type_at_psu1(browser, page)
    browser.press(f"{PSU1} .term", "Line")
    baud = browser.find(f"{PSU1} .term input[type=number]")
    baud.clear()
    baud.send_keys("19200")
    browser.press(f"{PSU1} .term", "Set")
    browser.until(lambda: browser.find(f"{PSU1} .sets").text == "19200 8N1")
    assert page.device.baudrate() == 19200
    browser.press(f"{PSU1} .term", "Leave")
    browser.until(lambda: browser.find(f"{PSU1} .sets").text == "9600 8N1")


def test_a_break_is_shown(browser: Browser, page: Rig) -> None:
    type_at_psu1(browser, page)
    browser.press(f"{PSU1} .term", "Break")
    browser.until_on_screen(PSU1, "[break")


def test_a_paste_goes_line_by_line(browser: Browser, page: Rig) -> None:
    type_at_psu1(browser, page)
    browser.choose(f"{PSU1} .term", "line 100")
    browser.paste(f"{PSU1} .xterm-helper-textarea", "one\ntwo\r\nthree")
    assert page.device.read(13) == b"one\rtwo\rthree"
    browser.until_shown("pasted")


def test_the_record_is_there_to_take_away(browser: Browser, page: Rig) -> None:
    type_at_psu1(browser, page)
    page.device.write(b"kept for ever\r\n")
    page.until_recorded("psu1", "< kept for ever")
    browser.press(f"{PSU1} .term", "Record")
    link = browser.find(f"{PSU1} .files a")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\.log", link.text)
    got = browser.run(
        "const [link] = arguments; return fetch(link.href).then(answer => answer.text())", link
    )
    assert "< kept for ever" in got


def test_two_tabs(browser: Browser, page: Rig) -> None:
    type_at_psu1(browser, page)
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    browser.open(page.url)
    browser.until_shown("Signed in", "held")
    browser.find(f"{PSU1} .take").click()  # says Take over
    browser.until_shown("You type.")
    browser.type("second\n")
    assert page.device.read_until(b"\r") == b"second\r"
    page.device.write(b"for both\r\n")
    browser.until_on_screen(PSU1, "for both")
    browser.driver.close()
    browser.driver.switch_to.window(first)
    browser.until_shown("You watch.", "taken over by 127.0.0.1")
    browser.until_on_screen(PSU1, "for both")


def test_a_restart_of_the_daemon_under_an_open_page(browser: Browser, page: Rig) -> None:
    browser.open(page.url)
    browser.until_shown("live")
    browser.find(f"{PSU1} .open").click()
    page.device.write(b"before\r\n")
    browser.until_on_screen(PSU1, "before")
    page.stop()
    browser.until_shown("gatewayd does not answer")
    page.restart()
    browser.until_shown("live", "gatewayd was started anew")
    page.daemon.wait_for_more(r"open, (9600|115200) 8N1", 2)
    page.device.write(b"after\r\n")
    browser.until_on_screen(PSU1, "after")


def test_a_lost_connection_comes_back_and_says_what_it_missed(browser: Browser, page: Rig) -> None:
    browser.open(page.url)
    browser.until_shown("live")
    browser.find(f"{PSU1} .open").click()
    page.device.write(b"seen\r\n")
    browser.until_on_screen(PSU1, "seen")
    before = page.daemon.status("psu1")["received"]
    page.page.__exit__(None, None, None)
    browser.until_shown("not connected")
    page.device.write(b"unseen " * 1000)
    page.until("psu1", lambda port: port["received"] == before + 7000)
    page.page = page.again()
    # 4 KiB of it were kept by the gateway.
    browser.until_shown("connected again, 2904 bytes missed")
    browser.until_on_screen(PSU1, "unseen")
    # The console tells that nobody was there.
    assert all("WebSocket connection" in complaint for complaint in browser.complaints())


def test_who_typed_types_again_once_the_connection_is_back(browser: Browser, page: Rig) -> None:
    type_at_psu1(browser, page)
    page.page.__exit__(None, None, None)
    browser.until_shown("not connected")
    page.until_free()
    page.page = page.again()
    browser.until_shown("You type.")
    browser.type("y")
    assert page.device.read(1) == b"y"
    assert all("WebSocket connection" in complaint for complaint in browser.complaints())


def test_a_phone(browser: Browser, page: Rig) -> None:
    sign_in(browser, page, width=390)
    browser.find(f"{PSU1} .take").click()
    browser.until_shown("You type.")
    browser.press(f"{PSU1} .term", "Line")
    assert browser.run("return document.documentElement.scrollWidth") <= 390
    small = browser.run(
        "return [...document.querySelectorAll('button, input:not([type=checkbox]), select')]"
        ".filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 24)"
        ".map(one => one.outerHTML)"
    )
    assert small == []


def test_it_is_used_by_keyboard(browser: Browser, page: Rig) -> None:
    sign_in(browser, page)
    browser.find("#filter input").click()
    browser.keys(Keys.TAB + Keys.ENTER)  # Watch
    browser.until_shown("You watch.")
    assert browser.focused() == "Close psu1"
    browser.keys(Keys.TAB + Keys.ENTER)  # Type
    browser.until_shown("You type.")
    browser.until(lambda: browser.focused() == "Terminal input")
    browser.keys(Keys.TAB)  # is the device's
    assert page.device.read(1) == b"\t"
    browser.shifted(Keys.TAB)  # leaves
    browser.until(lambda: browser.focused() == "Leave")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1200, 390])
def test_axe_finds_nothing(browser: Browser, page: Rig, width: int, dark: bool) -> None:
    type_at_psu1(browser, page)
    browser.press(f"{PSU1} .term", "Line")
    browser.driver.set_window_size(width, 900)
    browser.look(width=width, dark=dark)
    found = browser.violations()
    assert found == [], "\n".join(found)
    browser.press("footer", "Sign out")
    browser.until_shown("You may look on")
    browser.find("#sign").click()
    browser.find("#signing")
    found = browser.violations()
    assert found == [], "\n".join(found)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, str]]:
    """A gateway on a stage, and where its page is."""
    directory = tmp_path_factory.mktemp("stage")
    played = Stage(directory, bench())
    boot(played)
    options = ("--control", str(played.control), "--token", str(directory / "token"))
    with played.played(), Program("web", "--listen", "127.0.0.1:0", *options) as program:
        yield played, program.wait_for(r"the page is at (\S+)")[1]


def test_what_a_line_with_modem_lines_shows(one_browser: Browser, stage: tuple[Stage, str]) -> None:
    played, url = stage
    one_browser.open(url)
    one_browser.until_shown("live", "alice from 10.0.4.17", "2 watching", "lease of alice")
    one_browser.until_shown("3 framing errors", "unplugged", "carol", "4 ports · 2 held · 1 away")
    said = "return [...document.querySelectorAll(arguments[0])].map(one => one.textContent)"

    def lamps() -> list[str]:
        return list(one_browser.run(said, f"{PSU1} .lamps li"))

    assert lamps() == ["DTR on", "RTS on", "CTS on", "DSR on", "CD off", "RI off"]
    played.show("psu1", signals=["RTS", "CD"])
    dark = ["DTR off", "RTS on", "CTS off", "DSR off", "CD on", "RI off"]
    one_browser.until(lambda: lamps() == dark)
    played.show("psu1", signals=["DTR", "RTS", "CTS", "DSR"], breaks=1, session=None)
    one_browser.until_shown("1 break")
    played.show("psu1", breaks=0, session=bench()[0]["session"])
    one_browser.until_shown("alice from 10.0.4.17")
    assert one_browser.complaints() == []


@pytest.mark.parametrize("name", VIEWS)
def test_pictures(
    one_browser: Browser, stage: tuple[Stage, str], tmp_path: Path, name: str
) -> None:
    """With GATEWAYD_PICTURES in the environment they go to docs/."""
    played, url = stage
    width, dark = VIEWS[name]
    directory = DOCS if os.environ.get("GATEWAYD_PICTURES") else tmp_path
    with one_browser.hurried():
        one_browser.open(url, width=width, dark=dark)
        one_browser.until_shown("live", "ci-runner-3")
        one_browser.press("#port-dut-a ~ .acts", "Watch")
        one_browser.until_on_screen(DUT_A, "Linux version")
        one_browser.press(f"{DUT_A} .term", "Times")
        board, supply = 0, 0
        for number in range(150):
            board += 500 + 400 * (number // 20 % 3) + 90 * (number % 7)
            played.show("dut-a", received=board)
            if number % 9 < 2:
                supply += 100 + 30 * (number % 2)
                played.show("psu1", received=supply, sent=supply // 4)
            pace_beside(0.02)
        if directory == DOCS:
            one_browser.run("document.querySelector('#host').textContent = 'pi-lab3'")
        directory.mkdir(exist_ok=True)
        one_browser.run("scrollTo(0, 0)")
        one_browser.picture(directory / f"{name}.png")
    assert (directory / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert (DOCS / f"{name}.png").exists()
