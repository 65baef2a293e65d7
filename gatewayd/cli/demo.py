"""`gatewayd demo`: a simulated instrument, served on both faces and shown on the page, and how to
talk to it."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from gatewayd.cli.options import CLEAR_TEXT, Options
from gatewayd.config.problem import ConfigError
from gatewayd.config.schema import Address, Config, Echo, PortConfig, RecordConfig, RecordMode
from gatewayd.control.own import own_path
from gatewayd.demo.instrument import Instrument
from gatewayd.demo.terminal import InstrumentTerminal
from gatewayd.errors import GatewayError
from gatewayd.service import daemon

HELP = "serve a simulated instrument, to try without hardware"

RFC2217, RAW = Address("127.0.0.1", 7001), Address("127.0.0.1", 7101)
PAGE = Address("127.0.0.1", 8323)
METRICS = Address("127.0.0.1", 9317)
LEFT_FREE = 64 << 20
"""Bytes of the disk that the record leaves to others."""
TRIES = 50
"""Ports that are tried from the wanted one upwards."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gatewayd demo`."""
    for option, address in (("--rfc2217", RFC2217), ("--raw", RAW)):
        parser.add_argument(
            option,
            metavar="ADDRESS",
            help=f"PORT, HOST:PORT or [v6]:PORT (default: {address}, or the next that is free)",
        )
    parser.add_argument("--clear-text", action="store_true", help=CLEAR_TEXT)


def main(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Raises ConfigError for a wrong option."""
    rfc2217, raw = addresses(args)
    try:
        terminal = InstrumentTerminal(Instrument())
    except OSError as error:
        raise GatewayError(f"no pseudo terminal for the instrument: {error.strerror}") from None
    metrics = next_free(METRICS)
    with terminal, tempfile.TemporaryDirectory(prefix="gatewayd-demo-") as records:
        port = PortConfig(
            name="demo",
            description="simulated instrument",
            device=terminal.path,
            rfc2217=(rfc2217,),
            raw=(raw,),
            echo=Echo.CLIENT,  # an instrument sends back nothing that is typed
            record=RecordMode.BOTH,
            pcapng=True,
            replay=65536,
        )

        control = own_path("demo")

        async def instrument() -> None:
            with page(control) as url:
                print(instructions(rfc2217, raw, metrics, records, control, url), flush=True)
                await terminal.serve()

        config = Config(
            ports=(port,),
            control=control,
            record=RecordConfig(records, free=LEFT_FREE),
            metrics=(metrics,),
        )
        return daemon.run(config, verbose=args.verbose, also=instrument)


def addresses(args: argparse.Namespace) -> tuple[Address, Address]:
    """Where both faces are. Raises ConfigError for a wrong option, GatewayError when none is
    free."""
    options = Options()
    chosen: list[Address | None] = []
    for key, text in (("rfc2217", args.rfc2217), ("raw", args.raw)):
        texts = [] if text is None else [text]
        found = options.addresses(key, texts, args.clear_text, any_port=False)
        chosen.append(found[0] if found else None)
    options.look_for_clashes()
    if options.problems:
        raise ConfigError(options.problems)
    rfc2217, raw = chosen
    rfc2217 = rfc2217 or next_free(RFC2217, besides=raw)
    return rfc2217, raw or next_free(RAW, besides=rfc2217)


def next_free(wanted: Address, *, besides: Address | None = None) -> Address:
    """`wanted`, or the next port above it that nobody listens on, and that is not that of
    `besides`. Raises GatewayError."""
    for port in range(wanted.port, wanted.port + TRIES):
        if besides is not None and port == besides.port:
            continue
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((wanted.host, port))
                sock.listen()
            except OSError:
                continue
            return Address(wanted.host, port)
    raise GatewayError(f"no free port from {wanted} on; name one with --rfc2217 and --raw")


@contextlib.contextmanager
def page(control: str | None) -> Iterator[str]:
    """The page, for the length of a `with` block: where to open it, signed in. Empty without what
    it needs."""
    if control is None or find_spec("h11") is None or find_spec("wsproto") is None:
        yield ""
        return
    from gatewayd.web.token import new_token

    address = next_free(PAGE)
    with tempfile.TemporaryDirectory(prefix="gatewayd-demo-") as directory:
        file = Path(directory, "token")
        token = new_token(file)
        options = ("--listen", str(address), "--control", control, "--token", str(file))
        isolated = ["-I"] if sys.flags.isolated else []
        program = [sys.executable, *isolated, "-m", "gatewayd"]
        process = subprocess.Popen([*program, "web", *options])
        try:
            yield f"http://{address}/#token={token}"
        finally:
            process.terminate()
            process.wait()


def instructions(
    rfc2217: Address,
    raw: Address,
    metrics: Address,
    records: str,
    control: str | None = None,
    url: str = "",
) -> str:
    """What to type to talk to the instrument and to look on, as a text."""
    python = shlex.quote(sys.executable or "python3")  # which has pyserial, as we use it
    script = (
        f"import serial; s = serial.serial_for_url('rfc2217://{rfc2217}', timeout=3); "
        "s.write(b'*IDN?\\n'); print(s.readline())"
    )
    program = "gatewayd" if os.path.basename(sys.argv[0]) == "gatewayd" else f"{python} -m gatewayd"
    look = ""
    if control:
        commands = ("status", "watch demo --replay", "log demo -f")
        at = f"--control {shlex.quote(control)}"
        look = "".join(f"  {program} {command} {at}\n" for command in commands)
    shown = f"\nIn a browser:\n\n  {url}\n" if url else ""
    return f"""
A simulated bench supply is served now. Try, in another terminal:

  telnet {rfc2217.host} {rfc2217.port}
      then type *IDN? and Enter; Ctrl-] and quit to leave
  {python} -c "{script}"
  printf '*IDN?\\n' | nc -N {raw.host} {raw.port}
{look}  curl http://{metrics}/metrics
{shown}
It knows *IDN? *RST *OPC? *ESR? SYST:ERR? MEAS:VOLT? VOLT 1.5 VOLT? CURV?
What passes is recorded in {records}/demo, as text and as packets for
Wireshark, until it ends. One client at a time. Ctrl-C ends it.
"""
