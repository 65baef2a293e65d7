"""Medians, ratios and verdicts."""

from __future__ import annotations

from bench.publish import tables
from bench.subjects import Subject
from bench.table import Results, markdown, number, rows, verdict
from bench.work import BY_TLS, QUICK, SEEING, Figure, Must, Work, catalogue

RATIO = Figure("cpu", "CPU, ms", Must(0.7, "tuned"))
AT_LEAST = Figure("rate", "per second", Must(10, "ser2net", at_least=True))
ABSOLUTE = Figure("lost", "bytes lost", Must(0))
PLAIN = Figure("p99", "p99, ms")
WORK = Work("row", "a row", 1, (RATIO, AT_LEAST, ABSOLUTE, PLAIN))
SUBJECTS = [
    Subject(name, name, True, lambda lines, directory: [])
    for name in ("gatewayd", "ser2net", "tuned")
]


def results(cpu: float, rate: float, lost: float) -> Results:
    """Three repetitions of gatewayd, the median of which is as given; others stay the same."""
    gatewayd = [
        {"cpu": cpu * spread, "rate": rate * spread, "lost": lost, "p99": 2.0}
        for spread in (0.5, 1, 9)
    ]
    other = {"cpu": 10.0, "rate": 100.0, "lost": 0.0, "p99": 1.0}
    return {"row": {"gatewayd": gatewayd, "ser2net": [other], "tuned": [other]}}


def test_bounds_are_judged_on_medians() -> None:
    cpu, rate, lost, plain = rows([WORK], results(cpu=7, rate=1000, lost=0))
    assert [cpu.holds(), rate.holds(), lost.holds(), plain.holds()] == [True, True, True, None]
    assert cpu.ratio("tuned") == 0.7
    assert plain.ratio("ser2net") == 2
    cpu, rate, lost, _ = rows([WORK], results(cpu=7.1, rate=999, lost=1))
    assert [cpu.holds(), rate.holds(), lost.holds()] == [False, False, False]


def test_two_bounds_hold_together() -> None:
    both = Figure("cpu", "CPU, ms", Must(0.7, "tuned"), Must(0.5, "ser2net"))
    (row,) = rows([Work("row", "a row", 1, (both,))], results(cpu=6, rate=1, lost=0))
    assert (row.must(), row.holds()) == (f"{both.must}, {both.also}", False)
    (row,) = rows([Work("row", "a row", 1, (both,))], results(cpu=5, rate=1, lost=0))
    assert row.holds()


def test_of_several_runs_a_bound_holds_in_each() -> None:
    gatewayd = [{"cpu": value} for value in (6.0, 7.0, 9.0, 8.0, 6.0, 7.0)]
    found = {"row": {"gatewayd": gatewayd, "tuned": [{"cpu": 10.0}] * 6}}
    work = Work("row", "a row", 1, (RATIO,))
    for runs, told, holds in ((1, "yes", True), (3, "2 of 3", False), (6, "4 of 6", False)):
        (row,) = rows([work], found, runs)
        assert (row.held(), row.holds(), row.medians["gatewayd"]) == (told, holds, 7.0)
    found["row"]["gatewayd"] = [{"cpu": 7.0}] * 6
    assert verdict(rows([work], found, 3)) == "1 of 1 bounds hold in each of 3 runs."


def test_what_was_not_measured_is_not_judged() -> None:
    found = results(cpu=7, rate=1000, lost=0)
    found["row"]["tuned"] = []
    cpu, *_ = rows([WORK], found)
    assert cpu.holds() is None
    assert cpu.ratio("tuned") is None
    assert rows([WORK], {}) == []


def test_the_verdict_names_what_misses() -> None:
    assert verdict(rows([WORK], results(7, 1000, 0))) == "3 of 3 bounds hold."
    told = verdict(rows([WORK], results(8, 1000, 0)))
    assert told == "2 of 3 bounds hold; not: a row: CPU, ms."


def test_the_table_has_a_line_for_each_figure_and_a_short_form() -> None:
    table = rows([WORK], results(7, 1000, 0))
    lines = markdown(table, SUBJECTS).splitlines()
    assert len(lines) == 2 + 4
    assert {line.count("|") for line in lines} == {len(SUBJECTS) + 2 + 4 + 1}
    assert "| 7 | 10 | 10 | 0.7 | 0.7 |" in lines[2]
    short = markdown(table, SUBJECTS, only_musts=True)
    assert "bytes lost" not in short
    assert "p99" not in short
    assert "bytes lost" in markdown(rows([WORK], results(7, 1000, 3)), SUBJECTS, only_musts=True)


def test_numbers_have_three_digits_and_no_exponent() -> None:
    assert [number(value) for value in (0, 0.01234, 1.2345, 99.96, 1234.5)] == [
        "0",
        "0.0123",
        "1.23",
        "100",
        "1234",
    ]


def test_what_is_compared_with_gatewayd_itself_has_a_table_of_its_own() -> None:
    bound = Figure("cpu", "CPU, ms", Must(1.5, "gatewayd", of="seeing"))
    work = Work("record", "recorded", 1, (bound,), subjects=SEEING)
    found: Results = {"record": {"gatewayd": [{"cpu": 2.0}], "seeing": [{"cpu": 3.1}]}}
    texts = tables([WORK, work], {**results(7, 1000, 0), **found}, SUBJECTS, "m, ser2net 4")
    assert f"| recorded | CPU, ms | 2 | 3.1 | 1.6 | {bound.must} | **no** |" in texts["seeing"]
    assert "recorded" not in texts["all"]
    assert tables([work], found, SUBJECTS, "m, ser2net 4").keys() == {"seeing"}


def test_what_clients_by_tls_cost_is_held_to_the_better_of_the_others() -> None:
    figures = (
        Figure("cpu", "CPU, ms", Must(1.3, "better", of="tls")),
        Figure("per_s", "per second"),
    )
    work = Work("tls-row", "a row by TLS", 1, figures, subjects=BY_TLS)
    found: Results = {
        "tls-row": {
            "tls": [{"cpu": 13.0, "per_s": 50.0}],
            "ssl": [{"cpu": 10.0, "per_s": 40.0}],
            "stunnel": [{"cpu": 20.0, "per_s": 100.0}],
        }
    }
    cpu, rate = rows([work], found)
    assert (cpu.ratio("better", "tls"), cpu.holds()) == (1.3, True)
    assert (rate.ratio("better", "tls"), rate.holds()) == (0.5, None)
    subjects = [Subject(name, name, True, lambda lines, directory: []) for name in BY_TLS]
    texts = tables([work], found, subjects, "here, ser2net 4.")
    assert list(texts) == ["tls"]
    bound = figures[0].must
    assert f"| a row by TLS | CPU, ms | 13 | 10 | 20 | 1.3 | {bound} | yes |" in texts["tls"]


def test_bounds_by_tls_are_not_loosened() -> None:
    works = [work for work in catalogue(QUICK) if work.subjects == BY_TLS]
    limits = {
        work.key: figure.must.limit for work in works for figure in work.figures if figure.must
    }
    assert {key: limit for key, limit in limits.items() if limit > 1.0} == {
        "tls-rtt-1": 1.3,
        "tls-rtt-256": 1.3,
    }
    assert len(limits) == 7
