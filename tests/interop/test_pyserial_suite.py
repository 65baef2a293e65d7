"""pyserial's own test suite, against a loopback plug (an echoing PTY) behind a gateway."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.gateway import Gateway
from tests.interop.instrument import socat
from tests.interop.served import FETCHED, program

SUITE = FETCHED / "pyserial-3.5/test"
MODULES = sorted(path.stem for path in SUITE.glob("test*.py"))
RUNNER = Path(__file__).with_name("unittest_runner.py")

NOT_ON_A_PTY = {
    "test.Test0_DataWires.test1_RTS": "a PTY has no RTS wired to CTS",
    "test.Test0_DataWires.test2_DTR": "a PTY has no DTR wired to DSR",
}
NOT_WITH_THIS_CLIENT = {
    "test.Test4_Nonblocking.test2_Loopback": "rfc2217:// with timeout=0 reads one byte at a time",
    "test.Test4_Nonblocking.test2_LoopbackTimeout": "the same",
    "test.Test_MoreTimeouts.test_WriteTimeout": "rfc2217:// has no write timeout",
    "test_cancel.TestCancelRead.test_cancel_once": "rfc2217:// has no cancel_read",
    "test_cancel.TestCancelWrite.test_cancel_once": "rfc2217:// has no cancel_write",
}
FAILING = NOT_ON_A_PTY | NOT_WITH_THIS_CLIENT
NEEDS_A_LOCAL_PORT = {
    "test_exclusive.Test_exclusive.test_exclusive_false",
    "test_exclusive.Test_exclusive.test_exclusive_none",
    "test_exclusive.Test_exclusive.test_exclusive_only_true",
    "test_exclusive.Test_exclusive.test_exclusive_true",
    "test_rs485.Test_RS485_class.test_RS485_class",
}


@pytest.fixture(scope="module")
def looped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a port that sends back what it gets."""
    program("socat")
    line = tmp_path_factory.mktemp("loop") / "line"
    serve = ["serve", "--device", str(line), "--rfc2217", "127.0.0.1:0"]
    with socat(f"PTY,rawer,link={line}", "PIPE"), Gateway(*serve, faces=1) as gateway:
        yield f"rfc2217://127.0.0.1:{gateway.port('rfc2217')}"


@pytest.mark.skipif(not MODULES, reason="pyserial's sources are not here; ./dev test fetches them")
@pytest.mark.parametrize("module", MODULES)
def test_module_passes_but_for_what_is_listed(looped: str, module: str) -> None:
    done = subprocess.run(
        [sys.executable, RUNNER, module, looped],
        cwd=SUITE,
        env={**os.environ, "PYTHONPATH": f"{SUITE}:{SUITE.parent}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    failed = {name: said for name, said in outcomes.items() if said not in ("passed", "skipped")}
    listed = {name for name in FAILING if name.startswith(f"{module}.")}
    assert failed.keys() == listed, failed
    skipped = {name for name, said in outcomes.items() if said == "skipped"}
    assert skipped == {name for name in NEEDS_A_LOCAL_PORT if name.startswith(f"{module}.")}
