"""The supplier's plan, from Kraken (E.ON Next, Octopus, EDF): one question in the steady state.

The plan per device is asked for; where that is unknown or disabled, the account's older one is. Only an
empty list without an error says "nothing planned": all else leaves a part unknown.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from smartcharge.deadline import service_boundary
from smartcharge.policy.model import DeviceRegistration, SupplierPlan
from smartcharge.providers.http import HttpClient
from smartcharge.providers.kraken.account import KRAKEN_SERVICE, KrakenAccount
from smartcharge.providers.kraken.client import KrakenClient


class KrakenTariff:
    """A supplier on Kraken; implements `protocols.Tariff`. Nothing is sent before a method is called.

    Beside what `protocols` names, `ConfigurationError` is raised where the pinned device is gone, the account is
    another person's, or the token file is not ours to write. count: called for every request.
    """

    def __init__(self, account: KrakenAccount, count: Callable[[], None] = lambda: None) -> None:
        self._account = account
        self._count = count

    def plan(self, devices: Sequence[str], now: datetime) -> SupplierPlan:
        """Ask for the plan of the devices known so far; those not known yet are asked about in the same run."""
        with self._connect(now) as client:
            return client.plan(devices)

    def registrations(self, now: datetime) -> tuple[DeviceRegistration, ...]:
        """Ask which devices are registered, in 1 request; raises as `plan` does."""
        with self._connect(now) as client:
            return client.registrations()

    @contextmanager
    def _connect(self, now: datetime) -> Iterator[KrakenClient]:
        boundary = service_boundary(KRAKEN_SERVICE, self._account.label)
        with boundary, HttpClient(now, KRAKEN_SERVICE, self._count) as http:
            yield KrakenClient(self._account, http)
