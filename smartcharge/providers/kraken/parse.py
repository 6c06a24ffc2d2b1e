"""Parse the supplier's lists into values, item by item: an item that is not understood is dropped with a remark."""

import contextlib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from smartcharge.policy.model import DeviceRegistration, Dispatch, RegisteredDevice
from smartcharge.text import clean_text

MAX_DISPATCH_DURATION: Final = timedelta(hours=48)
MAX_DISPATCH_DISTANCE: Final = timedelta(days=7)
MAX_REMARKS: Final = 20
MAX_VALUE_LENGTH: Final = 100

CAR_DEVICE_TYPE: Final = "ELECTRIC_VEHICLES"
SMART_CHARGE, BOOST_CHARGE, TEST_CHARGE = "SMART", "BOOST", "TEST"
CHARGE_TYPE_BY_SOURCE: Final[dict[str | None, str]] = {
    None: SMART_CHARGE,
    "smart": SMART_CHARGE,
    "smart-charge": SMART_CHARGE,
    "bump-charge": BOOST_CHARGE,
    "boost": BOOST_CHARGE,
    "test-charge": TEST_CHARGE,
}
"""The older query's `meta.source`; it is silent about some smart charges too."""


@dataclass(slots=True)
class ParseNotes:
    """What is noticed on the way. remarks: oddities; troubles: why a part is unknown."""

    remarks: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def told(self) -> tuple[str, ...]:
        """The remarks, each once, and not without end."""
        each = list(dict.fromkeys(self.remarks))
        more = [f"and {len(each) - MAX_REMARKS} remarks more"] if len(each) > MAX_REMARKS else []
        return (*each[:MAX_REMARKS], *more)

    def trouble(self) -> str | None:
        """All troubles in one line."""
        return "; ".join(dict.fromkeys(self.troubles)) or None


@dataclass(frozen=True, slots=True)
class KrakenDevice:
    """A device as the supplier lists it, in its own words."""

    id: str
    kind: str | None
    current: str | None
    state: str | None
    suspended: bool

    @property
    def is_live_car(self) -> bool:
        """Whether it is a car or its charger, and past its registration."""
        return self.kind == CAR_DEVICE_TYPE and self.current == "LIVE"

    def as_device(self, pinned: str | None) -> RegisteredDevice:
        """The core's value; where a device is pinned, no other is watched."""
        watched = self.is_live_car and not self.suspended and pinned in {None, self.id}
        return RegisteredDevice(self.id, watched, boosting=self.state == "BOOSTING", state=self.state)

    def as_registration(self, pinned: str | None) -> DeviceRegistration:
        """The same with how it is registered, for people."""
        return DeviceRegistration(self.as_device(pinned), self.is_live_car, self.suspended, self.kind, self.current)


def parse_devices(items: Iterable[object], notes: ParseNotes) -> tuple[KrakenDevice, ...]:
    """Read the devices; each id once."""
    found: dict[str, KrakenDevice] = {}
    for item in items:
        device = _parse_device(item)
        if device is None:
            notes.remarks.append("a device without a usable id is ignored")
        else:
            found.setdefault(device.id, device)
    return tuple(found.values())


def _parse_device(item: object) -> KrakenDevice | None:
    about = item if isinstance(item, Mapping) else {}
    name = about.get("id")
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= MAX_VALUE_LENGTH:
        return None
    status = about.get("status")
    status = status if isinstance(status, Mapping) else {}
    return KrakenDevice(
        name,
        kind=clean_text(about.get("deviceType")),
        current=clean_text(status.get("current")),
        state=clean_text(status.get("currentState")),
        suspended=status.get("isSuspended") not in (None, False),
    )


def parse_planned_dispatches(items: Iterable[object], now: datetime, notes: ParseNotes) -> tuple[Dispatch, ...]:
    """Read a device's plan: what the supplier charges of its own accord; what is forced or a test is left out."""
    return _parse_smart_dispatches(items, lambda item: clean_text(item.get("type")), "energyAddedKwh", now, notes)


def parse_legacy_planned_dispatches(items: Iterable[object], now: datetime, notes: ParseNotes) -> tuple[Dispatch, ...]:
    """Read the same from the older query, which names a source in place of a type."""
    return _parse_smart_dispatches(items, _charge_type_from_source, "delta", now, notes)


def parse_completed_dispatches(items: Iterable[object], now: datetime, notes: ParseNotes) -> tuple[Dispatch, ...]:
    """Read what was charged, by whoever's will: the list does not tell."""
    read = (_parse_dispatch(item, "delta", now, notes) for item in items)
    return tuple(dispatch for dispatch in read if dispatch is not None)


def _parse_smart_dispatches(
    items: Iterable[object],
    type_of: Callable[[Mapping[str, object]], str | None],
    energy: str,
    now: datetime,
    notes: ParseNotes,
) -> tuple[Dispatch, ...]:
    smart: list[Dispatch] = []
    boosts: list[Dispatch] = []
    for item in items:
        dispatch = _parse_dispatch(item, energy, now, notes)
        if dispatch is None or not isinstance(item, Mapping):
            continue
        kind = type_of(item)
        if kind == SMART_CHARGE:
            smart.append(dispatch)
        elif kind == BOOST_CHARGE:
            boosts.append(dispatch)
        elif kind != TEST_CHARGE:
            notes.remarks.append(f"a dispatch of the unknown type {_quotable_word(kind)} is ignored")
    if any(s.starts_at < b.ends_at and b.starts_at < s.ends_at for b in boosts for s in smart):
        notes.remarks.append("a forced charge overlaps a planned window")
    return tuple(smart)


def _charge_type_from_source(item: Mapping[str, object]) -> str | None:
    meta = item.get("meta")
    source = clean_text(meta.get("source")) if isinstance(meta, Mapping) else None
    return CHARGE_TYPE_BY_SOURCE.get(source and source.lower(), source)


def _parse_dispatch(item: object, energy: str, now: datetime, notes: ParseNotes) -> Dispatch | None:
    if not isinstance(item, Mapping):
        notes.remarks.append("an empty dispatch is ignored")
        return None
    starts_at, ends_at = parse_kraken_instant(item.get("start")), parse_kraken_instant(item.get("end"))
    problem = _find_span_problem(starts_at, ends_at, now)
    if starts_at is None or ends_at is None or problem is not None:
        notes.remarks.append(f"a dispatch is ignored: {problem}")
        return None
    meta = item.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    return Dispatch(
        starts_at,
        ends_at,
        parse_energy_kwh(item.get(energy)),
        source=clean_text(meta.get("source")),
        location=clean_text(meta.get("location")),
    )


def _find_span_problem(starts_at: datetime | None, ends_at: datetime | None, now: datetime) -> str | None:
    """Why a span cannot be meant."""
    if starts_at is None or ends_at is None:
        return "its start or end is no time with an offset"
    if ends_at <= starts_at:
        return f"it ends ({ends_at:%FT%TZ}) no later than it begins ({starts_at:%FT%TZ})"
    if ends_at - starts_at > MAX_DISPATCH_DURATION:
        return "it is longer than 48 hours"
    if starts_at - now > MAX_DISPATCH_DISTANCE or now - ends_at > MAX_DISPATCH_DISTANCE:
        return f"it is more than 7 days away ({starts_at:%FT%TZ})"
    return None


def parse_kraken_instant(value: object) -> datetime | None:
    """Read an ISO 8601 time with any offset as UTC; None without an offset, or where it is none."""
    with contextlib.suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= MAX_VALUE_LENGTH else None
        return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
    return None


def parse_energy_kwh(value: object) -> float | None:
    """Read an energy's magnitude (kWh): imports are negative for cars, and decimals come as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > MAX_VALUE_LENGTH:
        return None
    with contextlib.suppress(ValueError, OverflowError):
        kwh = abs(float(value))
        return kwh if math.isfinite(kwh) else None
    return None


def _quotable_word(value: str | None) -> str:
    """A word fit to be repeated: anything else could be made to say what it should not."""
    return value if value is not None and re.fullmatch(r"[A-Za-z_-]{1,40}", value) else "(odd)"
