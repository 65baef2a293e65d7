"""Counts of system calls and of instructions, as the tracers print them."""

from __future__ import annotations

from bench.counts import calls_of, instructions_of, unit
from bench.work import QUICK, catalogue

STRACE = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 62.85    0.012345           6      2000           epoll_wait
 20.00    0.004000           4      1000        17 recvfrom
 17.15    0.000001           0         1           close
------ ----------- ----------- --------- --------- ----------------
100.00    0.016346           5      3001        17 total
"""


def test_calls_by_name() -> None:
    assert calls_of(STRACE) == {"epoll_wait": 2000, "recvfrom": 1000, "close": 1}


def test_instructions_and_a_machine_that_counts_none() -> None:
    assert instructions_of("# started\n\n123456,,instructions,1000,100.00,,\n") == 123456
    assert instructions_of("123456,,instructions:u,1000,100.00,,\n") == 123456
    assert instructions_of("<not supported>,,instructions,0,100.00,,\n") is None


def test_a_round_trip_and_a_mib_are_counted() -> None:
    units = {work.key: unit(work) for work in catalogue(QUICK)}
    assert units["rtt-1"] == "round trip"
    assert units["bulk-up-text"] == "MiB"
    assert units["idle-64"] == units["paced-1-14-up"] == ""
