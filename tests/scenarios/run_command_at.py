"""Runs one command line in a process of its own, as cron does, at the moment that the first argument names."""

import sys
import warnings
from datetime import datetime

from smartcharge.cli import run_cli

if __name__ == "__main__":
    warnings.filterwarnings("error", module=r"smartcharge\b")
    sys.exit(run_cli(sys.argv[2:], clock=lambda: datetime.fromisoformat(sys.argv[1])))
