"""The supplier's plan, from Kraken (E.ON Next, Octopus, EDF): one question in the steady state.

The plan per device is asked for; where that is unknown or disabled, the account's older one is. Only an
empty list without an error says "nothing planned": all else leaves a part unknown.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from smartcharge.adapters._kraken_account import KrakenAccount, sign_in_fingerprint
from smartcharge.adapters._kraken_browser import begin as begin_in_browser
from smartcharge.adapters._kraken_conversation import Conversation
from smartcharge.adapters._kraken_login import login_as_configured, login_by_browser, login_with_refresh_token
from smartcharge.adapters._kraken_token_requests import PasswordRefused
from smartcharge.adapters._kraken_wire import Wire
from smartcharge.core.answers import Plan, Registration

__all__ = [
    "KrakenAccount",
    "KrakenTariff",
    "PasswordRefused",
    "begin_in_browser",
    "login_as_configured",
    "login_by_browser",
    "login_with_refresh_token",
    "sign_in_fingerprint",
]


class KrakenTariff:
    """A supplier on Kraken; implements `ports.Tariff`. Nothing is sent before a method is called.

    Beside what `ports` names, `ConfigurationRefused` is raised where the pinned device is gone, the account is
    another person's, or the token file is not ours to write. count: called for every request.
    """

    def __init__(self, account: KrakenAccount, count: Callable[[], None] = lambda: None) -> None:
        self._account = account
        self._count = count

    def plan(self, devices: Sequence[str], now: datetime) -> Plan:
        """Ask for the plan of the devices known so far; those not known yet are asked about in the same run."""
        with Wire(now, self._count) as wire:
            return Conversation(self._account, wire).plan(devices)

    def registrations(self, now: datetime) -> tuple[Registration, ...]:
        """Ask which devices are registered, in 1 request; raises as `plan` does."""
        with Wire(now, self._count) as wire:
            return Conversation(self._account, wire).registrations()
