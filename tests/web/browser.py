"""A real Chromium without a window, one for all tests."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.cli.program import ROOT
from tests.until import PATIENCE

CHROMIUM: Final = shutil.which("chromium")
DRIVER: Final = shutil.which("chromedriver")
needs_chromium: Final = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="there is no chromium")
AXE: Final = ROOT / ".venv/fetched/axe/axe_playwright_python/axe.min.js"
"""Of axe-core, which judges how a page is for those who do not see it; `./dev test` fetches it."""
T = TypeVar("T")


class Browser:
    """The browser, and what its pages complained of."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Show a page in the current tab, from nothing, as wide as that."""
        self.leave()
        self.look(width=width, height=height, dark=dark)
        self.driver.get(url)

    @contextlib.contextmanager
    def hurried(self) -> Iterator[None]:
        """Pages that are opened meanwhile take twenty milliseconds for a second."""
        hurry = (
            "const every = setInterval;"
            "window.setInterval = (act, ms) => every(act, ms === 1000 ? 20 : ms)"
        )
        added = self.driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument", {"source": hurry}
        )
        yield
        self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)

    def leave(self) -> None:
        """Show nothing."""
        self.driver.get("about:blank")

    def look(self, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Have a window of this size, and a user who likes it so."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    @contextlib.contextmanager
    def content(self, url: str) -> Iterator[None]:
        """As if it were never there before; whatever is shown meanwhile complains of nothing."""
        self.forget(url)
        yield
        complaints = self.complaints()
        self.leave()
        assert complaints == []

    def forget(self, url: str) -> None:
        """No cookie, no name, no complaint of an earlier page."""
        stored = {"origin": url.rstrip("/"), "storageTypes": "all"}
        self.driver.execute_cdp_cmd("Storage.clearDataForOrigin", stored)
        self.complaints()

    def complaints(self) -> list[str]:
        """What stands in the console since it was asked last."""
        entries: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [str(entry["message"]) for entry in entries]

    def find(self, selector: str) -> WebElement:
        """The element, once it is there and shown."""
        return self.until(lambda: self._shown(selector), selector)

    def _shown(self, selector: str) -> WebElement | None:
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return found[0] if found and found[0].is_displayed() else None

    def run(self, script: str, *arguments: object) -> Any:
        """The value of a script."""
        return self.driver.execute_script(script, *arguments)

    def until(self, what: Callable[[], T | None], named: str = "") -> T:
        """Wait until there is something true."""
        wait = WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05)
        return wait.until(lambda _: what() or False, f"{named} in {self.text()[:2000]}")

    def text(self) -> str:
        """All that is shown."""
        return str(self.run("return document.body ? document.body.innerText : ''"))

    def until_shown(self, *words: str) -> None:
        """Wait until the page says all of that."""
        self.until(lambda: all(word in self.text() for word in words), f"{words}")

    def press(self, place: str, label: str) -> None:
        """Click the button of that name."""
        (button,) = [
            one
            for one in self.driver.find_elements(By.CSS_SELECTOR, f"{place} button")
            if one.text == label
        ]
        button.click()

    def type(self, text: str) -> None:
        """Type at the terminal that has the focus."""
        self.until(lambda: self.focused() == "Terminal input")
        self.keys(text)

    def keys(self, text: str) -> None:
        """Press keys, wherever the focus is."""
        ActionChains(self.driver).send_keys(text).perform()

    def shifted(self, key: str) -> None:
        """Press a key together with Shift."""
        ActionChains(self.driver).key_down(Keys.SHIFT).send_keys(key).key_up(Keys.SHIFT).perform()

    def choose(self, place: str, option: str) -> None:
        """Choose what is called so, in the list that has it."""
        self.find(f"{place} option[value='{option}']").click()

    def focused(self) -> str:
        """The name of what has the focus."""
        return str(self.driver.switch_to.active_element.accessible_name)

    def paste(self, selector: str, text: str) -> None:
        """Paste, as the browser tells a page of it."""
        self.run(
            "const data = new DataTransfer(); data.setData('text/plain', arguments[1]);"
            "document.querySelector(arguments[0]).dispatchEvent(new ClipboardEvent('paste',"
            "{clipboardData: data, bubbles: true, cancelable: true}))",
            selector,
            text,
        )

    def until_on_screen(self, place: str, text: str) -> None:
        """Wait until the terminal in `place` shows that."""
        self.until_on_screen_like(place, re.escape(text))

    def until_on_screen_like(self, place: str, pattern: str) -> None:
        """Wait until the terminal in `place` shows something like that."""
        script = (
            "return [...document.querySelectorAll(arguments[0] + ' .xterm-rows > div')]"
            ".map(row => row.textContent.replaceAll('\u00a0', ' ')).join('\\n')"
        )

        self.until(lambda: re.search(pattern, str(self.run(script, place))), pattern)

    def violations(self) -> list[str]:
        """What axe finds: the rule, and where."""
        if not self.run("return Boolean(window.axe)"):
            if not AXE.exists():
                pytest.skip("axe is not fetched; ./dev test does that")
            # By the driver, which the page's policy does not concern.
            self.run(AXE.read_text("utf-8"))
        result = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run().then(found => done(found.violations))"
        )
        return [
            f"{rule['id']}: {rule['help']}: {[node['html'][:200] for node in rule['nodes']]}"
            for rule in result
        ]

    def picture(self, path: Path) -> None:
        """All of the page, as PNG."""
        size = self.run(
            "return [document.documentElement.clientWidth, document.documentElement.scrollHeight]"
        )
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600},
        )
        self.driver.save_screenshot(str(path))


@contextlib.contextmanager
def chromium(directory: Path) -> Iterator[Browser]:
    """A browser for the length of a `with` block."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"),
        *("--force-color-profile=srgb", "--hide-scrollbars", "--no-first-run"),
        *("--disable-background-networking", f"--user-data-dir={directory}"),
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
