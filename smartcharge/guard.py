"""One place maps what goes wrong in a run to its exit code: the foreseen and the unforeseen."""

import sys
import traceback
from collections.abc import Callable

import click

from smartcharge import log
from smartcharge.errors import Busy, Trouble

UNFORESEEN = 1


def attempt(run: Callable[[], None], tell: Callable[[str], None] = log.warn) -> int:
    """Run one part to its end or to its trouble; what is foreseen is told in a line, the rest with a traceback.

    `budget.OutOfTime` passes: when the whole run's time is up there is no next part.
    """
    try:
        run()
    except Busy as busy:
        return busy.exit_code
    except Trouble as trouble:
        tell(f"smartcharge: {trouble}")
        return trouble.exit_code
    except click.ClickException:
        raise
    except Exception:  # noqa: BLE001  # a bug in one part must not stop the others
        traceback.print_exc(file=sys.stderr)
        return UNFORESEEN
    return 0
