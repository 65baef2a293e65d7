"""What is measured: the pieces of work, the figures of each, and what gatewayd must show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from bench.neighbour import ATTACKS
from bench.subjects import BAUDRATE

MIB = 1 << 20
COMPARED = ("gatewayd", "ser2net", "tuned", "relay")
SEEING = ("gatewayd", "seeing")
"""gatewayd without and with a record and metrics."""
BY_TLS = ("tls", "ssl", "stunnel")
"""gatewayd, and what else there is, when clients come by TLS."""
ALONE: Final = "alone"
"""The name of gatewayd while nobody watches, beside what it does while somebody does."""
SCRAPES = 50
IDLE_SECONDS = 10.0
SLOW_BAUDRATE = 9600
"""For as many ports as the load generator could not serve in time with small pieces otherwise."""
PIECES = {14: "1.2 ms", 29: "2.5 ms", 58: "5 ms", 115: "10 ms", 230: "20 ms"}
"""Bytes of a piece, and how long 115200 baud takes for them."""


@dataclass(frozen=True, slots=True)
class Must:
    """A bound on a figure of gatewayd: on its ratio to another subject's, or on itself."""

    limit: float
    to: Literal["tuned", "ser2net", "relay", "gatewayd", "alone", "better"] | None = None
    """`better` is the smaller figure of all others (of what is bounded from below, the larger)."""
    at_least: bool = False
    of: Literal["gatewayd", "seeing", "tls"] = "gatewayd"
    """Whose figure it is."""
    unpinned: float | None = None
    """The limit without a core for each process, if that is another one."""

    def free(self) -> Must:
        """The bound without a core for each process."""
        return self if self.unpinned is None else replace(self, limit=self.unpinned)

    def holds(self, value: float) -> bool:
        """Whether a ratio (or, without `to`, a figure) is within the bound."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        if self.limit == 0:
            return "0"
        sign = "≥" if self.at_least else "≤"
        other = {
            "tuned": " \N{MULTIPLICATION SIGN} tuned",
            "ser2net": " \N{MULTIPLICATION SIGN} ser2net",
            "relay": " \N{MULTIPLICATION SIGN} relay",
            "gatewayd": " \N{MULTIPLICATION SIGN} without",
            "alone": " \N{MULTIPLICATION SIGN} alone",
            "better": " \N{MULTIPLICATION SIGN} better",
            None: "",
        }[self.to]
        return f"{sign} {self.limit:g}{other}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a piece of work: a line of the table."""

    key: str
    title: str
    must: Must | None = None
    also: Must | None = None
    """A second bound."""

    @property
    def musts(self) -> tuple[Must, ...]:
        """Its bounds."""
        return tuple(must for must in (self.must, self.also) if must is not None)

    def bound(self, must: Must | None = None) -> Figure:
        """The same with another bound, or none."""
        return replace(self, must=must, also=None)


Kind = Literal[
    "session",
    "churn",
    "idle",
    "start",
    "scrape",
    "neighbour",
    "watched",
    "handshakes",
    "memory",
]


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work. `command` is the load generator's; empty for what needs none."""

    key: str
    title: str
    ports: int
    figures: tuple[Figure, ...]
    command: str = ""
    kind: Kind = "session"
    subjects: tuple[str, ...] = COMPARED
    """Who does it."""
    watchers: int = 0
    stuck: bool = False
    """Those who watch meanwhile, and whether they read nothing."""
    turns: int = 1
    """In one repetition; their median counts."""
    minor: bool = False
    """Whether a short table does without it."""

    def needs_telnet(self) -> bool:
        """Whether a gateway without Telnet cannot do it."""
        return self.kind == "churn"


@dataclass(frozen=True, slots=True)
class Effort:
    """How long each piece of work takes."""

    rounds: int
    round_seconds: float
    turns: int
    """How often all gateways take turns at round trips: fast ones are done in less time than the
    machine takes to change its pace."""
    bulk_bytes: int
    paced_seconds: float
    churn_seconds: float
    neighbour_seconds: float
    """Of each of its attacks."""


FULL = Effort(3000, 0.5, 6, 32 * MIB, 1.5, 1.5, 0.5)
QUICK = Effort(1000, 0.5, 1, 8 * MIB, 0.5, 0.5, 0.2)


def catalogue(effort: Effort) -> list[Work]:
    """All work in the order of the table."""
    return [
        *(_round_trip(effort, size) for size in (1, 16, 256, 4096)),
        *(
            _bulk(effort, way, content)
            for way in ("up", "down", "both")
            for content in ("text", "random", "ff")
        ),
        *(
            _paced(
                effort,
                ports,
                piece,
                way,
                SLOW_BAUDRATE if (ports, piece) == (256, 14) else BAUDRATE,
            )
            for ports in (1, 16, 64, 256)
            for piece in (14, 115)
            for way in ("up", "both")
        ),
        *(_paced(effort, ports, piece, "up") for ports in (1, 16, 64) for piece in (29, 58, 230)),
        *(_uneven(_paced(effort, 16, piece, way)) for piece in (14, 115) for way in ("up", "both")),
        _IDLE,
        replace(_MEMORY, figures=(replace(_MEMORY.figures[0], must=Must(12)),)),
        _neighbour(effort),
        *(_watched(effort, count) for count in (1, 4, 16)),
        _watched(effort, 1, stuck=True),
        _disturbed(effort),
        _churn(effort),
        *(_start(ports) for ports in (1, 64)),
        *_seeing(effort),
        *_by_tls(effort),
    ]


def _seeing(effort: Effort) -> list[Work]:
    """What a record and metrics cost."""
    recorded = [
        _recorded(_paced(effort, ports, piece, "up"), "cpu_percent", must, " text")
        for ports, piece, must in ((1, 14, 1.5), (16, 14, None), (64, 14, None), (64, 115, None))
    ]
    recorded[2:2] = [
        replace(
            _recorded(_paced(effort, 16, 14, "up"), "cpu_percent", None),
            key="record-random-16-14-up",
            title=f"{recorded[1].title}, random bytes",
        )
    ]
    bulk = _recorded(_bulk(effort, "up", "text"), "cpu_ms_per_mib", None)
    wakeups = Figure("wakeups", f"wake-ups in {IDLE_SECONDS:.0f} s", Must(0, of="seeing"))
    idle = Work(
        "record-idle-64",
        _IDLE.title,
        64,
        (wakeups, Figure("pss_mb", "PSS, MB")),
        kind="idle",
        subjects=SEEING,
    )
    figures = (
        Figure("cpu_ms_each", "CPU of one, ms", Must(5, of="seeing")),
        Figure("ms_each", "time of one, ms"),
    )
    scrape = Work("scrape-64", "metrics of 64 ports", 64, figures, kind="scrape")
    return [*recorded, bulk, idle, replace(scrape, subjects=SEEING[1:])]


def _recorded(work: Work, figure: str, must: float | None, content: str = "") -> Work:
    """The same with a record; `must` bounds what it costs against what it costs without. `content`
    is added to the command."""
    bound = None if must is None else Must(must, "gatewayd", of="seeing")
    figures = tuple(one.bound(bound if one.key == figure else None) for one in work.figures)
    return replace(
        work,
        key=f"record-{work.key}",
        command=work.command + content,
        figures=figures,
        subjects=SEEING,
    )


def _by_tls(effort: Effort) -> list[Work]:
    """What clients by TLS cost."""
    works = [
        *(_round_trip(effort, size) for size in (1, 256)),
        *(_bulk(effort, way, "text") for way in ("up", "down", "both")),
        *(_bulk(effort, way, "random") for way in ("up", "down")),
    ]
    found = []
    for work in works:
        limit = 1.3 if work.key.startswith("rtt") else 1.0
        must = Must(limit, "better", of="tls")
        figures = tuple(
            one.bound(must if one.key.startswith("cpu") else None) for one in work.figures
        )
        found.append(replace(work, key=f"tls-{work.key}", figures=figures, subjects=BY_TLS))
    each = Figure("cpu_ms_each", "CPU of one, ms")
    shaking = (Figure("per_s", "per second"), each)
    command = f"handshakes {{tcp_port}} {effort.churn_seconds}"
    handshakes = Work("tls-handshakes", "handshake (P-256, no ticket), close", 1, shaking, command)
    return [
        *found,
        replace(handshakes, kind="handshakes", subjects=BY_TLS),
        replace(_MEMORY, key="tls-memory-64", subjects=BY_TLS),
    ]


def _round_trip(effort: Effort, size: int) -> Work:
    small, cpu = size <= 256, (Must(1.0, "tuned"), Must(1.6, "relay"))
    figures = (
        Figure("p50_us", "p50, µs", Must(1.0, "tuned") if size == 1 else None),
        Figure("p99_us", "p99, µs"),
        Figure("cpu_ms", "CPU per 1000, ms", *cpu if small else ()),
    )
    command = f"rtt {size} {effort.rounds} {effort.round_seconds}"
    title = f"round trip, {_bytes(size)}"
    return Work(f"rtt-{size}", title, 1, figures, command, turns=effort.turns)


def _bytes(size: int) -> str:
    return "1 byte" if size == 1 else f"{size} bytes"


_BULK_MUSTS = {
    ("up", "text"): Must(0.6, "tuned", unpinned=0.7),
    ("up", "random"): Must(0.6, "tuned", unpinned=0.7),
    ("down", "text"): Must(0.7, "tuned"),
    ("down", "random"): Must(1.0, "tuned"),
    ("up", "ff"): Must(1.5, "tuned"),
    ("down", "ff"): Must(1.5, "tuned"),
}
_CONTENTS = {"text": "text", "random": "random bytes", "ff": "nothing but 0xFF"}


def _bulk(effort: Effort, way: str, content: str) -> Work:
    figures = (
        Figure("cpu_ms_per_mib", "CPU per MiB, ms", _BULK_MUSTS.get((way, content))),
        Figure("mib_s", "MiB/s"),
    )
    ways = {"up": "line to client", "down": "client to line", "both": "both ways"}
    title = f"bulk {ways[way]}, {_CONTENTS[content]}"
    command = f"bulk {way} {content} {effort.bulk_bytes}"
    return Work(f"bulk-{way}-{content}", title, 1, figures, command)


def _paced(effort: Effort, ports: int, piece: int, way: str, baud: int = BAUDRATE) -> Work:
    both = way == "both"
    cpu: Must | None = None
    delays: tuple[Must, ...] = ()
    if both and piece == 115:
        cpu = Must(1.0, "tuned")
    elif both and piece == 14 and ports in (16, 64):
        cpu, delays = Must(0.8, "ser2net"), (Must(3.0),)
    elif not both and ports <= 64:
        cpu = Must(0.6, "ser2net") if ports > 1 else None
        delays = (Must(2.5), Must(1.0, "ser2net"))
    figures = (
        Figure("cpu_percent", "CPU of a core, %", cpu),
        Figure("p99_ms", "p99 delivery, ms", *delays),
        Figure("lost", "bytes lost", Must(0) if ports <= 64 else None),
    )
    every = PIECES[piece] if baud == BAUDRATE else f"{piece * 10 / baud * 1e3:.0f} ms"
    title = f"{ports} port{'s' * (ports > 1)}, {baud} baud in {every} pieces, " + (
        "both ways" if both else "line to client"
    )
    command = f"paced {piece} {baud} {way} {effort.paced_seconds}"
    key, minor = f"paced-{ports}-{piece}-{way}", piece not in (14, 115)
    return Work(key, title, ports, figures, command, minor=minor)


def _uneven(work: Work) -> Work:
    """The same in pieces of many sizes, at uneven times: what a gateway makes of a steady pace
    must not be for that alone."""
    return replace(
        work,
        key=f"uneven-{work.key}",
        title=f"{work.title}, uneven",
        command=f"{work.command} uneven",
        figures=tuple(one.bound() for one in work.figures),
    )


_IDLE = Work(
    "idle-64",
    "idle, 64 connected ports",
    64,
    (
        Figure("wakeups", f"wake-ups in {IDLE_SECONDS:.0f} s", Must(0)),
        Figure("cpu_ms", f"CPU in {IDLE_SECONDS:.0f} s, ms"),
        Figure("pss_mb", "PSS, MB", Must(16)),
    ),
    kind="idle",
)


_MEMORY = Work(
    "memory-64",
    "64 idle sessions",
    64,
    (Figure("kib_each", "PSS of one more, KiB"),),
    kind="memory",
)


def _neighbour(effort: Effort) -> Work:
    figure = Figure("p99_ms", "p99 of a round trip, ms", Must(10.0))
    title = f"one hostile neighbour, the worst of {len(ATTACKS)}"
    command = f"rtt 1 {10 * effort.rounds} {effort.neighbour_seconds}"
    return Work("neighbour", title, 2, (figure,), command, "neighbour", ("gatewayd",))


def _watched(effort: Effort, count: int, *, stuck: bool = False) -> Work:
    """What watchers cost, beside the same without any."""
    bulk = _bulk(effort, "up", "text")
    # One that watches costs at most as much as one more client; one that is stuck, next to nothing.
    most = Must(1.2 if stuck else count + 1, ALONE)
    who = "one watcher that is stuck" if stuck else f"{count} watcher{'s' * (count > 1)}"
    return replace(
        bulk,
        key=f"watched-{'stuck' if stuck else count}",
        title=f"{bulk.title}, {who}",
        figures=tuple(
            one.bound(most if one.key.startswith("cpu") else None) for one in bulk.figures
        ),
        kind="watched",
        subjects=("gatewayd",),
        watchers=count,
        stuck=stuck,
        minor=count > 1,
    )


def _disturbed(effort: Effort) -> Work:
    """What a dialogue has of one that watches and reads nothing, while the line says much."""
    work = _round_trip(effort, 256)
    most = {"p99_us": Must(1.2, ALONE)}
    return replace(
        work,
        key="watched-dialogue",
        title=f"{work.title}, one watcher that is stuck",
        figures=tuple(one.bound(most.get(one.key)) for one in work.figures),
        kind="watched",
        subjects=("gatewayd",),
        watchers=1,
        stuck=True,
    )


def _churn(effort: Effort) -> Work:
    figures = (
        Figure("per_s", "per second", Must(12, "ser2net", at_least=True, unpinned=10)),
        Figure("p50_us", "p50, µs"),
    )
    title = "connect, COM-PORT, SET-BAUDRATE, close"
    return Work("churn", title, 1, figures, f"churn {{tcp_port}} {effort.churn_seconds}", "churn")


def _start(ports: int) -> Work:
    must = Must(250) if ports == 64 else None
    figures = (Figure("start_ms", "ms"), Figure("start_cpu_ms", "CPU, ms", must))
    title = f"start to first greeting on the last of {ports} port{'s' * (ports > 1)}"
    return Work(f"start-{ports}", title, ports, figures, kind="start")


def unpinned(works: Sequence[Work]) -> list[Work]:
    """The same work, with the bounds that hold without a core for each process."""
    return [
        replace(
            work,
            figures=tuple(
                replace(one, must=one.must.free()) if one.must is not None else one
                for one in work.figures
            ),
        )
        for work in works
    ]


def figures_of(work: Work, raw: Mapping[str, float]) -> dict[str, float]:
    """The figures of a piece of work from what was measured, and the load generator's own use.

    `raw` has seconds, bytes and microseconds as the load generator reports them.
    """
    figures = dict(raw)
    wall, cpu = raw.get("wall_s", 0.0), raw.get("cpu_s", 0.0)
    if "p99_us" in raw:
        figures["p99_ms"] = raw["p99_us"] / 1e3
    figures["cpu_ms"] = cpu * 1e3
    if work.command.startswith("rtt") and raw["rounds"]:
        figures["cpu_ms"] = cpu * 1e6 / raw["rounds"]
    if wall:
        figures["cpu_percent"] = cpu / wall * 100
        figures["load_percent"] = raw.get("load_cpu_s", 0.0) / wall * 100
        figures["per_s"] = raw.get("rounds", 0.0) / wall
    if work.kind in ("scrape", "handshakes") and raw["rounds"]:
        figures["cpu_ms_each"] = cpu * 1e3 / raw["rounds"]
        figures["ms_each"] = wall * 1e3 / raw["rounds"]
    if work.command.startswith("bulk"):
        mib = raw["bytes"] / MIB
        figures["mib_s"] = mib / wall
        figures["cpu_ms_per_mib"] = cpu * 1e3 / mib
    return figures
