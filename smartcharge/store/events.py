"""The journal's events: what happened, as a word for programs, and its details as values."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Event(StrEnum):
    """What a journal entry tells. The values are public (`history --json`) and never change."""

    DECIDED = "decided"
    """Something else is to be held than before; the state and the rule are in the same entry."""
    CONFIRMED = "confirmed"
    """A read-back shows what was decided: mode, reserve_pct, until."""
    FAILED = "failed"
    """The Powerwall, or a mail, did not take what it was sent."""
    HELD_BY_OTHERS = "not ours"
    """Somebody else had set the Powerwall before a hold began: a manual override."""
    BY_HAND = "changed by hand"
    """Somebody changed the Powerwall during a hold: a manual override."""
    WRITTEN = "written"
    """The midnight reset changed the settings: mode, reserve_pct."""
    AT_REST = "already at rest"
    """The midnight reset found the resting settings: mode, reserve_pct."""
    POSTPONED = "postponed"
    """The midnight reset waits: lockout, or a pause."""
    RELEASED = "released"
    """The Powerwall was brought back from the hold file alone."""
    TAKEN_OVER = "taken over"
    """What was stored elsewhere came into this database."""
    WAITING = "waiting"
    """Storm Watch, grid services or a power cut began to control the Powerwall: lockout."""
    WAITED = "waited"
    """That ended, or nothing is wanted of the Powerwall any more."""
    TROUBLE = "trouble"
    """The owner was told of a failure: error, and subject, the kind of the alert."""
    RESOLVED = "well again"
    """The owner was told that it is over: subject."""
    CHANGED = "changed"
    """The plan changed: a remark for each change."""
    REMARKED = "remarked"
    """A provider answered oddly."""
    SENT = "sent"
    """The mail server took a message."""
    PAUSED = "paused"
    """The owner paused the program: until, where an end was given."""
    RESUMED = "resumed"
    """The owner ended a pause or a manual override."""
    AGREES = "agrees"
    """Another controller's settings are what would have been held from here: mode, reserve_pct."""
    DIFFERS = "differs"
    """They are not."""


MANUAL_OVERRIDES = frozenset({Event.HELD_BY_OTHERS, Event.BY_HAND})
"""Events after which a window is left to whoever set the Powerwall."""
READ_BACKS = frozenset({Event.CONFIRMED, Event.WRITTEN, Event.AT_REST})
"""Events whose mode and reserve were read from the Powerwall."""
PROBLEMS = frozenset({Event.TROUBLE, Event.FAILED, Event.WAITING})
"""Events that something went wrong, or that something else had the Powerwall."""


class EventDetail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an event is about, as far as it has values.

    mode: operation mode. reserve_pct: backup reserve. until: UTC. lockout: what controls the Powerwall. subject: the
    kind of an alert. exit_code: that of the failure. text: for people, where there is more to say.
    """

    mode: str | None = None
    reserve_pct: int | None = None
    until: datetime | None = None
    lockout: str | None = None
    subject: str | None = None
    exit_code: int | None = None
    text: str | None = None


NO_DETAIL = EventDetail()
