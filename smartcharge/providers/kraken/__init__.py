"""The supplier's plan, from Kraken (E.ON Next, Octopus, EDF): one question in the steady state.

The plan per device is asked for; where that is unknown or disabled, the account's older one is. Only an
empty list without an error says "nothing planned": all else leaves a part unknown.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from smartcharge.deadline import service_boundary
from smartcharge.policy.model import DeviceRegistration, SupplierPlan
from smartcharge.providers.kraken.account import KRAKEN_SERVICE, KrakenAccount
from smartcharge.providers.kraken.client import KrakenClient
from smartcharge.providers.kraken.http import HttpClient


class KrakenTariff:
    """A supplier on Kraken; implements `ports.Tariff`. Nothing is sent before a method is called.

    Beside what `ports` names, `ConfigurationRefused` is raised where the pinned device is gone, the account is
    another person's, or the token file is not ours to write. count: called for every request.
    """

    def __init__(self, account: KrakenAccount, count: Callable[[], None] = lambda: None) -> None:
        self._account = account
        self._count = count

    def plan(self, devices: Sequence[str], now: datetime) -> SupplierPlan:
        """Ask for the plan of the devices known so far; those not known yet are asked about in the same run."""
        with service_boundary(KRAKEN_SERVICE, self._account.label), HttpClient(now, self._count) as wire:
            return KrakenClient(self._account, wire).plan(devices)

    def registrations(self, now: datetime) -> tuple[DeviceRegistration, ...]:
        """Ask which devices are registered, in 1 request; raises as `plan` does."""
        with service_boundary(KRAKEN_SERVICE, self._account.label), HttpClient(now, self._count) as wire:
            return KrakenClient(self._account, wire).registrations()
