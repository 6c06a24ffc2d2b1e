"""What the laws see of a day: the store's memory, the house's numbers, and how long nothing has gone wrong."""

import sqlite3
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from smartcharge.app import App
from smartcharge.idle import database_change_count, parse_forecast
from smartcharge.policy.battery import BatteryMemory
from smartcharge.policy.decide import decide
from smartcharge.policy.model import ChargerState, Policy, State
from smartcharge.policy.slots import Span
from smartcharge.store.control import HoldRow, load_battery_memory, load_open_hold, load_state
from smartcharge.store.database import open_store
from smartcharge.store.devices import load_idle_forecast

if TYPE_CHECKING:
    from soak_day import SoakDay


HARMLESS_FAULTS = {"mail", "clamp", "rate plan"}
"""Kinds of trouble through which the house charges on."""
LONG_AGO = timedelta(days=1)


@dataclass(frozen=True)
class StoredState:
    """What the store holds at a moment."""

    hold: HoldRow | None
    memory: BatteryMemory
    seen: State

    @property
    def is_releasing(self) -> bool:
        """Whether the battery is being brought back, if nothing new is begun."""
        return self.release_is_due or (self.hold is None and self.memory.owned)

    @property
    def release_is_due(self) -> bool:
        """Whether the battery is to be brought back, whatever anybody says."""
        nothing_wanted = all(decide(replace(self.seen, charger=state)).hold is None for state in ChargerState)
        return nothing_wanted and self.memory.owned


@dataclass
class RunRecord:
    """One run while it lasts. had_company: another one came in between; asked: the services, in order.

    heard: what each service said to it last. is_quiet: the program holds that there is nothing to do.
    """

    command: str
    state_before: StoredState
    writes_before: int
    changes_before: int
    is_second_run: bool = False
    is_quiet: bool = False
    was_interleaved: bool = False
    asked: list[str] = field(default_factory=list)
    heard: dict[str, object] = field(default_factory=dict)


class DayObserver:
    """broken: notes a broken law, by its name and with what was seen.

    unrecorded_at: when a command last arrived that the store could not take down.
    """

    def __init__(self, day: "SoakDay") -> None:
        self.day = day
        self.disturbed_at = self.last_fault_at = self.last_owner_action_at = day.now
        self.last_clock_doubt_at = self.unrecorded_at = day.now - LONG_AGO
        self.runs: list[RunRecord] = []

    def broken(self, law: str, what: object) -> None:
        """Note a broken law."""
        day = self.day
        fault_periods = ", ".join(period.fault.name for period in day.fault_periods)
        day.tally.broken.append(
            f"seed {day.seed}: {law}: {what} at {day.now:%d %H:%M}Z (clock {day.clock:%F %T}Z; [{fault_periods}]; "
            f"{day.battery.mode.shown}, {day.battery.reserve.shown})"
        )

    def look(self) -> StoredState:
        """What the store holds now."""
        now = self.day.clock
        return StoredState(load_open_hold(self.db), load_battery_memory(self.db), load_state(self.db, now, self.policy))

    @cached_property
    def db(self) -> sqlite3.Connection:
        """A look at the store that is kept open: it sees what every run commits."""
        path = self.day.house.config.database_path
        open_store(path).close()
        return open_store(path, read_only=True)

    @cached_property
    def policy(self) -> Policy:
        """The house's own."""
        return App(self.day.house.config, self.day.now).policy

    def changes(self) -> int:
        """How many transactions have changed the store so far."""
        return database_change_count(str(self.day.house.config.database_path))

    def is_on_the_minute(self) -> bool:
        """Whether it is a moment that was looked ahead at; a run that comes between two idle ones is not needed."""
        forecast = load_idle_forecast(self.db)
        return forecast != "" and parse_forecast(forecast)[0][-3:-1] == f"{self.day.clock:%S}"

    @property
    def night(self) -> Span | None:
        """The cheap period, by the machine's clock."""
        return self.policy.cheap_period.containing(self.day.clock)

    @property
    def restores_previous(self) -> bool:
        """Whether a release brings back what was there before."""
        return self.day.house.config.control.restore == "previous"

    @property
    def time_since_disturbance(self) -> timedelta:
        """For how long nothing has been wrong, nobody was killed, and the owner has done nothing."""
        return self.day.now - self.disturbed_at

    @property
    def time_since_fault(self) -> timedelta:
        """For how long no service at all has been in trouble, the mail included."""
        return min(self.time_since_disturbance, self.day.now - self.last_fault_at)

    @property
    def time_since_owner_action(self) -> timedelta:
        """For how long the owner has set nothing."""
        return self.day.now - self.last_owner_action_at

    @property
    def time_since_unrecorded(self) -> timedelta:
        """For how long every run could remember what it did, by a clock that goes right."""
        return self.day.now - self.last_clock_doubt_at

    def commanded(self) -> None:
        """A command arrives: on a full disk it goes unrecorded, as only a release may."""
        if self.day.disk_is_full:
            self.unrecorded_at = self.day.now

    def disturbed(self, *, forgetful: bool = False) -> None:
        """Something happened; forgetful: something may not have been remembered."""
        self.disturbed_at = self.day.now
        if forgetful:
            self.last_clock_doubt_at = self.day.now

    def update_observation(self) -> None:
        """Notice what is wrong in this minute."""
        day = self.day
        kinds = {period.fault.kind for period in day.fault_periods}
        self.last_fault_at = day.now if kinds - {"clamp"} else self.last_fault_at
        if kinds - HARMLESS_FAULTS or day.battery.pending:
            self.disturbed(forgetful=bool(kinds & {"clock", "disk"}))
