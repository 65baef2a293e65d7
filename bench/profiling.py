"""Where the time of one row goes: gatewayd under py-spy, perf and strace, each in its own turn."""

from __future__ import annotations

import collections
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.rig import Rig
from bench.subjects import Subject
from bench.toolchain import BUILD, PROJECT, Tools
from bench.work import Work, figures_of

SECONDS = 6.0
"""How long the row is repeated under each profiler."""

TOP = 30
"""Lines of each summary."""


def profile(subject: Subject, work: Work, tools: Tools, python: str) -> str:
    """Run a row again and again under each profiler that this machine has; gives the summaries."""
    parts = [f"{work.key}: {work.title}"]
    with Rig(subject, tools, work.ports) as rig:
        if work.kind == "session":
            rig.connect()
        parts.append(f"undisturbed: {_summary(work, _repeat(rig, work))}")
        for name, profiler in (("py-spy", _py_spy), ("perf", _perf), ("strace", _strace)):
            program = _find(name, python)
            if program is None:
                parts.append(f"{name}: not installed")
                continue
            output = BUILD / f"profile-{work.key}-{name}"
            measured = ""
            with _attached(profiler(program, rig.pid, output)) as process:
                time.sleep(0.5)  # no profiler tells when it has attached
                if process.poll() is None:
                    measured = _summary(work, _repeat(rig, work))
            errors = process.stderr.read().decode(errors="replace") if process.stderr else ""
            if not output.exists():
                parts.append(f"{name}: {errors.strip()}")
                continue
            parts.append(f"== {name}: {measured}\n{_READERS[name](output, program)}")
    return "\n\n".join(parts)


def _repeat(rig: Rig, work: Work) -> dict[str, float]:
    """The figures of the last of the repetitions that fit into the time."""
    until = time.monotonic() + SECONDS
    figures: dict[str, float] = {}
    while time.monotonic() < until:
        figures = figures_of(work, rig.do(work.command.format(tcp_port=rig.lines[0].tcp_port)))
    return figures


def _summary(work: Work, figures: dict[str, float]) -> str:
    return ", ".join(f"{figure.title}: {figures[figure.key]:.2f}" for figure in work.figures)


def _find(name: str, python: str) -> str | None:
    beside = [Path(python).parent / name, PROJECT / ".venv" / "bin" / name]
    return next((str(path) for path in beside if os.access(path, os.X_OK)), shutil.which(name))


@contextmanager
def _attached(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A profiler for as long as the block lasts; then it is stopped as by Ctrl-C, and reports."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _py_spy(program: str, pid: int, output: Path) -> list[str]:
    how = ["--rate", "400", "--duration", "60", "--format", "raw"]
    return [program, "record", *how, "-p", str(pid), "-o", str(output)]


def _perf(program: str, pid: int, output: Path) -> list[str]:
    return [program, "record", "-q", "-F", "999", "-p", str(pid), "-o", str(output)]


def _strace(program: str, pid: int, output: Path) -> list[str]:
    return [program, "-c", "-f", "-p", str(pid), "-o", str(output)]


def _read_py_spy(output: Path, program: str) -> str:
    """Samples by line (where the time is spent) and by function (itself and what it calls).

    py-spy cannot always tell a thread that waits from one that works: what waits is left out.
    """
    own: collections.Counter[str] = collections.Counter()
    whole: collections.Counter[str] = collections.Counter()
    waiting = 0
    for stack in output.read_text().splitlines():
        frames, _, count = stack.rpartition(" ")
        calls = frames.split(";")
        if calls[-1].startswith(_WAITING):
            waiting += int(count)
            continue
        own[calls[-1]] += int(count)
        whole.update(dict.fromkeys({call.split(":")[0] for call in calls}, int(count)))
    total = sum(own.values()) or 1
    lines = [f"by line, % of {total} samples; {waiting} more were in {' or '.join(_WAITING)}:"]
    lines += [f"{n / total:7.1%}  {call}" for call, n in own.most_common(TOP)]
    lines.append("by function with what it calls:")
    lines += [f"{n / total:7.1%}  {call}" for call, n in whole.most_common(TOP)]
    return "\n".join(lines)


_WAITING = ("EpollSelector.select", "_worker")


def _read_perf(output: Path, program: str) -> str:
    """The share of the kernel, the interpreter and the libraries, then the dearest symbols."""
    parts = []
    for key, count in (("dso", 6), ("symbol", TOP)):
        command = [program, "report", "--stdio", "--no-children", "-s", key, "-i", str(output)]
        report = subprocess.run(command, capture_output=True, text=True).stdout
        lines = [line.rstrip(" -") for line in report.splitlines()]
        # A distribution's python3 has few symbols: bare addresses say nothing.
        told = [line for line in lines if line and line[0] != "#" and "0x0000" not in line]
        parts += [f"by {key}:", *told[:count]]
    return "\n".join(parts)


def _read_strace(output: Path, program: str) -> str:
    return output.read_text()


_READERS = {"py-spy": _read_py_spy, "perf": _read_perf, "strace": _read_strace}
