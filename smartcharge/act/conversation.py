"""One conversation with the Powerwall: read, write one value, read it back; remember before every step.

What Tesla's servers answer to a command proves nothing; only a forced reading afterwards counts. Doubt
is stored before each write, so that a run that dies anywhere leaves a question which the next one asks.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from smartcharge import budget
from smartcharge.act import levels
from smartcharge.act.access import TESLA
from smartcharge.act.setbacks import StillUnderWay, not_shown, note
from smartcharge.core.stance import (
    SELF_CONSUMPTION,
    SETTLING,
    BatteryMemory,
    BatteryReading,
    Stance,
    Write,
    in_one,
    known_pct,
    writable_pct,
    writes,
)
from smartcharge.errors import (
    DatabaseRefused,
    NotConfirmed,
    RatePlanMissing,
    Trouble,
    Unreachable,
)
from smartcharge.ports import Battery, DirectBattery
from smartcharge.store import battery, services, transaction
from smartcharge.toolbox import Toolbox

NAPS_SECONDS = (0.0, 1.0, 2.0, 2.0, 3.0)
"""Waits before each read-back of one value: together the 8 s it may take, the rest is the next tick's."""
RATE_PLAN_MEND = (
    "Tesla refuses time-based control because no rate plan is set, so the Powerwall rests in self-powered mode. "
    "Mend: set your tariff in the Tesla app; it is tried again at the next midnight reset."
)


class Conversation:
    """One conversation under the lock. releasing: the battery is being brought back, which outranks all else."""

    def __init__(self, tools: Toolbox, powerwall: Battery, *, releasing: bool) -> None:
        self.tools = tools
        self.powerwall = powerwall
        self.releasing = releasing
        self.memory = battery.memory(tools.db)
        self.seen = BatteryReading(mode=None, reserve_pct=None)
        self.written: list[Write] = []
        self.unrecorded: DatabaseRefused | None = None

    def remember(self, memory: BatteryMemory) -> None:
        """Store what is known. A full disk stops every act but the release: the battery always comes back."""
        if memory == self.memory:
            return
        self.memory = memory
        try:
            with transaction(self.tools.db):
                battery.save(self.tools.db, memory)
        except DatabaseRefused as refused:
            if not self.releasing:
                raise
            self.unrecorded = refused

    def read(self) -> BatteryReading:
        """The first reading: mode, reserve, state of energy, outside powers; half a reading is none."""
        self.seen = self.powerwall.read()
        if self.seen.mode is None or self.seen.reserve_pct is None:
            raise Unreachable("Tesla's answer lacks the operation mode or the backup reserve", service=TESLA)
        if self.seen.powers is None and not self.releasing:
            raise Unreachable("Tesla does not say whether Storm Watch or a power cut has the battery", service=TESLA)
        levels.keep(self.tools, self.seen, releasing=self.releasing)
        return self.seen

    def own(self, *, is_confirmed: bool) -> None:
        """Remember what the battery was, and that it is ours to bring back: in doubt from here to the read-back.

        A value that is ours already keeps what it was before.
        """
        memory, reserve_pct = self.memory, self.seen.reserve_pct or 0
        is_direct = isinstance(self.powerwall, DirectBattery)
        found = Stance(self.seen.mode or "", round(reserve_pct) if is_direct else writable_pct(reserve_pct))
        before = memory.before or found
        if not memory.owns_mode:
            memory = replace(memory, owns_mode=True, confirmed_mode=found.mode)
            before = replace(before, mode=found.mode)
        if not memory.owns_reserve:
            memory = replace(memory, owns_reserve=True, confirmed_reserve_pct=round(reserve_pct))
            before = replace(before, reserve_pct=found.reserve_pct)
        since, now = memory.in_doubt_since, self.tools.now
        in_doubt_since = None if is_confirmed else since or now
        owned_since = memory.owned_since or now
        self.remember(replace(memory, owned_since=owned_since, before=before, in_doubt_since=in_doubt_since))

    def bring_to(self, wanted: Stance, *, mode: bool, reserve: bool) -> None:
        """Write what differs, one value after the other, each verified before the next."""
        known = self.memory.confirms(wanted)
        differing = writes(self.seen, wanted, mode=mode, reserve=reserve, clamped=known)
        for write in in_one(differing) if isinstance(self.powerwall, DirectBattery) else differing:
            try:
                self.write(write)
            except RatePlanMissing:
                self._rest_without_rate_plan()
        unproven_until = self.memory.unproven_until if self.releasing else None
        self.remember(
            replace(
                self.memory,
                confirmed_mode=self.seen.mode,
                confirmed_reserve_pct=known_pct(self.seen, wanted.reserve_pct),
                in_doubt_since=self.memory.in_doubt_since if unproven_until else None,
                unproven_until=unproven_until,
            )
        )

    def _rest_without_rate_plan(self) -> None:
        if not self.memory.rate_plan_missing:
            self.tools.warn(f"smartcharge: {RATE_PLAN_MEND}")
        self.remember(replace(self.memory, rate_plan_missing=True))
        if self.seen.mode != SELF_CONSUMPTION:
            self.write(Write(mode=SELF_CONSUMPTION))

    def write(self, write: Write) -> None:
        """Command and verify; what an earlier run commanded just now is only looked at."""
        unseen = not_shown(self.tools, TESLA, write)
        if not isinstance(unseen, StillUnderWay):
            self.remember(self._doubting(write))
            self._command(write)
        self._verify(write, unseen)

    def _command(self, write: Write) -> None:
        if isinstance(self.powerwall, DirectBattery):
            self.powerwall.write(write)
        elif write.mode is not None:
            self.powerwall.set_mode(write.mode)
        elif write.reserve_pct is not None:
            self.powerwall.set_reserve_pct(write.reserve_pct)

    def _doubting(self, write: Write) -> BatteryMemory:
        now, memory = self.tools.now, self.memory
        return replace(
            memory,
            confirmed_mode=None if write.mode is not None else memory.confirmed_mode,
            confirmed_reserve_pct=None if write.reserve_pct is not None else memory.confirmed_reserve_pct,
            in_doubt_since=memory.in_doubt_since or now,
            unproven_until=memory.unproven_until if self.releasing else now + SETTLING,
            leased_until=write.until or memory.leased_until,
        )

    def _verify(self, write: Write, unseen: NotConfirmed) -> None:
        for nap in NAPS_SECONDS:
            time.sleep(nap)
            seen = self.powerwall.read_stance()
            if write.is_seen_in(seen):
                first = self.seen
                self.seen = replace(seen, soe_pct=first.soe_pct, powers=first.powers, capacity_kwh=first.capacity_kwh)
                self.written.append(write)
                return
        raise unseen


@contextmanager
def conversation(tools: Toolbox, *, releasing: bool) -> Iterator[Conversation]:
    """Connect, converse within the battery's share of the budget, and keep account of how Tesla served."""
    try:
        with budget.share(budget.BATTERY_SECONDS), tools.counting_tesla(), tools.battery as powerwall:
            talk = Conversation(tools, powerwall, releasing=releasing)
            yield talk
    except budget.OutOfTime:
        late = "Tesla took longer than a run may last"
        in_doubt = battery.memory(tools.db).in_doubt_since is not None
        trouble = NotConfirmed(late, service=TESLA) if in_doubt else Unreachable(late, service=TESLA)
        note(tools, TESLA, trouble)
        raise trouble from None
    except Trouble as trouble:
        note(tools, TESLA, trouble)
        raise
    if talk.unrecorded:
        raise talk.unrecorded
    if services.service(tools.db, TESLA).failures:
        with transaction(tools.db):
            services.succeeded(tools.db, TESLA, tools.now)
