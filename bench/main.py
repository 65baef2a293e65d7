"""The command `bench/run`."""

from __future__ import annotations

import argparse
import fnmatch
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import counts, here, process, publish
from bench.measure import Run
from bench.profiling import profile
from bench.subjects import BAUDRATE, Subject, gatewayd, relay, ser2net, stunnel, system_python
from bench.toolchain import BenchError, Tools, can_tls, prepare
from bench.work import FULL, QUICK, Work, catalogue, unpinned


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark or a profile. Exit status: 0 done, 1 not everything could be measured."""
    options = _parser().parse_args(argv)
    # A tracer makes each call many times as slow, and a count needs no repetition.
    effort = QUICK if options.quick or options.counts else FULL
    chosen = [work for work in catalogue(effort) if _wanted(work, options.only)]
    if options.list:
        for work in chosen:
            print(f"{work.key:22} {work.title}")
        return 0
    _raise_descriptor_limit()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no gateway is left behind
    try:
        if options.here:
            return here.main(options.device, options.baudrate, options.python, options.quick)
        tools = prepare()
        if options.counts:
            print(counts.table(chosen, _subjects(options, tools), tools))
            return 0
        if options.profile:
            return _profile(options, tools)
        return _compare(options, chosen, tools)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description="Compare gatewayd with ser2net (as it comes, and tuned) and with a bare relay "
        "in C, on PTYs. Prints a table; leaves it, the raw results and the plots in build/bench/.",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="one short repetition, for a first look")
    add("--repetitions", type=int, metavar="N", help="default 5, with --quick 1")
    add("--runs", type=int, default=1, metavar="N", help="so many times; a bound must hold in each")
    add("--only", action="append", default=[], metavar="ROW", help="rows to run, as a pattern")
    add("--list", action="store_true", help="list the rows and stop")
    add("--subjects", default="", metavar="A,B", help="only these subjects")
    add("--python", default=system_python(), help="interpreter for gatewayd (%(default)s)")
    add("--publish", action="store_true", help="put the table and the plots into the docs")
    add("--unpinned", action="store_true", help="also without a core for each process: both tables")
    add("--counts", action="store_true", help="system calls and instructions of each row instead")
    add("--against", type=Path, metavar="DIRECTORY", help="another checkout, before this one")
    add("--here", action="store_true", help="this machine, on a looped adapter, without a compiler")
    add("--device", metavar="PATH", help="with --here: the adapter whose TX is tied to its RX")
    add("--baudrate", type=int, default=BAUDRATE, help="with --here (default: %(default)s)")
    add("--profile", metavar="ROW", help="profile gatewayd in one row: py-spy, perf, strace")
    return parser


def _wanted(work: Work, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch.fnmatch(work.key, pattern) for pattern in patterns)


def _raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _subjects(options: argparse.Namespace, tools: Tools) -> list[Subject]:
    every = [
        gatewayd(options.python),
        ser2net(tuned=False),
        ser2net(tuned=True),
        relay(tools),
        gatewayd(options.python, seeing=True),
    ]
    if options.against is not None:
        every.append(gatewayd(options.python, before=options.against.resolve()))
    if tools.tls and can_tls():
        every += [
            gatewayd(options.python, tls=True),
            ser2net(tuned=True, tls=True),
            stunnel(tools),
        ]
    names = [name for name in options.subjects.split(",") if name]
    unknown = set(names) - {subject.name for subject in every}
    if unknown:
        raise BenchError(f"no such subject: {', '.join(sorted(unknown))}")
    return [subject for subject in every if not names or subject.name in names]


def _compare(options: argparse.Namespace, chosen: Sequence[Work], tools: Tools) -> int:
    if not chosen:
        raise BenchError("no row has such a name; --list shows them")
    subjects = _subjects(options, tools)
    repetitions = options.repetitions or (1 if options.quick else 5)
    started = time.monotonic()
    chosen = [work for work in chosen if any(one.name in work.subjects for one in subjects)]
    run = Run(subjects, tools, _note)
    run.measure(chosen, repetitions * options.runs)
    free = Run(subjects, tools, _note)
    if options.unpinned:
        _note("without a core for each process")
        with process.unpinned():
            free.measure(chosen, repetitions * options.runs)
    minutes = (time.monotonic() - started) / 60
    times = f"{repetitions * options.runs}" + (f" in {options.runs} runs" * (options.runs > 1))
    about = f"Medians of {times}; {publish.machine(options.python)}."
    texts = publish.tables(chosen, run.results, subjects, about, options.runs)
    if options.unpinned:
        works = unpinned(chosen)
        texts |= publish.unpinned(
            publish.tables(works, free.results, subjects, about, options.runs)
        )
    drawings = publish.plots(run.results, subjects)
    path = publish.keep(texts, drawings, run.results, about, run.failures)
    for text in texts.values():
        print(text)
    if options.publish:
        for changed in publish.put_into_docs(texts, drawings):
            print(f"wrote {changed}", file=sys.stderr)
    print(f"{minutes:.1f} minutes; raw results in {path}", file=sys.stderr)
    failures = [*run.failures, *free.failures]
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _profile(options: argparse.Namespace, tools: Tools) -> int:
    rows = {work.key: work for work in catalogue(FULL)}
    work = rows.get(options.profile)
    if work is None or not work.command:
        raise BenchError(f"no row to profile: {options.profile}; --list shows them")
    subjects = {subject.name: subject for subject in _subjects(options, tools)}
    kind = next((name for name in ("tls", "seeing") if name in work.subjects), "gatewayd")
    if kind not in subjects:
        raise BenchError("no row by TLS without libssl-dev, openssl and stunnel4")
    print(profile(subjects[kind], work, tools, options.python))
    return 0
