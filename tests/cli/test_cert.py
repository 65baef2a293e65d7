"""`gatewayd cert`, and what `check` and `doctor` say of keys."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from gatewayd.cli import check
from gatewayd.cli.main import main
from gatewayd.config.schema import TlsFiles
from gatewayd.doctor import keys
from gatewayd.tls import maker
from gatewayd.tls.identity import load
from tests.tls import pki


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_gateway_and_two_clients(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cert", "server", "pi.lab", "10.1.0.7", "fd00::7"]) == 0
    said = capsys.readouterr().out
    identity = load(TlsFiles("tls/gatewayd.crt", "tls/gatewayd.key"))
    assert f"SHA-256 {identity.fingerprint}" in said
    assert "tls: {certificate: tls/gatewayd.crt, key: tls/gatewayd.key}" in said
    shown = pki.openssl("x509", "-in", "tls/gatewayd.crt", "-noout", "-text")
    assert "DNS:pi.lab, IP Address:10.1.0.7, IP Address:FD00:0:0:0:0:0:0:7" in shown
    assert "prime256v1" in shown
    assert main(["cert", "client", "alice", "bob"]) == 0
    said = capsys.readouterr().out
    assert len(re.findall("SHA-256 ", said)) == 2
    assert "client_ca: tls/clients.crt" in said
    for name in ("alice", "bob"):
        pki.openssl(
            "verify", "-CAfile", "tls/clients.crt", "-purpose", "sslclient", f"tls/{name}.crt"
        )
        assert mode(here / f"tls/{name}.key") == 0o600
    assert mode(here / "tls/gatewayd.key") & 0o007 == 0
    assert mode(here / "tls/clients.key") & 0o007 == 0
    load(TlsFiles("tls/gatewayd.crt", "tls/gatewayd.key", "tls/clients.crt"))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["server"], "is there already; move it away first"),
        (["client", "alice"], "is there already"),
        (["client"], "whose? write gatewayd cert client NAME"),
        (["client", "a/b"], "cannot name a client"),
        (["client", "clients"], "take another one"),
        (["-d", "other", "server", "a b"], "no name of a machine"),
        (["-d", "file/in", "server", "pi"], "Not a directory"),
    ],
)
def test_what_is_not_made(
    arguments: list[str], why: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "file").touch()
    maker.server(here / "tls", ["pi"])
    maker.client(here / "tls", "alice")
    capsys.readouterr()
    assert main(["cert", *arguments]) == 1
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("days", ["0", "-1", "36501", "99999999", "9" * 5000, "1.5", "\u0661"])
def test_days_that_no_certificate_holds(
    days: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["cert", "server", "pi", f"--days={days}"])
    assert "is no number of days; write 1 to 36500" in capsys.readouterr().err
    assert not list(here.iterdir())


def test_what_openssl_refuses_leaves_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cert", "server", "a" * 65 + ".lab"]) == 1
    said = capsys.readouterr().err
    assert re.fullmatch("openssl makes no certificate: .*[a-z]{3}.*\n", said)
    assert not list((here / "tls").iterdir())
    assert main(["cert", "server", "pi"]) == 0


@pytest.mark.parametrize("wrong", ["alice", "clients", "a/b"])
def test_no_client_is_made_if_one_cannot_be(
    wrong: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maker.client(here / "tls", "alice")
    before = set(here.rglob("*"))
    assert main(["cert", "client", "bob", wrong]) == 1
    assert set(here.rglob("*")) == before
    assert main(["cert", "client", "bob", "bob"]) == 0
    assert capsys.readouterr().out.count("SHA-256 ") == 1


def test_without_openssl(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(here))
    assert main(["cert", "server", "pi"]) == 1
    assert "apt install openssl" in capsys.readouterr().err


ENTRY = (
    "tls: {certificate: tls/gatewayd.crt, key: %s}\n"
    "ports: {a: {device: /dev/none, raw: {listen: 7001, tls: implicit}}}\n"
)


def checked(here: Path, capsys: pytest.CaptureFixture[str], key: str = "tls/gatewayd.key") -> str:
    (here / "f.yaml").write_text("version: 1\n" + ENTRY % key)
    status = main(["check", "f.yaml"])
    said = capsys.readouterr().out
    assert status == (0 if "no problems" in said else 1)
    return said


def test_check_looks_at_the_keys(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.HELP
    pair = maker.server(here / "tls", ["pi"])
    assert "no problems" in checked(here, capsys)
    assert "warning: tls: not looked at" in checked(here, capsys, "'credential:key'")
    pair.key.chmod(0o644)
    assert "do: chmod o= tls/gatewayd.key" in checked(here, capsys)
    (finding,) = keys.findings(TlsFiles(str(pair.certificate), str(pair.key)))
    assert (finding.wrong, finding.remedy) == (True, f"chmod o= {pair.key}")
    pair.key.write_text(pki.lab().key.read_text())
    pair.key.chmod(0o600)
    assert "is not the key of the certificate" in checked(here, capsys)


def test_check_and_doctor_know_the_time(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    maker.server(here / "tls", ["pi"], days=3)
    assert "warning: tls: the certificate expires in 2 days" in checked(here, capsys)
    files = TlsFiles("tls/gatewayd.crt", "tls/gatewayd.key")
    (finding,) = keys.findings(files)
    assert not finding.wrong
    pki.expire(pki.Pair(Path(files.certificate), Path(files.key)))
    assert "warning: tls: the certificate has expired 1 day ago" in checked(here, capsys)
    (finding,) = keys.findings(files)
    assert finding.wrong
