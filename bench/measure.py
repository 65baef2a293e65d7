"""The run: every subject does every piece of work, in turn, several times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from statistics import median

from bench.neighbour import ATTACKS
from bench.rig import Rig, idle_together
from bench.subjects import BEFORE, Subject
from bench.table import Results
from bench.toolchain import BenchError, Tools
from bench.work import ALONE, COMPARED, IDLE_SECONDS, SCRAPES, Work, figures_of

Note = Callable[[str], None]

SETTLE_SECONDS = 2.5
"""How long connected ports are left alone before idleness is measured: a record writes a line that
nobody has ended when it has rested for a second."""


def _medians(turns: Sequence[dict[str, float]]) -> dict[str, float]:
    return {key: median(one[key] for one in turns) for key in turns[0]}


def _p99(raw: dict[str, float]) -> float:
    return raw["p99_us"]


class Run:
    """One run of the benchmark; `results` and `failures` grow while it goes on."""

    def __init__(self, subjects: Sequence[Subject], tools: Tools, note: Note) -> None:
        self.results: Results = {}
        self.failures: list[str] = []
        self._subjects = subjects
        self._tools = tools
        self._note = note

    def measure(self, catalogue: Sequence[Work], repetitions: int) -> None:
        """Do all the work, as often as told; A B C D, A B C D, ... within each group of rigs."""
        groups: dict[tuple[str, int, tuple[str, ...]], list[Work]] = {}
        for work in catalogue:
            groups.setdefault((work.kind, work.ports, work.subjects), []).append(work)
            self.results[work.key] = {subject.name: [] for subject in self._subjects}
        for (kind, ports, _), works in groups.items():
            self._note(f"{kind}, {ports} ports: {len(works)} rows")
            if kind == "start":
                self._starts(works[0], repetitions)
            elif kind == "neighbour":
                self._neighbour(works[0], repetitions)
            elif kind == "watched":
                for work in works:
                    self._watched(work, repetitions)
            elif kind == "idle":
                self._idleness(works[0], repetitions)
            elif kind == "memory":
                self._memory(works[0], repetitions)
            else:
                self._side_by_side(works, repetitions)

    def _side_by_side(self, works: Sequence[Work], repetitions: int) -> None:
        """All subjects stay up, and one at a time has work to do."""
        rigs: dict[str, Rig] = {}
        with ExitStack() as stack:
            for repetition in range(repetitions):
                for work in works:
                    done: dict[str, list[dict[str, float]]] = {}
                    for subject in self._who(work) * work.turns:
                        if work.needs_telnet() and not subject.telnet:
                            continue
                        try:
                            if subject.name not in rigs:
                                rigs[subject.name] = self._rig(stack, subject, work)
                            raw = self._do(rigs[subject.name], work)
                        except BenchError as error:
                            self._failed(work, error)
                            failed = rigs.pop(subject.name, None)
                            if failed:
                                failed.close()
                            continue
                        done.setdefault(subject.name, []).append(figures_of(work, raw))
                    for name, turns in done.items():
                        self.results[work.key][name].append(_medians(turns))
                self._note(f"  repetition {repetition + 1} of {repetitions}")

    def _who(self, work: Work) -> list[Subject]:
        names = {*work.subjects}
        if names == {*COMPARED}:
            names.add(BEFORE)
        return [subject for subject in self._subjects if subject.name in names]

    def _rig(self, stack: ExitStack, subject: Subject, work: Work) -> Rig:
        rig = stack.enter_context(Rig(subject, self._tools, work.ports))
        if work.kind in ("session", "idle", "scrape"):
            rig.connect()
        return rig

    @staticmethod
    def _do(rig: Rig, work: Work) -> dict[str, float]:
        if work.kind == "scrape":
            return rig.scrape(SCRAPES)
        return rig.do(work.command.format(tcp_port=rig.lines[0].tcp_port))

    def _failed(self, work: Work, error: BenchError) -> None:
        text = f"{work.title}: {error}"
        self._note(f"  FAILED {text}")
        self.failures.append(text)

    def _idleness(self, work: Work, repetitions: int) -> None:
        """All subjects do nothing at the same time."""
        for _ in range(repetitions):
            rigs = []
            with ExitStack() as stack:
                for subject in self._who(work):
                    try:
                        rigs.append(self._rig(stack, subject, work))
                    except BenchError as error:
                        self._failed(work, error)
                idle_together(rigs, SETTLE_SECONDS)
                for rig, raw in zip(rigs, idle_together(rigs, IDLE_SECONDS), strict=True):
                    self.results[work.key][rig.subject.name].append(figures_of(work, raw))

    def _neighbour(self, work: Work, repetitions: int) -> None:
        """A dialogue beside each attack."""
        for _ in range(repetitions):
            for subject in self._who(work):
                try:
                    with Rig(subject, self._tools, work.ports) as rig:
                        rig.connect(1)
                        raw = max((self._beside(rig, work, name) for name in ATTACKS), key=_p99)
                except BenchError as error:
                    self._failed(work, error)
                    continue
                self.results[work.key][subject.name].append(figures_of(work, raw))

    def _watched(self, work: Work, repetitions: int) -> None:
        """The same work while nobody watches, and while others do."""
        for _ in range(repetitions):
            for subject in self._who(work):
                try:
                    with Rig(subject, self._tools, work.ports, watched=True) as rig:
                        rig.connect()
                        alone = self._do(rig, work)
                        with rig.watched(work.watchers, stuck=work.stuck):
                            raw = self._do(rig, work)
                except BenchError as error:
                    self._failed(work, error)
                    continue
                found = self.results[work.key]
                found[subject.name].append(figures_of(work, raw))
                found.setdefault(ALONE, []).append(figures_of(work, alone))

    def _beside(self, rig: Rig, work: Work, attack: str) -> dict[str, float]:
        with rig.attacked(attack):
            return self._do(rig, work)

    def _memory(self, work: Work, repetitions: int) -> None:
        """What each session adds."""
        for _ in range(repetitions):
            for subject in self._who(work):
                try:
                    with Rig(subject, self._tools, work.ports) as rig:
                        before = rig.pss_kib()
                        rig.connect()
                        each = (rig.pss_kib() - before) / work.ports
                except BenchError as error:
                    self._failed(work, error)
                    continue
                self.results[work.key][subject.name].append({"kib_each": each})

    def _starts(self, work: Work, repetitions: int) -> None:
        for _ in range(repetitions):
            for subject in self._who(work):
                try:
                    with Rig(subject, self._tools, work.ports) as rig:
                        figures = {"start_ms": rig.start_ms, "start_cpu_ms": rig.start_cpu_ms}
                except BenchError as error:
                    self._failed(work, error)
                    continue
                self.results[work.key][subject.name].append(figures)
