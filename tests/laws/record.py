"""One neutral record of what happened in a minute; scenarios, random days and random rule days are judged by it.

Each of the three fills in what it can observe. The laws share no rule with the program: of its values they read fields.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from smartcharge.policy.model import Hold

MINUTE, HALF_HOUR = timedelta(minutes=1), timedelta(minutes=30)
RELEASE_LEAD = timedelta(seconds=90)
MIN_HOLD = timedelta(seconds=180)
FULL_MODE, FULL_PCT = "backup", 100
HOLDING_VALUES: frozenset[str | int] = frozenset({FULL_MODE, FULL_PCT})

Span = tuple[datetime, datetime]


class Outcome(Enum):
    """What became of a command or a question."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NO_RATE_PLAN = "no rate plan"
    NO_ANSWER = "no answer"
    THROTTLED = "throttled"
    SIGN_IN_REFUSED = "sign-in refused"


@dataclass(frozen=True)
class Command:
    """A setting that reached the battery's service, whether it was accepted or not. kind: mode or reserve."""

    at: datetime
    kind: str
    value: str | int | None
    outcome: Outcome
    site: str = ""


@dataclass(frozen=True)
class Question:
    """A question to a service. retry_after: how long it asked to be left alone."""

    at: datetime
    service: str
    outcome: Outcome
    retry_after: timedelta | None = None


@dataclass(frozen=True)
class Mail:
    """A mail that was handed over. is_delivered: the server has it, or may have it. at: by the program's clock."""

    at: datetime
    true_at: datetime
    event: str
    sequence: int
    content: bytes
    is_delivered: bool = True


@dataclass(frozen=True, kw_only=True)
class Minute:
    """One minute after its runs have ended.

    at: the true time. clock: the time that the program saw. runs: how many commands ran; 0 where cron missed it.
    errors: lines of trouble that were printed. hold: the open hold as the program remembers it. owned: whether any
    setting is remembered as changed by the program. hold_file: whether the hold file is there. settings: by which the
    battery acts. still_held: what a holding command of the program has left there, by kind. car_stopped: whether the
    charger has certainly said so. tesla_works: whether reads and writes had their effect all through the minute.
    must_hold: whether a car that charges in a known window has to be held for by now, were every run in time.
    """

    at: datetime
    clock: datetime
    runs: int = 1
    commands: tuple[Command, ...] = ()
    questions: tuple[Question, ...] = ()
    errors: tuple[str, ...] = ()
    mails: tuple[Mail, ...] = ()
    hold: Hold | None = None
    owned: bool = False
    hold_file: bool | None = None
    is_paused: bool = False
    settings: tuple[str, int] = ("", 0)
    still_held: Mapping[str, str | int] = field(default_factory=dict)
    car_stopped: bool = False
    tesla_works: bool = True
    must_hold: bool = False

    @property
    def is_releasing(self) -> bool:
        """Whether the battery is to come back, or has come back."""
        return self.hold is None or self.is_paused or self.clock + RELEASE_LEAD >= self.hold.until

    @property
    def is_holding(self) -> bool:
        """Whether the battery charges from the grid, by its mode or by its reserve."""
        return self.settings[0] == FULL_MODE or self.settings[1] == FULL_PCT


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """Spans in order; those that touch or overlap are one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged


def covers(spans: Iterable[Span], moment: datetime) -> bool:
    """Whether any of the spans covers a moment."""
    return any(start <= moment < end for start, end in spans)


def half_hour_end(moment: datetime) -> datetime:
    """The end of the half hour in which a moment lies."""
    return moment.replace(minute=moment.minute // 30 * 30, second=0, microsecond=0) + HALF_HOUR


def last_half_hour_end(end: datetime) -> datetime:
    """The end of the last half hour that a span with this end touches."""
    return end if (end.minute % 30, end.second, end.microsecond) == (0, 0, 0) else half_hour_end(end)


def clock_text(at: datetime) -> str:
    """A moment for people, in UTC."""
    return f"{at:%d %H:%M}"


def text_of_spans(spans: Iterable[Span]) -> str:
    """Spans for people, in UTC."""
    return ", ".join(f"{start:%d %H:%M:%S} to {end:%H:%M:%S}" for start, end in sorted(spans))
