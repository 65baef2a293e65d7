"""What can be wrong with the keys of a configuration."""

from __future__ import annotations

from collections.abc import Iterator

from gatewayd.config.schema import Kerberos, TlsFiles
from gatewayd.credentials import CredentialError, located
from gatewayd.doctor.machine import Finding
from gatewayd.kerberos.tickets import TicketError, look_at
from gatewayd.tls.identity import IdentityError, load

NEW = "gatewayd cert server   # makes one, in the directory tls; then systemctl reload gatewayd"


def kerberos(files: Kerberos) -> Iterator[Finding]:
    """A keytab that tickets cannot be judged by."""
    try:
        look_at(located(files.keytab))
    except (CredentialError, TicketError) as error:
        yield Finding(f"kerberos: {error}", f"klist -k {files.keytab}   # shows what it holds")


def findings(files: TlsFiles) -> Iterator[Finding]:
    """Keys that cannot be used, or not for long."""
    try:
        wrong = load(files).validity()
    except CredentialError as error:
        yield Finding(f"tls: {error}", "systemctl cat gatewayd   # shows what it is given", False)
    except IdentityError as error:
        text, _, remedy = str(error).partition("; ")
        yield Finding(f"tls: {text}", remedy.removeprefix("do: ") or NEW)
    else:
        if wrong:
            yield Finding(f"tls: {files.certificate}: {wrong}", NEW, "expires in" not in wrong)
