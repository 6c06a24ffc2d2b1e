"""The troubles of a soak: how each begins, and what is as before when it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from smartcharge.core.model import ChargerState
from smartcharge.core.stance import Power
from smartcharge.errors import SignInRefused, Throttled, Trouble, Unreachable

if TYPE_CHECKING:
    from soak_day import Day

Change = Callable[["Day"], None]
REFUSED_FOR = timedelta(minutes=17)
"""A refused Tesla sign-in is tried again every quarter of an hour."""


@dataclass(frozen=True)
class Fault:
    """kind: only one of a kind at a time. longest_minutes: no longer than that."""

    name: str
    kind: str
    begin: Change
    end: Change
    longest_minutes: int = 60


@dataclass(frozen=True)
class Spell:
    """A fault with its end."""

    fault: Fault
    ends_at: datetime


def _tesla(trouble: Trouble, patience: timedelta = timedelta(0)) -> tuple[Change, Change]:
    def begin(day: "Day") -> None:
        day.battery.fault = trouble

    def end(day: "Day") -> None:
        day.battery.fault = None
        if isinstance(trouble, SignInRefused) and day.chance.random() < 0.5:  # the owner signs in anew
            (day.house.folder / ".pypowerwall.auth").write_text(str(day.now))
        elif patience:
            day.patient_until = day.now + patience

    return begin, end


def _refused(part: str, trouble: SignInRefused) -> tuple[Change, Change]:
    """Refused until the owner has signed in anew, or corrected his key."""

    def begin(day: "Day") -> None:
        getattr(day, part).fault = trouble

    def end(day: "Day") -> None:
        getattr(day, part).fault = None
        (day.house.folder / ".kraken.json").write_text(f'{{"at": "{day.now}"}}')
        day.house.change_key(f"key{day.now:%d%H%M}")

    return begin, end


def _set(part: str, name: str, value: object, otherwise: object) -> tuple[Change, Change]:
    def begin(day: "Day") -> None:
        setattr(getattr(day, part) if part else day, name, value)

    def end(day: "Day") -> None:
        setattr(getattr(day, part) if part else day, name, otherwise)

    return begin, end


def _clock(jump: timedelta) -> tuple[Change, Change]:
    return _set("", "jump", jump, timedelta(0))


def _epoch() -> tuple[Change, Change]:
    def begin(day: "Day") -> None:
        day.jump = datetime(1970, 1, 1, tzinfo=UTC) - day.now

    return begin, _clock(timedelta(0))[1]


def _both(service: str, kind: str, fault: Trouble) -> tuple[str, str, Change, Change]:
    return (f"{service} {type(fault).__name__}", service, *_set(kind, "fault", fault, None))


PATIENCE = timedelta(seconds=300)
FAULTS = (
    Fault("tesla unreachable", "tesla", *_tesla(Unreachable("down", service="tesla"))),
    Fault("tesla unreachable again", "tesla", *_tesla(Unreachable("down", service="tesla"))),
    Fault("tesla 429", "tesla", *_tesla(Throttled("429", retry_after=PATIENCE, service="tesla"), PATIENCE)),
    Fault("tesla sign-in", "tesla", *_tesla(SignInRefused("401", service="tesla"), REFUSED_FOR)),
    Fault("tesla deaf", "tesla", *_set("battery", "deaf", value=True, otherwise=False)),
    Fault("tesla loses answers", "tesla", *_set("battery", "shy", value=True, otherwise=False)),
    Fault("tesla leaves gaps", "tesla", *_set("battery", "gaps", value=True, otherwise=False)),
    Fault("tesla late", "tesla", *_set("battery", "late", timedelta(seconds=50), timedelta(0))),
    Fault("tesla very late", "tesla", *_set("battery", "late", timedelta(seconds=110), timedelta(0))),
    Fault("storm", "powers", *_set("battery", "powers", frozenset({Power.STORM_WATCH}), frozenset())),
    Fault("grid services", "powers", *_set("battery", "powers", frozenset({Power.GRID_SERVICES}), frozenset())),
    Fault("off grid", "powers", *_set("battery", "powers", frozenset({Power.OFF_GRID}), frozenset())),
    Fault("powers unknown", "powers", *_set("battery", "powers", None, frozenset())),
    Fault(*_both("zappi", "charger", Unreachable("down", service="zappi"))),
    Fault(*_both("zappi", "charger", Throttled("429", service="zappi"))),
    Fault("zappi sign-in", "zappi", *_refused("charger", SignInRefused("401", service="zappi"))),
    Fault("zappi unknown", "zappi", *_set("charger", "fault", ChargerState.UNKNOWN, None)),
    Fault(*_both("kraken", "tariff", Unreachable("down", service="kraken"))),
    Fault(*_both("kraken", "tariff", Throttled("429", service="kraken"))),
    Fault("kraken sign-in", "kraken", *_refused("tariff", SignInRefused("KT-CT-1138", service="kraken"))),
    Fault("boost", "boost", *_set("tariff", "boosting", value=True, otherwise=False)),
    Fault("disk full", "disk", *_set("", "disk_is_full", value=True, otherwise=False)),
    Fault("cron asleep", "cron", *_set("", "cron_sleeps", value=True, otherwise=False)),
    Fault("only reconcile", "cron", *_set("", "only_reconcile", value=True, otherwise=False)),
    Fault("clock an hour back", "clock", *_clock(timedelta(hours=-1)), longest_minutes=30),
    Fault("clock an hour ahead", "clock", *_clock(timedelta(hours=1)), longest_minutes=30),
    Fault("clock a year ahead", "clock", *_clock(timedelta(days=365)), longest_minutes=30),
    Fault("clock in 1970", "clock", *_epoch(), longest_minutes=30),
)
