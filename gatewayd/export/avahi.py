"""Static service files of Avahi (avahi.service(5)), for machines where gatewayd is to tell nothing
itself: Avahi publishes them as long as they lie there, whether or not the device is there."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from gatewayd.advertise.services import Service, of_port, reachable
from gatewayd.config.schema import Advertise, Config
from gatewayd.export.model import Export, Here, loopback_only

HEADING: Final = """\
<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
"""
HOST: Final = "%h"
"""Avahi puts its host name there."""


def export(config: Config, here: Here) -> Export:
    """A file for each name: a port has one, and one more for each further address."""
    files, remarks = [], []
    if config.advertises:
        remarks.append("advertise: true tells of the ports already; with both each is there twice")
    for port in config.ports:
        if port.advertise is Advertise.NO:
            continue
        if not reachable(at for _, at in port.listeners):
            remarks.append(loopback_only(port.name, "what looks for services"))
            continue
        by_name: dict[str, list[Service]] = {}
        for service in of_port(port, port.listeners, HOST):
            by_name.setdefault(service.name, []).append(service)
        for number, (name, services) in enumerate(by_name.items()):
            more = f"-{services[0].port}" if number else ""
            files.append((f"gatewayd-{port.name}{more}.service", _group(name, services)))
    return Export(tuple(files), tuple(remarks))


def _group(name: str, services: list[Service]) -> str:
    return (
        f"{HEADING}<service-group>\n"
        f'  <name replace-wildcards="yes">{escape(name)}</name>\n'
        f"{''.join(map(_service, services))}</service-group>\n"
    )


def _service(service: Service) -> str:
    texts = (f"    <txt-record>{escape(text)}</txt-record>\n" for text in service.txt)
    return (
        "  <service>\n"
        f"    <type>{service.type}</type>\n"
        f"    <port>{service.port}</port>\n"
        f"{''.join(texts)}"
        "  </service>\n"
    )
