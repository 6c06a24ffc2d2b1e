"""What the outside answers, as values: the supplier's plan and the charger's reading."""

from datetime import datetime

from msgspec import Struct

from smartcharge.core.model import ChargerState


class Dispatch(Struct, frozen=True):
    """One planned or completed dispatch as the supplier tells it, UTC, half-open.

    energy_kwh: magnitude, None where the supplier is silent; information, never a filter.
    source, location: the supplier's own words, where given.
    """

    starts_at: datetime
    ends_at: datetime
    energy_kwh: float | None = None
    source: str | None = None
    location: str | None = None


class Device(Struct, frozen=True):
    """A car or charger registered with the supplier.

    watched: LIVE, not suspended, and an electric vehicle. boosting: the owner forces a charge.
    state: the supplier's word for it, for people only.
    """

    id: str
    watched: bool
    boosting: bool = False
    state: str | None = None


class Registration(Struct, frozen=True):
    """How a device is registered with the supplier; kind, status: its own words, None where it is silent."""

    device: Device
    is_live_car: bool
    suspended: bool
    kind: str | None = None
    status: str | None = None


class Plan(Struct, frozen=True):
    """One conversation with the supplier.

    devices: every registered device, None where that part failed. planned: for each watched device its
    cheap-eligible dispatches, or None where the answer was no answer (an error, null, a missing field):
    only an empty tuple says "nothing planned". completed: None where unknown. remarks: oddities for -v
    and the journal, one line each, without secrets. trouble: why a part is unknown, one line, or None.
    """

    devices: tuple[Device, ...] | None
    planned: dict[str, tuple[Dispatch, ...] | None]
    completed: tuple[Dispatch, ...] | None = None
    remarks: tuple[str, ...] = ()
    trouble: str | None = None


class ChargerReading(Struct, frozen=True):
    """What the charger says about the car.

    watts: power into the car (all Zappis together), None where unknown. at: when it was asked (UTC).
    why: one short clause for people ("7,150 W, pilot C2", "record is 9 min old"). session_kwh: the
    session counter where present. serials: the chargers that answered.
    """

    state: ChargerState
    at: datetime
    watts: float | None = None
    why: str = ""
    session_kwh: float | None = None
    serials: tuple[str, ...] = ()


class BatteryLevel(Struct, frozen=True):
    """How full the house battery was (UTC).

    soe_pct: state of energy, 0-100 %, None where it was missing. capacity_kwh: what it holds when full, None where
    nobody said.
    """

    at: datetime
    soe_pct: float | None
    capacity_kwh: float | None = None
