"""Tickets are verified with requests that a real client makes with tickets of a real KDC."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.kerberos import library
from gatewayd.kerberos.library import KerberosError
from gatewayd.kerberos.verify import MOST_BYTES, Verifier
from tests.kerberos.kdc import PAIR, Kdc, kdc

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    with kdc(tmp_path_factory.mktemp("kdc")) as running:
        yield running


@pytest.fixture
def verifier(lab: Kdc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verifier:
    monkeypatch.setenv("KRB5_CONFIG", lab.environment["KRB5_CONFIG"])
    monkeypatch.setenv("KRB5RCACHENAME", f"file2:{tmp_path}/replays")
    return Verifier(str(lab.keytab))


def test_a_ticket_says_whose_it_is(lab: Kdc, verifier: Verifier) -> None:
    verified = verifier.verify(lab.request("alice"), PAIR)

    assert verified.principal == "alice@LAB"
    assert verified.reply[:1] == b"\x6f"  # APPLICATION 15, an AP-REP


def test_a_request_serves_once(lab: Kdc, verifier: Verifier) -> None:
    request = lab.request("alice")
    verifier.verify(request, PAIR)

    with pytest.raises(KerberosError, match="replay"):
        verifier.verify(request, PAIR)


def test_a_request_is_for_one_way_of_authentication(lab: Kdc, verifier: Verifier) -> None:
    with pytest.raises(KerberosError, match="another way of authentication"):
        verifier.verify(lab.request("alice"), b"\x02\x02")


def test_a_ticket_for_other_keys_is_refused(lab: Kdc, verifier: Verifier, tmp_path: Path) -> None:
    lab.kadmin("addprinc -randkey host/elsewhere")
    lab.kadmin(f"ktadd -k {tmp_path}/other.keytab host/elsewhere")
    other = Verifier(str(tmp_path / "other.keytab"))

    with pytest.raises(KerberosError):
        other.verify(lab.request("alice"), PAIR)


@pytest.mark.parametrize("how", ["cut", "changed", "empty", "noise", "huge"])
def test_what_is_no_request_is_refused(lab: Kdc, verifier: Verifier, how: str) -> None:
    good = lab.request("alice")
    middle = len(good) // 2
    bad = {
        "cut": good[:middle],
        "changed": good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
        "empty": b"",
        "noise": bytes(range(256)) * 4,
        "huge": good + bytes(MOST_BYTES),
    }[how]

    with pytest.raises(KerberosError):
        verifier.verify(bad, PAIR)


def test_a_keytab_that_others_can_read_or_that_has_no_keys_is_refused(
    lab: Kdc, verifier: Verifier, tmp_path: Path
) -> None:
    shown = tmp_path / "shown"
    shown.write_bytes(lab.keytab.read_bytes())
    shown.chmod(0o644)
    empty = tmp_path / "empty"
    empty.touch(0o600)

    with pytest.raises(KerberosError, match="every user of this machine"):
        Verifier(str(shown))
    with pytest.raises(KerberosError, match="empty"):
        Verifier(str(empty))
    with pytest.raises(KerberosError, match="No such file"):
        Verifier(str(tmp_path / "none"))


def test_without_the_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "SONAME", "libkrb5-that-is-not-there.so")
    library.library.cache_clear()
    try:
        with pytest.raises(KerberosError, match="libkrb5-3"):
            library.library()
    finally:
        library.library.cache_clear()
