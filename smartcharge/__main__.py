"""`python -m smartcharge`, and the console script."""

import os
import sys
from collections.abc import Callable
from datetime import datetime
from io import TextIOWrapper

from smartcharge.clock import utc_now
from smartcharge.idle import can_skip

GC_THRESHOLD = 100_000
"""New objects between two looks for garbage; Python's 700 means hundreds of looks while a vendor library loads."""


def main() -> None:
    """Look whether this minute is an idle one; if not, run the command line."""
    now = utc_now()
    if not can_skip(sys.argv[1:], os.environ, now):
        _run_and_exit(lambda: now)


def _run_and_exit(clock: Callable[[], datetime]) -> None:
    """Run, and end at once: a run is too short to look after its garbage, or to be taken apart in an orderly way.

    Nor is a library's thread waited for that hangs in a name look-up. Nothing is lost: every file and connection was
    closed by who opened it, and the last words are on their way.
    """
    import gc

    from smartcharge.cli import run_cli
    from smartcharge.console import flush_output

    gc.set_threshold(GC_THRESHOLD)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # cron's alphabet may lack a letter of a site's name
    elif sys.stdout is None:  # closed by the caller
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # as long as the process lasts
    os._exit(flush_output(run_cli(sys.argv[1:], clock)))


if __name__ == "__main__":
    main()
