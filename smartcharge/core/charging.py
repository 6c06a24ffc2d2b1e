"""A Zappi's record to a reading: measured power is the evidence, the control pilot only corroborates it.

The charger's own status word (`sta`) is not used: it stays at "boosting" after a car has left and at
"paused" while one phase still charges (https://github.com/CJNE/ha-myenergi/issues/710, /issues/632).
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from smartcharge.core.answers import ChargerReading
from smartcharge.core.model import ChargerState

MAX_AGE = timedelta(seconds=300)
"""A live charger reports about once a second; older records are served without any error."""
MAX_AHEAD = timedelta(minutes=65)
"""Stamps are UTC; should a firmware send British local time, its summer stamps lie an hour ahead."""
DRAWING = frozenset({"C1", "C2", "D1", "D2"})
"""Pilot states of IEC 61851 in which the car has asked for power; D is C with ventilation."""
CLAMPS = range(1, 7)
OWN_CLAMP = "Internal Load"
MAX_SERIAL = 10**12
SERIAL = re.compile(r"[0-9A-Za-z-]{1,20}")
PILOT = re.compile(r"[A-Z][0-9]?")
PLAUSIBLE = 1e6
"""Beyond this a number is no watts and no kilowatt hours, whatever it is."""


class _Verdict(Struct, frozen=True):
    """What one Zappi's record says; watts only where they prove something."""

    state: ChargerState
    why: str
    watts: float | None = None


def judge(answer: object, now: datetime, *, threshold_w: float, pinned_serial: str | None) -> ChargerReading:
    """What the decoded answer to `/cgi-jstatus-Z` says about the car, whatever that answer is.

    Any Zappi that charges wins, then any that is unknown. threshold_w: from here on power counts as
    charging. pinned_serial: the one Zappi to look at; None for all. Never raises.
    """
    records = [each for each in _records(answer) if pinned_serial in (None, _serial(each))]
    if not records:
        return ChargerReading(ChargerState.UNKNOWN, now, why=_nobody(answer, pinned_serial))
    verdicts = [_verdict(each, now, threshold_w) for each in records]
    state = _strongest([verdict.state for verdict in verdicts])
    return ChargerReading(
        state,
        now,
        watts=None if state is ChargerState.UNKNOWN else sum(each.watts or 0.0 for each in verdicts),
        why=next(verdict.why for verdict in verdicts if verdict.state is state),
        session_kwh=_total([_number(each.get("che")) for each in records]),
        serials=tuple(serial for each in records if (serial := _serial(each))),
    )


def judge_each(answer: object, now: datetime, *, threshold_w: float) -> tuple[ChargerReading, ...]:
    """What the same answer says of every Zappi on its own; none where it holds no Zappi. Never raises."""
    return tuple(
        judge({"zappi": [record]}, now, threshold_w=threshold_w, pinned_serial=None) for record in _records(answer)
    )


def error_status(answer: object) -> int | None:
    """The error number of an answer that is a status object, as a number or as text; None where it is none.

    0 means no error. Source: https://github.com/ashleypittman/mec
    """
    status = answer.get("status") if isinstance(answer, Mapping) else None
    if isinstance(status, str) and re.fullmatch(r"-?[0-9]{1,4}", status):
        status = int(status)
    return status if isinstance(status, int) and not isinstance(status, bool) and status != 0 else None


def _records(answer: object) -> list[Mapping[str, object]]:
    group = answer.get("zappi") if isinstance(answer, Mapping) else None
    return [each if isinstance(each, Mapping) else {} for each in group] if isinstance(group, list) else []


def _serial(record: Mapping[str, object]) -> str:
    serial = record.get("sno")
    if isinstance(serial, int) and not isinstance(serial, bool):
        return str(serial) if 0 < serial < MAX_SERIAL else ""
    return serial if isinstance(serial, str) and SERIAL.fullmatch(serial) else ""


def _nobody(answer: object, pinned_serial: str | None) -> str:
    if status := error_status(answer):
        return f"the hub answered with error {status}"
    return f"no Zappi {pinned_serial} in the answer" if pinned_serial and _records(answer) else "no Zappi in the answer"


def _strongest(states: Sequence[ChargerState]) -> ChargerState:
    return next(each for each in (ChargerState.CHARGING, ChargerState.UNKNOWN, ChargerState.IDLE) if each in states)


def _verdict(record: Mapping[str, object], now: datetime, threshold_w: float) -> _Verdict:
    if doubt := _doubt_about_age(record, now):
        return _Verdict(ChargerState.UNKNOWN, doubt)
    watts = _power_w(record)
    if watts is None:
        return _Verdict(ChargerState.UNKNOWN, "record without a usable power")
    if watts <= -threshold_w:
        return _Verdict(ChargerState.UNKNOWN, f"{watts:,.0f} W flow out of the car")
    pilot = record.get("pst")
    known = pilot if isinstance(pilot, str) and PILOT.fullmatch(pilot) else "?"
    found = f"{watts:,.0f} W, pilot {known}"
    into_car_w = max(watts, 0.0)
    if watts < threshold_w:
        return _Verdict(ChargerState.IDLE, found, into_car_w)
    if known in DRAWING:
        return _Verdict(ChargerState.CHARGING, found, into_car_w)
    return _Verdict(ChargerState.UNKNOWN, f"{found}: contradictory")


def _doubt_about_age(record: Mapping[str, object], now: datetime) -> str | None:
    """Why the record's own stamp makes it no evidence; None where it is fresh."""
    taken_at = _taken_at(record.get("dat"), record.get("tim"))
    if taken_at is None:
        return "record without a readable time"
    age = now - taken_at
    if age > MAX_AGE:
        return f"record is {_roughly(age)} old"
    return f"record is {_roughly(-age)} ahead of the clock" if -age > MAX_AHEAD else None


def _taken_at(day: object, time: object) -> datetime | None:
    if not (isinstance(day, str) and isinstance(time, str)):
        return None
    try:
        return datetime.strptime(f"{day} {time}", "%d-%m-%Y %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _roughly(span: timedelta) -> str:
    minutes = span // timedelta(minutes=1)
    if minutes < 120:  # noqa: PLR2004 - two hours read better in minutes, as two days do in hours
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"  # noqa: PLR2004


def _power_w(record: Mapping[str, object]) -> float | None:
    """The larger of what the built-in clamps and `div` show, of those there; None unless all of it is numbers.

    Older firmware leaves zeros out, so a clamp that is named but has no figure shows 0
    (https://github.com/twonk/MyEnergi-App-Api).
    """
    clamps = list(_own_clamps(record))
    sources = [_total(clamps) if None not in clamps else None] if clamps else []
    if "div" in record:
        sources.append(_number(record["div"]))
    numbers = [each for each in sources if each is not None]
    return max(numbers) if numbers and len(numbers) == len(sources) else None


def _own_clamps(record: Mapping[str, object]) -> Iterator[float | None]:
    for place in CLAMPS:
        if record.get(f"ectt{place}") == OWN_CLAMP:
            yield _number(record.get(f"ectp{place}", 0))


def _total(numbers: Sequence[float | None]) -> float | None:
    present = [each for each in numbers if each is not None]
    return math.fsum(present) if present else None


def _number(value: object) -> float | None:
    """A figure as JSON should hold it: no text, no boolean, finite and of a believable size."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -PLAUSIBLE < value < PLAUSIBLE else None
