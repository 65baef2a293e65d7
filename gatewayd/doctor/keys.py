"""What can be wrong with the keys of a configuration."""

from __future__ import annotations

from collections.abc import Iterator

from gatewayd.config.schema import TlsFiles
from gatewayd.credentials import CredentialError
from gatewayd.doctor.machine import Finding
from gatewayd.tls.identity import IdentityError, load

NEW = "gatewayd cert server   # makes one, in the directory tls; then systemctl reload gatewayd"


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
