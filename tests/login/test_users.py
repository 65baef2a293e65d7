"""The file of users, and `gatewayd user`, which writes it."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gatewayd.login.users import (
    NOBODY,
    Secret,
    UsersError,
    read_users,
    secret,
    write_users,
)
from tests.cli.program import ROOT, gatewayd
from tests.interop.terminal import Terminal


def user(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run `gatewayd user ARGUMENTS`. Surrogates in `stdin` are bytes that are no UTF-8."""
    command = [sys.executable, "-m", "gatewayd", "user", *arguments]
    return subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        cwd=ROOT,
        timeout=60,
        check=False,
    )


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where the file is to be."""
    return str(tmp_path / "users")


def test_a_password_fits_itself_only() -> None:
    kept = secret(b"open sesame")
    assert kept.fits(b"open sesame")
    assert not kept.fits(b"open sesam")
    assert kept.salt != secret(b"open sesame").salt
    assert not NOBODY.fits(b"")


def test_known_answer() -> None:
    """RFC 7914, section 12, its second vector cut to what is kept."""
    expected = "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
    kept = Secret(10, 8, 16, b"NaCl", bytes.fromhex(expected))
    assert kept.fits(b"password")


def test_added_listed_changed_removed(path: str) -> None:
    done = user("add", "alice", "--file", path, "--password-stdin", stdin="one\n")
    assert (done.returncode, done.stdout) == (
        0,
        "alice added; gatewayd reload puts it in force\n",
    )
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert "one" not in Path(path).read_text().replace("none", "")
    user("add", "bob", "--file", path, "--password-stdin", stdin="two\r\n")
    assert user("list", "--file", path).stdout == "alice\nbob\n"
    done = user("add", "alice", "--file", path, "--password-stdin", stdin="three")
    assert done.stdout.startswith("alice has another password")
    users = read_users(path)
    assert users["alice"].fits(b"three")
    assert users["bob"].fits(b"two")
    assert user("remove", "bob", "--file", path).returncode == 0
    assert list(read_users(path)) == ["alice"]
    done = user("remove", "bob", "--file", path)
    assert (done.returncode, done.stderr) == (1, f"{path}: there is no user bob\n")


def test_a_password_is_utf_8_in_any_locale(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    assert user("add", "eve", "--file", path, "--password-stdin", stdin="schön\n").returncode == 0
    assert read_users(path)["eve"].fits("schön".encode())


@pytest.mark.parametrize(
    ("second", "said"),
    [(b"open sesame\r", b"alice added"), (b"another\r", b"these were two passwords")],
)
def test_on_a_terminal(path: str, second: bytes, said: bytes) -> None:
    command = (sys.executable, "-m", "gatewayd", "user", "add", "alice", "--file", path)
    with Terminal(*command) as terminal:
        terminal.expect(b"Password for alice: ")
        terminal.type(b"open sesame\r")
        shown = terminal.expect(b"(.*)Once more: ")[1]
        terminal.type(second)
        shown += terminal.expect(b"(.*)" + said)[1]
        assert b"sesame" not in shown


@pytest.mark.parametrize(
    ("arguments", "stdin", "why"),
    [
        (("add", "alice"), "x", "a password is asked for on a terminal; or use --password-stdin"),
        (("add",), "x", "whom? gatewayd user add NAME"),
        (("list", "alice"), "", "list takes no name"),
        (("add", "a b", "--password-stdin"), "x", "'a b' is no user's name; up to 64 letters"),
        (("add", "root:", "--password-stdin"), "x", "'root:' is no user's name"),
        (("add", "alice", "--password-stdin"), "\n", "an empty password is none"),
        (("add", "alice", "--password-stdin"), "a" * 257, "a password has at most 256 bytes"),
        (("add", "alice", "--password-stdin"), "a\tb", "a password has no control characters"),
        (
            ("add", "alice", "--password-stdin"),
            "\udce4\n",
            "the password is not UTF-8; write it in",
        ),
    ],
)
def test_what_is_refused(path: str, arguments: tuple[str, ...], stdin: str, why: str) -> None:
    done = user(*arguments, "--file", path, stdin=stdin)
    assert done.returncode == 1
    assert done.stderr.startswith(why)
    assert not os.path.exists(path)


def test_a_file_that_others_can_read(path: str) -> None:
    write_users(path, {})
    os.chmod(path, 0o640)
    with pytest.raises(UsersError, match=r"others can use it \(mode 0640\); chmod 600"):
        read_users(path)


GOOD = "scrypt:15:8:1:AAAAAAAAAAAAAAAAAAAAAA==:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"alice:{GOOD}\nalice:{GOOD}\n", ":2: alice is there twice"),
        ("alice\n", ":1: what follows alice is no password's hash"),
        (f"\n# x\na b:{GOOD}\n", ":3: 'a b' is no user's name"),
        (f"alice:{GOOD}:1\n", "is no password's hash"),
        (f"alice:{GOOD.replace(':15:', ':30:')}\n", "is no password's hash"),
        (f"alice:{GOOD.replace(':8:', ':900:')}\n", "is no password's hash"),
        (f"alice:{GOOD.replace('scrypt', 'md5')}\n", "is no password's hash"),
        (f"alice:{GOOD[:-8]}\n", "is no password's hash"),
        ("alice:$6$abc$def\n", "is no password's hash"),
    ],
)
def test_a_file_that_is_wrong(path: str, text: str, why: str) -> None:
    write_users(path, {})
    Path(path).write_text(text)
    with pytest.raises(UsersError, match=why.replace("(", r"\(")) as caught:
        read_users(path)
    # The advice is one that helps.
    line = re.search(r"; delete line ([0-9]+)", str(caught.value))
    assert line is not None
    kept = text.splitlines()
    del kept[int(line[1]) - 1]
    Path(path).write_text("\n".join(kept))
    if command := re.search(r"then: gatewayd user (add) (.*)", str(caught.value)):
        done = user(*command.groups(), "--file", path, "--password-stdin", stdin="x")
        assert done.returncode == 0
    assert set(read_users(path)) <= {"alice"}


def test_a_file_that_is_not_there(path: str) -> None:
    done = gatewayd("user", "list", "--file", path)
    assert done.stderr == (f"{path}: No such file or directory; gatewayd user add NAME makes it\n")


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    done = user("add", "alice", "--file", f"{tmp_path}/no/users", "--password-stdin", stdin="x")
    assert done.stderr == f"{tmp_path}/no/users: No such file or directory\n"
