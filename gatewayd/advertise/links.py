"""Which network interface has an address, asked of the kernel (rtnetlink(7))."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Final

ANYWHERE: Final = -1
"""What Avahi takes for every interface (AVAHI_IF_UNSPEC), and for both families."""
_RTM_GETADDR: Final = 22
_RTM_NEWADDR: Final = 20
_NLM_F_REQUEST_DUMP: Final = 0x301
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2


def interface_of(host: str) -> int | None:
    """The index of the interface with the numeric address `host`, `ANYWHERE` for every address;
    None when no interface has it."""
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        return ANYWHERE
    if "%" in host:
        name = host.rpartition("%")[2]
        try:
            return int(name) if name.isdecimal() else socket.if_nametoindex(name)
        except OSError:
            return None
    return addresses().get(address.packed)


def addresses() -> dict[bytes, int]:
    """All addresses of the machine in network order, with the indexes of their interfaces.

    Empty when the kernel does not tell.
    """
    found: dict[bytes, int] = {}
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK) as sock:
            header = struct.pack("=IHHII", 24, _RTM_GETADDR, _NLM_F_REQUEST_DUMP, 1, 0)
            sock.sendto(header + bytes(8), (0, 0))
            # The kernel has the answer ready: it is made while the request is sent.
            while _take(sock.recv(1 << 16), found):
                pass
    except OSError:
        return found
    return found


def _take(data: bytes, found: dict[bytes, int]) -> bool:
    """Note the addresses in one reading; return whether more follow."""
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if kind != _RTM_NEWADDR or length < 24:
            return False
        index = struct.unpack_from("=I", data, at + 20)[0]
        attribute = at + 24
        while attribute + 4 <= at + length:
            size, what = struct.unpack_from("=HH", data, attribute)
            if what in (_IFA_LOCAL, _IFA_ADDRESS) and size > 4:
                found.setdefault(data[attribute + 4 : attribute + size], index)
            attribute += max((size + 3) & ~3, 4)
        at += (length + 3) & ~3
    return True
