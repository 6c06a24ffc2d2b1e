"""What the global options say, and the instant of the run; the tools are laid out only for who asks for them."""

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from smartcharge.errors import ConfigurationRefused
    from smartcharge.toolbox import Toolbox


class Session(NamedTuple):
    """One invocation. config: the path given, if any; now: the run's one instant (UTC)."""

    config: str | None
    verbose: bool
    now: datetime

    def toolbox(self, *, dry_run: bool = False, looking: bool = False) -> "Toolbox":
        """Load the configuration and lay out the tools; `looking` never writes, `dry_run` only rehearses."""
        from smartcharge.config import load_config  # noqa: PLC0415  # --help needs neither
        from smartcharge.toolbox import Toolbox  # noqa: PLC0415

        config = load_config(self._path(), os.environ)
        return Toolbox(config, self.now, dry_run=dry_run, looking=looking, verbose=self.verbose)

    def is_news(self, refused: "ConfigurationRefused", command: str) -> bool:
        """Whether a command is to tell now that the configuration is refused: at once, and then once an hour."""
        from smartcharge import log, refusals  # noqa: PLC0415  # only who is in trouble needs them
        from smartcharge.errors import ConfigurationRefused  # noqa: PLC0415

        try:
            path = self._path()
        except ConfigurationRefused:
            return True
        return self.verbose or log.is_watched() or refusals.is_news(path, command, str(refused), self.now)

    def _path(self) -> Path:
        from smartcharge.config import find_config  # noqa: PLC0415

        return find_config(self.config, os.environ, Path.cwd(), Path.home())
