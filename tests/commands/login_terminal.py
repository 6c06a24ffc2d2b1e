"""An owner who signs in: at a terminal, or through a pipe, and with a browser on another device."""

import os
import pty
import re
import select
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

import requests
import yaml

import smartcharge

TERMINAL_TIMEOUT_S = 30.0
TERMINAL_SCRIPT = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from datetime import datetime
from smartcharge.cli import run_cli as main
sys.exit(main(sys.argv[2:], clock=lambda: datetime.fromisoformat(sys.argv[1])))
"""


def update_config(folder: Path, section: str, **keys: object) -> None:
    """Change the configuration; None takes a key out."""
    path = folder / "config.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    merged = {**settings.get(section, {}), **keys}
    settings[section] = {key: value for key, value in merged.items() if value is not None}
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")


def find_sign_in_url(text: str) -> str:
    """The address that is to be opened, wherever it stands in what was said."""
    found = re.search(r"https://auth\.eonnext\.com/authorize\?\S+", text)
    assert found, text
    return found[0]


def sign_in_with_browser(address: str) -> str:
    """Sign in at an address, and copy the one where the browser ends up."""
    landed = requests.get(address, allow_redirects=False, timeout=10)
    assert landed.status_code == 302, landed.text
    return landed.headers["Location"]


class PipedInput:
    """A standard input whose lines are read from elsewhere; a callable gives its line when it is asked for."""

    def __init__(self, *lines: object) -> None:
        self._lines = list(lines)

    def isatty(self) -> bool:
        return False

    def readline(self, _size: int = -1) -> str:
        line = self._lines.pop(0) if self._lines else ""
        return str(line() if callable(line) else line)


def captured_output() -> str:
    """What a command that runs in this process has said."""
    said: str = sys.stdout.getvalue()  # type: ignore[union-attr]  # redirected
    return said


@dataclass
class TerminalSession:
    """A terminal at which a command runs in a process of its own; screen: all that it shows, echoes included."""

    arguments: list[str]
    now: datetime
    folder: Path
    screen: str = ""
    _seen: int = 0
    _child: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    _master: int = -1

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        package = str(Path(smartcharge.__file__).parent.parent)
        self._child = subprocess.Popen(
            [sys.executable, "-c", TERMINAL_SCRIPT, self.now.isoformat(), *self.arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": package, "HOME": str(self.folder), "TERM": "xterm", "COLUMNS": "500"},
        )
        os.close(slave)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child is not None
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        os.close(self._master)

    def until(self, words: str) -> str:
        """Wait for words; gives what was shown from the last words waited for up to these."""
        while words not in self.screen[self._seen :]:
            assert self._read(), f"{words!r} never came: {self.screen[self._seen :]!r}"
        start, self._seen = self._seen, self.screen.index(words, self._seen) + len(words)
        return self.screen[start : self._seen]

    def type(self, text: str) -> None:
        """Type, or paste, a line."""
        os.write(self._master, f"{text}\r".encode())

    def press(self, key: bytes) -> None:
        """Press one key, such as Ctrl-C."""
        os.write(self._master, key)

    def ended(self) -> int:
        """Wait for the command's end; its exit code."""
        while self._read():
            pass
        assert self._child is not None
        return self._child.wait(TERMINAL_TIMEOUT_S)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], TERMINAL_TIMEOUT_S)
        try:
            came = os.read(self._master, 4096) if ready else b""
        except OSError:  # how a terminal ends whose last user has left
            came = b""
        self.screen += came.decode(errors="replace")
        return bool(came)
