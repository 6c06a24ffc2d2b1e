"""A past day decided again from the journal, and minute by minute with other numbers of the policy."""

from collections.abc import Sequence
from datetime import date, timedelta

from msgspec import Struct

from smartcharge.act import ledger
from smartcharge.act.show import record
from smartcharge.core.decide import decide
from smartcharge.core.ledger import days
from smartcharge.core.model import Decision
from smartcharge.core.politeness import MINUTE
from smartcharge.core.replay import Amend, Stretch, Tick, differences, promised, walk
from smartcharge.core.slots import Span
from smartcharge.core.worth import Worth, worth
from smartcharge.store import journal
from smartcharge.store.journal import JournalRow
from smartcharge.toolbox import Toolbox


class Redecided(Struct, frozen=True):
    """A row of the journal, and what is decided today from what it knew."""

    row: JournalRow
    decision: Decision

    @property
    def agrees(self) -> bool:
        """Whether it is the same."""
        return self.decision.because is self.row.because


class Supposed(Struct, frozen=True):
    """The same day with other numbers: where it would have been held and was not, or the other way round.

    guessed: for how long the car would have mattered, and the record is silent; there it counts as not charging.
    worth: what that comes to, None where no prices or no energies are known.
    """

    differences: tuple[Stretch, ...]
    was_held: timedelta
    held: timedelta
    guessed: timedelta
    worth: Worth | None


class Replayed(Struct, frozen=True):
    """A local day, decided again.

    noted: whether the journal has anything of it. held: for how long a hold was promised. gaps: where deciding minute
    by minute does not come out as it was: the record cannot tell what happened there.
    """

    day: date
    zone: str
    noted: bool
    decisions: tuple[Redecided, ...]
    held: timedelta
    gaps: tuple[Stretch, ...]
    supposed: Supposed | None = None


def replay(tools: Toolbox, day: date, amend: Amend | None = None) -> Replayed:
    """Decide a day again, up to the last full minute; with `amend` also under another policy."""
    zone = tools.policy.cheap_period.zone
    whole = days(day, day, zone)
    span = Span(whole.starts_at, max(whole.starts_at, min(whole.ends_at, tools.now.replace(second=0, microsecond=0))))
    rows = journal.rows(tools.peek, since=span.starts_at, until=span.ends_at)
    known = record.gather(tools, span)
    truth, again = list(promised(known, span)), list(walk(known, span))
    return Replayed(
        day=day,
        zone=zone,
        noted=bool(rows),
        decisions=tuple(Redecided(row, decide(seen)) for row in rows if (seen := row.situation) is not None),
        held=_held(truth),
        gaps=tuple(each for each in differences(truth, again) if each.span.ends_at - each.span.starts_at > MINUTE),
        supposed=_supposed(tools, span, again, list(walk(known, span, amend))) if amend else None,
    )


def _supposed(tools: Toolbox, span: Span, was: Sequence[Tick], now: Sequence[Tick]) -> Supposed:
    rates = ledger.rates(tools)
    return Supposed(
        differences=differences(was, now),
        was_held=_held(was),
        held=_held(now),
        guessed=MINUTE * sum(tick.guessed and not before.guessed for before, tick in zip(was, now, strict=True)),
        worth=worth(ledger.gather(tools, span), was, now, rates) if rates else None,
    )


def _held(ticks: Sequence[Tick]) -> timedelta:
    return MINUTE * sum(tick.hold is not None for tick in ticks)
