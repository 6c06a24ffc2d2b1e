"""The troubles of a soak: how each begins, and what is as before when it ends."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from smartcharge.deadline import DeadlineExceeded
from smartcharge.errors import SignInRefusedError, ThrottledError, UnreachableError
from smartcharge.policy.battery import Lockout
from smartcharge.policy.model import ChargerState
from smartcharge.policy.polling import DeliveryStatus

if TYPE_CHECKING:
    from soak_day import SoakDay


DayChange = Callable[["Day"], None]  # noqa: F821
REFUSED_TIME = timedelta(minutes=17)
"""A refused Tesla sign-in is tried again every quarter of an hour."""
RELEASE_MAX_WAIT = timedelta(minutes=3)
"""No wait that Tesla asks for holds a release back for longer."""


@dataclass(frozen=True)
class SoakFault:
    """kind: only one of a kind at a time. longest_minutes: no longer than that."""

    name: str
    kind: str
    begin: DayChange
    end: DayChange
    longest_minutes: int = 90


@dataclass(frozen=True)
class SoakFaultPeriod:
    """A fault with its end."""

    fault: SoakFault
    ends_at: datetime


def _set_attribute(part: str, name: str, value: object, otherwise: object) -> tuple[DayChange, DayChange]:
    def begin(day: "SoakDay") -> None:
        setattr(getattr(day, part) if part else day, name, value)

    def end(day: "SoakDay") -> None:
        setattr(getattr(day, part) if part else day, name, otherwise)

    return begin, end


def _tesla_fault(trouble: BaseException, wait: timedelta = timedelta(0)) -> tuple[DayChange, DayChange]:
    """wait: how long a release may still wait when it is over."""
    begin, stop = _set_attribute("battery", "fault", trouble, None)

    def end(day: "SoakDay") -> None:
        stop(day)
        if isinstance(trouble, SignInRefusedError) and day.now.minute % 2:  # the owner signs in anew
            day.house.sign_in_to_tesla(str(day.now))
            day.laws.questions.forget("tesla")
        else:
            day.waiting_until = max(day.waiting_until, day.now + wait)

    return begin, end


def _flaky_tesla() -> tuple[DayChange, DayChange]:
    def begin(day: "SoakDay") -> None:
        day.battery.flaky = Random(f"{day.seed} {day.now}")  # noqa: S311  # scenarios, not secrets

    return begin, _set_attribute("battery", "flaky", None, None)[1]


def _refused_sign_in(service: str, part: str) -> SoakFault:
    """Refused until the owner has corrected his key."""
    begin, stop = _set_attribute(part, "fault", SignInRefusedError("401", service=service), None)

    def end(day: "SoakDay") -> None:
        stop(day)
        day.house.change_key(f"key{day.now:%d%H%M}")
        for each in ("kraken", "zappi", "mail"):
            day.laws.questions.forget(each)

    return SoakFault(f"{service} sign-in", service, begin, end)


def _clock_jump(jump: Callable[["SoakDay"], timedelta]) -> tuple[DayChange, DayChange]:
    def begin(day: "SoakDay") -> None:
        day.jump = jump(day)

    return begin, _set_attribute("", "jump", None, timedelta(0))[1]


def _service_faults(service: str, part: str) -> Iterator[SoakFault]:
    """What every service does."""
    troubles: dict[str, BaseException] = {
        "unreachable": UnreachableError("down", service=service),
        "429": ThrottledError("429", service=service),
        "429 for 20 min": ThrottledError("429", retry_after=timedelta(minutes=20), service=service),
        "hangs": DeadlineExceeded(),
    }
    for name, trouble in troubles.items():
        yield SoakFault(f"{service} {name}", service, *_set_attribute(part, "fault", trouble, None))


def _lockout_fault(name: str, lockouts: frozenset[Lockout] | None) -> SoakFault:
    return SoakFault(name, "powers", *_set_attribute("battery", "lockouts", lockouts, frozenset()))


def _throttling_fault(minutes: float) -> tuple[DayChange, DayChange]:
    return _tesla_fault(
        ThrottledError("429", retry_after=timedelta(minutes=minutes), service="tesla"), RELEASE_MAX_WAIT
    )


SOAK_FAULTS = (
    SoakFault("tesla unreachable", "tesla", *_tesla_fault(UnreachableError("down", service="tesla"))),
    SoakFault("tesla hangs", "tesla", *_tesla_fault(DeadlineExceeded())),
    SoakFault("tesla 429", "tesla", *_throttling_fault(0.5)),
    SoakFault("tesla 429 for 5 min", "tesla", *_throttling_fault(5)),
    SoakFault("tesla 429 for 9 h", "tesla", *_throttling_fault(540)),
    SoakFault("tesla sign-in", "tesla", *_tesla_fault(SignInRefusedError("401", service="tesla"), REFUSED_TIME)),
    SoakFault("tesla flaky", "tesla", *_flaky_tesla()),
    SoakFault(
        "tesla ignores_commands", "tesla", *_set_attribute("battery", "ignores_commands", value=True, otherwise=False)
    ),
    SoakFault("tesla loses answers", "tesla", *_set_attribute("battery", "loses_answers", value=True, otherwise=False)),
    SoakFault(
        "tesla without reserve", "tesla", *_set_attribute("battery", "gaps", frozenset({"reserve"}), frozenset())
    ),
    SoakFault("tesla without mode", "tesla", *_set_attribute("battery", "gaps", frozenset({"mode"}), frozenset())),
    SoakFault(
        "tesla says nothing", "tesla", *_set_attribute("battery", "gaps", frozenset({"mode", "reserve"}), frozenset())
    ),
    SoakFault("tesla late", "tesla", *_set_attribute("battery", "late", timedelta(seconds=50), timedelta(0))),
    SoakFault("tesla very late", "tesla", *_set_attribute("battery", "late", timedelta(seconds=110), timedelta(0))),
    SoakFault("reserve clamped at 80", "clamp", *_set_attribute("battery", "clamps", value=True, otherwise=False)),
    SoakFault("no rate plan", "rate plan", *_set_attribute("battery", "no_rate_plan", value=True, otherwise=False)),
    _lockout_fault("storm", frozenset({Lockout.STORM_WATCH})),
    _lockout_fault("grid services", frozenset({Lockout.GRID_SERVICES})),
    _lockout_fault("off grid", frozenset({Lockout.OFF_GRID})),
    _lockout_fault("powers unknown", None),
    *_service_faults("zappi", "charger"),
    _refused_sign_in("zappi", "charger"),
    SoakFault("zappi unknown", "zappi", *_set_attribute("charger", "fault", ChargerState.UNKNOWN, None)),
    *_service_faults("kraken", "tariff"),
    _refused_sign_in("kraken", "tariff"),
    SoakFault(
        "kraken forgets", "kraken", *_set_attribute("tariff", "forgets", value=True, otherwise=False), longest_minutes=8
    ),
    SoakFault(
        "kraken silent_cars of one",
        "kraken",
        *_set_attribute("tariff", "silent_cars", frozenset({"ev-a"}), frozenset()),
    ),
    SoakFault(
        "kraken silent_cars",
        "kraken",
        *_set_attribute("tariff", "silent_cars", frozenset({"ev-a", "ev-b"}), frozenset()),
    ),
    SoakFault(
        "kraken without devices", "kraken", *_set_attribute("tariff", "names_no_cars", value=True, otherwise=False)
    ),
    *_service_faults("mail", "mailer"),
    _refused_sign_in("mail", "mailer"),
    SoakFault(
        "mail lost on its way",
        "mail",
        *_set_attribute("mailer", "status", DeliveryStatus.UNKNOWN, DeliveryStatus.ACCEPTED),
    ),
    SoakFault(
        "mail refused", "mail", *_set_attribute("mailer", "status", DeliveryStatus.REFUSED, DeliveryStatus.ACCEPTED)
    ),
    SoakFault(
        "no such address",
        "mail",
        *_set_attribute("mailer", "status", DeliveryStatus.NO_SUCH_ADDRESS, DeliveryStatus.ACCEPTED),
    ),
    SoakFault("boost", "boost", *_set_attribute("tariff", "boosting", value=True, otherwise=False)),
    SoakFault("disk full", "disk", *_set_attribute("", "disk_is_full", value=True, otherwise=False)),
    SoakFault("cron asleep", "cron", *_set_attribute("", "cron_sleeps", value=True, otherwise=False)),
    SoakFault("only reconcile", "cron", *_set_attribute("", "only_reconcile", value=True, otherwise=False)),
    SoakFault("clock an hour back", "clock", *_clock_jump(lambda _: timedelta(hours=-1)), longest_minutes=30),
    SoakFault("clock an hour ahead", "clock", *_clock_jump(lambda _: timedelta(hours=1)), longest_minutes=30),
    SoakFault("clock a year ahead", "clock", *_clock_jump(lambda _: timedelta(days=365)), longest_minutes=30),
    SoakFault(
        "clock in 1970",
        "clock",
        *_clock_jump(lambda day: datetime(1970, 1, 1, tzinfo=UTC) - day.now),
        longest_minutes=30,
    ),
)
