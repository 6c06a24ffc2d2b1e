"""Energy that flowed evenly over a while, cut into half hours."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from smartcharge.core.ledger import Basis, Energy, weakest
from smartcharge.core.slots import SLOT, Span, slot_start

LONGEST_GAP = timedelta(minutes=45)
"""Between two readings of a hold lie about 30 minutes; further apart, nobody knows when it flowed."""


class Flow(Struct, frozen=True):
    """So much energy (kWh) over a span, and where it is known from."""

    span: Span
    kwh: float
    basis: Basis


def hours(span: Span) -> float:
    """How long a span lasts."""
    return (span.ends_at - span.starts_at) / timedelta(hours=1)


def touched(span: Span, within: Span) -> Iterator[datetime]:
    """Starts of the half hours that a span covers part of, as far as they begin within another."""
    start = max(slot_start(span.starts_at), within.starts_at)
    while start < min(span.ends_at, within.ends_at):
        yield start
        start += SLOT


def shared(span: Span, start: datetime) -> timedelta:
    """How much of a span lies in the half hour that begins at `start`."""
    return max(min(span.ends_at, start + SLOT) - max(span.starts_at, start), timedelta(0))


def half_hours(flows: Iterable[Flow], within: Span) -> dict[datetime, Energy]:
    """Every flow spread over its half hours in proportion to time, by their starts.

    A half hour with flows of several kinds is as firm as the weakest of them.
    """
    found: dict[datetime, Energy] = {}
    for flow in flows:
        whole = flow.span.ends_at - flow.span.starts_at
        for start in touched(flow.span, within):
            part = Energy(flow.kwh * (shared(flow.span, start) / whole), flow.basis)
            found[start] = _joined(found.get(start), part)
    return found


def _joined(sum_so_far: Energy | None, part: Energy) -> Energy:
    if sum_so_far is None:
        return part
    return Energy(sum_so_far.kwh + part.kwh, weakest((sum_so_far.basis, part.basis)) or part.basis)
