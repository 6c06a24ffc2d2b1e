"""The laws of rest: the battery always comes back, and every night it is seen to rest."""

from typing import TYPE_CHECKING

from law_holds import RELEASE_LEAD
from soak_observer import DayObserver, StoredState

if TYPE_CHECKING:
    from soak_day import SoakDay


MIN_NIGHT_ROUNDS = 8
"""Rounds in which the midnight reset is certainly done, whatever it met before."""


class NormalModeLaws:
    """was_well: whether Tesla worked from the first moment of the round."""

    def __init__(self, day: "SoakDay", observer: DayObserver) -> None:
        self.day, self.observer = day, observer
        self.was_well = False
        self.healthy = self.healthy_at_night = 0

    def before_round(self) -> None:
        """Look whether Tesla works."""
        self.was_well = self.is_well()

    def is_well(self) -> bool:
        """Whether Tesla works, and no wait that it asked for is still to be kept."""
        day = self.day
        well = not any(spell.fault.kind == "tesla" for spell in day.fault_periods) and not day.battery.lockouts
        return well and not day.battery.pending and day.now >= day.patient_until

    def after_round(self, known: StoredState, *, is_healthy: bool, was_whole: bool) -> None:
        """Judge what two healthy rounds have come to (the law says two), and a good many at night."""
        self.healthy = self.healthy + 1 if is_healthy and self.was_well else 0
        if self.healthy >= 2:
            self._judge(known)
        self._judge_night(known, counts=self.healthy > 0 and was_whole)

    def _judge(self, known: StoredState) -> None:
        """Nothing of a hold of ours stays behind where nothing is held."""
        if (
            known.hold is not None
            and self.day.clock + RELEASE_LEAD < known.hold.hold.until
            and not known.seen.is_paused
        ):
            return
        if self.day.battery.stuck:
            self.observer.broken(
                "the battery comes back", f"two healthy rounds, nothing held, and still {known.memory}"
            )

    def _judge_night(self, known: StoredState, *, counts: bool) -> None:
        """Once per cheap period it is seen at rest."""
        night, day = self.observer.night, self.day
        hindered = (
            known.seen.is_paused
            or known.seen.clock_is_doubtful
            or day.battery.lockouts is None
            or day.laws.manners.must_wait
        )
        if night is None or not counts or hindered or day.jump or day.disk_is_full:
            self.healthy_at_night = 0
            return
        self.healthy_at_night += 1
        midnight_reset_at, memory = known.memory.midnight_reset_at, known.memory
        done = midnight_reset_at is not None and midnight_reset_at >= night.starts_at
        if self.observer.restores_previous:
            done = not memory.owned
        if self.healthy_at_night >= MIN_NIGHT_ROUNDS and not done:
            self.observer.broken(
                "at rest every night", f"{self.healthy_at_night} healthy rounds, last at {midnight_reset_at}"
            )
