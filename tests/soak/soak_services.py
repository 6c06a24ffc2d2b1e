"""The other services of a soak: they may fail or be killed at any call, and remember what they told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from soak_battery import EventListener
from soak_interruptions import Interrupter

from smartcharge.policy.model import ChargerReading, ChargerState, Dispatch, RegisteredDevice, SupplierPlan
from smartcharge.policy.polling import DeliveryResult, DeliveryStatus

CAR_IDS = ("ev-a", "ev-b")
Spans = tuple[tuple[datetime, datetime], ...]


@contextmanager
def notify_request(listener: EventListener, service: str) -> Iterator[None]:
    """One question and its answer."""
    listener.on_question(service)
    try:
        yield
    finally:
        listener.on_end(service)


@dataclass
class SoakCharger:
    """A Zappi. charging_at: when it said that the car charges, by the program's clock."""

    interrupter: Interrupter
    listener: EventListener
    charging: bool = False
    fault: BaseException | ChargerState | None = None
    charging_at: list[datetime] = field(default_factory=list)
    host: str | None = "s18.myenergi.net"

    def prepare(self) -> None:
        """Nothing to load."""

    def read(self, now: datetime) -> ChargerReading:
        self.interrupter.pass_place("zappi asked")
        with notify_request(self.listener, "zappi"):
            if isinstance(self.fault, BaseException):
                raise self.fault.with_traceback(None)
            state = self.fault or (ChargerState.CHARGING if self.charging else ChargerState.IDLE)
            if state is ChargerState.CHARGING:
                self.charging_at.append(now)
            self.interrupter.pass_place("zappi answered")
        return ChargerReading(state, now, 7200.0 if self.charging else 0.0, "as told")

    def read_each(self, now: datetime) -> tuple[ChargerReading, ...]:
        return (self.read(now),)


@dataclass(frozen=True)
class CarAnswer:
    """What the supplier answered for one car, and when by the program's clock."""

    at: datetime
    car: str
    spans: Spans
    boosting: bool


@dataclass
class SoakTariff:
    """A supplier.

    forgets: it answers "nothing planned". silent_cars: the cars of which it says nothing this time. names_no_cars: it
    does not say which cars there are. told: the answers it gave, the last last. newest: the last of each car.
    """

    interrupter: Interrupter
    listener: EventListener
    cars: tuple[str, ...] = CAR_IDS[:1]
    plans: list[tuple[str, datetime, datetime]] = field(default_factory=list)
    boosting: bool = False
    forgets: bool = False
    silent_cars: frozenset[str] = frozenset()
    names_no_cars: bool = False
    fault: BaseException | None = None
    told: list[CarAnswer] = field(default_factory=list)
    newest: dict[str, CarAnswer] = field(default_factory=dict)

    def plan(self, devices: object, now: datetime) -> SupplierPlan:
        self.interrupter.pass_place("kraken asked")
        with notify_request(self.listener, "kraken"):
            if self.fault is not None:
                raise self.fault.with_traceback(None)
            return self._answered(now)

    def _answered(self, now: datetime) -> SupplierPlan:
        answers = {car: None if car in self.silent_cars else self._planned(car) for car in self.cars}
        told = [CarAnswer(now, car, spans, self.boosting) for car, spans in answers.items() if spans is not None]
        self.told += told
        self.newest |= {each.car: each for each in told}
        self.interrupter.pass_place("kraken answered")
        named = tuple(RegisteredDevice(car, watched=True, boosting=self.boosting) for car in self.cars)
        planned = {
            car: None if spans is None else tuple(Dispatch(start, end, 7.2) for start, end in spans)
            for car, spans in answers.items()
        }
        trouble = "no plan for some of the cars" if None in planned.values() else None
        return SupplierPlan(None if self.names_no_cars else named, planned, trouble=trouble)

    def _planned(self, car: str) -> Spans:
        return () if self.forgets else tuple((start, end) for whose, start, end in self.plans if whose == car)

    def window_around(self, moment: datetime) -> tuple[datetime, datetime] | None:
        """The window around a moment, as it was told last; those that touch count as one."""
        joined: list[tuple[datetime, datetime]] = []
        for start, end in sorted(span for told in self.newest.values() for span in told.spans):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], end))
            else:
                joined.append((start, end))
        return next((span for span in joined if span[0] <= moment < span[1]), None)


@dataclass(frozen=True)
class SentMail:
    """A mail that was handed over, by the program's clock, and what the server says of it."""

    at: datetime
    true_at: datetime
    message: bytes
    status: DeliveryStatus

    @property
    def name(self) -> tuple[str, int]:
        """Event and sequence number, as the mail's header says; an alarm's is (its name, 0)."""
        head = next(line for line in self.message.split(b"\r\n") if line.lower().startswith(b"message-id:"))
        name = head.partition(b"<")[2].partition(b"@")[0].decode()
        event, _, sequence = name.rpartition(".")
        return (event, int(sequence)) if event else (name, 0)


@dataclass
class SoakMailer:
    """A mail server; now: by the program's clock.

    fate: what becomes of each mail. took: every one that it has. lost: decides whether it has one of unknown fate.
    """

    interrupter: Interrupter
    listener: EventListener
    now: datetime
    true_now: datetime
    fault: BaseException | None = None
    status: DeliveryStatus = DeliveryStatus.ACCEPTED
    lost: Random = field(default_factory=lambda: Random(0))  # noqa: S311  # scenarios, not secrets
    took: list[SentMail] = field(default_factory=list)

    def send(self, message: bytes, recipient: str) -> DeliveryResult:
        self.interrupter.pass_place("mail offered")
        with notify_request(self.listener, "mail"):
            if self.fault is not None:
                raise self.fault.with_traceback(None)
            return self._received(message)

    def _received(self, message: bytes) -> DeliveryResult:
        posted = SentMail(self.now, self.true_now, message, self.status)
        self.listener.on_mail(posted)
        if self.status is DeliveryStatus.ACCEPTED or (
            self.status is DeliveryStatus.UNKNOWN and self.lost.random() < 0.5
        ):
            self.took.append(posted)
        self.interrupter.pass_place("mail taken")
        return DeliveryResult(self.status, "" if self.status is DeliveryStatus.ACCEPTED else "550 5.1.1")

    def check(self) -> None:
        """Nothing to sign in to."""
