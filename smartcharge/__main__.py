"""`python -m smartcharge`, and the console script."""

import os
import sys
from collections.abc import Callable
from datetime import datetime
from io import TextIOWrapper

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

    from smartcharge import log
    from smartcharge.cli import main as run

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # cron's alphabet may lack a letter of a site's name
    elif sys.stdout is None:  # closed by the caller
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # as long as the process lasts
    code = log.last_words(run(sys.argv[1:], clock))
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
