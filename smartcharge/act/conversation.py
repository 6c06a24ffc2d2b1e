"""One conversation with the Powerwall: read, write one value, read it back; remember before every step.

What Tesla's servers answer to a command proves nothing; only a forced reading afterwards counts. Doubt
is stored before each write, so that a run that dies anywhere leaves a question which the next one asks.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from smartcharge import budget, wiring
from smartcharge.core.clock import is_behind
from smartcharge.core.politeness import SKIPS, has_passed, is_blocked, step
from smartcharge.core.stance import (
    SELF_CONSUMPTION,
    SETTLING,
    BatteryMemory,
    BatteryReading,
    Stance,
    Write,
    writable_pct,
    writes,
)
from smartcharge.errors import (
    DatabaseRefused,
    NotConfirmed,
    RatePlanMissing,
    SignInRefused,
    Throttled,
    Trouble,
    Unreachable,
)
from smartcharge.ports import Battery
from smartcharge.store import battery, episodes, readings, services, transaction
from smartcharge.store.services import ServiceRow
from smartcharge.toolbox import Toolbox

TESLA = "tesla"
WAITING = ("reconcile", "waiting")
"""The episode of a battery in other hands."""
NAPS_SECONDS = (0.0, 1.0, 2.0, 2.0, 3.0)
"""Waits before each read-back of one value: together the 8 s it may take, the rest is the next tick's."""
THROTTLED_WAIT = timedelta(seconds=90)
"""Where Tesla does not say for how long: one tick is left out."""
LENIENT_FAILURES = 2
RELEASE_PATIENCE = timedelta(minutes=3)
"""No wait that Tesla asks for holds a release back for longer: the battery always comes back."""
REFUSED_SOON, REFUSED_SOON_TIMES = timedelta(minutes=2), 3
"""A refusal in the middle of a release is asked about again soon, at first: one may be a server in trouble."""
WAITING_WAIT = timedelta(minutes=5)
"""How often a battery in other hands is looked at while nothing of it is ours."""
REFUSED_WAIT = timedelta(minutes=15)
"""A refused sign-in is tried again so seldom: with a dead token every attempt costs four token requests."""
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
        if self.seen.soe_pct is not None and not self.releasing:
            with transaction(self.tools.db):
                readings.record_battery(self.tools.db, self.tools.now, self.seen.soe_pct)
        return self.seen

    def own(self) -> None:
        """Remember what the battery was, and that it is ours to bring back: before the first write.

        A value that is ours already keeps what it was before.
        """
        memory, reserve_pct = self.memory, self.seen.reserve_pct or 0
        found = Stance(self.seen.mode or "", writable_pct(reserve_pct))
        before = memory.before or found
        if not memory.owns_mode:
            memory = replace(memory, owns_mode=True, confirmed_mode=found.mode)
            before = replace(before, mode=found.mode)
        if not memory.owns_reserve:
            memory = replace(memory, owns_reserve=True, confirmed_reserve_pct=round(reserve_pct))
            before = replace(before, reserve_pct=found.reserve_pct)
        self.remember(replace(memory, owned_since=memory.owned_since or self.tools.now, before=before))

    def bring_to(self, wanted: Stance, *, mode: bool, reserve: bool) -> None:
        """Write what differs, one value after the other, each verified before the next."""
        known = self.memory.confirms(wanted)
        for write in writes(self.seen, wanted, mode=mode, reserve=reserve, clamped=known):
            try:
                self._write(write)
            except RatePlanMissing:
                self._rest_without_rate_plan()
        confirmed_pct = None if self.seen.reserve_pct is None else round(self.seen.reserve_pct)
        unproven_until = self.memory.unproven_until if self.releasing else None
        self.remember(
            replace(
                self.memory,
                confirmed_mode=self.seen.mode,
                confirmed_reserve_pct=confirmed_pct,
                in_doubt_since=self.memory.in_doubt_since if unproven_until else None,
                unproven_until=unproven_until,
            )
        )

    def _rest_without_rate_plan(self) -> None:
        if not self.memory.rate_plan_missing:
            self.tools.warn(f"smartcharge: {RATE_PLAN_MEND}")
        self.remember(replace(self.memory, rate_plan_missing=True))
        if self.seen.mode != SELF_CONSUMPTION:
            self._write(Write(mode=SELF_CONSUMPTION))

    def _write(self, write: Write) -> None:
        self.remember(self._doubting(write))
        if write.mode is not None:
            self.powerwall.set_mode(write.mode)
        elif write.reserve_pct is not None:
            self.powerwall.set_reserve_pct(write.reserve_pct)
        self._verify(write)

    def _doubting(self, write: Write) -> BatteryMemory:
        now, memory = self.tools.now, self.memory
        return replace(
            memory,
            confirmed_mode=None if write.mode is not None else memory.confirmed_mode,
            confirmed_reserve_pct=None if write.reserve_pct is not None else memory.confirmed_reserve_pct,
            in_doubt_since=memory.in_doubt_since or now,
            unproven_until=memory.unproven_until if self.releasing else now + SETTLING,
        )

    def _verify(self, write: Write) -> None:
        for nap in NAPS_SECONDS:
            time.sleep(nap)
            seen = self.powerwall.read_stance()
            if write.is_seen_in(seen):
                self.seen = replace(self.seen, mode=seen.mode, reserve_pct=seen.reserve_pct)
                self.written.append(write)
                return
        wanted = write.mode or f"a reserve of {write.reserve_pct} %"
        raise NotConfirmed(f"the Powerwall was asked for {wanted} and does not show it", service=TESLA)


@contextmanager
def conversation(tools: Toolbox, *, releasing: bool) -> Iterator[Conversation]:
    """Connect, converse within the battery's share of the budget, and keep account of how Tesla served."""
    try:
        with budget.share(budget.BATTERY_SECONDS), tools.battery as powerwall:
            talk = Conversation(tools, powerwall, releasing=releasing)
            yield talk
    except budget.OutOfTime:
        late = "Tesla took longer than a run may last"
        in_doubt = battery.memory(tools.db).in_doubt_since is not None
        trouble = NotConfirmed(late, service=TESLA) if in_doubt else Unreachable(late, service=TESLA)
        _account(tools, trouble)
        raise trouble from None
    except Trouble as trouble:
        _account(tools, trouble)
        raise
    if talk.unrecorded:
        raise talk.unrecorded
    if services.service(tools.db, TESLA).failures:
        with transaction(tools.db):
            services.succeeded(tools.db, TESLA, tools.now)


def may_converse(tools: Toolbox, *, releasing: bool) -> bool:
    """Whether Tesla may be asked now.

    It minds an explicit "wait" (but none that was written down by a clock ahead of its time), and a refused
    sign-in until the token file changes (then at least every quarter of an hour all the same). A release minds
    nothing else; other acts skip minutes after failures.
    """
    if tools.tesla_done:
        return False
    row = services.service(tools.peek, TESLA)
    if _is_refused(tools, row, releasing=releasing):
        tools.exit_codes.append(SignInRefused.exit_code)
        return False
    if releasing:
        return not is_blocked(tools.now, row.not_before) or has_passed(tools.now, row.asked_at, RELEASE_PATIENCE)
    skip = step(SKIPS, max(row.failures - LENIENT_FAILURES, 0))
    if episodes.is_open(tools.peek, *WAITING):
        skip = max(skip, WAITING_WAIT)
    was_asked_to_wait = not is_behind(tools.now, row.asked_at) and is_blocked(tools.now, row.not_before)
    return not was_asked_to_wait and has_passed(tools.now, row.asked_at, skip)


def _is_refused(tools: Toolbox, row: ServiceRow, *, releasing: bool) -> bool:
    """Whether a refused sign-in stands, and it is not yet time to ask once more all the same."""
    if row.refused_for is None or row.refused_for != wiring.tesla_fingerprint(tools.config):
        return False
    soon = releasing and row.failures <= REFUSED_SOON_TIMES
    return not has_passed(tools.now, row.refused_at, REFUSED_SOON if soon else REFUSED_WAIT)


def _account(tools: Toolbox, trouble: Trouble) -> None:
    if isinstance(trouble, DatabaseRefused):
        return
    tools.tesla_done = True
    with transaction(tools.db):
        if isinstance(trouble, SignInRefused):
            services.refused(tools.db, TESLA, tools.now, wiring.tesla_fingerprint(tools.config), str(trouble))
        else:
            wait = (trouble.retry_after or THROTTLED_WAIT) if isinstance(trouble, Throttled) else timedelta(0)
            services.failed(tools.db, TESLA, tools.now, str(trouble), tools.now + wait)
