"""The control socket: what the daemon tells and does for the commands of the same machine."""

from __future__ import annotations

import os

SYSTEM_PATH = "/run/gatewayd/control"


def standard_path() -> str | None:
    """Where the socket is when the configuration does not say: in the runtime directory of the
    service, of root, or of the user; None where there is none of these."""
    directory = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    if directory:
        return f"{directory}/control"
    if os.geteuid() == 0:
        return SYSTEM_PATH
    directory = os.environ.get("XDG_RUNTIME_DIR", "")
    return f"{directory}/gatewayd/control" if directory else None


def find_path() -> str:
    """Where a command looks for the socket: the service's first, then the user's own."""
    own = standard_path()
    return own if own and not os.path.exists(SYSTEM_PATH) else SYSTEM_PATH
