"""Runs one command line in a process of its own, as cron does, at the moment that the first argument names."""

import sys
from datetime import datetime

from smartcharge.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], clock=lambda: datetime.fromisoformat(sys.argv[1])))
