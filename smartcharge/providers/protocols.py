"""What a provider implements: one protocol for each role, with its units and errors.

Every method may raise `UnreachableError` (no usable answer), `ThrottledError` (asked to wait) and
`SignInRefusedError` (the owner must sign in again). Nothing else leaves a provider, apart from bugs and
`DeadlineExceeded`, which a provider must not catch.
"""

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from smartcharge.policy.battery import BatteryCommand, BatteryFacts, BatteryReading
from smartcharge.policy.model import ChargerReading, DeviceRegistration, SupplierPlan

if TYPE_CHECKING:
    from smartcharge.policy.calendar import Invite
    from smartcharge.policy.polling import DeliveryResult


class Tariff(Protocol):
    """A supplier that plans off-peak charging for the car."""

    def plan(self, devices: Sequence[str], now: datetime) -> SupplierPlan:
        """Fetch the plan of the known devices. If none is known, the devices are fetched first."""

    def registrations(self, now: datetime) -> tuple[DeviceRegistration, ...]:
        """Fetch which devices are registered, including those that are not watched."""


class Charger(Protocol):
    """A charger that measures the power into the car. Nothing is ever written to it."""

    @property
    def host(self) -> str | None:
        """The server that answered last, to be stored; None if the next request should look it up again."""

    def prepare(self) -> None:
        """Import what a request needs, before its time limit begins: that takes seconds on a small computer."""

    def read(self, now: datetime) -> ChargerReading:
        """Ask once. A reading that proves nothing is UNKNOWN, not an error."""

    def read_each(self, now: datetime) -> tuple[ChargerReading, ...]:
        """Ask once, and return one reading for each charger of the account, also those not configured."""


class Battery(Protocol):
    """A house battery whose operation mode and backup reserve can be set.

    A context manager: entering connects, leaving disconnects. The caller holds the lock all the time.
    """

    @property
    def site(self) -> str:
        """Which battery it is: Tesla's number of the energy site, or the gateway's DIN. Empty until connected."""

    def __enter__(self) -> Self:
        """Connect. Raises as above, and `ConfigurationError` if the site or account does not exist."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Disconnect."""

    def read(self) -> BatteryReading:
        """Read everything anew, never from a cache."""

    def read_settings(self) -> BatteryReading:
        """Read mode and reserve anew. Needs fewer requests; for read-backs."""

    def facts(self) -> BatteryFacts:
        """Read what else it reports about itself; unknown values are None."""

    def set_mode(self, mode: str) -> None:
        """Request an operation mode; only a reading proves it. Raises `RatePlanMissingError` if Tesla answers 410."""

    def set_reserve_pct(self, reserve_pct: int) -> None:
        """Request a backup reserve on the app's scale, 0-80 or 100 %; only a reading proves it."""


@runtime_checkable
class DirectBattery(Battery, Protocol):
    """A house battery whose own gateway is asked: it takes both values in one command, and can time a hold."""

    def write(self, write: BatteryCommand) -> None:
        """Send one command; only a reading proves it. Raises `TimedHoldUnsupportedError` if it cannot time a hold."""


class Mailer(Protocol):
    """A mail server."""

    def send(self, message: bytes, recipient: str) -> "DeliveryResult":
        """Send the message once. An exception means that it was certainly not accepted."""

    def check(self) -> None:
        """Connect, verify TLS and sign in; nothing is sent."""


class InviteWriter(Protocol):
    """Writes invites as messages. The same invite gives the same bytes on every computer and in every run."""

    def message(self, invite: "Invite", *, is_update: bool) -> bytes:
        """Return a complete mail."""

    def feed(self, invites: Sequence["Invite"]) -> bytes:
        """Return an iCalendar file with these events."""
