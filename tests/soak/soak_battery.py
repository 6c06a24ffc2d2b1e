"""The Powerwall of a soak: it knows who set what, and may fail in every way that was seen."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from laws.record import HOLDING_VALUES
from soak_interruptions import Interrupter

from smartcharge.errors import RatePlanMissingError, UnreachableError
from smartcharge.policy.battery import CLAMPED_RESERVE_PCT, MODE_AUTONOMOUS, BatteryReading, Lockout

if TYPE_CHECKING:
    from soak_services import SentMail


LOST_ANSWER = UnreachableError("the answer was lost", service="tesla")
NO_ANSWER = UnreachableError("no answer this time", service="tesla")
NO_RATE_PLAN = RatePlanMissingError("410", service="tesla")


class EventListener(Protocol):
    """Who hears of what is asked and commanded, as it arrives."""

    def on_question(self, service: str) -> None:
        """A session begins."""

    def on_end(self, service: str) -> None:
        """It has answered, or the session is over."""

    def on_write(self, name: str, value: str | int) -> None:
        """A command to the battery arrives."""

    def on_mail(self, posted: "SentMail") -> None:
        """A mail is handed over."""


@dataclass(frozen=True)
class SoakSetting:
    """One setting of the battery. ours: whether it was our command that put it there. held: and one to hold it."""

    shown: str | int
    ours: bool = False
    held: bool = False


@dataclass
class SoakBattery:
    """A Powerwall behind Tesla's servers.

    fault: raised at every call. flaky: decides for each call whether it goes unanswered. loses_answers: a command is
    carried out, and its answer is then lost. ignores_commands: it accepts them and does nothing. gaps: what is missing
    in its answers. late: how long after its arrival a command is carried out. clamps: it makes 80 of 100.
    no_rate_plan: it refuses time-based control.
    """

    interrupter: Interrupter
    listener: EventListener
    now: datetime
    mode: SoakSetting = field(default_factory=lambda: SoakSetting("autonomous"))
    reserve: SoakSetting = field(default_factory=lambda: SoakSetting(20))
    lockouts: frozenset[Lockout] | None = frozenset()
    fault: BaseException | None = None
    flaky: Random | None = None
    loses_answers: bool = False
    ignores_commands: bool = False
    gaps: frozenset[str] = frozenset()
    late: timedelta = timedelta(0)
    clamps: bool = False
    no_rate_plan: bool = False
    pending: list[tuple[datetime, str, SoakSetting]] = field(default_factory=list)
    writes: int = 0
    written: tuple[str, str | int] | None = None
    site: str = "1234567890"

    def __enter__(self) -> Self:
        self.written = None
        self.listener.on_question("tesla")
        try:
            self._called("tesla connects")
        except BaseException:
            self.listener.on_end("tesla")
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """The session is over."""
        self.listener.on_end("tesla")

    def _called(self, place: str) -> None:
        self.interrupter.pass_place(place)
        if self.fault is not None:
            raise self.fault.with_traceback(None)
        if self.flaky is not None and self.flaky.random() < 0.3:
            raise NO_ANSWER.with_traceback(None)
        self.settle()

    def settle(self) -> None:
        """Carry out what has come due."""
        for due_at, name, value in list(self.pending):
            if due_at <= self.now:
                setattr(self, name, value)
                self.pending.remove((due_at, name, value))

    def read(self) -> BatteryReading:
        settings = self.read_settings()
        return BatteryReading(settings.mode, settings.reserve_pct, 50.0, self.lockouts)

    def read_settings(self) -> BatteryReading:
        self._called("tesla reads")
        mode = None if "mode" in self.gaps else str(self.mode.shown)
        return BatteryReading(mode, None if "reserve" in self.gaps else float(self.reserve.shown), None, None)

    def set_mode(self, mode: str) -> None:
        self._take("mode", mode, SoakSetting(mode, ours=True, held=mode in HOLDING_VALUES))

    def set_reserve_pct(self, reserve_pct: int) -> None:
        shown = CLAMPED_RESERVE_PCT if self.clamps and reserve_pct > CLAMPED_RESERVE_PCT else reserve_pct
        self._take("reserve", reserve_pct, SoakSetting(shown, ours=True, held=reserve_pct in HOLDING_VALUES))

    def _take(self, name: str, value: str | int, becomes: SoakSetting) -> None:
        self._called("tesla hears a command")
        self.writes += 1
        self.listener.on_write(name, value)
        self.written = (name, becomes.shown)
        if self.no_rate_plan and value == MODE_AUTONOMOUS:
            raise NO_RATE_PLAN.with_traceback(None)
        if not self.ignores_commands:
            self.pending = [each for each in self.pending if each[1] != name]
            self.pending.append((self.now + self.late, name, becomes))
            self.settle()
        self.interrupter.pass_place("tesla answers a command")
        if self.loses_answers and self.fault is None:
            raise LOST_ANSWER.with_traceback(None)

    def by_hand(self, *, mode: str | None = None, reserve: int | None = None) -> None:
        """The owner turns a setting in his app."""
        if mode is not None:
            self.mode = SoakSetting(mode)
        if reserve is not None:
            self.reserve = SoakSetting(
                CLAMPED_RESERVE_PCT if self.clamps and reserve > CLAMPED_RESERVE_PCT else reserve
            )

    @property
    def still_held(self) -> dict[str, str | int]:
        """What a holding command of the program has left there, by kind."""
        return {kind: each.shown for kind, each in (("mode", self.mode), ("reserve", self.reserve)) if each.held}
