"""`gatewayd web-token`, and the file behind it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gatewayd.web.token import TokenError, new_token, read_token, token_path
from tests.cli.program import gatewayd


def test_it_prints_where_to_sign_in_and_keeps_the_token(tmp_path: Path) -> None:
    file = tmp_path / "state" / "token"
    first = gatewayd("web-token", "--token", str(file), "--url", "http://pi/")
    assert first.returncode == 0
    url, _, token = first.stdout.strip().partition("#token=")
    assert url == "http://pi/"
    assert len(token) >= 43  # 256 bits
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_token(file) == token
    assert gatewayd("web-token", "--token", str(file)).stdout.endswith(f"#token={token}\n")
    other = gatewayd("web-token", "--new", "--token", str(file)).stdout
    assert token not in other
    assert read_token(file) in other
    assert list(file.parent.iterdir()) == [file]


def test_no_file_is_no_token(tmp_path: Path) -> None:
    assert read_token(tmp_path / "token") == ""


def test_what_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TokenError, match="Is a directory"):
        read_token(tmp_path)
    with pytest.raises(TokenError, match=r"(Not a directory|File exists)"):
        new_token(tmp_path / "file" / "token")


@pytest.mark.parametrize(
    "text", ["", "root:x:0:0:root:/root:/bin/bash\n", "a" * 42, "a" * 44, "a" * 42 + "é", "\0" * 43]
)
def test_what_is_no_token_is_not_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(0o600)
    done = gatewayd("web-token", "--token", str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{file}: holds no token; gatewayd web-token --new makes one there\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_token_is_of_its_owner(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "token"
    token = new_token(file)
    file.chmod(mode)
    with pytest.raises(
        TokenError, match=f"others can use it .mode {mode:04o}.; gatewayd web-token"
    ):
        read_token(file)
    assert new_token(file) != token
    assert read_token(file)


def test_the_service_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/gatewayd-web")
    assert token_path() == Path("/var/lib/gatewayd-web/token")
