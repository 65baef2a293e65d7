"""The table: medians of the repetitions, ratios, and whether what must hold does."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.subjects import BEFORE, Subject
from bench.work import Figure, Work

MORE_IS_BETTER = ("per_s", "mib_s")
"""Figures that are better when they are larger."""

Results = dict[str, dict[str, list[dict[str, float]]]]
"""By work, by subject: the figures of each repetition that succeeded."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one piece of work, for all subjects."""

    work: Work
    figure: Figure
    medians: dict[str, float]
    """By subject; a subject that could not do the work is missing."""
    runs: tuple[dict[str, float], ...] = ()
    """The medians of each run, when there were several."""

    def ratio(self, to: str, of: str = "gatewayd") -> float | None:
        """gatewayd's figure by another subject's, or by the better of all others; None when either
        is missing or that is 0."""
        return self._ratio(self.medians, to, of)

    def _ratio(self, found: dict[str, float], to: str, of: str) -> float | None:
        other = self._better(found, of) if to == "better" else found.get(to)
        if of not in found or not other:
            return None
        return found[of] / other

    def _better(self, found: dict[str, float], of: str) -> float | None:
        others = [value for subject, value in found.items() if subject != of]
        best = max if self.figure.key in MORE_IS_BETTER else min
        return best(others, default=None)

    def holds(self) -> bool | None:
        """Whether its bounds hold, in each run; None when there is none, or nothing to judge one
        by."""
        judged = self._judged()
        return None if None in judged else all(judged)

    def held(self) -> str:
        """The same in words; of several runs in how many, if in some."""
        judged = self._judged()
        if None in judged:
            return ""
        if all(judged):
            return "yes"
        return f"{judged.count(True)} of {len(judged)}" if any(judged) else "**no**"

    def _judged(self) -> list[bool | None]:
        return [self._holds(found) for found in self.runs or (self.medians,)]

    def _holds(self, found: dict[str, float]) -> bool | None:
        values = [
            self._ratio(found, must.to, must.of) if must.to else found.get(must.of)
            for must in self.figure.musts
        ]
        if not values or None in values:
            return None
        pairs = zip(self.figure.musts, values, strict=True)
        return all(value is not None and must.holds(value) for must, value in pairs)

    def must(self) -> str:
        """Its bounds, in words."""
        return ", ".join(map(str, self.figure.musts))

    def tells(self) -> bool:
        """Whether it belongs into the short table: it has a bound, or it is a loss of bytes."""
        if self.figure.key == "lost":
            return self.holds() is False
        return bool(self.figure.musts) and not self.work.minor


def rows(catalogue: Sequence[Work], results: Results, runs: int = 1) -> list[Row]:
    """The lines of the table, in the catalogue's order; work that was not run is left out. The
    repetitions were `runs` runs, one after the other."""
    return [
        Row(
            work,
            figure,
            medians(results[work.key], figure.key),
            tuple(
                medians(_part(results[work.key], number, runs), figure.key)
                for number in range(runs if runs > 1 else 0)
            ),
        )
        for work in catalogue
        if work.key in results
        for figure in work.figures
    ]


def _part(
    by_subject: dict[str, list[dict[str, float]]], number: int, runs: int
) -> dict[str, list[dict[str, float]]]:
    return {
        subject: found[number * len(found) // runs : (number + 1) * len(found) // runs]
        for subject, found in by_subject.items()
    }


def medians(by_subject: dict[str, list[dict[str, float]]], figure: str) -> dict[str, float]:
    """The median of a figure over the repetitions, by subject."""
    found = {
        subject: [run[figure] for run in runs if figure in run]
        for subject, runs in by_subject.items()
    }
    return {subject: statistics.median(values) for subject, values in found.items() if values}


def markdown(table: Sequence[Row], subjects: Sequence[Subject], only_musts: bool = False) -> str:
    """The table as Markdown, one line a figure; with `only_musts` just what gatewayd must show."""
    heads = ["work", "figure", *(subject.title for subject in subjects)]
    heads += ["to tuned", "to ser2net", "must", "holds"]
    numbers = range(2, len(heads) - 2)
    lines = [heads, ["---:" if i in numbers else "---" for i in range(len(heads))]]
    previous = ""
    for row in table:
        if only_musts and not row.tells():
            continue
        title = row.work.title if only_musts or row.work.title != previous else ""
        previous = row.work.title
        lines.append(
            [
                title,
                row.figure.title,
                *(number(row.medians.get(subject.name)) for subject in subjects),
                number(row.ratio("tuned"), 2),
                number(row.ratio("ser2net"), 2),
                row.must(),
                row.held(),
            ]
        )
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def seeing(table: Sequence[Row]) -> str:
    """The table of what a record and metrics cost."""
    return _beside(table, {"gatewayd": "without", "seeing": "with"}, "ratio", "gatewayd", "seeing")


def against(table: Sequence[Row]) -> str:
    """The table of what changed since another checkout."""
    heads = {BEFORE: "before", "gatewayd": "now"}
    return _beside(table, heads, "ratio", BEFORE, "gatewayd")


def by_tls(table: Sequence[Row], subjects: Sequence[Subject]) -> str:
    """The table of what clients by TLS cost."""
    heads = {subject.name: subject.title for subject in subjects}
    return _beside(table, heads, "to the better", "better", "tls")


def _beside(table: Sequence[Row], heads: Mapping[str, str], ratio: str, to: str, of: str) -> str:
    """A table with a column for each of `heads`, by subject, and the ratio of one figure to
    another."""
    lines = [
        ["work", "figure", *heads.values(), ratio, "must", "holds"],
        ["---", "---", *("---:" for _ in heads), "---:", "---", "---"],
    ]
    lines += [
        [
            row.work.title,
            row.figure.title,
            *(number(row.medians.get(subject)) for subject in heads),
            number(row.ratio(to, of), 2),
            row.must(),
            row.held(),
        ]
        for row in table
    ]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def number(value: float | None, digits: int = 3) -> str:
    """A figure with so many significant digits, no exponent; a dash for none."""
    if value is None:
        return "\N{EN DASH}"
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{float(f'{value:.{digits}g}'):g}"


def verdict(table: Sequence[Row], *, named: bool = True) -> str:
    """One sentence: how many of the bounds hold, and which do not, if they are to be `named`."""
    judged = [row for row in table if row.holds() is not None]
    missed = [f"{row.work.title}: {row.figure.title}" for row in judged if not row.holds()]
    runs = max((len(row.runs) for row in judged), default=0)
    text = f"{len(judged) - len(missed)} of {len(judged)} bounds hold"
    text += f" in each of {runs} runs" if runs else ""
    return text + ("." if not (missed and named) else "; not: " + "; ".join(missed) + ".")


LATE_PERCENT = 1.0


def generator_limits(catalogue: Sequence[Work], results: Results) -> str:
    """A sentence naming the work in which the load generator itself fell behind, and how late it
    was; empty for none."""
    late = []
    for work in catalogue:
        found = results.get(work.key, {})
        if max(medians(found, "late_percent").values(), default=0) > LATE_PERCENT:
            worst = max(medians(found, "late_p99_us").values(), default=0) / 1e3
            late.append(f"{work.title} ({number(worst, 2)} ms)")
    if not late:
        return ""
    return (
        "The load generator itself was over a millisecond late with more than "
        f"{LATE_PERCENT:g} % of the pieces (p99 of how late), so that p99 tells little: "
        f"{'; '.join(late)}. "
    )
