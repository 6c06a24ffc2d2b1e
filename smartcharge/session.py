"""What the global options say, and the instant of the run; the tools are laid out only for who asks for them."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smartcharge.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Session:
    """One invocation. config: the path given, if any; now: the run's one instant (UTC)."""

    config: str | None
    verbose: bool
    now: datetime

    def toolbox(self, *, dry_run: bool = False, looking: bool = False) -> "Toolbox":
        """Load the configuration and lay out the tools; `looking` never writes, `dry_run` only rehearses."""
        from smartcharge.config import find_config, load_config  # noqa: PLC0415  # --help needs neither
        from smartcharge.toolbox import Toolbox  # noqa: PLC0415

        path = find_config(self.config, os.environ, Path.cwd(), Path.home())
        return Toolbox(load_config(path, os.environ), self.now, dry_run=dry_run, looking=looking, verbose=self.verbose)
