"""Named places in a run at which the process may be killed, put in from outside: the product knows nothing of them.

A name is `before:` or `after:`, what happens there, and its number in the run: `after:commit#3`. SIGKILL leaves
nothing but files and what servers know, so that killing before something repeats killing after what came last.
"""

import builtins
import fcntl
import os
import signal
import smtplib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# ruff: noqa: ANN401, PTH123  # stands in for functions of any kind, and for the built-in open


PARTIAL_WRITE_BYTES = 60


class KillPoints:
    """What was passed so far; deadly: the name at which the process ends."""

    def __init__(self, kill_point: str | None) -> None:
        self.passed: list[str] = []
        self._deadly = kill_point
        self._counts: Counter[str] = Counter()

    def reach(self, name: str) -> None:
        """Pass a point, or die there."""
        self._counts[name] += 1
        full = f"{name}#{self._counts[name]}"
        self.passed.append(full)
        if full == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: object, name: str, describe: Callable[..., str | None]) -> None:
        """Put a point before and after a function of `owner`; describe: what it does, None for no point."""
        real = getattr(owner, name)

        def halting(*given: Any, **named: Any) -> Any:
            what = describe(*given, **named)
            if what is None:
                return real(*given, **named)
            self.reach(f"before:{what}")
            result = real(*given, **named)
            self.reach(f"after:{what}")
            return result

        setattr(owner, name, halting)

    def around_async(self, owner: object, name: str, describe: Callable[..., str]) -> None:
        """The same for a coroutine."""
        real = getattr(owner, name)

        async def halting(*given: Any, **named: Any) -> Any:
            self.reach(f"before:{describe(*given, **named)}")
            result = await real(*given, **named)
            self.reach(f"after:{describe(*given, **named)}")
            return result

        setattr(owner, name, halting)


def install_kill_points(points: KillPoints) -> None:
    """Put the points in: commits, requests, mail commands, files, locks."""
    import httpx  # noqa: PLC0415  # the child has them in memory already
    import pypowerwall.cloud.teslapy as library  # noqa: PLC0415
    import requests  # noqa: PLC0415

    from smartcharge.store.database import StoreConnection  # noqa: PLC0415

    points.around(StoreConnection, "execute", _describe_statement)
    points.around(httpx.Client, "send", _describe_request)
    points.around_async(httpx.AsyncClient, "send", _describe_request)
    points.around(requests.Session, "send", _describe_request)
    points.around(smtplib.SMTP, "putcmd", lambda _smtp, verb, *_: f"mail {verb}")
    points.around(smtplib.SMTP, "getreply", lambda _smtp: "mail answer")
    points.around(os, "fsync", lambda _handle: "fsync")
    points.around(os, "replace", lambda _old, new: f"rename to {Path(new).name}")
    points.around(os, "unlink", lambda old, **_: f"removal of {_stable_name(Path(old).name)}")
    points.around(os, "chmod", lambda path, *_, **__: f"chmod {_stable_name(Path(path).name)}")
    points.around(fcntl, "flock", lambda *_: "lock")
    library.open = _patch_token_file(points)


def _describe_statement(_db: object, sql: str, *_: object) -> str | None:
    return sql.lower() if sql in {"COMMIT", "BEGIN IMMEDIATE"} else None


def _describe_request(_client: object, asked: Any, **_: object) -> str:
    """A request in few words: method, host, and the last part of its path."""
    where = str(asked.url).partition("?")[0].rstrip("/").split("/")
    return f"{asked.method} {where[2]} {where[-1]}"


def _stable_name(name: str) -> str:
    """A file's name without the letters that are drawn anew each time."""
    return "temporary file" if name.endswith(".new") else name


def _patch_token_file(points: KillPoints) -> Callable[..., Any]:
    """How the Powerwall's library opens its token file: emptied, half written, written."""

    @contextmanager
    def halting(path: str, mode: str = "r", **named: Any) -> Iterator[Any]:
        if "w" not in mode:
            with builtins.open(path, mode, **named) as file:
                yield file
            return
        with builtins.open(path, mode, **named) as file:
            points.reach("after:token file emptied")
            yield _PartialWriter(file, points)
        points.reach("after:token file written")

    return halting


class _PartialWriter:
    """A file of which a first part reaches the disk before the rest."""

    def __init__(self, file: Any, points: KillPoints) -> None:
        self._file, self._points, self._size = file, points, 0

    def write(self, text: str) -> None:
        """Write on; halfway there is a point."""
        self._file.write(text)
        was, self._size = self._size, self._size + len(text)
        if was <= PARTIAL_WRITE_BYTES < self._size:
            self._file.flush()
            self._points.reach("after:token file half written")
