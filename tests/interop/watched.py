"""A foreign program that runs beside a test, watched through what it prints."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType

from tests.interop.instrument import PATIENCE


class Watched:
    """Runs `argv` for the length of a `with` block; its output and errors are one stream."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.argv = argv
        self.text = ""
        self._directory = directory
        self._environment = environment
        self._changed = threading.Condition()
        self._ended = False

    def __enter__(self) -> Watched:
        self.process = subprocess.Popen(
            self.argv,
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
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

    def stop(self) -> None:
        """End it, if it has not ended."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def wait_for(self, pattern: str, after: int = 0) -> re.Match[str]:
        """Wait until the output has `pattern`, from the character `after` on. It must come."""
        deadline = monotonic() + PATIENCE
        with self._changed:
            while (found := re.compile(pattern).search(self.text, after)) is None:
                if self._ended or not self._changed.wait(max(0.0, deadline - monotonic())):
                    told = self.text[after:][-2000:]
                    raise AssertionError(f"{pattern!r} is not in:\n{told}")
        return found

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.text += line
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
