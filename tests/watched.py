"""A program of its own that runs beside a test, watched through what it prints."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Self

from tests.until import PATIENCE


class Watched:
    """Runs `argv` for the length of a `with` block; its output and errors are one stream."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        source: IO[bytes] | int = subprocess.DEVNULL,
    ) -> None:
        """`source` is what it reads."""
        self.argv = argv
        self._source = source
        self.text = ""
        self._directory = directory
        self._environment = environment
        self._changed = threading.Condition()
        self._ended = False

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self.argv,
            cwd=self._directory,
            env=self._environment,
            stdin=self._source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it by a signal, or by force if that does not; the exit status."""
        self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self._reader.join(PATIENCE)
            assert self.process.stdout is not None
            self.process.stdout.close()

    def wait_for(self, pattern: str, after: int = 0) -> re.Match[str]:
        """Wait until the output has `pattern`, from the character `after` on. It must come."""
        return self.wait_for_all(pattern, 1, after)[0]

    def wait_for_all(self, pattern: str, times: int, after: int = 0) -> list[re.Match[str]]:
        """Wait until `pattern` is there so often, and it must come to that."""
        deadline = monotonic() + PATIENCE
        with self._changed:
            while len(found := list(re.compile(pattern).finditer(self.text, after))) < times:
                if self._ended or not self._changed.wait(max(0.0, deadline - monotonic())):
                    told = self.text[after:][-4000:]
                    raise AssertionError(f"{pattern!r} is there {len(found)} times in:\n{told}")
        return found

    def comes_to(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether what it prints within that time makes `condition` true; it need not."""
        deadline = monotonic() + seconds
        with self._changed:
            while not condition():
                if self._ended or not self._changed.wait(max(0.0, deadline - monotonic())):
                    return condition()
        return True

    def times(self, pattern: str) -> int:
        """How often the output has `pattern` so far."""
        return len(re.findall(pattern, self.text))

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.text += line
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
