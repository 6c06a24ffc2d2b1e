"""Kraken's lists as core values. A list is believed item by item: what is odd is dropped with a remark."""

import contextlib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from smartcharge.core.answers import Device, Dispatch, Registration

LONGEST_SPAN: Final = timedelta(hours=48)
FARTHEST: Final = timedelta(days=7)
MOST_REMARKS: Final = 20
MOST_LETTERS: Final = 100

CAR: Final = "ELECTRIC_VEHICLES"
SMART, BOOST, TEST = "SMART", "BOOST", "TEST"
TYPE_OF_SOURCE: Final[dict[str | None, str]] = {
    None: SMART,
    "smart": SMART,
    "smart-charge": SMART,
    "bump-charge": BOOST,
    "boost": BOOST,
    "test-charge": TEST,
}
"""The older query's `meta.source`; it is silent about some smart charges too."""


@dataclass(slots=True)
class Notes:
    """What is noticed on the way. remarks: oddities; troubles: why a part is unknown."""

    remarks: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def told(self) -> tuple[str, ...]:
        """The remarks, each once, and not without end."""
        each = list(dict.fromkeys(self.remarks))
        more = [f"and {len(each) - MOST_REMARKS} remarks more"] if len(each) > MOST_REMARKS else []
        return (*each[:MOST_REMARKS], *more)

    def trouble(self) -> str | None:
        """All troubles in one line."""
        return "; ".join(dict.fromkeys(self.troubles)) or None


@dataclass(frozen=True, slots=True)
class Registered:
    """A device as the supplier lists it, in its own words."""

    id: str
    kind: str | None
    current: str | None
    state: str | None
    suspended: bool

    @property
    def is_live_car(self) -> bool:
        """Whether it is a car or its charger, and past its registration."""
        return self.kind == CAR and self.current == "LIVE"

    def as_device(self, pinned: str | None) -> Device:
        """The core's value; where a device is pinned, no other is watched."""
        watched = self.is_live_car and not self.suspended and pinned in {None, self.id}
        return Device(self.id, watched, boosting=self.state == "BOOSTING", state=self.state)

    def as_registration(self, pinned: str | None) -> Registration:
        """The same with how it is registered, for people."""
        return Registration(self.as_device(pinned), self.is_live_car, self.suspended, self.kind, self.current)


def devices_in(items: Iterable[object], notes: Notes) -> tuple[Registered, ...]:
    """Read the devices; each id once."""
    found: dict[str, Registered] = {}
    for item in items:
        device = _registered(item)
        if device is None:
            notes.remarks.append("a device without a usable id is ignored")
        else:
            found.setdefault(device.id, device)
    return tuple(found.values())


def _registered(item: object) -> Registered | None:
    about = item if isinstance(item, Mapping) else {}
    name = about.get("id")
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= MOST_LETTERS:
        return None
    status = about.get("status")
    status = status if isinstance(status, Mapping) else {}
    return Registered(
        name,
        kind=plain(about.get("deviceType")),
        current=plain(status.get("current")),
        state=plain(status.get("currentState")),
        suspended=status.get("isSuspended") not in (None, False),
    )


def planned_in(items: Iterable[object], now: datetime, notes: Notes) -> tuple[Dispatch, ...]:
    """Read a device's plan: what the supplier charges of its own accord; what is forced or a test is left out."""
    return _smart(items, lambda item: plain(item.get("type")), "energyAddedKwh", now, notes)


def old_planned_in(items: Iterable[object], now: datetime, notes: Notes) -> tuple[Dispatch, ...]:
    """Read the same from the older query, which names a source in place of a type."""
    return _smart(items, _type_of_source, "delta", now, notes)


def completed_in(items: Iterable[object], now: datetime, notes: Notes) -> tuple[Dispatch, ...]:
    """Read what was charged, by whoever's will: the list does not tell."""
    read = (_dispatch(item, "delta", now, notes) for item in items)
    return tuple(dispatch for dispatch in read if dispatch is not None)


def _smart(
    items: Iterable[object],
    type_of: Callable[[Mapping[str, object]], str | None],
    energy: str,
    now: datetime,
    notes: Notes,
) -> tuple[Dispatch, ...]:
    smart: list[Dispatch] = []
    boosts: list[Dispatch] = []
    for item in items:
        dispatch = _dispatch(item, energy, now, notes)
        if dispatch is None or not isinstance(item, Mapping):
            continue
        kind = type_of(item)
        if kind == SMART:
            smart.append(dispatch)
        elif kind == BOOST:
            boosts.append(dispatch)
        elif kind != TEST:
            notes.remarks.append(f"a dispatch of the unknown type {_word(kind)} is ignored")
    if any(s.starts_at < b.ends_at and b.starts_at < s.ends_at for b in boosts for s in smart):
        notes.remarks.append("a forced charge overlaps a planned window")
    return tuple(smart)


def _type_of_source(item: Mapping[str, object]) -> str | None:
    meta = item.get("meta")
    source = plain(meta.get("source")) if isinstance(meta, Mapping) else None
    return TYPE_OF_SOURCE.get(source and source.lower(), source)


def _dispatch(item: object, energy: str, now: datetime, notes: Notes) -> Dispatch | None:
    if not isinstance(item, Mapping):
        notes.remarks.append("an empty dispatch is ignored")
        return None
    starts_at, ends_at = instant(item.get("start")), instant(item.get("end"))
    problem = _problem(starts_at, ends_at, now)
    if starts_at is None or ends_at is None or problem is not None:
        notes.remarks.append(f"a dispatch is ignored: {problem}")
        return None
    meta = item.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    return Dispatch(
        starts_at,
        ends_at,
        energy_kwh(item.get(energy)),
        source=plain(meta.get("source")),
        location=plain(meta.get("location")),
    )


def _problem(starts_at: datetime | None, ends_at: datetime | None, now: datetime) -> str | None:
    """Why a span cannot be meant."""
    if starts_at is None or ends_at is None:
        return "its start or end is no time with an offset"
    if ends_at <= starts_at:
        return f"it ends ({ends_at:%FT%TZ}) no later than it begins ({starts_at:%FT%TZ})"
    if ends_at - starts_at > LONGEST_SPAN:
        return "it is longer than 48 hours"
    if starts_at - now > FARTHEST or now - ends_at > FARTHEST:
        return f"it is more than 7 days away ({starts_at:%FT%TZ})"
    return None


def instant(value: object) -> datetime | None:
    """Read an ISO 8601 time with any offset as UTC; None without an offset, or where it is none."""
    with contextlib.suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= MOST_LETTERS else None
        return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
    return None


def energy_kwh(value: object) -> float | None:
    """Read an energy's magnitude (kWh): imports are negative for cars, and decimals come as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > MOST_LETTERS:
        return None
    with contextlib.suppress(ValueError, OverflowError):
        kwh = abs(float(value))
        return kwh if math.isfinite(kwh) else None
    return None


def plain(value: object) -> str | None:
    """A word from outside without control characters, at most 100 letters; None where it is no text."""
    if not isinstance(value, str):
        return None
    return "".join(letter for letter in value[:MOST_LETTERS] if letter.isprintable()) or None


def _word(value: str | None) -> str:
    """A word fit to be repeated: anything else could be made to say what it should not."""
    return value if value is not None and re.fullmatch(r"[A-Za-z_-]{1,40}", value) else "(odd)"
