"""`python -m smartcharge`, and the console script."""

import os
import sys
from collections.abc import Callable
from datetime import datetime

from smartcharge.clock import read_clock
from smartcharge.quiet import is_quiet


def main() -> None:
    """Look whether this minute is an idle one; if not, run the command line."""
    now = read_clock()
    if not is_quiet(sys.argv[1:], os.environ, now):
        _run_and_end(lambda: now)


def _run_and_end(clock: Callable[[], datetime]) -> None:
    """Run, and end at once: a library's thread that hangs in a name look-up is not waited for."""
    import threading

    from smartcharge.cli import main as run

    code = run(sys.argv[1:], clock)
    sys.stdout.flush()
    sys.stderr.flush()
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
