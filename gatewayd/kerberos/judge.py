"""The program that judges one request. Its argument is the keytab.

Strangers write what libkrb5 reads here, so it is not the daemon that reads it. The standard input
is the pair, two octets, and the AP-REQ; with nothing there the keytab alone is looked at. The
answer is a line of JSON: `refused` says why not, or `principal` and `reply`, an AP-REP in
hexadecimal digits.
"""

from __future__ import annotations

import json
import sys

from gatewayd.kerberos.library import KerberosError
from gatewayd.kerberos.verify import MOST_BYTES, Verifier


def answer(keytab: str, asked: bytes) -> dict[str, str]:
    """What is to be said."""
    try:
        verifier = Verifier(keytab)
        if not asked:
            return {}
        verified = verifier.verify(asked[2:], asked[:2])
    except KerberosError as error:
        return {"refused": str(error)}
    return {"principal": verified.principal, "reply": verified.reply.hex()}


def main() -> None:
    """Read a request, and answer."""
    print(json.dumps(answer(sys.argv[1], sys.stdin.buffer.read(MOST_BYTES + 3))))
