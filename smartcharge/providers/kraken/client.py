"""One session with the supplier: at most one renewal of the token, and at most two questions for plans."""

from collections.abc import Sequence
from typing import Final

from smartcharge.errors import ConfigurationError, UnreachableError
from smartcharge.policy.model import DeviceRegistration, Dispatch, SupplierPlan
from smartcharge.providers.http import HttpClient
from smartcharge.providers.kraken.account import KRAKEN_SERVICE, KrakenAccount
from smartcharge.providers.kraken.auth import KrakenAuth
from smartcharge.providers.kraken.graphql import (
    COMPLETED_FIELD,
    DEVICES_FIELD,
    LEGACY_PLANNED_FIELD,
    UNKNOWN_DEVICE_CODE,
    WRONG_ACCOUNT_CODE,
    GraphqlQuery,
    GraphqlResponse,
    KrakenTokenRefused,
    device_alias,
    device_plans_query,
    devices_query,
    full_plan_query,
    legacy_plan_query,
    run_query,
)
from smartcharge.providers.kraken.parse import (
    KrakenDevice,
    ParseNotes,
    parse_completed_dispatches,
    parse_devices,
    parse_legacy_planned_dispatches,
    parse_planned_dispatches,
)

MAX_DEVICES: Final = 10
"""Octopus answers five plans a minute, and no house has more cars; a list without end must not become a question."""

PlannedDispatches = tuple[Dispatch, ...] | None


class KrakenClient:
    """What one run asks, and what it notices on the way."""

    def __init__(self, account: KrakenAccount, wire: HttpClient) -> None:
        self._account = account
        self._wire = wire
        self._sign_in = KrakenAuth(account, wire)
        self._notes = ParseNotes(self._sign_in.remarks)
        self._has_renewed = False
        self._pinned_device = account.pinned_device or None

    def plan(self, devices: Sequence[str]) -> SupplierPlan:
        """Ask for the plan; see `protocols.Tariff`."""
        known = (self._pinned_device,) if self._pinned_device else tuple(dict.fromkeys(devices))[:MAX_DEVICES]
        if self._sign_in.is_flex_unavailable:
            return self._legacy_plan(known)
        first = self.ask(full_plan_query(self._account.number, known))
        if first.is_flex_unavailable:
            return self._legacy_plan(known, is_news=True)
        registered = self._registered(first)
        watched = self._watched_ids(registered, known)
        asked = {device: (first, device_alias(n)) for n, device in enumerate(known)}
        missing = [device for device in watched if _needs_plan_query(asked.get(device))][:MAX_DEVICES]
        if missing:
            second = self.ask(device_plans_query(missing))
            if second.is_flex_unavailable and not known:  # else this would be the third question for plans
                return self._legacy_plan(known, is_news=True)
            asked |= {device: (second, device_alias(n)) for n, device in enumerate(missing)}
        return self._told(registered, {device: self._planned(device, asked.get(device)) for device in watched}, first)

    def registrations(self) -> tuple[DeviceRegistration, ...]:
        """Ask which devices are registered; raises `UnreachableError` where the answer does not tell."""
        found = self._registered(self.ask(devices_query(self._account.number)))
        if found is None:
            raise UnreachableError(self._notes.trouble() or "the devices are unknown", service=KRAKEN_SERVICE)
        return tuple(device.as_registration(self._pinned_device) for device in found)

    def ask(self, question: GraphqlQuery) -> GraphqlResponse:
        """Ask one question; where the token is refused, once more with a new one."""
        authorization = self._sign_in.authorization()
        try:
            return run_query(self._wire, self._account.address, question, authorization)
        except KrakenTokenRefused:
            if self._has_renewed:
                raise
        self._has_renewed = True
        authorization = self._sign_in.authorization(refused=authorization)
        try:
            return run_query(self._wire, self._account.address, question, authorization)
        except KrakenTokenRefused:
            self._sign_in.record_fresh_token_refused()
            raise

    def _legacy_plan(self, known: Sequence[str], *, is_news: bool = False) -> SupplierPlan:
        """The account's plan as one: it is given to the first watched device, the others have none of their own."""
        answer = self.ask(legacy_plan_query(self._account.number))
        registered = self._registered(answer)
        if is_news:
            self._sign_in.record_flex_unavailable()
        self._notes.remarks.append("the supplier tells no plan per device: the account's older plan is used")
        watched = self._watched_ids(registered, known)
        items = answer.get_list(LEGACY_PLANNED_FIELD)
        planned: dict[str, PlannedDispatches]
        if isinstance(items, str):
            self._notes.troubles.append(f"the planned dispatches are unknown ({items})")
            planned = dict.fromkeys(watched)
        else:
            found = parse_legacy_planned_dispatches(items, self._wire.now, self._notes)
            planned = {device: found if device == watched[0] else () for device in watched}
        return self._told(registered, planned, answer)

    def _registered(self, answer: GraphqlResponse) -> tuple[KrakenDevice, ...] | None:
        """The registered devices; None where they are unknown. Raises where the answer holds nothing at all."""
        if answer.has_no_data and answer.faults:
            raise self._refusal(answer)
        items = answer.get_list(DEVICES_FIELD)
        if isinstance(items, str):
            self._notes.troubles.append(f"the devices are unknown ({items})")
            return None
        found = parse_devices(items, self._notes)
        if self._pinned_device:
            self._require_pinned_device(self._pinned_device, found)
        elif not found:
            self._notes.troubles.append("no device is registered with the supplier")
        return found

    def _watched_ids(self, registered: Sequence[KrakenDevice] | None, known: Sequence[str]) -> tuple[str, ...]:
        if registered is None:
            return tuple(known)
        watched = tuple(device.id for device in registered if device.as_device(self._pinned_device).watched)
        if registered and not watched:
            self._notes.remarks.append("no registered car is live and under the supplier's control")
        return watched

    def _planned(self, device: str, asked: tuple[GraphqlResponse, str] | None) -> PlannedDispatches:
        items = asked[0].get_list(asked[1]) if asked else "too many devices"
        if isinstance(items, str):
            self._notes.troubles.append(f"the planned dispatches of device {device} are unknown ({items})")
            return None
        return parse_planned_dispatches(items, self._wire.now, self._notes)

    def _told(
        self, registered: Sequence[KrakenDevice] | None, planned: dict[str, PlannedDispatches], answer: GraphqlResponse
    ) -> SupplierPlan:
        items = answer.get_list(COMPLETED_FIELD)
        if isinstance(items, str):
            # History only: not worth a failed run, after which the plan would be asked for less often.
            self._notes.remarks.append(f"the completed dispatches are unknown ({items})")
        completed = None if isinstance(items, str) else parse_completed_dispatches(items, self._wire.now, self._notes)
        devices = None if registered is None else tuple(device.as_device(self._pinned_device) for device in registered)
        return SupplierPlan(
            devices, planned, completed, self._notes.told(), self._notes.trouble(), self._wire.server_time
        )

    def _refusal(self, answer: GraphqlResponse) -> ConfigurationError | UnreachableError:
        if any(fault.code == WRONG_ACCOUNT_CODE for fault in answer.faults):
            right = "Use the account number on the bill of the person who signs in."
            problem = f"does not fit the sign-in ({WRONG_ACCOUNT_CODE})"
            return ConfigurationError(problem, place=self._account.place, key="eon_next.import_account", right=right)
        return UnreachableError(f"{self._account.label} refused the question ({answer.codes})", service=KRAKEN_SERVICE)

    def _require_pinned_device(self, pinned: str, registered: Sequence[KrakenDevice]) -> None:
        found = next((device for device in registered if device.id == pinned), None)
        if found is not None and found.is_live_car:
            return
        state = (
            "gone" if found is None else f"{found.current or 'in no known state'} ({found.kind or 'of no known kind'})"
        )
        there = ", ".join(device.id for device in registered if device.is_live_car)
        raise ConfigurationError(
            f"names a device that is {state}",
            place=self._account.place,
            key="eon_next.device_id",
            right=f"Set it to {there}, which is registered now."
            if there
            else "Connect your car in the supplier's app.",
        )


def _needs_plan_query(asked: tuple[GraphqlResponse, str] | None) -> bool:
    """Whether a watched device was not asked about, or under a registration that had just ended."""
    if asked is None:
        return True
    answer, part = asked
    fault = answer.error_for(part)
    return fault is not None and fault.code == UNKNOWN_DEVICE_CODE
