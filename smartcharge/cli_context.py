"""What one invocation was asked: the global options and the instant of the run."""

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from smartcharge.console import is_interactive, should_report
from smartcharge.errors import ConfigurationError

if TYPE_CHECKING:
    from smartcharge.app import App


class CliContext(NamedTuple):
    """One invocation. config: the path given, if any; now: the run's one instant (UTC)."""

    config: str | None
    verbose: bool
    now: datetime

    def open_app(self, *, dry_run: bool = False, read_only: bool = False) -> "App":
        """Load the configuration and make the app. read_only: never writes; dry_run: says what it would do."""
        from smartcharge.app import App  # noqa: PLC0415  # --help needs neither
        from smartcharge.config.load import load_config  # noqa: PLC0415

        config = load_config(self._path(), os.environ)
        return App(config, self.now, dry_run=dry_run, read_only=read_only, verbose=self.verbose)

    def should_report(self, refused: "ConfigurationError", command: str) -> bool:
        """Whether a command is to tell now that the configuration is refused: at once, and then once an hour."""
        try:
            path = self._path()
        except ConfigurationError:
            return True
        return self.verbose or is_interactive() or should_report(path, command, str(refused), self.now)

    def _path(self) -> Path:
        from smartcharge.config.load import find_config  # noqa: PLC0415

        return find_config(self.config, os.environ, Path.cwd(), Path.home())
