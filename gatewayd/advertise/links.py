"""Which network interface has an address, asked of the kernel (netdevice(7), proc_net(5)).

rtnetlink(7) would tell it at once, but our unit lets us have no sockets of its family.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ANYWHERE: Final = -1
"""What Avahi takes for every interface (AVAHI_IF_UNSPEC), and for both families."""
MOST: Final = 1024
"""Addresses of IPv4 that are asked for."""
_SIOCGIFCONF: Final = 0x8912
_ROOM: Final = struct.calcsize("@LLHBBB0L")
"""Of the union in struct ifreq, the largest of which is a struct ifmap."""
_ENTRY: Final = struct.Struct(f"@16s4x4s{_ROOM - 8}x")
"""struct ifreq: the name, and in the union a struct sockaddr_in."""


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

    Those of which the kernel does not tell are missing.
    """
    found: dict[bytes, int] = {}
    for tell in (_of_ipv4, _of_ipv6):
        with contextlib.suppress(OSError):
            found.update(tell())
    return found


def _of_ipv4() -> Iterator[tuple[bytes, int]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        size = _ENTRY.size * MOST
        room = array.array("B", bytes(size))
        asked = struct.pack("@iP", size, room.buffer_info()[0])
        (size,) = struct.unpack_from("@i", fcntl.ioctl(sock, _SIOCGIFCONF, asked))
    for name, address in _ENTRY.iter_unpack(room[:size].tobytes()):
        # A second address may have a label behind the name.
        link = name.split(b"\0")[0].split(b":")[0].decode()
        with contextlib.suppress(OSError):
            yield address, socket.if_nametoindex(link)


def _of_ipv6() -> Iterator[tuple[bytes, int]]:
    for line in Path("/proc/self/net/if_inet6").read_text().splitlines():
        address, index, *_ = line.split()
        yield bytes.fromhex(address), int(index, 16)
