"""What flowed into the car as the supplier bills it: every moment once, by the answer that came last."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from smartcharge.core.ledger import Basis
from smartcharge.core.ledger.facts import CompletedDispatch
from smartcharge.core.ledger.flow import Flow


def billed(stands: Iterable[CompletedDispatch]) -> Iterator[Flow]:
    """The energy of dispatches at home, where the supplier names one."""
    for each in stands:
        if each.at_home and each.energy_kwh is not None:
            yield Flow(each.span, each.energy_kwh, Basis.BILLED)


def standing(completed: Iterable[CompletedDispatch]) -> tuple[CompletedDispatch, ...]:
    """Where dispatches overlap, the one that was told last replaces the others whole.

    A supplier cuts its spans anew while it adds to them. Of one answer, the longer stands.
    """
    return tuple(each for rivals in _rivals(completed) for each in _winners(rivals))


def _rivals(completed: Iterable[CompletedDispatch]) -> Iterator[list[CompletedDispatch]]:
    """Dispatches that overlap, together."""
    group: list[CompletedDispatch] = []
    for each in sorted(completed, key=lambda each: (each.starts_at, each.ends_at)):
        if group and each.starts_at >= max(other.ends_at for other in group):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _winners(rivals: Iterable[CompletedDispatch]) -> list[CompletedDispatch]:
    stand: list[CompletedDispatch] = []
    for each in sorted(rivals, key=_authority, reverse=True):
        if not any(each.starts_at < other.ends_at and other.starts_at < each.ends_at for other in stand):
            stand.append(each)
    return stand


def _authority(each: CompletedDispatch) -> tuple[datetime, timedelta, datetime]:
    return each.told_at, each.ends_at - each.starts_at, each.starts_at
