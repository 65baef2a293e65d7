"""What a row takes that no noise touches: system calls, and instructions where they are counted."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from bench.rig import Rig
from bench.subjects import Subject
from bench.table import number
from bench.toolchain import BUILD, BenchError, Tools
from bench.work import MIB, Work

ATTACH_S: Final = 0.5
"""No tracer tells when it has attached."""
DEAREST: Final = 6
_CALLS: Final = re.compile(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", re.MULTILINE)
"""A line of `strace -c`: calls, and the name."""


def table(works: Sequence[Work], subjects: Sequence[Subject], tools: Tools) -> str:
    """System calls and instructions of each round trip and each MiB, by gateway, as Markdown.

    Rows of other kinds are left out. Raises BenchError when there is none, or no strace.
    """
    chosen = [work for work in works if unit(work)]
    if not chosen:
        raise BenchError("only rows of round trips and of bulk are counted: rtt-*, bulk-*")
    strace = shutil.which("strace")
    if strace is None:
        raise BenchError("missing; install it first: apt-get install strace")
    counter = _counter()
    lines = ["| work | gateway | system calls | instructions, 1000 | most of all |"]
    lines.append("| --- | --- | ---: | ---: | --- |")
    for work in chosen:
        for subject in subjects:
            if subject.name not in work.subjects:
                continue
            with Rig(subject, tools, work.ports) as rig:
                rig.connect()
                calls, units = _traced(strace, rig, work)
                instructions = None if counter is None else _counted(counter, rig, work)
            each = ", ".join(
                f"{name} {number(count / units)}" for name, count in calls.most_common(DEAREST)
            )
            thousands = None if instructions is None else instructions / 1e3
            cells = [f"{work.title}, each {unit(work)}", subject.title]
            cells += [number(calls.total() / units), number(thousands), each]
            lines.append("| " + " | ".join(cells) + " |")
    about = "Of the gateway's processes with their threads, by `strace -c -f`"
    if counter:
        about += " and `perf stat -e instructions`."
    else:
        about += "; this machine does not let instructions be counted (`perf stat`)."
    return "\n".join([*lines, "", about, ""])


def unit(work: Work) -> str:
    """What is counted of a row: a round trip or a MiB; empty where it is neither."""
    if work.kind != "session":
        return ""
    return {"rtt": "round trip", "bulk": "MiB"}.get(work.command.split()[0], "")


def calls_of(summary: str) -> Counter[str]:
    """How often each system call was made, of what `strace -c` prints."""
    return Counter({name: int(n) for n, name in _CALLS.findall(summary) if name != "total"})


def instructions_of(summary: str) -> int | None:
    """The instructions of what `perf stat -x,` prints; None where they were not counted."""
    for line in summary.splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[2].startswith("instructions") and fields[0].isdigit():
            return int(fields[0])
    return None


def _counter() -> str | None:
    """The path of perf, if this machine lets instructions be counted."""
    perf = shutil.which("perf")
    if perf is None:
        return None
    tried = [perf, "stat", "-x,", "-e", "instructions", "true"]
    done = subprocess.run(tried, capture_output=True, text=True)
    return perf if instructions_of(done.stderr) else None


def _units(work: Work, raw: dict[str, float]) -> float:
    return raw["rounds"] if unit(work) == "round trip" else raw["bytes"] / MIB


def _traced(strace: str, rig: Rig, work: Work) -> tuple[Counter[str], float]:
    output = BUILD / "counts"
    attached = [word for pid in rig.pids for word in ("-p", str(pid))]
    with _beside([strace, "-c", "-f", *attached, "-o", str(output)]):
        units = _units(work, rig.do(work.command))
    return calls_of(output.read_text()), units


def _counted(perf: str, rig: Rig, work: Work) -> float | None:
    output = BUILD / "counts"
    pids = ",".join(map(str, rig.pids))
    with _beside([perf, "stat", "-x,", "-e", "instructions", "-p", pids, "-o", str(output)]):
        units = _units(work, rig.do(work.command))
    found = instructions_of(output.read_text())
    return None if found is None else found / units


@contextmanager
def _beside(argv: list[str]) -> Iterator[None]:
    """Run a tracer for the length of the block, and end it as Ctrl-C does."""
    tracer = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(ATTACH_S)
        if tracer.poll() is not None:
            raise BenchError(f"{' '.join(argv)} ended with {tracer.returncode}")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(60)
