"""The page of all gateways in a real Chromium, with a real Avahi on each machine of a network."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("selenium")
pytest.importorskip("h11")
pytest.importorskip("wsproto")
pytest.importorskip("jeepney")

from selenium.webdriver.common.keys import Keys

from gatewayd.fleet.following import MOST
from tests.cli.program import ROOT
from tests.web.browser import Browser, needs_chromium
from tests.web.street import SER2NET, Street, street

DOCS = Path(__file__).parents[2] / "docs" / "page"
VIEWS = {"fleet": (1200, False), "fleet-dark": (1200, True), "fleet-phone": (390, False)}
SCRIPT = '<img src=x onerror="document.title=1">'

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def lan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """The network, and the page of pi1."""
    with street(tmp_path_factory.mktemp("street")) as running:
        yield running


@pytest.fixture
def browser(one_browser: Browser, lan: Street) -> Iterator[Browser]:
    """Chromium; whatever is shown complains of nothing."""
    with one_browser.content(lan.origin):
        yield one_browser


def section(browser: Browser, name: str) -> str:
    """All that stands about a machine."""
    script = (
        "return [...document.querySelectorAll('.gateway:not([hidden])')]"
        ".filter(one => one.querySelector('h2').textContent === arguments[0])"
        ".map(one => one.innerText).join('\\n\\n')"
    )
    return str(browser.run(script, name))


def until_told(browser: Browser, name: str, *words: str) -> None:
    """Wait until all of that stands about a machine."""
    browser.until(lambda: all(word in section(browser, name) for word in words), f"{name} {words}")


def names(browser: Browser, selector: str = ".gateway h2") -> list[str]:
    """What is shown there, in order."""
    script = (
        "return [...document.querySelectorAll(arguments[0])]"
        ".filter(one => one.checkVisibility()).map(one => one.textContent)"
    )
    return list(browser.run(script, selector))


def test_all_gateways_are_shown_at_once(browser: Browser, lan: Street) -> None:
    with lan.told_of(*SER2NET, "manufacturer=Prolific", "product=USB-Serial Controller"):
        browser.open(f"{lan.origin}/")
        browser.until_shown("live")
        browser.find("nav a").click()
        browser.until_shown("3 gateways · 5 ports", "live")
        assert names(browser) == ["pi1", "pi2", "stranger"]
        one, two, three = (section(browser, name).split("\n") for name in names(browser))
    assert one[:2] == ["pi1", "this gateway"]
    assert two[:2] == ["pi2", "gatewayd 0.1.0 · 2 ports"]
    assert two[2:5] == ["dut-a", "free", "rfc2217 10.77.0.2:7002"]
    # Of its own gateway the page tells all, beside what the network is told.
    assert {"inner", "rfc2217 127.0.0.1:7002", "bench supply, rack 2"} <= set(one)
    assert three[-4:] == [
        *("old", "state not told", "ser2net · Prolific USB-Serial Controller"),
        "telnet 10.77.0.3:4001",
    ]


def test_links_lead_to_the_desk_and_back(browser: Browser, lan: Street) -> None:
    browser.open(lan.url)
    until_told(browser, "pi1", "Desk 10.77.0.1:2323")
    assert browser.find(".desk").get_dom_attribute("href") == "telnet://10.77.0.1:2323"
    browser.find(".site").click()
    browser.until_shown("psu1", "nobody")


def test_a_port_goes_and_comes_back(browser: Browser, lan: Street) -> None:
    browser.open(lan.url)
    until_told(browser, "pi2", "scope\nfree", "dut-a\nfree")
    lan.pi2.adapters["scope"].pull()
    until_told(browser, "pi2", "scope\naway", "2 ports · 1 away", "dut-a\nfree")
    browser.until_shown("1 away")
    # Who comes now cannot know its name.
    browser.open(lan.url)
    until_told(browser, "pi2", "and 1 more port whose device is away")
    lan.pi2.adapters["scope"].plug()
    until_told(browser, "pi2", "scope\nfree")
    assert "away" not in section(browser, "pi2")


def test_what_ser2net_tells_of_goes_with_it(browser: Browser, lan: Street) -> None:
    browser.open(lan.url)
    with lan.told_of(*SER2NET):
        until_told(browser, "stranger", "old")
    browser.until(lambda: "stranger" not in names(browser))


def test_who_has_a_port_is_told_of_ones_own_only(browser: Browser, lan: Street) -> None:
    browser.open(lan.url)
    until_told(browser, "pi1", "psu1\nfree")
    with lan.held_by_stranger("10.77.0.1", 7001), lan.held_by_stranger("10.77.0.2", 7001):
        until_told(browser, "pi1", "psu1\nheld", "10.77.0.3:")
        until_told(browser, "pi2", "scope\nheld")
        browser.until_shown("2 held")
        assert "10.77.0.3" not in section(browser, "pi2")
    until_told(browser, "pi1", "psu1\nfree")
    until_told(browser, "pi2", "scope\nfree")


def test_a_hostile_name_is_text(browser: Browser, lan: Street) -> None:
    strange = f"port={SCRIPT}{'long' * 40}"
    hidden = "product=\u202ereversed\x1b[2J"
    page = "page=javascript:document.title=1"
    with (
        lan.told_of("a" * 60, "_iostream._tcp", 4001, strange, hidden, f"provider={SCRIPT}"),
        lan.told_of("bad", "_gatewayd._tcp", 0, f"version={SCRIPT}", "ports=9999", page),
    ):
        browser.open(lan.url, width=390)
        until_told(
            browser, "stranger", SCRIPT, "longl…", "and 256 more ports", "\ufffdreversed\ufffd[2J"
        )
        assert browser.run("return document.querySelectorAll('main img').length") == 0
        assert browser.driver.title == "All gateways · gatewayd"
        assert browser.run("return document.documentElement.scrollWidth") <= 390
        assert all(
            href.startswith(("telnet://", f"{lan.origin}/"))
            for href in browser.run("return [...document.links].map(one => one.href)")
        )


def test_gateways_and_ports_are_filtered(browser: Browser, lan: Street) -> None:
    browser.open(lan.url)
    until_told(browser, "pi2", "scope")
    search = browser.find("#filter input")
    search.send_keys("pi2 SCO")
    browser.until(lambda: names(browser, "h2, h3 .name") == ["pi2", "scope"])
    search.clear()
    search.send_keys("bench")
    browser.until(lambda: names(browser, "h2, h3 .name") == ["pi1", "psu1"])
    search.send_keys("!")
    browser.until_shown("No gateway or port is called “bench!”.")


def test_it_is_used_by_keyboard(browser: Browser, lan: Street) -> None:
    browser.open(lan.url)
    until_told(browser, "pi1", "Desk")
    browser.find("#filter input").click()
    browser.keys(Keys.TAB)
    assert browser.focused() == "Desk 10.77.0.1:2323 of pi1"
    # What is told meanwhile takes the focus from nobody.
    with lan.held_by_stranger("10.77.0.1", 7001):
        until_told(browser, "pi1", "held")
    assert browser.focused() == "Desk 10.77.0.1:2323 of pi1"
    browser.keys(Keys.TAB + Keys.ENTER)
    browser.until_shown("nobody")


def test_without_avahi_it_says_so_and_shows_its_own(browser: Browser, lan: Street) -> None:
    browser.open(lan.url)
    until_told(browser, "pi2", "scope")
    machine = lan.pi1.machine
    assert machine.avahi is not None
    machine.avahi.stop()
    browser.until_shown("Other gateways cannot be seen.", "Avahi does not run on this machine")
    assert names(browser) == ["pi1"]
    # As who comes only then.
    browser.open(lan.url)
    browser.until_shown("Avahi does not run on this machine", "this gateway only")
    until_told(browser, "pi1", "psu1\nfree")
    machine.start_avahi()
    until_told(browser, "pi2", "scope")
    assert "cannot be seen" not in browser.text()


def test_nobody_looks_and_nothing_is_searched_for(browser: Browser, lan: Street) -> None:
    browser.open(f"{lan.origin}/")
    browser.until_shown("live")
    assert lan.searches() == 0
    first = browser.driver.current_window_handle
    browser.open(lan.url)
    until_told(browser, "pi2", "scope")
    assert lan.searches() == 1
    # A tab that is not seen does not look.
    browser.driver.switch_to.new_window("tab")
    browser.until(lambda: lan.searches() == 0)
    browser.open(lan.url)
    until_told(browser, "pi2", "scope")
    assert lan.searches() == 1
    browser.driver.close()
    browser.driver.switch_to.window(first)
    until_told(browser, "pi2", "scope")
    browser.until(lambda: lan.searches() == 1)
    browser.leave()
    browser.until(lambda: lan.searches() == 0)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1200, 390])
def test_axe_finds_nothing(browser: Browser, lan: Street, width: int, dark: bool) -> None:
    with lan.told_of(*SER2NET), lan.held_by_stranger("10.77.0.2", 7001):
        browser.open(lan.url, width=width, dark=dark)
        until_told(browser, "stranger", "old")
        until_told(browser, "pi2", "held")
        assert browser.run("return document.documentElement.scrollWidth") <= width
        found = browser.violations()
    assert found == [], "\n".join(found)


def test_who_comes_from_elsewhere_signs_in_first(browser: Browser, lan: Street) -> None:
    browser.forget(lan.proxied)
    browser.open(f"{lan.proxied}/fleet")
    browser.until_shown("Only who has signed in may look.", "sign in first")
    assert names(browser) == []
    browser.find("#notice a").click()
    browser.until_shown("Only who has signed in may look.", "Sign in")
    browser.open(lan.signing_url())
    browser.until_shown("Signed in", "live")
    browser.find("nav a").click()
    until_told(browser, "pi2", "scope")


def test_many_ports_are_all_there(browser: Browser, lan: Street) -> None:
    browser.open(lan.url)
    until_told(browser, "pi2", "scope")
    many = lan.stranger.start(sys.executable, ROOT / "tests/fleet/many.py", "200")
    many.wait_for("told of all")
    try:
        browser.until_shown("204 ports")
        until_told(browser, "stranger", "many9\n", "many199\n")
        # As people count.
        shown = names(browser, "h3 .name")
        assert shown.index("many9") < shown.index("many10") < shown.index("many199")
    finally:
        many.stop()
    browser.until_shown("4 ports")


def test_more_than_can_be_shown_is_said(browser: Browser, lan: Street) -> None:
    many = lan.stranger.start(sys.executable, ROOT / "tests/fleet/many.py", str(MOST + 50))
    many.wait_for("told of all")
    try:
        browser.open(lan.url)
        browser.until_shown("There are more.", "many1", "inner")
        assert len(names(browser, "h3 .name")) <= MOST + 2
    finally:
        many.stop()
    browser.until(lambda: "many9" not in browser.text())


@contextlib.contextmanager
def a_lab(lan: Street) -> Iterator[None]:
    """More machines, with what real ones tell."""
    usb = ("devicetype=serialusb", "provider=gatewayd", "gensiostack=telnet(rfc2217),tcp")
    ftdi = (*usb, "manufacturer=FTDI", "product=FT232R USB UART")
    labs = "Silicon Labs", "CP2102 USB to UART Bridge"
    cp2102 = (*usb, f"manufacturer={labs[0]}", f"product={labs[1]}")
    rack = {"host": "pi-rack7.local"}
    page = "page=https://pi-rack7.lab.example:8323/"
    prolific = ("manufacturer=Prolific", "product=USB-Serial Controller")
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        enter(lan.named("pi-rack7.local", "10.77.0.17"))
        enter(lan.named("old-rack.local", "10.77.0.40"))
        for name, at, txt in (
            ("dmm", 7001, (*ftdi, "held=1")),
            ("load", 7002, (*cp2102, "held=0")),
            ("scope-2", 7003, (*ftdi, "held=0")),
        ):
            enter(lan.told_of(f"{name} on r7", "_iostream._tcp", at, f"port={name}", *txt, **rack))
        enter(lan.told_of("r7", "_gatewayd._tcp", 0, "version=0.1.0", "ports=4", page, **rack))
        enter(lan.told_of("r7", "_telnet._tcp", 2323, "provider=gatewayd", **rack))
        enter(lan.told_of(*SER2NET, *prolific, host="old-rack.local"))
        enter(lan.held_by_stranger("10.77.0.1", 7001))
        yield


@pytest.mark.parametrize("name", VIEWS)
def test_pictures(browser: Browser, lan: Street, tmp_path: Path, name: str) -> None:
    """With GATEWAYD_PICTURES in the environment the first goes to docs/."""
    width, dark = VIEWS[name]
    shown = os.environ.get("GATEWAYD_PICTURES") and name == "fleet"
    directory = DOCS if shown else tmp_path
    with a_lab(lan):
        browser.open(lan.url, width=width, height=600, dark=dark)
        browser.until_shown("live", "2 held", "1 away")
        until_told(browser, "old-rack", "old")
        until_told(browser, "pi-rack7", "dmm\nheld", "Page at pi-rack7.lab.example:8323", "Desk")
        until_told(browser, "pi2", "scope")
        if directory == DOCS:
            long = "[...document.querySelectorAll('.what')].filter(one => one.innerText[0] === '/')"
            browser.run(f"for (const one of {long}) one.textContent = 'STM32 board under test'")
        browser.picture(directory / f"{name}.png")
    assert (directory / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert (DOCS / "fleet.png").exists()
