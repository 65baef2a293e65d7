"""The control socket: what the daemon tells and does for the commands of the same machine."""

from __future__ import annotations

import os

SYSTEM_PATH = "/run/gatewayd/control"
SYSTEM_LOOK_PATH = "/run/gatewayd-look/socket"
"""For those who may look and no more; the directory has a group of its own."""


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


def look_path(control: str) -> str:
    """Where the socket of those who may only look is, beside that control socket."""
    if control == SYSTEM_PATH and os.path.isdir(os.path.dirname(SYSTEM_LOOK_PATH)):
        return SYSTEM_LOOK_PATH
    return f"{control}-look"
