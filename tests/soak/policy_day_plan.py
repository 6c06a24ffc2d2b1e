"""What the supplier has told, believed as the policy's words have it, without the program's own rules."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from smartcharge.policy.model import Dispatch

WITHDRAWN_AFTER = timedelta(seconds=60)
NEVER_ANSWERED = datetime.min.replace(tzinfo=UTC)

Span = tuple[datetime, datetime]


class CarAnswer(NamedTuple):
    """What the supplier tells of one car."""

    planned: tuple[Dispatch, ...]
    boosting: bool


@dataclass(slots=True)
class CarPlan:
    """One car's plan as it is to be believed. spans: since when each is missing, None where it is not."""

    at: datetime = NEVER_ANSWERED
    boosting: bool = False
    spans: dict[Span, datetime | None] = field(default_factory=dict)

    def hear(self, told: set[Span], now: datetime) -> tuple[set[Span], set[Span]]:
        """Believe an answer; which spans a revision took the place of, and which are withdrawn."""
        revised, withdrawn = set(), set()
        for span, missing in [each for each in self.spans.items() if each[0][1] > now and each[0] not in told]:
            start, end = span
            if any(other == start or (other < end and start < until) for other, until in told):
                revised.add(span)
            elif start <= now or (missing is not None and now - missing >= WITHDRAWN_AFTER):
                withdrawn.add(span)
            else:
                self.spans[span] = missing or now
        for span in revised | withdrawn:
            del self.spans[span]
        self.spans.update({span: None for span in told if span[1] > now})
        return revised, withdrawn


def merge_spans(told: Iterable[CarPlan]) -> list[Span]:
    """The planned spans of all cars; those that touch or overlap are one."""
    spans: list[Span] = []
    for start, end in sorted(span for each in told for span in each.spans):
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], end)
        else:
            spans.append((start, end))
    return spans


def is_planned_at(trusted: Iterable[CarPlan], moment: datetime) -> bool:
    """Whether anything is planned at a moment."""
    return any(start <= moment < end for told in trusted for start, end in told.spans)


def format_spans(spans: Iterable[Span]) -> str:
    """Spans for people, in UTC."""
    return ", ".join(f"{start:%d %H:%M:%S} to {end:%H:%M:%S}" for start, end in sorted(spans))
