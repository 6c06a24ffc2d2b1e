"""One conversation with Kraken: at most one renewal of the token, and at most two questions for plans."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from smartcharge.adapters._kraken_account import SERVICE, KrakenAccount
from smartcharge.adapters._kraken_answers import Notes, Registered, completed_in, devices_in, old_planned_in, planned_in
from smartcharge.adapters._kraken_graphql import NO_SUCH_DEVICE, NOT_THIS_ACCOUNT, Answer, TokenRefused, ask
from smartcharge.adapters._kraken_queries import (
    COMPLETED,
    DEVICES,
    OLD_PLANNED,
    Question,
    alias,
    everything,
    old_plan,
    plans,
    registry,
)
from smartcharge.adapters._kraken_signin import SignIn
from smartcharge.core.answers import Dispatch, Plan, Registration
from smartcharge.errors import ConfigurationRefused, Unreachable

if TYPE_CHECKING:
    from smartcharge.adapters._kraken_wire import Wire

MOST_DEVICES: Final = 10
"""Octopus answers five plans a minute, and no house has more cars; a list without end must not become a question."""

Planned = tuple[Dispatch, ...] | None


class Conversation:
    """What one run asks, and what it notices on the way."""

    def __init__(self, account: KrakenAccount, wire: "Wire") -> None:
        self._account = account
        self._wire = wire
        self._sign_in = SignIn(account, wire)
        self._notes = Notes(self._sign_in.remarks)
        self._has_renewed = False
        self._pinned = account.pinned_device or None

    def plan(self, devices: Sequence[str]) -> Plan:
        """Ask for the plan; see `ports.Tariff`."""
        known = (self._pinned,) if self._pinned else tuple(dict.fromkeys(devices))[:MOST_DEVICES]
        if self._sign_in.flex_is_gone:
            return self._older_plan(known)
        first = self.ask(everything(self._account.number, known))
        if first.flex_is_gone:
            return self._older_plan(known, is_news=True)
        registered = self._registered(first)
        watched = self._watched(registered, known)
        asked = {device: (first, alias(n)) for n, device in enumerate(known)}
        missing = [device for device in watched if _is_missing(asked.get(device))][:MOST_DEVICES]
        if missing:
            second = self.ask(plans(missing))
            if second.flex_is_gone and not known:  # else this would be the third question for plans
                return self._older_plan(known, is_news=True)
            asked |= {device: (second, alias(n)) for n, device in enumerate(missing)}
        return self._told(registered, {device: self._planned(device, asked.get(device)) for device in watched}, first)

    def registrations(self) -> tuple[Registration, ...]:
        """Ask which devices are registered; raises `Unreachable` where the answer does not tell."""
        found = self._registered(self.ask(registry(self._account.number)))
        if found is None:
            raise Unreachable(self._notes.trouble() or "the devices are unknown", service=SERVICE)
        return tuple(device.as_registration(self._pinned) for device in found)

    def ask(self, question: Question) -> Answer:
        """Ask one question; where the token is refused, once more with a new one."""
        authorization = self._sign_in.authorization()
        try:
            return ask(self._wire, self._account.address, question, authorization)
        except TokenRefused:
            if self._has_renewed:
                raise
        self._has_renewed = True
        authorization = self._sign_in.authorization(refused=authorization)
        try:
            return ask(self._wire, self._account.address, question, authorization)
        except TokenRefused:
            self._sign_in.note_in_vain()
            raise

    def _older_plan(self, known: Sequence[str], *, is_news: bool = False) -> Plan:
        """The account's plan as one: it is given to the first watched device, the others have none of their own."""
        answer = self.ask(old_plan(self._account.number))
        registered = self._registered(answer)
        if is_news:
            self._sign_in.note_flex_is_gone()
        self._notes.remarks.append("the supplier tells no plan per device: the account's older plan is used")
        watched = self._watched(registered, known)
        items = answer.list_of(OLD_PLANNED)
        planned: dict[str, Planned]
        if isinstance(items, str):
            self._notes.troubles.append(f"the planned dispatches are unknown ({items})")
            planned = dict.fromkeys(watched)
        else:
            found = old_planned_in(items, self._wire.now, self._notes)
            planned = {device: found if device == watched[0] else () for device in watched}
        return self._told(registered, planned, answer)

    def _registered(self, answer: Answer) -> tuple[Registered, ...] | None:
        """The registered devices; None where they are unknown. Raises where the answer holds nothing at all."""
        if answer.is_bare and answer.faults:
            raise self._refusal(answer)
        items = answer.list_of(DEVICES)
        if isinstance(items, str):
            self._notes.troubles.append(f"the devices are unknown ({items})")
            return None
        found = devices_in(items, self._notes)
        if self._pinned:
            self._refuse_if_gone(self._pinned, found)
        elif not found:
            self._notes.troubles.append("no device is registered with the supplier")
        return found

    def _watched(self, registered: Sequence[Registered] | None, known: Sequence[str]) -> tuple[str, ...]:
        if registered is None:
            return tuple(known)
        watched = tuple(device.id for device in registered if device.as_device(self._pinned).watched)
        if registered and not watched:
            self._notes.remarks.append("no registered car is live and under the supplier's control")
        return watched

    def _planned(self, device: str, asked: tuple[Answer, str] | None) -> Planned:
        items = asked[0].list_of(asked[1]) if asked else "too many devices"
        if isinstance(items, str):
            self._notes.troubles.append(f"the planned dispatches of device {device} are unknown ({items})")
            return None
        return planned_in(items, self._wire.now, self._notes)

    def _told(self, registered: Sequence[Registered] | None, planned: dict[str, Planned], answer: Answer) -> Plan:
        items = answer.list_of(COMPLETED)
        if isinstance(items, str):
            # History only: not worth a failed run, after which the plan would be asked for less often.
            self._notes.remarks.append(f"the completed dispatches are unknown ({items})")
        completed = None if isinstance(items, str) else completed_in(items, self._wire.now, self._notes)
        devices = None if registered is None else tuple(device.as_device(self._pinned) for device in registered)
        return Plan(devices, planned, completed, self._notes.told(), self._notes.trouble())

    def _refusal(self, answer: Answer) -> ConfigurationRefused | Unreachable:
        if any(fault.code == NOT_THIS_ACCOUNT for fault in answer.faults):
            right = "It should be the account number on the bill of whoever signs in."
            problem = f"does not fit the sign-in ({NOT_THIS_ACCOUNT})"
            return ConfigurationRefused(problem, place=self._account.place, key="eon_next.import_account", right=right)
        return Unreachable(f"Kraken refused the question ({answer.codes})", service=SERVICE)

    def _refuse_if_gone(self, pinned: str, registered: Sequence[Registered]) -> None:
        found = next((device for device in registered if device.id == pinned), None)
        if found is not None and found.is_live_car:
            return
        state = (
            "gone" if found is None else f"{found.current or 'in no known state'} ({found.kind or 'of no known kind'})"
        )
        there = ", ".join(device.id for device in registered if device.is_live_car)
        raise ConfigurationRefused(
            f"names a device that is {state}",
            place=self._account.place,
            key="eon_next.device_id",
            right=f"Now it seems to be {there}." if there else "No live car is registered with the supplier now.",
        )


def _is_missing(asked: tuple[Answer, str] | None) -> bool:
    """Whether a watched device was not asked about, or under a registration that had just ended."""
    if asked is None:
        return True
    answer, part = asked
    fault = answer.fault_of(part)
    return fault is not None and fault.code == NO_SUCH_DEVICE
