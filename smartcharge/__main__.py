"""`python -m smartcharge`, and the console script."""

import os
import sys
import threading

from smartcharge.cli import main as run


def main() -> None:
    """Run the command line and end at once: a library's thread that hangs in a name look-up is not waited for."""
    code = run(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
