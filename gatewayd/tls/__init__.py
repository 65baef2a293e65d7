"""TLS: what the gateway proves itself with, and what carries a connection's bytes."""

import sys

if sys.modules.get("ssl", sys) is None:
    # The command line keeps it from asyncio, which has no use for it here; now there is one.
    del sys.modules["ssl"]
