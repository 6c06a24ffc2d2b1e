"""What was written down in a story decides the same again: each decision by itself, and the minutes between them."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from smartcharge.act.show import record
from smartcharge.config import load_config
from smartcharge.core.decide import decide
from smartcharge.core.replay import differences, promised, walk
from smartcharge.core.slots import Span
from smartcharge.store import journal
from smartcharge.toolbox import Toolbox
from smartcharge.world.player import Played

A_TICK = timedelta(minutes=1)
"""What a minute decided again may be off by: more than one run may have come in the same minute."""


def decided_otherwise(folder: Path, played: Played) -> Iterator[str]:
    """Name every decision of a story that comes out otherwise when it is decided again from its record."""
    first, last = (played.minutes[place].at.replace(second=0) for place in (0, -1))
    span = Span(first, last + A_TICK)
    with closing(Toolbox(load_config(folder / "config.yaml", {}), last + A_TICK, looking=True)) as tools:
        for row in journal.rows(tools.peek):
            if (seen := row.situation) is not None and decide(seen).because is not row.because:
                yield f"at {_clock(row.at)} it was {row.because}, and is {decide(seen).because} when decided again"
        known = record.gather(tools, span)
    for each in differences(promised(known, span), walk(known, span)):
        if each.span.ends_at - each.span.starts_at > A_TICK:
            held = "held" if each.held else "not held"
            when = f"{_clock(each.span.starts_at)}-{_clock(each.span.ends_at)}"
            yield f"{when} is {held} when decided again: {each.because}"


def _clock(at: datetime) -> str:
    return f"{at:%H:%M} UTC"
