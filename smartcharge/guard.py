"""One place maps what goes wrong in a run to its exit code: the foreseen and the unforeseen."""

import errno
import traceback
from collections.abc import Callable

import click

from smartcharge import log
from smartcharge.errors import Busy, Trouble

UNFORESEEN = 1
OUTPUT = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
"""What standard output can suffer from; every other file has a name, and adapters keep their connections' errors."""


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
    except Exception as odd:  # noqa: BLE001  # a bug in one part must not stop the others
        if isinstance(odd, OSError) and odd.errno in OUTPUT and odd.filename is None:
            return log.lose(odd)
        for line in traceback.format_exc().splitlines():
            log.warn(line)
        return UNFORESEEN
    return 0
