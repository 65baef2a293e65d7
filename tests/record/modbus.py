"""A dialogue of Modbus RTU, as a master and a slave have it on a line."""

from __future__ import annotations

import struct
from typing import Final


def framed(frame: str) -> bytes:
    """A frame, given in hexadecimal, with its checksum."""
    data, crc = bytes.fromhex(frame), 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return data + struct.pack("<H", crc)


QUERY: Final = framed("110300000002")
RESPONSE: Final = framed("11030400060005")
DECODED: Final = (
    "Query: Unit:  17, Func:   3: Read Holding Registers",
    "Response: Unit:  17, Func:   3: Read Holding Registers",
)
"""What tshark says of them."""
