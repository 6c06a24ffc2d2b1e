"""A warmed-up process that forks one child a run: libraries are imported once, and a kill ends only the child.

Reads one JSON object a line from standard input and answers with one a line; see `Job` in `faults_case`.
"""

import importlib
import json
import os
import resource
import socket
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

WARM = (
    *("httpx", "pypowerwall", "pymyenergi.client", "requests", "icalendar", "sqlite_utils", "msgspec", "yaml"),
    *("smartcharge.act.tick", "smartcharge.adapters.battery_powerwall", "smartcharge.adapters.charger_zappi"),
    *("smartcharge.adapters.tariff_kraken", "smartcharge.cli", "smartcharge.commands.tick", "smartcharge.config"),
    *("smartcharge.store.migrations", "smartcharge.toolbox"),
)


def main() -> None:
    """Serve until standard input ends."""
    for name in WARM:
        importlib.import_module(name)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        children = [_fork(job, report) for report in job["reports"]]
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]), flush=True)


def _fork(job: dict[str, Any], report: str) -> int:
    child = os.fork()
    if child:
        return child
    code = 70  # what no command ends with
    try:
        code = _run(job, Path(report))
    finally:
        os._exit(code)


def _run(job: dict[str, Any], report: Path) -> int:
    from points import Points, install  # noqa: PLC0415  # beside this file

    for name in job["unset"]:
        os.environ.pop(name, None)
    os.environ.update(job["environment"])
    output = os.open(report.with_suffix(".out"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    points = Points(job["deadly"])
    install(points)
    if job["file_bytes"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["file_bytes"], job["file_bytes"]))
    if job["stalled_names"]:
        _stall_names(tuple(job["stalled_names"]))
    from smartcharge.cli import main as run  # noqa: PLC0415  # in memory already

    at = datetime.fromisoformat(job["at"])
    code = run(job["arguments"], clock=lambda: at)
    sys.stdout.flush()
    sys.stderr.flush()
    if job["file_bytes"] is None:
        report.write_text(json.dumps(points.passed))
    return code


def _stall_names(names: tuple[str, ...]) -> None:
    """Let look-ups of these names take a minute, wherever they run; all others answer as ever."""
    real = socket.getaddrinfo

    def stalled(host: Any, *given: Any, **named: Any) -> Any:
        if any(name in str(host) for name in names):
            time.sleep(60)
        return real(host, *given, **named)

    socket.getaddrinfo = stalled


if __name__ == "__main__":
    main()
