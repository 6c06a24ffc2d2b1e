"""From what was written down to one entry for every half hour."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain

from smartcharge.core.ledger import HalfHour
from smartcharge.core.ledger.battery import filled
from smartcharge.core.ledger.billed import billed, standing
from smartcharge.core.ledger.charger import charged_in, metered, presumed, usable
from smartcharge.core.ledger.facts import CompletedDispatch, LedgerFacts
from smartcharge.core.ledger.flow import half_hours, shared, touched
from smartcharge.core.slots import SLOT, Span, slot_start

LISTED_FOR = timedelta(hours=12)
"""So far back reaches the supplier's list of what it has dispatched."""
NOTHING = timedelta(0)


def ledger(facts: LedgerFacts, span: Span) -> tuple[HalfHour, ...]:
    """One entry for every half hour that the span touches, in the order of time."""
    within = Span(slot_start(span.starts_at), span.ends_at)
    readings, promised = usable(facts.chargers), _promised(facts, within)
    planned, charged, held = _planned(facts, within), charged_in(readings, promised), _held(facts, within)
    completed_in = _completed(facts.completed, within)
    car = half_hours(chain(metered(readings), presumed(readings, promised, facts.now)), within)
    car |= half_hours(billed(standing(facts.completed)), within)
    battery = half_hours(filled(facts.holds, facts.batteries, facts.now), within)

    def entry(start: datetime) -> HalfHour:
        night, completed = facts.cheap_period.holding(start) is not None, completed_in.get(start)
        assumed = completed is None and start in planned and start in charged
        return HalfHour(
            starts_at=start,
            planned=start in planned,
            started=start in charged,
            held=held.get(start, NOTHING),
            extension=start in promised and start not in planned and not night,
            completed=completed,
            night=night,
            cheap=night or completed is True or assumed,
            car=car.get(start),
            battery=battery.get(start),
            is_over=start + SLOT <= facts.now,
        )

    return tuple(entry(start) for start in touched(within, within))


def _planned(facts: LedgerFacts, within: Span) -> set[datetime]:
    """Half hours for which a window stood when its part of them began."""
    return {
        start
        for each in facts.planned
        for start in touched(Span(each.starts_at, each.ends_at), within)
        if each.withdrawn_at is None or each.withdrawn_at > max(each.starts_at, start)
    }


def _held(facts: LedgerFacts, within: Span) -> dict[datetime, timedelta]:
    """How long a hold stood in each half hour, one that was released late to its very end."""
    held: dict[datetime, timedelta] = {}
    for each in facts.holds:
        stood = Span(each.opened_at, each.closed_at or facts.now)
        for start in touched(stood, within):
            held[start] = held.get(start, NOTHING) + shared(stood, start)
    return held


def _promised(facts: LedgerFacts, within: Span) -> set[datetime]:
    """Half hours that holds were meant for; what a late release adds is not."""
    ends = ((each.opened_at, min(each.until, each.closed_at or facts.now)) for each in facts.holds)
    return {start for opened_at, end in ends for start in touched(Span(opened_at, end), within)}


def _completed(told: Sequence[CompletedDispatch], within: Span) -> dict[datetime, bool]:
    """Whether the supplier says that it dispatched here, for the half hours of which it has said anything.

    It says so an hour or more after, and lists what it has dispatched for twelve hours.
    """
    denied = {start: False for each in told for start in _passed_over(each, within)}
    elsewhere = {start: False for each in told if not each.at_home for start in touched(each.span, within)}
    here = {start: True for each in standing(told) if each.at_home for start in touched(each.span, within)}
    return denied | elsewhere | here


def _passed_over(later: CompletedDispatch, within: Span) -> Iterator[datetime]:
    """Half hours that the supplier's list reached back over when it first told of a later dispatch."""
    reach = Span(later.first_told_at - LISTED_FOR, later.starts_at)
    return (start for start in touched(reach, within) if reach.starts_at <= start <= later.starts_at - SLOT)
