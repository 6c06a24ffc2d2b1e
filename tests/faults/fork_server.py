"""A warmed-up process that forks one child a run: libraries are imported once, and a kill ends only the child.

Reads one JSON object a line from standard input and answers with one a line; see `Job` in `faults_case`.
"""

import contextlib
import importlib
import inspect
import io
import json
import os
import resource
import socket
import sys
import threading
import time
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import Any

# ruff: noqa: ANN401, T201  # stands in for functions of any kind, and answers by printing


FOR_EVER_SECONDS = 3600
PRELOADED_MODULES = (
    *("httpx", "pypowerwall", "pymyenergi.client", "requests", "icalendar", "sqlite_utils", "msgspec", "yaml"),
    *("smartcharge.jobs.tick", "smartcharge.providers.tesla.cloud", "smartcharge.providers.myenergi"),
    *("smartcharge.providers.kraken", "smartcharge.cli", "smartcharge.commands.tick", "smartcharge.config.load"),
    *("smartcharge.store.migrations", "smartcharge.app"),
)


def main() -> None:
    """Serve until standard input ends."""
    for name in PRELOADED_MODULES:
        importlib.import_module(name)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        if os.fork() == 0:
            _serve_job(job)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _serve_job(job: dict[str, Any]) -> None:
    """Run a job's children at once, and answer when the last has ended: the exit code of each."""
    ended: dict[int, int] = {}
    children = [_fork_run(job, report) for report in job["reports"]]
    while len(ended) < len(children):
        child, status = os.waitpid(-1, 0)
        ended[child] = os.waitstatus_to_exitcode(status)
    unfinished = Path(f"{job['answer']}.new")
    unfinished.write_text(json.dumps([ended[child] for child in children]))
    unfinished.replace(job["answer"])
    os._exit(0)


def _fork_run(job: dict[str, Any], report: str) -> int:
    child = os.fork()
    if child:
        return child
    code = 70  # what no command ends with
    try:
        code = _run_command(job, Path(report))
    finally:
        os._exit(code)


def _run_command(job: dict[str, Any], report: Path) -> int:
    """The command line in this process; what it said is lost where it is killed."""
    from kill_points import (  # noqa: PLC0415
        KillPoints,  # beside this file
        install_kill_points,  # beside this file
    )

    for name in job["unset"]:
        os.environ.pop(name, None)
    os.environ.update(job["environment"])
    points = KillPoints(job["deadly"])
    install_kill_points(points)
    if job["file_bytes"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["file_bytes"], resource.RLIM_INFINITY))
    _note_the_first_share(report.with_suffix(".granted"))
    if job["stalled"]:
        _stall_lookups(tuple(job["stalled"]))
    if job["read_only"]:
        _make_read_only(job["read_only"])
    if job["lock_errno"]:
        _refuse_locks(job["lock_errno"])
    from smartcharge.cli import run_cli  # noqa: PLC0415  # in memory already

    at, said = datetime.fromisoformat(job["at"]), io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = run_cli(job["arguments"], clock=lambda: at)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    report.with_suffix(".out").write_text(said.getvalue(), encoding="utf-8")
    report.write_text(json.dumps(points.passed))
    return code


def _note_the_first_share(place: Path) -> None:
    """Write down how much time the run gives itself at most, at once: it may not live to its end."""
    from smartcharge import deadline  # noqa: PLC0415  # in memory already

    limit: Any = deadline._TimeLimit  # noqa: SLF001
    real = limit.__init__

    def noting(self: Any, seconds: float) -> None:
        limit.__init__ = real
        with contextlib.suppress(OSError):  # a full disk
            place.write_text(str(seconds))
        real(self, seconds)

    limit.__init__ = noting


def _stall_lookups(whose: tuple[str, ...]) -> None:
    """Let look-ups of names take for ever for these: modules by the beginning of their names, or "threads"."""
    real = socket.getaddrinfo

    def stalled(*given: Any, **named: Any) -> Any:
        is_thread = threading.current_thread() is not threading.main_thread()
        if ("threads" in whose) if is_thread else _is_called_by(whose):
            time.sleep(FOR_EVER_SECONDS)
        return real(*given, **named)

    socket.getaddrinfo = stalled


def _make_read_only(folder: str) -> None:
    """Let the file system of a folder refuse all writing, as after `mount -o remount,ro`: SQLite's own as well."""
    from read_only_mount import remount_read_only  # noqa: PLC0415  # beside this file

    remount_read_only(folder)


def _refuse_locks(number: int) -> None:
    """Let flock(2) fail, as on a network file system without a lock service."""
    import fcntl  # noqa: PLC0415  # in memory already

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    fcntl.flock = refuse


def _is_called_by(whose: tuple[str, ...]) -> bool:
    frame = inspect.currentframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(whose):
            return True
        frame = frame.f_back
    return False


if __name__ == "__main__":
    main()
