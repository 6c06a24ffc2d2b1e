"""The laws of rest: the battery always comes back, and every night it is seen to rest."""

from typing import TYPE_CHECKING

from law_holds import LEAD
from soak_sight import Known, Sight

if TYPE_CHECKING:
    from soak_day import Day

ENOUGH = 8
"""Rounds in which the midnight reset is certainly done, whatever it met before."""


class RestLaws:
    """was_well: whether Tesla worked from the first moment of the round."""

    def __init__(self, day: "Day", sight: Sight) -> None:
        self.day, self.sight = day, sight
        self.was_well = False
        self.healthy = self.healthy_at_night = 0

    def before_round(self) -> None:
        """Look whether Tesla works."""
        self.was_well = self.is_well()

    def is_well(self) -> bool:
        """Whether Tesla works, and no wait that it asked for is still to be kept."""
        day = self.day
        well = not any(spell.fault.kind == "tesla" for spell in day.spells) and not day.battery.powers
        return well and not day.battery.pending and day.now >= day.patient_until

    def after_round(self, known: Known, *, is_healthy: bool, was_whole: bool) -> None:
        """Judge what two healthy rounds have come to (the law says two), and a good many at night."""
        self.healthy = self.healthy + 1 if is_healthy and self.was_well else 0
        if self.healthy >= 2:
            self._judge(known)
        self._judge_night(known, counts=self.healthy > 0 and was_whole)

    def _judge(self, known: Known) -> None:
        """Nothing of a hold of ours stays behind where nothing is held."""
        if known.hold is not None and self.day.clock + LEAD < known.hold.hold.until and not known.seen.paused:
            return
        if self.day.battery.stuck:
            self.sight.broken("the battery comes back", f"two healthy rounds, nothing held, and still {known.memory}")

    def _judge_night(self, known: Known, *, counts: bool) -> None:
        """Once per cheap period it is seen at rest."""
        night, day = self.sight.night, self.day
        hindered = (
            known.seen.paused
            or known.seen.clock_is_doubtful
            or day.battery.powers is None
            or day.laws.manners.must_wait
        )
        if night is None or not counts or hindered or day.jump or day.disk_is_full:
            self.healthy_at_night = 0
            return
        self.healthy_at_night += 1
        rested_at, memory = known.memory.rested_at, known.memory
        done = rested_at is not None and rested_at >= night.starts_at
        if self.sight.restores_previous:
            done = not memory.owned
        if self.healthy_at_night >= ENOUGH and not done:
            self.sight.broken("at rest every night", f"{self.healthy_at_night} healthy rounds, last at {rested_at}")
