"""The family's calendar in values: what it was told, what was held, and all that decides what it should say."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from smartcharge.core.invite_windows import Planned
from smartcharge.core.slots import CheapPeriod, Span, slot_end


class Method(StrEnum):
    """What a revision does to its event (RFC 5546): make or change it, or take it away."""

    REQUEST = "REQUEST"
    CANCEL = "CANCEL"


class Revision(Struct, frozen=True):
    """One state of one event, UTC, half-open.

    first_start: start of the window as first seen; it names the event, whose UID is made of it. sequence: grows
    with every revision and never falls. stamped_at: when the revision was made; later than the one before.
    energy_kwh: about how much goes into the car, None where the supplier is silent.
    """

    first_start: datetime
    sequence: int
    method: Method
    starts_at: datetime
    ends_at: datetime
    stamped_at: datetime
    energy_kwh: float | None = None

    @property
    def span(self) -> Span:
        """From when to when."""
        return Span(self.starts_at, self.ends_at)


class Invite(Struct, frozen=True):
    """A revision with the UID of its event, ready to be written down for a calendar."""

    uid: str
    revision: Revision


class Held(Struct, frozen=True):
    """A hold, open or closed (closed_at): the house charged, or will, to the slot end that it was released at."""

    opened_at: datetime
    until: datetime
    closed_at: datetime | None = None

    @property
    def span(self) -> Span:
        """What the calendar shows of it; empty where it was closed as soon as it was opened."""
        if self.closed_at is None:
            return Span(self.opened_at, self.until)
        if self.closed_at <= self.opened_at:
            return Span(self.opened_at, self.opened_at)
        return Span(self.opened_at, min(self.until, slot_end(self.closed_at)))


class Evidence(Struct, frozen=True):
    """All that decides what the calendar should say.

    since: nothing older is in the evidence, so events that began before are left as they are. known: the last
    revision of every event. when_planned: an event for every planned window; else for those charged in.
    """

    now: datetime
    since: datetime
    cheap_period: CheapPeriod
    plan: tuple[Planned, ...] = ()
    holds: tuple[Held, ...] = ()
    known: tuple[Revision, ...] = ()
    when_planned: bool = False
