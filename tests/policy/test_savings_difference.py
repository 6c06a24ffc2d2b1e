"""What more or fewer held minutes come to, by the ledger's own half hours."""

import pytest
from replay_words import CRON_DELAY, MINUTE
from state_words import at, parse_hold

from smartcharge.policy.energy import Basis, Energy
from smartcharge.policy.ledger import LedgerEntry, TariffRates, savings_difference
from smartcharge.policy.replay import ReplayedMinute

RATES = TariffRates(cheap_pence=6.0, standard_pence=26.0)
CHEAP = LedgerEntry(at("13:00"), held=30 * MINUTE, cheap=True, battery=Energy(3.0, Basis.ESTIMATED))
DEAR = LedgerEntry(at("13:30"), held=30 * MINUTE, battery=Energy(1.5, Basis.ESTIMATED))
UNMEASURED = LedgerEntry(at("14:00"), cheap=True)
NIGHT = LedgerEntry(at("05:30"), night=True, cheap=True)


def ticks(*starts: str) -> list[ReplayedMinute]:
    """A day's minutes from 05:30 on; held in the half hours that begin then."""
    held = [at(start) for start in starts]
    minutes = [at("05:30") + n * MINUTE for n in range(600)]
    return [
        ReplayedMinute(
            minute + CRON_DELAY,
            parse_hold("18:00") if any(start <= minute < start + 30 * MINUTE for start in held) else None,
        )
        for minute in minutes
    ]


@pytest.mark.parametrize(
    ("entry", "kwh", "pence"),
    [(CHEAP, -3.0, -60.0), (DEAR, -1.5, 30.0)],
    ids=["a cheap half hour is missed", "a dear one is spared"],
)
def test_a_half_hour_that_is_not_held_costs_or_spares_its_own_energy(
    entry: LedgerEntry, kwh: float, pence: float
) -> None:
    left = {"13:00", "13:30"} - {f"{entry.starts_at:%H:%M}"}
    found = savings_difference([CHEAP, DEAR], ticks("13:00", "13:30"), ticks(*left), RATES)

    assert found is not None
    assert [found.kwh, found.pence] == pytest.approx([kwh, pence])
    assert not found.usual


def test_a_half_hour_that_was_not_measured_takes_what_the_day_s_others_took() -> None:
    found = savings_difference(
        [CHEAP, DEAR, UNMEASURED], ticks("13:00", "13:30"), ticks("13:00", "13:30", "14:00"), RATES
    )

    assert found is not None
    assert [found.kwh, found.pence] == pytest.approx([2.25, 45.0])
    assert found.usual


def test_a_night_that_is_held_changes_no_bill() -> None:
    found = savings_difference([NIGHT, CHEAP], ticks("13:00"), ticks("05:30", "13:00"), RATES)

    assert found is not None
    assert found.pence == 0


def test_where_nothing_was_measured_nobody_knows() -> None:
    assert savings_difference([UNMEASURED], ticks(), ticks("14:00"), RATES) is None
