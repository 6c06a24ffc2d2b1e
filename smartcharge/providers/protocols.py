"""The sockets that adapters plug into: one Protocol per role, with its units and errors.

Every method may raise `errors.Unreachable` (no answer, nonsense), `errors.Throttled` (asked to wait),
`errors.SignInRefused` (the owner must sign in again); nothing else leaves an adapter but a bug, and
`budget.OutOfTime`, which an adapter never swallows.
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
    """A supplier that plans cheap dispatches for the car."""

    def plan(self, devices: Sequence[str], now: datetime) -> SupplierPlan:
        """Ask for the plan of the devices known so far (none known: they are discovered in the same run)."""

    def registrations(self, now: datetime) -> tuple[DeviceRegistration, ...]:
        """Ask which devices are registered, watched or not."""


class Charger(Protocol):
    """A charger that measures what flows into the car; it is never written to."""

    @property
    def host(self) -> str | None:
        """The server that answered last, worth remembering; None where the next question should look for it anew."""

    def prepare(self) -> None:
        """Load what a question needs, outside its time: on a small computer that alone takes seconds."""

    def read(self, now: datetime) -> ChargerReading:
        """Ask once. A reading that proves nothing is UNKNOWN, not an error."""

    def read_each(self, now: datetime) -> tuple[ChargerReading, ...]:
        """Ask once for every charger of the account on its own, the pinned one or not."""


class Battery(Protocol):
    """A house battery whose operation mode and backup reserve can be set.

    A context: entering connects, leaving ends the session; the caller holds the one lock throughout.
    """

    @property
    def site(self) -> str:
        """Which battery it is: Tesla's number of the energy site, or the gateway's DIN. Empty until connected."""

    def __enter__(self) -> Self:
        """Connect. Raises as above, and `ConfigurationRefused` where the site or account is not there."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """End the conversation."""

    def read(self) -> BatteryReading:
        """A forced reading, never from a cache."""

    def read_settings(self) -> BatteryReading:
        """A forced reading of mode and reserve alone: cheaper, for read-backs."""

    def facts(self) -> BatteryFacts:
        """What else it tells of itself; what it is silent about is None."""

    def set_mode(self, mode: str) -> None:
        """Ask for an operation mode; proves nothing. Raises `RatePlanMissing` where Tesla answers 410."""

    def set_reserve_pct(self, reserve_pct: int) -> None:
        """Ask for a backup reserve on the app's scale, 0-80 or 100; proves nothing."""


@runtime_checkable
class DirectBattery(Battery, Protocol):
    """A house battery whose gateway is asked itself: it takes both values in one, and can end a hold alone."""

    def write(self, write: BatteryCommand) -> None:
        """Give one command; proves nothing. Raises `LeaseUnknown` where it can hold only until it is told otherwise."""


class Mailer(Protocol):
    """A way to post a finished message."""

    def send(self, message: bytes, recipient: str) -> "DeliveryResult":
        """Post the frozen bytes once; what is raised means that they were certainly not taken."""

    def check(self) -> None:
        """Connect, make sure of TLS, and sign in; nothing is posted."""


class InviteWriter(Protocol):
    """Puts invites into words: the same invite gives the same bytes, on every machine and in every run."""

    def message(self, invite: "Invite", *, is_update: bool) -> bytes:
        """A finished mail."""

    def feed(self, invites: Sequence["Invite"]) -> bytes:
        """A calendar file with all these events."""
