"""Runs one module of unittest tests against a serial port, in a process of its own.

`python unittest_runner.py MODULE URL` sets the module's `PORT`, runs its tests and prints, as its
last line, a JSON object of test name to outcome: `passed`, `skipped`, or the last line of an error.
"""

from __future__ import annotations

import importlib
import json
import sys
import unittest


class Outcomes(unittest.TestResult):
    """Keeps what became of each test."""

    def __init__(self) -> None:
        super().__init__()
        self.named: dict[str, str] = {}

    def stopTest(self, test: unittest.TestCase) -> None:
        """Nothing bad was said about it: it passed."""
        super().stopTest(test)
        self.named.setdefault(test.id(), "passed")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        """It does not apply here."""
        super().addSkip(test, reason)
        self.named[test.id()] = "skipped"

    def take_problems(self) -> None:
        """Name the tests that failed."""
        for test, trace in self.errors + self.failures:
            self.named[test.id()] = trace.strip().splitlines()[-1]


def main(name: str, url: str) -> None:
    """Run module `name` against `url`."""
    module = importlib.import_module(name)
    vars(module)["PORT"] = url
    outcomes = Outcomes()
    unittest.defaultTestLoader.loadTestsFromModule(module).run(outcomes)
    outcomes.take_problems()
    print(json.dumps(outcomes.named))


if __name__ == "__main__":
    main(*sys.argv[1:])
