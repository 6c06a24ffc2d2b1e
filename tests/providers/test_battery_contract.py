"""What every adapter of the battery must do, on each way to it: with the real library, against its pretend peer."""

import gc
from datetime import UTC, datetime
from math import nan
from pathlib import Path

import pytest
from battery_backends import BACKENDS, BackendCase, read_once, write_mode
from controlled_time_limit import Share, once_asked

from smartcharge.deadline import DeadlineExceeded
from smartcharge.errors import (
    AppError,
    ConfigurationError,
    NotConfirmedError,
    SignInRefusedError,
    ThrottledError,
    UnreachableError,
)
from smartcharge.policy.battery import Lockout
from smartcharge.providers.tesla import BatteryAddress, connect_battery
from smartcharge.simulator.simulator import Simulator
from smartcharge.simulator.tesla_gateway import GATEWAY_DIN


@pytest.fixture(params=BACKENDS)
def backend_case(request: pytest.FixtureRequest, simulator: Simulator, tmp_path: Path) -> BackendCase:
    """A house that is signed in for one way to its battery."""
    folder = tmp_path / "auth"
    folder.mkdir()
    simulator.sign_in_to_tesla(folder, request.param)
    return BackendCase(request.param, simulator, folder)


def test_a_healthy_battery_is_read_held_and_brought_back(backend_case: BackendCase) -> None:
    with backend_case.battery() as powerwall:
        first = powerwall.read()
        powerwall.set_mode("backup")
        powerwall.set_reserve_pct(100)
        held = powerwall.read_settings()
        powerwall.set_mode("autonomous")
        powerwall.set_reserve_pct(20)
        back = powerwall.read_settings()

    assert (first.mode, first.soe_pct, first.lockouts) == ("autonomous", pytest.approx(60.0), frozenset())
    assert (first.reserve_pct, first.capacity_kwh) == (pytest.approx(20.0), pytest.approx(13.5))
    assert (held.mode, held.reserve_pct, back.mode, back.reserve_pct) == (
        *("backup", pytest.approx(100)),
        *("autonomous", pytest.approx(20)),
    )
    assert (held.soe_pct, held.lockouts, first.timed_hold_until) == (None, None, None)
    assert backend_case.written == ["backup", 100, "autonomous", 20]


def test_the_battery_says_which_one_it_is(backend_case: BackendCase) -> None:
    powerwall = backend_case.battery()
    before = powerwall.site
    with powerwall:
        site = powerwall.site

    assert before == ""
    assert site == (GATEWAY_DIN if backend_case.backend == "v1r" else str(backend_case.simulator.house.site_id))
    with connect_battery(backend_case.address(site), backend_case.simulator.now) as again:
        assert again.site == site


def test_another_battery_than_the_one_that_was_asked_for_is_refused(backend_case: BackendCase) -> None:
    powerwall = connect_battery(backend_case.address("4711"), backend_case.simulator.now)

    with pytest.raises(ConfigurationError):
        powerwall.__enter__()
    assert backend_case.written == []


@pytest.mark.parametrize("backend", ["", "cloud", "fleetapi", "v1r", "local"])
def test_an_address_without_what_its_backend_needs_is_refused(backend: str) -> None:
    with pytest.raises(ConfigurationError):
        connect_battery(BatteryAddress(backend=backend), datetime(2026, 11, 30, tzinfo=UTC))


def test_no_reading_comes_from_a_cache(backend_case: BackendCase) -> None:
    with backend_case.battery() as powerwall:
        powerwall.read()
        backend_case.simulator.powerwall.set_manually(mode="self_consumption", reserve_pct=35)
        backend_case.simulator.powerwall.soe_pct = 41.0
        again, stance = powerwall.read(), powerwall.read_settings()

    assert (again.mode, again.soe_pct) == ("self_consumption", pytest.approx(41.0))
    assert stance.reserve_pct == pytest.approx(35)


def test_several_powerwalls_are_one_battery(backend_case: BackendCase, monkeypatch: pytest.MonkeyPatch) -> None:
    for vendor in ("tesla_cloud", "tesla_gateway"):
        monkeypatch.setattr(f"smartcharge.simulator.{vendor}.CAPACITY_KWH", 3 * 13.5)
    with backend_case.battery() as powerwall:
        reading = powerwall.read()

    assert (reading.capacity_kwh, reading.soe_pct) == (pytest.approx(40.5), pytest.approx(60))


def test_an_outside_power_is_seen(backend_case: BackendCase) -> None:
    expected = {"storm": Lockout.STORM_WATCH, "off-grid": Lockout.OFF_GRID, "grid-services": Lockout.GRID_SERVICES}
    if backend_case.backend == "v1r":
        del expected["grid-services"]  # a gateway does not tell of them
    found = {}
    with backend_case.battery() as powerwall:
        for kind in expected:
            with backend_case.simulator.fault("tesla", kind):
                found[kind] = powerwall.read().lockouts

    assert found == {kind: frozenset({power}) for kind, power in expected.items()}


def test_what_is_missing_or_odd_is_unknown_and_never_nought(backend_case: BackendCase) -> None:
    with backend_case.battery() as powerwall:
        with backend_case.simulator.fault("tesla", "no-mode-field"):
            assert powerwall.read_settings().mode is None
        with backend_case.simulator.fault("tesla", "no-reserve-field"):
            assert powerwall.read_settings().reserve_pct is None
        for odd in (None, 7, "", ["backup"]):
            backend_case.simulator.powerwall.mode = odd  # type: ignore[assignment]
            assert powerwall.read_settings().mode is None
        if backend_case.backend != "v1r":  # whose peer counts with them
            for odd in (None, True, nan, -0.1, 100.5, "60"):
                backend_case.simulator.powerwall.soe_pct = odd  # type: ignore[assignment]
                assert powerwall.read().soe_pct is None


def test_without_the_live_state_the_powers_are_unknown(backend_case: BackendCase) -> None:
    kinds = ("http-500", "html", "null", "list", "empty", "drop")
    found = {}
    with backend_case.battery() as powerwall:
        for kind in kinds:
            with backend_case.simulator.fault("tesla", kind, only=backend_case.live):
                reading = powerwall.read()
            found[kind] = (reading.mode, reading.soe_pct, reading.lockouts)

    assert found == dict.fromkeys(kinds, ("autonomous", None, None))


def test_only_what_tesla_takes_reaches_the_wire(backend_case: BackendCase) -> None:
    with backend_case.battery() as powerwall:
        before = len(backend_case.simulator.requests)
        for mode in ("TIME_BASED_CONTROL", "scheduler", "", "Backup"):
            with pytest.raises(NotConfirmedError):
                powerwall.set_mode(mode)
        for reserve_pct in (-1, 101):
            with pytest.raises(NotConfirmedError):
                powerwall.set_reserve_pct(reserve_pct)
        assert len(backend_case.simulator.requests) == before
        powerwall.set_reserve_pct(0)

    assert backend_case.written == [0]


def test_a_command_that_was_not_taken_is_told(backend_case: BackendCase) -> None:
    kinds = ("http-500", "html", "null", "list", "empty", "drop")
    found = {}
    for kind in kinds:
        with backend_case.simulator.fault("tesla", kind, only=backend_case.command):
            found[kind] = type(backend_case.refusal(write_mode))
    with backend_case.simulator.fault("tesla", "error-body"):
        found["error-body"] = type(backend_case.refusal(write_mode))

    assert found == dict.fromkeys((*kinds, "error-body"), UnreachableError)
    assert backend_case.written == []


def test_a_command_that_is_ignored_proves_nothing(backend_case: BackendCase) -> None:
    with backend_case.simulator.fault("tesla", "ignores-writes"), backend_case.battery() as powerwall:
        powerwall.set_mode("backup")

        assert powerwall.read_settings().mode == "autonomous"


def test_settings_that_cannot_be_had_are_an_outage(
    backend_case: BackendCase, capfd: pytest.CaptureFixture[str]
) -> None:
    expected: dict[str, type[AppError]] = dict.fromkeys(
        ("http-500", "http-503", "html", "null", "drop"), UnreachableError
    )
    if backend_case.backend != "v1r":  # where everybody is asked with the same signature
        expected |= {"http-429": ThrottledError, "http-403": SignInRefusedError, "http-401": UnreachableError}
    found = {}
    for kind in expected:
        with backend_case.simulator.fault("tesla", kind, only=backend_case.settings):
            trouble = backend_case.refusal(read_once)
        found[kind] = type(trouble)
        assert trouble.service == "tesla"

    assert found == expected
    assert capfd.readouterr() == ("", "")


def test_nobody_at_home_is_an_outage(backend_case: BackendCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    assert "could not be reached" in str(backend_case.refusal(read_once))


def use_to_the_end(backend_case: BackendCase, share: Share) -> bool:
    """Read and write until the time is over, and keep nothing that holds on to what was open."""
    try:
        with once_asked(share, backend_case.simulator, backend_case.command), backend_case.battery() as powerwall:
            powerwall.read()
            powerwall.set_mode("backup")
    except DeadlineExceeded:
        return True
    return False


def test_the_alarm_passes_through_and_leaves_nothing_open(backend_case: BackendCase, share: Share) -> None:
    with backend_case.battery():
        pass  # so that the library is loaded
    with backend_case.simulator.fault("tesla", "hang", only=backend_case.command):
        assert use_to_the_end(backend_case, share)

    gc.collect()  # what is still open would be a warning here, and a warning is an error
