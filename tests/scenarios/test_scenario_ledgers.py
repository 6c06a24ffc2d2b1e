"""Played scenarios, and what their ledgers should say: worked out by hand from the car's and the battery's power.

The car draws 7.2 kW and the battery takes 5 kW while it is held, both two seconds after the minute; the charger is
asked in the last minute but one of a half hour, the battery read at the same time.
"""

from datetime import timedelta
from pathlib import Path

import pytest
from scenario_playback import play_scenario

from smartcharge.app import App
from smartcharge.config.load import load_config
from smartcharge.jobs import powerwall
from smartcharge.policy.energy import Energy
from smartcharge.policy.ledger import LedgerEntry, TariffRates, local_days_span, sum_entries
from smartcharge.report.load import configured_rates, load_half_hours
from smartcharge.simulator.scenario_file import load_scenario, scenario_files
from smartcharge.simulator.scenario_yaml import LONDON

SCENARIOS = {
    "overrun-that-stops": (
        # 28 min of 7.2 kW and of 5 kW; then half hours; then 10 min, in which the battery is filled up: 0.71 kWh from
        # one reading to the next, of which 58 s lie in the half hour before
        "13:00 planned started cheap, held 28, car 3.36 measured, battery 2.33 measured",
        "13:30 planned started cheap, held 30, car 3.60 measured, battery 2.48 measured",
        "14:00 started extension leak, held 10, car 1.20 measured, battery 0.65 measured",
    ),
    "withdrawn-mid-slot": (
        # after the withdrawal nobody asks the charger: the half hour is taken to have gone on as it began
        "13:00 planned started cheap, held 28, car 3.24 measured, battery 2.33 measured",
        "13:30 planned started cheap, held 29, car 3.60 estimated, battery 2.42 measured",
    ),
    "zappi-afternoon": (
        # the supplier says 3.6 kWh each, whatever the charger measured
        "15:00 planned started completed cheap, held 28, car 3.60 reported, battery 2.33 measured",
        "15:30 planned started completed cheap, held 29, car 3.60 reported, battery 2.42 measured",
    ),
}
SAVED_KWH = {
    "overrun-that-stops": 3.36 + 2.33 + 3.60 + 2.48,
    "withdrawn-mid-slot": 3.24 + 2.33 + 3.60 + 2.42,
    "zappi-afternoon": 3.60 + 2.33 + 3.60 + 2.42,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenarios_ledger(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(powerwall, "READ_BACK_DELAYS_SECONDS", (0.0,) * len(powerwall.READ_BACK_DELAYS_SECONDS))
    scenario = load_scenario(scenario_files()[name])
    scenario_run = play_scenario(scenario, tmp_path)
    app = App(load_config(tmp_path / "config.yaml", {}), scenario_run.played.minutes[-1].at, read_only=True)

    entries = load_half_hours(app, local_days_span(scenario.day, scenario.day, LONDON.key))
    rates = configured_rates(app)
    app.close()

    assert tuple(row(entry) for entry in entries if entry.held) == SCENARIOS[name]
    assert sum(entry.kwh for entry in entries if not entry.held) == 0
    assert rates == TariffRates(6.19, 26.073)
    assert sum_entries(entries, rates).saving_pence == pytest.approx(SAVED_KWH[name] * (26.073 - 6.19), abs=0.5)


def row(entry: LedgerEntry) -> str:
    """An entry as the tables show it, held in minutes, to the nearest."""
    flags = {
        "planned": entry.planned,
        "started": entry.started,
        "extension": entry.extension,
        "completed": entry.completed,
        "cheap": entry.cheap,
        "leak": entry.loss,
    }
    words = " ".join(
        [f"{entry.starts_at.astimezone(LONDON):%H:%M}", *(word for word, stands in flags.items() if stands)]
    )
    held = f"held {round(entry.held / timedelta(minutes=1))}"
    return ", ".join([words, held, f"car {energy(entry.car)}", f"battery {energy(entry.battery)}"])


def energy(known: Energy | None) -> str:
    """An amount, and where it is known from."""
    return f"{known.kwh:.2f} {known.basis}" if known else "unknown"
