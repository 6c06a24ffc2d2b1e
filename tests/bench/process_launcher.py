"""Starts processes for `measured.py`, a line of JSON each way.

Linux counts what a process's parent held at the start into its peak memory, so the parent must be a small one.
"""

import json
import os
import sys

for line in sys.stdin:
    asked = json.loads(line)
    os.chdir(asked["folder"])
    silence = [(os.POSIX_SPAWN_OPEN, handle, os.devnull, os.O_RDWR, 0) for handle in (0, 1, 2)]
    child = os.posix_spawn(asked["line"][0], asked["line"], asked["environment"], file_actions=silence)
    _, status, used = os.wait4(child, 0)
    ended = os.waitstatus_to_exitcode(status)
    print(json.dumps([ended, 1000 * (used.ru_utime + used.ru_stime), used.ru_maxrss / 1024]), flush=True)  # noqa: T201
