"""How far another controller and this program would have done the same, from what the shadow wrote down."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from smartcharge.act.shadow import AGREES, COMMAND
from smartcharge.act.words import when
from smartcharge.store import journal
from smartcharge.store.journal import JournalRow
from smartcharge.toolbox import Toolbox


class Agreement(Struct, frozen=True):
    """The looks at the Powerwall of a stretch of time, oldest first, apart by what was wanted then."""

    held: tuple[JournalRow, ...]
    at_rest: tuple[JournalRow, ...]

    @property
    def differing(self) -> list[JournalRow]:
        """Those at which the Powerwall did something else."""
        return [row for row in sorted((*self.held, *self.at_rest), key=lambda row: row.id) if row.outcome != AGREES]


def gather(tools: Toolbox, since: datetime | None) -> Agreement:
    """Read what the shadow has seen; since: None for all that is remembered."""
    rows = [row for row in journal.rows(tools.peek, since=since, until=tools.now, command=COMMAND) if row.detail]
    held = tuple(row for row in rows if row.because is not None)
    return Agreement(held, tuple(row for row in rows if row.because is None))


def as_json(found: Agreement) -> dict[str, object]:
    """The same for programs; times in UTC."""
    return {
        "held": _counts(found.held),
        "at_rest": _counts(found.at_rest),
        "differing": [{"at": f"{row.at:%Y-%m-%dT%H:%M:%SZ}", "detail": row.detail} for row in found.differing],
    }


def as_text(found: Agreement, tools: Toolbox) -> Iterator[str]:
    """The figures, and every look at which the Powerwall did something else."""
    if not (looks := len(found.held) + len(found.at_rest)):
        yield "Nothing was looked at. Set control.shadow to true, and let cron run it beside the other controller."
        return
    yield f"The Powerwall was looked at {looks} times."
    yield f"  held, as wanted     {_told(found.held)}"
    yield f"  at rest, as wanted  {_told(found.at_rest)}"
    for row in found.differing:
        yield f"{when(row.at, tools.now, tools.policy.cheap_period.zone)}  {row.detail}"


def _told(rows: Sequence[JournalRow]) -> str:
    counts = _counts(rows)
    return f"{counts['agreed']} of {counts['looks']}"


def _counts(rows: Sequence[JournalRow]) -> dict[str, int]:
    return {"looks": len(rows), "agreed": sum(row.outcome == AGREES for row in rows)}
