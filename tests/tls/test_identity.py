"""Keys: those that can be used, and what is wrong with the others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gatewayd.config.schema import TlsFiles
from gatewayd.credentials import CredentialError
from gatewayd.tls.identity import Identity, IdentityError, load
from tests.tls import pki


def files(pair: pki.Pair, ca: Path | str = "") -> TlsFiles:
    return TlsFiles(str(pair.certificate), str(pair.key), str(ca))


def wrong(given: TlsFiles) -> str:
    with pytest.raises(IdentityError) as caught:
        load(given)
    return str(caught.value)


def test_a_good_one() -> None:
    identity = load(files(pki.server(), pki.lab().certificate))
    printed = pki.openssl(
        "x509", "-in", pki.server().certificate, "-noout", "-sha256", "-fingerprint"
    )
    assert identity.fingerprint == printed.strip().partition("=")[2]
    assert identity.validity() == ""


def test_a_key_that_everybody_can_read(tmp_path: Path) -> None:
    pair = pki.make("open", directory=tmp_path)
    pair.key.chmod(0o644)
    assert f"chmod o= {pair.key}" in wrong(files(pair))
    # Those of a group that was made for it may.
    pair.key.chmod(0o640)
    load(files(pair))


def test_a_key_of_another_certificate() -> None:
    mixed = pki.Pair(pki.server().certificate, pki.lab().key)
    assert f"{mixed.key}: is not the key of the certificate in" in wrong(files(mixed))


@pytest.mark.parametrize("kind", [("rsa:1024",), ("rsa:4096",)])
def test_other_kinds_of_key(kind: tuple[str, ...], tmp_path: Path) -> None:
    pair = pki.make("other", *pki.LOCAL, kind=kind, directory=tmp_path)
    if kind == ("rsa:1024",):
        assert "the key is too short" in wrong(files(pair))
    else:
        # Whether it is slow is a matter of the machine.
        assert load(files(pair)).fingerprint


def test_a_key_with_a_password(tmp_path: Path) -> None:
    pair = pki.make("secret", directory=tmp_path)
    locked = tmp_path / "locked.key"
    pki.openssl("ec", "-in", pair.key, "-aes128", "-passout", "pass:x", "-out", locked)
    locked.chmod(0o600)
    assert "has a password" in wrong(files(pki.Pair(pair.certificate, locked)))


def test_files_that_are_none(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    pair = pki.server()
    assert f"{nothing}: cannot be read: No such file" in wrong(
        TlsFiles(str(nothing), str(pair.key))
    )
    assert "cannot be read" in wrong(TlsFiles(str(pair.certificate), str(nothing)))
    assert "cannot be read" in wrong(files(pair, nothing))
    nothing.write_text("nothing")
    nothing.chmod(0o600)
    assert "in PEM" in wrong(TlsFiles(str(nothing), str(pair.key)))
    assert "in PEM" in wrong(TlsFiles(str(pair.certificate), str(nothing)))
    assert f"{nothing}: no certificates in PEM" in wrong(files(pair, nothing))
    nothing.write_bytes(bytes(range(256)))
    assert "in PEM" in wrong(TlsFiles(str(nothing), str(pair.key)))


def test_a_certificate_for_clients_only(tmp_path: Path) -> None:
    pair = pki.make("client", "-addext", "extendedKeyUsage=clientAuth", directory=tmp_path)
    assert "no server can use it" in wrong(files(pair))


def test_one_that_another_has_signed(tmp_path: Path) -> None:
    leaf = pki.make("gateway", *pki.LEAF, *pki.LOCAL, signer=pki.lab(), directory=tmp_path)
    load(files(leaf))
    leaf.certificate.write_text(leaf.certificate.read_text() + pki.lab().certificate.read_text())
    load(files(leaf))


DAY = 86400.0


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (0.5 * DAY, "the certificate is not valid for another 1 day"),
        (2 * DAY, ""),
        (95 * DAY, "the certificate expires in 5 days"),
        (107.5 * DAY, "the certificate has expired 7 days ago"),
    ],
)
def test_the_time_of_a_certificate(now: float, told: str) -> None:
    identity = Identity("", until=100 * DAY, begins=1.9 * DAY, slow=False, _contexts={})
    assert identity.validity(now) == told


def test_an_expired_certificate_is_taken_and_told() -> None:
    """Whether the clock is right is not known, and a gateway must start without."""
    identity = load(files(expired()))
    assert "has expired" in identity.validity()


def expired() -> pki.Pair:
    pair = pki.make("expired", *pki.LOCAL)
    pki.expire(pair)
    return pair


def test_a_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = TlsFiles("credential:crt", "credential:gatewayd.key")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(CredentialError, match="LoadCredential="):
        load(given)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert "cannot be read" in wrong(given)
    shutil.copy(pki.server().certificate, tmp_path / "crt")
    shutil.copy(pki.server().key, tmp_path / "gatewayd.key")
    assert load(given).fingerprint == load(files(pki.server())).fingerprint
