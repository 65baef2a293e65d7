"""What a run leaves behind: results as JSON, the table as Markdown, plots as SVG, and the docs."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.plot import Series, line_plot
from bench.subjects import BEFORE, Subject
from bench.table import (
    Results,
    against,
    by_tls,
    generator_limits,
    markdown,
    medians,
    rows,
    seeing,
    verdict,
)
from bench.toolchain import BUILD, PROJECT, SER2NET
from bench.work import BY_TLS, COMPARED, PIECES, Work

PLOTS = PROJECT / "docs" / "performance"
TABLES = {
    PROJECT / "README.md": "must",
    PROJECT / "docs" / "performance.md": "all",
    PROJECT / "docs" / "recording.md": "seeing",
    PROJECT / "docs" / "security.md": "tls",
}
"""Documents with a table of the benchmark, between `<!-- bench -->` and `<!-- /bench -->`; after
`<!-- bench unpinned -->` comes another one."""

_MARKED = re.compile(r"(<!-- bench(?: (\w+))? -->\n).*?(<!-- /bench -->)", re.DOTALL)


def machine(python: str) -> str:
    """One line about what the figures were measured on."""
    version = subprocess.run(
        [python, "-c", "import platform; print(platform.python_version())"],
        capture_output=True,
        text=True,
    ).stdout.strip()
    ser2net = subprocess.run([SER2NET, "-v"], capture_output=True, text=True).stdout.split()[-1]
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    processor = model[1] if model else platform.machine()
    return (
        f"{os.cpu_count()} cores of {processor}, Linux {platform.release()}, Python {version}, "
        f"ser2net {ser2net}"
    )


def tables(
    catalogue: Sequence[Work],
    results: Results,
    subjects: Sequence[Subject],
    about: str,
    runs: int = 1,
) -> dict[str, str]:
    """The Markdown to print and to put into documents: "must" is short, "all" has every figure,
    "seeing" what a record and metrics cost, "tls" what clients by TLS do, "against" what another
    checkout does. A table without rows is left out. A bound holds that held in each of `runs`."""
    compared = [work for work in catalogue if not {"seeing", "tls"} & {*work.subjects}]
    lines = rows(compared, results, runs)
    others = [subject for subject in subjects if subject.name in COMPARED]
    end = f"\n{verdict(lines)} {generator_limits(compared, results)}{about}\n"
    brief = verdict(lines, named=False)
    texts = {}
    if any(BEFORE in line.medians for line in lines):
        texts["against"] = f"{against(lines)}\n{about}\n"
    if lines:
        texts["must"] = f"{markdown(lines, others, only_musts=True)}\n{brief} {about}\n"
        texts["all"] = markdown(lines, others) + end
    more = [work for work in catalogue if "seeing" in work.subjects]
    if found := rows(more, results, runs):
        without = about.rpartition(", ser2net ")[0] + "."
        limits = generator_limits(more, results)
        texts["seeing"] = f"{seeing(found)}\n{verdict(found)} {limits}{without}\n"
    encrypted = [work for work in catalogue if "tls" in work.subjects]
    if found := rows(encrypted, results, runs):
        others = [subject for subject in subjects if subject.name in BY_TLS]
        texts["tls"] = f"{by_tls(found, others)}\n{verdict(found)} {about}\n"
    return texts


def unpinned(texts: dict[str, str]) -> dict[str, str]:
    """Those of a run without a core for each process: the short table, and what TLS does."""
    names = {"all": "unpinned", "tls": "unpinned_tls"}
    return {name: texts[table] for table, name in names.items() if table in texts}


def plots(results: Results, subjects: Sequence[Subject]) -> dict[str, str]:
    """SVG documents by file name; only those for which there are results."""
    found = {}
    for name, (title, x_title, y_title, figure, points) in _plot_catalogue().items():
        series = []
        for subject in subjects:
            values = [
                (x, medians(results[key], figure).get(subject.name, 0.0))
                for x, key in points
                if key in results
            ]
            values = [(x, y) for x, y in values if y > 0]
            if len(values) > 1:
                series.append(Series(subject.title, values))
        if series:
            found[name] = line_plot(title, x_title, y_title, series)
    return found


def _plot_catalogue() -> dict[str, tuple[str, str, str, str, list[tuple[float, str]]]]:
    cpu = "CPU of a core, %"
    found: dict[str, tuple[str, str, str, str, list[tuple[float, str]]]] = {
        f"ports-{name}.svg": (
            f"115200 baud in pieces of {PIECES[piece]}, line to client",
            "ports",
            cpu,
            "cpu_percent",
            [(n, f"paced-{n}-{piece}-up") for n in ports],
        )
        for name, piece, ports in (("small", 14, (1, 16, 64)), ("large", 115, (1, 16, 64, 256)))
    }
    found["bytes.svg"] = (
        "Round trips",
        "bytes each way",
        "CPU per 1000 round trips, ms",
        "cpu_ms",
        [(n, f"rtt-{n}") for n in (1, 16, 256, 4096)],
    )
    found["pieces.svg"] = (
        "16 ports at 115200 baud, line to client",
        "bytes that arrive together",
        cpu,
        "cpu_percent",
        [(piece, f"paced-16-{piece}-up") for piece in PIECES],
    )
    return found


def keep(
    texts: dict[str, str],
    drawings: dict[str, str],
    results: Results,
    about: str,
    failures: Sequence[str],
) -> Path:
    """Write everything to build/bench; gives the path of the results."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (BUILD / f"table-{name}.md").write_text(text)
    for name, svg in drawings.items():
        (BUILD / name).write_text(svg)
    path = BUILD / "results.json"
    raw = {"machine": about, "failures": list(failures), "results": results}
    path.write_text(json.dumps(raw, indent=1) + "\n")
    return path


def put_into_docs(texts: dict[str, str], drawings: dict[str, str]) -> list[Path]:
    """Write the plots under docs/ and the tables into their documents; gives what was changed."""
    PLOTS.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, svg in drawings.items():
        (PLOTS / name).write_text(svg)
        changed.append(PLOTS / name)
    for document, which in TABLES.items():
        if not document.exists():
            continue
        before = document.read_text()
        after = before
        for found in _MARKED.finditer(before):
            text = texts.get(found[2] or which)
            if text is not None:
                after = after.replace(found[0], f"{found[1]}{text}{found[3]}")
        if after != before:
            document.write_text(after)
            changed.append(document)
    return changed
