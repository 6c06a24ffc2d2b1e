"""The troubles of a soak: how each begins, and what is as before when it ends."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from smartcharge.budget import OutOfTime
from smartcharge.core.model import ChargerState
from smartcharge.core.posting import Fate
from smartcharge.core.stance import Power
from smartcharge.errors import SignInRefused, Throttled, Unreachable

if TYPE_CHECKING:
    from soak_day import Day

Change = Callable[["Day"], None]
REFUSED_FOR = timedelta(minutes=17)
"""A refused Tesla sign-in is tried again every quarter of an hour."""
RELEASE_PATIENCE = timedelta(minutes=3)
"""No wait that Tesla asks for holds a release back for longer."""


@dataclass(frozen=True)
class Fault:
    """kind: only one of a kind at a time. longest_minutes: no longer than that."""

    name: str
    kind: str
    begin: Change
    end: Change
    longest_minutes: int = 90


@dataclass(frozen=True)
class Spell:
    """A fault with its end."""

    fault: Fault
    ends_at: datetime


def _set(part: str, name: str, value: object, otherwise: object) -> tuple[Change, Change]:
    def begin(day: "Day") -> None:
        setattr(getattr(day, part) if part else day, name, value)

    def end(day: "Day") -> None:
        setattr(getattr(day, part) if part else day, name, otherwise)

    return begin, end


def _tesla(trouble: BaseException, patience: timedelta = timedelta(0)) -> tuple[Change, Change]:
    """patience: how long a release may still wait when it is over."""
    begin, stop = _set("battery", "fault", trouble, None)

    def end(day: "Day") -> None:
        stop(day)
        if isinstance(trouble, SignInRefused) and day.now.minute % 2:  # the owner signs in anew
            day.house.sign_in_to_tesla(str(day.now))
            day.laws.manners.forgiven("tesla")
        else:
            day.patient_until = max(day.patient_until, day.now + patience)

    return begin, end


def _flaky() -> tuple[Change, Change]:
    def begin(day: "Day") -> None:
        day.battery.flaky = Random(f"{day.seed} {day.now}")  # noqa: S311  # stories, not secrets

    return begin, _set("battery", "flaky", None, None)[1]


def _refused(service: str, part: str) -> Fault:
    """Refused until the owner has corrected his key."""
    begin, stop = _set(part, "fault", SignInRefused("401", service=service), None)

    def end(day: "Day") -> None:
        stop(day)
        day.house.change_key(f"key{day.now:%d%H%M}")
        for each in ("kraken", "zappi", "mail"):
            day.laws.manners.forgiven(each)

    return Fault(f"{service} sign-in", service, begin, end)


def _clock(jump: Callable[["Day"], timedelta]) -> tuple[Change, Change]:
    def begin(day: "Day") -> None:
        day.jump = jump(day)

    return begin, _set("", "jump", None, timedelta(0))[1]


def _both(service: str, part: str) -> Iterator[Fault]:
    """What every service does."""
    troubles: dict[str, BaseException] = {
        "unreachable": Unreachable("down", service=service),
        "429": Throttled("429", service=service),
        "429 for 20 min": Throttled("429", retry_after=timedelta(minutes=20), service=service),
        "hangs": OutOfTime(),
    }
    for name, trouble in troubles.items():
        yield Fault(f"{service} {name}", service, *_set(part, "fault", trouble, None))


def _powers(name: str, powers: frozenset[Power] | None) -> Fault:
    return Fault(name, "powers", *_set("battery", "powers", powers, frozenset()))


def _throttled(minutes: float) -> tuple[Change, Change]:
    return _tesla(Throttled("429", retry_after=timedelta(minutes=minutes), service="tesla"), RELEASE_PATIENCE)


FAULTS = (
    Fault("tesla unreachable", "tesla", *_tesla(Unreachable("down", service="tesla"))),
    Fault("tesla hangs", "tesla", *_tesla(OutOfTime())),
    Fault("tesla 429", "tesla", *_throttled(0.5)),
    Fault("tesla 429 for 5 min", "tesla", *_throttled(5)),
    Fault("tesla 429 for 9 h", "tesla", *_throttled(540)),
    Fault("tesla sign-in", "tesla", *_tesla(SignInRefused("401", service="tesla"), REFUSED_FOR)),
    Fault("tesla flaky", "tesla", *_flaky()),
    Fault("tesla deaf", "tesla", *_set("battery", "deaf", value=True, otherwise=False)),
    Fault("tesla loses answers", "tesla", *_set("battery", "shy", value=True, otherwise=False)),
    Fault("tesla without reserve", "tesla", *_set("battery", "gaps", frozenset({"reserve"}), frozenset())),
    Fault("tesla without mode", "tesla", *_set("battery", "gaps", frozenset({"mode"}), frozenset())),
    Fault("tesla says nothing", "tesla", *_set("battery", "gaps", frozenset({"mode", "reserve"}), frozenset())),
    Fault("tesla late", "tesla", *_set("battery", "late", timedelta(seconds=50), timedelta(0))),
    Fault("tesla very late", "tesla", *_set("battery", "late", timedelta(seconds=110), timedelta(0))),
    Fault("reserve clamped at 80", "clamp", *_set("battery", "clamps", value=True, otherwise=False)),
    Fault("no rate plan", "rate plan", *_set("battery", "no_rate_plan", value=True, otherwise=False)),
    _powers("storm", frozenset({Power.STORM_WATCH})),
    _powers("grid services", frozenset({Power.GRID_SERVICES})),
    _powers("off grid", frozenset({Power.OFF_GRID})),
    _powers("powers unknown", None),
    *_both("zappi", "charger"),
    _refused("zappi", "charger"),
    Fault("zappi unknown", "zappi", *_set("charger", "fault", ChargerState.UNKNOWN, None)),
    *_both("kraken", "tariff"),
    _refused("kraken", "tariff"),
    Fault("kraken forgets", "kraken", *_set("tariff", "forgets", value=True, otherwise=False), longest_minutes=8),
    Fault("kraken mute of one", "kraken", *_set("tariff", "mute", frozenset({"ev-a"}), frozenset())),
    Fault("kraken mute", "kraken", *_set("tariff", "mute", frozenset({"ev-a", "ev-b"}), frozenset())),
    Fault("kraken without devices", "kraken", *_set("tariff", "nameless", value=True, otherwise=False)),
    *_both("mail", "mailer"),
    _refused("mail", "mailer"),
    Fault("mail lost on its way", "mail", *_set("mailer", "fate", Fate.UNKNOWN, Fate.ACCEPTED)),
    Fault("mail refused", "mail", *_set("mailer", "fate", Fate.REFUSED, Fate.ACCEPTED)),
    Fault("no such address", "mail", *_set("mailer", "fate", Fate.NO_SUCH_ADDRESS, Fate.ACCEPTED)),
    Fault("boost", "boost", *_set("tariff", "boosting", value=True, otherwise=False)),
    Fault("disk full", "disk", *_set("", "disk_is_full", value=True, otherwise=False)),
    Fault("cron asleep", "cron", *_set("", "cron_sleeps", value=True, otherwise=False)),
    Fault("only reconcile", "cron", *_set("", "only_reconcile", value=True, otherwise=False)),
    Fault("clock an hour back", "clock", *_clock(lambda _: timedelta(hours=-1)), longest_minutes=30),
    Fault("clock an hour ahead", "clock", *_clock(lambda _: timedelta(hours=1)), longest_minutes=30),
    Fault("clock a year ahead", "clock", *_clock(lambda _: timedelta(days=365)), longest_minutes=30),
    Fault(
        "clock in 1970",
        "clock",
        *_clock(lambda day: datetime(1970, 1, 1, tzinfo=UTC) - day.now),
        longest_minutes=30,
    ),
)
