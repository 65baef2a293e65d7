"""Files that the service manager passes, see LoadCredential= in systemd.exec(5)."""

from __future__ import annotations

import os
from typing import Final

from gatewayd.errors import GatewayError

CREDENTIAL: Final = "credential:"


class CredentialError(GatewayError):
    """None were passed."""


def located(path: str) -> str:
    """Where the file is that the configuration calls `path`. Raises CredentialError."""
    if not path.startswith(CREDENTIAL):
        return path
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if directory is None:
        raise CredentialError(
            f"{path}: there are no credentials here; the service has them by LoadCredential= in "
            "its unit"
        )
    return os.path.join(directory, path.removeprefix(CREDENTIAL))
