"""The man pages say all that the command line and the configuration can do, in clean mdoc."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gatewayd.cli.catalogue import COMMANDS
from gatewayd.config.document import TABLES
from gatewayd.config.setting import Setting
from tests.cli.help import offered

MAN = Path(__file__).resolve().parents[2] / "docs" / "man"
PAGES = [MAN / "gatewayd.8", MAN / "gatewayd-web.8", MAN / "gatewayd.yaml.5"]


def between(text: str, begin: str, *ends: str) -> str:
    """What stands behind the line `begin`, up to a line that begins with one of `ends`."""
    found = re.search(
        rf"^{begin}(?P<what>.*?)(?=^(?:{'|'.join(ends)})|\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"the page has no line {begin}"
    return found["what"]


def plain(mdoc: str) -> str:
    """The words of an entry without its macros."""
    return " ".join(re.sub(r"^\.[A-Z]\w ", "", mdoc, flags=re.MULTILINE).split())


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_documented(name: str) -> None:
    entry = between((MAN / "gatewayd.8").read_text(), rf"\.It Cm {name}\b", r"\.It Cm ", r"\.Sh ")
    options, arguments = offered(name)
    for option in options:
        if option not in ("-v", "--verbose"):
            assert f"Fl {option[1:]}" in entry, f"{name} {option} is not documented"
    for argument in arguments:
        for word in re.findall(r"\w+", argument.lower()):
            assert f"Ar {word}" in entry, f"the argument {argument} of {name} is not documented"


def test_the_options_of_all_commands_are_documented() -> None:
    description = between((MAN / "gatewayd.8").read_text(), r"\.Sh DESCRIPTION", r"\.Sh ")
    for option in offered()[0]:
        assert f"Fl {option[1:]}" in description


@pytest.mark.parametrize(
    ("path", "setting"),
    [(path, setting) for path, table in TABLES.items() for setting in table],
    ids=lambda value: value.key if isinstance(value, Setting) else value or "top",
)
def test_every_setting_is_documented_with_its_default(path: str, setting: Setting[object]) -> None:
    section = between(
        (MAN / "gatewayd.yaml.5").read_text(),
        rf"\.Ss {re.escape(path)}$" if path else r"\.Sh SETTINGS$",
        r"\.S[sh] ",
    )
    entry = plain(between(section, rf"\.It Ic {setting.key} :", r"\.It Ic ", r"\.El"))
    wanted = "Required." if setting.required else f"Default: {setting.default} ."
    assert wanted.replace(" .", "") in entry


def test_no_setting_is_documented_that_does_not_exist() -> None:
    documented = re.findall(
        r"^\.It Ic (\w+) :", (MAN / "gatewayd.yaml.5").read_text(), re.MULTILINE
    )
    known = [setting.key for table in TABLES.values() for setting in table]
    assert sorted(documented) == sorted(known)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_groff_has_nothing_to_say(page: Path) -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    said = subprocess.run(
        ["groff", "-ww", "-mdoc", "-Tutf8", page],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert said.stderr == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_has_nothing_to_warn_of(page: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    said = subprocess.run(
        ["mandoc", "-Tlint", "-Wwarning", page],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (said.stdout, said.returncode) == ("", 0)
