"""The Powerwall's adapter with the real library: readings and commands, against a pretend cloud over TLS."""

import subprocess
import sys
from datetime import datetime
from math import nan

import pytest
from cloud_installation import CloudInstallation

from smartcharge.errors import NotConfirmedError, RatePlanMissingError, ThrottledError, UnreachableError
from smartcharge.policy.battery import BatteryReading, Lockout
from smartcharge.providers.tesla.parse import parse_capacity_kwh
from smartcharge.simulator.http_messages import HttpReply, HttpRequest, json_reply

# -- readings -----------------------------------------------------------------------------------------


def test_a_healthy_battery_is_read(home: CloudInstallation) -> None:
    with home.battery() as powerwall:
        assert powerwall.read() == BatteryReading("autonomous", 20.0, soe_pct=60.0, capacity_kwh=13.5)

    assert home.asked == ["products", "products", "site_info", "live_status"]


def test_a_read_back_asks_for_the_settings_alone(home: CloudInstallation) -> None:
    with home.battery() as powerwall:
        assert powerwall.read_settings() == BatteryReading("autonomous", 20.0, soe_pct=None, lockouts=None)

    assert home.asked == ["products", "products", "site_info"]


def test_no_reading_comes_from_a_cache(home: CloudInstallation) -> None:
    with home.battery() as powerwall:
        powerwall.read()
        home.simulator.powerwall.set_manually(mode="self_consumption", reserve_pct=35)

        assert powerwall.read_settings().mode == "self_consumption"
        assert powerwall.read().reserve_pct == 35


def test_a_battery_can_be_talked_to_again(home: CloudInstallation) -> None:
    battery = home.battery()
    for _ in range(2):
        with battery as powerwall:
            assert powerwall.read().mode == "autonomous"


@pytest.mark.parametrize("value", [None, True, nan, -1, 101, "20", [20]])
def test_an_odd_reserve_is_unknown_and_never_zero(home: CloudInstallation, value: object) -> None:
    home.simulator.powerwall.reserve_pct = value  # type: ignore[assignment]

    with home.battery() as powerwall:
        assert powerwall.read().reserve_pct is None


@pytest.mark.parametrize("value", [None, 7, "", ["backup"]])
def test_an_odd_mode_is_unknown(home: CloudInstallation, value: object) -> None:
    home.simulator.powerwall.mode = value  # type: ignore[assignment]

    with home.battery() as powerwall:
        assert powerwall.read().mode is None


def test_a_mode_of_another_name_is_told_as_it_is(home: CloudInstallation) -> None:
    home.simulator.powerwall.mode = "scheduler"

    with home.battery() as powerwall:
        assert powerwall.read().mode == "scheduler"


@pytest.mark.parametrize("value", [None, True, nan, -0.1, 100.5, "60"])
def test_an_odd_state_of_energy_is_unknown_and_never_empty(home: CloudInstallation, value: object) -> None:
    home.simulator.powerwall.soe_pct = value  # type: ignore[assignment]

    with home.battery() as powerwall:
        assert powerwall.read().soe_pct is None


def test_an_empty_battery_at_reserve_nought_is_just_that(home: CloudInstallation) -> None:
    home.simulator.powerwall.soe_pct, home.simulator.powerwall.reserve_pct = 0.0, 0

    with home.battery() as powerwall:
        assert powerwall.read() == BatteryReading("autonomous", 0.0, soe_pct=0.0, capacity_kwh=13.5)


@pytest.mark.parametrize("value", [None, True, nan, 0, 13.5, -13_500, 1e9, "13500"])
def test_an_odd_capacity_is_unknown(value: object) -> None:
    assert parse_capacity_kwh({"total_pack_energy": value}) is None


@pytest.mark.parametrize(("pack_wh", "kwh"), [(13_500, 13.5), (25_939, 25.939), (39_362.5, 39.3625)])
def test_the_capacity_is_that_of_all_batteries_together(pack_wh: float, kwh: float) -> None:
    assert parse_capacity_kwh({"total_pack_energy": pack_wh}) == kwh
    assert parse_capacity_kwh({}) is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("no-reserve-field", BatteryReading("autonomous", None, 60.0, capacity_kwh=13.5)),
        ("no-mode-field", BatteryReading(None, 20.0, 60.0, capacity_kwh=13.5)),
    ],
)
def test_a_missing_field_is_unknown(home: CloudInstallation, kind: str, expected: BatteryReading) -> None:
    with home.simulator.fault("tesla", kind), home.battery() as powerwall:
        assert powerwall.read() == expected


@pytest.mark.parametrize(
    ("kind", "power"),
    [("storm", Lockout.STORM_WATCH), ("grid-services", Lockout.GRID_SERVICES), ("off-grid", Lockout.OFF_GRID)],
)
def test_an_outside_power_is_seen(home: CloudInstallation, kind: str, power: Lockout) -> None:
    with home.simulator.fault("tesla", kind), home.battery() as powerwall:
        assert powerwall.read().lockouts == frozenset({power})


@pytest.mark.parametrize("kind", ["http-429", "http-500", "html", "null", "list", "empty", "drop", "response-null"])
def test_without_the_live_state_the_powers_are_unknown(home: CloudInstallation, kind: str) -> None:
    with home.simulator.fault("tesla", kind, only="live_status"), home.battery() as powerwall:
        assert powerwall.read() == BatteryReading("autonomous", 20.0, soe_pct=None, lockouts=None)


# -- commands -----------------------------------------------------------------------------------------


def test_the_battery_is_held_and_brought_back(home: CloudInstallation) -> None:
    with home.battery() as powerwall:
        powerwall.set_mode("backup")
        powerwall.set_reserve_pct(100)
        held = powerwall.read_settings()
        powerwall.set_mode("autonomous")
        powerwall.set_reserve_pct(20)
        back = powerwall.read_settings()

    assert (held.mode, held.reserve_pct, back.mode, back.reserve_pct) == ("backup", 100, "autonomous", 20)
    assert home.written == ["backup", 100, "autonomous", 20]


def test_a_command_after_a_reading_costs_two_requests_and_a_read_back_one(home: CloudInstallation) -> None:
    with home.battery() as powerwall:
        powerwall.read()
        asked = len(home.asked)
        powerwall.set_mode("backup")
        powerwall.read_settings()
        powerwall.set_reserve_pct(100)
        powerwall.read_settings()

    assert home.asked[asked:] == ["products", "operation", "site_info", "products", "backup", "site_info"]


@pytest.mark.parametrize("mode", ["TIME_BASED_CONTROL", "scheduler", "", "Backup"])
def test_only_the_three_modes_ever_reach_the_wire(home: CloudInstallation, mode: str) -> None:
    with home.battery() as powerwall:
        asked = len(home.asked)
        with pytest.raises(NotConfirmedError):
            powerwall.set_mode(mode)

    assert len(home.asked) == asked


@pytest.mark.parametrize("reserve_pct", [-1, 101])
def test_a_reserve_out_of_range_never_reaches_the_wire(home: CloudInstallation, reserve_pct: int) -> None:
    with home.battery() as powerwall:
        asked = len(home.asked)
        with pytest.raises(NotConfirmedError):
            powerwall.set_reserve_pct(reserve_pct)

    assert len(home.asked) == asked


def test_a_reserve_of_nought_is_nought(home: CloudInstallation) -> None:
    with home.battery() as powerwall:
        powerwall.set_reserve_pct(0)

    assert home.written == [0]


def test_time_based_control_without_a_rate_plan_is_told_apart(home: CloudInstallation) -> None:
    home.simulator.powerwall.has_rate_plan = False

    assert isinstance(home.refusal_of_mode("autonomous"), RatePlanMissingError)


def test_self_consumption_needs_no_rate_plan(home: CloudInstallation) -> None:
    home.simulator.powerwall.has_rate_plan = False

    with home.battery() as powerwall:
        powerwall.set_mode("self_consumption")

    assert home.written == ["self_consumption"]


@pytest.mark.parametrize("mode", ["backup", "self_consumption"])
def test_another_mode_that_is_gone_has_nothing_to_do_with_a_rate_plan(
    home: CloudInstallation, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    answer = home.simulator.tesla.answer

    def gone(asked: HttpRequest, now: datetime) -> HttpReply:
        return json_reply({"error": "Gone"}, 410) if asked.method == "POST" else answer(asked, now)

    monkeypatch.setattr(home.simulator.tesla, "answer", gone)

    assert type(home.refusal_of_mode(mode)) is UnreachableError


NOT_TAKEN = ("http-500", "http-503", "html", "null", "list", "empty")


@pytest.mark.parametrize("kind", NOT_TAKEN)
def test_a_command_that_was_not_taken_is_told(home: CloudInstallation, kind: str) -> None:
    with home.simulator.fault("tesla", kind, only="operation"):
        assert type(home.refusal_of_mode()) is UnreachableError
    assert home.written == []


def test_a_refusal_inside_a_good_answer_is_told(home: CloudInstallation) -> None:
    with home.simulator.fault("tesla", "error-body"):
        assert "did not take" in str(home.refusal_of_mode())
    assert home.written == []


@pytest.mark.parametrize("kind", ["http-500", "html", "drop"])
def test_a_list_of_batteries_that_cannot_be_had_stops_the_command(home: CloudInstallation, kind: str) -> None:
    with (
        home.battery() as powerwall,
        home.simulator.fault("tesla", kind, only="products"),
        pytest.raises(UnreachableError),
    ):
        powerwall.set_mode("backup")

    assert home.written == []


def test_a_throttled_command_is_told_apart(home: CloudInstallation) -> None:
    with home.simulator.fault("tesla", "http-429", only="operation"):
        assert isinstance(home.refusal_of_mode(), ThrottledError)


def test_a_command_without_an_answer_is_in_doubt_though_it_was_taken(home: CloudInstallation) -> None:
    with home.simulator.fault("tesla", "hang", only="operation", after=True):
        trouble = home.refusal_of_mode("backup", timeout_seconds=3)

    assert "in time" in str(trouble)
    assert set(home.written) == {"backup"}


def test_a_command_that_the_gateway_ignores_proves_nothing(home: CloudInstallation) -> None:
    with home.simulator.fault("tesla", "ignores-writes"), home.battery() as powerwall:
        powerwall.set_mode("backup")

        assert powerwall.read_settings().mode == "autonomous"


def test_the_library_is_not_loaded_before_it_is_needed() -> None:
    program = "import sys, smartcharge.providers.tesla.cloud; sys.exit('pypowerwall' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
