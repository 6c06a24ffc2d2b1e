"""What every adapter of the battery must do, on each way to it: with the real library, against its pretend peer."""

import gc
from math import nan
from pathlib import Path

import pytest
from battery_case import BACKENDS, Way, hold, look
from share_case import Share, once_asked

from smartcharge import budget
from smartcharge.core.stance import Power
from smartcharge.errors import NotConfirmed, SignInRefused, Throttled, Trouble, Unreachable
from smartcharge.world.street import Street


@pytest.fixture(params=BACKENDS)
def way(request: pytest.FixtureRequest, street: Street, tmp_path: Path) -> Way:
    """A house that is signed in for one way to its battery."""
    folder = tmp_path / "auth"
    folder.mkdir()
    street.sign_in_to_tesla(folder, request.param)
    return Way(request.param, street, folder)


def test_a_healthy_battery_is_read_held_and_brought_back(way: Way) -> None:
    with way.battery() as powerwall:
        first = powerwall.read()
        powerwall.set_mode("backup")
        powerwall.set_reserve_pct(100)
        held = powerwall.read_stance()
        powerwall.set_mode("autonomous")
        powerwall.set_reserve_pct(20)
        back = powerwall.read_stance()

    assert (first.mode, first.soe_pct, first.powers) == ("autonomous", pytest.approx(60.0), frozenset())
    assert (first.reserve_pct, first.capacity_kwh) == (pytest.approx(20.0), pytest.approx(13.5))
    assert (held.mode, held.reserve_pct, back.mode, back.reserve_pct) == (
        *("backup", pytest.approx(100)),
        *("autonomous", pytest.approx(20)),
    )
    assert (held.soe_pct, held.powers, first.leased_until) == (None, None, None)
    assert way.written == ["backup", 100, "autonomous", 20]


def test_no_reading_comes_from_a_cache(way: Way) -> None:
    with way.battery() as powerwall:
        powerwall.read()
        way.street.powerwall.set_by_hand(mode="self_consumption", reserve_pct=35)
        way.street.powerwall.soe_pct = 41.0
        again, stance = powerwall.read(), powerwall.read_stance()

    assert (again.mode, again.soe_pct) == ("self_consumption", pytest.approx(41.0))
    assert stance.reserve_pct == pytest.approx(35)


def test_several_powerwalls_are_one_battery(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    for vendor in ("tesla", "gateway"):
        monkeypatch.setattr(f"smartcharge.world.{vendor}.CAPACITY_KWH", 3 * 13.5)
    with way.battery() as powerwall:
        reading = powerwall.read()

    assert (reading.capacity_kwh, reading.soe_pct) == (pytest.approx(40.5), pytest.approx(60))


def test_an_outside_power_is_seen(way: Way) -> None:
    expected = {"storm": Power.STORM_WATCH, "off-grid": Power.OFF_GRID, "grid-services": Power.GRID_SERVICES}
    if way.backend == "v1r":
        del expected["grid-services"]  # a gateway does not tell of them
    found = {}
    with way.battery() as powerwall:
        for kind in expected:
            with way.street.fault("tesla", kind):
                found[kind] = powerwall.read().powers

    assert found == {kind: frozenset({power}) for kind, power in expected.items()}


def test_what_is_missing_or_odd_is_unknown_and_never_nought(way: Way) -> None:
    with way.battery() as powerwall:
        with way.street.fault("tesla", "no-mode-field"):
            assert powerwall.read_stance().mode is None
        with way.street.fault("tesla", "no-reserve-field"):
            assert powerwall.read_stance().reserve_pct is None
        for odd in (None, 7, "", ["backup"]):
            way.street.powerwall.mode = odd  # type: ignore[assignment]
            assert powerwall.read_stance().mode is None
        if way.backend != "v1r":  # whose peer counts with them
            for odd in (None, True, nan, -0.1, 100.5, "60"):
                way.street.powerwall.soe_pct = odd  # type: ignore[assignment]
                assert powerwall.read().soe_pct is None


def test_without_the_live_state_the_powers_are_unknown(way: Way) -> None:
    kinds = ("http-500", "html", "null", "list", "empty", "drop")
    found = {}
    with way.battery() as powerwall:
        for kind in kinds:
            with way.street.fault("tesla", kind, only=way.live):
                reading = powerwall.read()
            found[kind] = (reading.mode, reading.soe_pct, reading.powers)

    assert found == dict.fromkeys(kinds, ("autonomous", None, None))


def test_only_what_tesla_takes_reaches_the_wire(way: Way) -> None:
    with way.battery() as powerwall:
        before = len(way.street.requests)
        for mode in ("TIME_BASED_CONTROL", "scheduler", "", "Backup"):
            with pytest.raises(NotConfirmed):
                powerwall.set_mode(mode)
        for reserve_pct in (-1, 101):
            with pytest.raises(NotConfirmed):
                powerwall.set_reserve_pct(reserve_pct)
        assert len(way.street.requests) == before
        powerwall.set_reserve_pct(0)

    assert way.written == [0]


def test_a_command_that_was_not_taken_is_told(way: Way) -> None:
    kinds = ("http-500", "html", "null", "list", "empty", "drop")
    found = {}
    for kind in kinds:
        with way.street.fault("tesla", kind, only=way.command):
            found[kind] = type(way.refusal(hold))
    with way.street.fault("tesla", "error-body"):
        found["error-body"] = type(way.refusal(hold))

    assert found == dict.fromkeys((*kinds, "error-body"), Unreachable)
    assert way.written == []


def test_a_command_that_is_ignored_proves_nothing(way: Way) -> None:
    with way.street.fault("tesla", "ignores-writes"), way.battery() as powerwall:
        powerwall.set_mode("backup")

        assert powerwall.read_stance().mode == "autonomous"


def test_settings_that_cannot_be_had_are_an_outage(way: Way, capfd: pytest.CaptureFixture[str]) -> None:
    expected: dict[str, type[Trouble]] = dict.fromkeys(("http-500", "http-503", "html", "null", "drop"), Unreachable)
    if way.backend != "v1r":  # where everybody is asked with the same signature
        expected |= {"http-429": Throttled, "http-403": SignInRefused, "http-401": SignInRefused}
    found = {}
    for kind in expected:
        with way.street.fault("tesla", kind, only=way.settings):
            trouble = way.refusal(look)
        found[kind] = type(trouble)
        assert trouble.service == "tesla"

    assert found == expected
    assert capfd.readouterr() == ("", "")


def test_nobody_at_home_is_an_outage(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    assert "could not be reached" in str(way.refusal(look))


def use_to_the_end(way: Way, share: Share) -> bool:
    """Read and write until the time is over, and keep nothing that holds on to what was open."""
    try:
        with once_asked(share, way.street, way.command), way.battery() as powerwall:
            powerwall.read()
            powerwall.set_mode("backup")
    except budget.OutOfTime:
        return True
    return False


def test_the_alarm_passes_through_and_leaves_nothing_open(way: Way, share: Share) -> None:
    with way.battery():
        pass  # so that the library is loaded
    with way.street.fault("tesla", "hang", only=way.command):
        assert use_to_the_end(way, share)

    gc.collect()  # what is still open would be a warning here, and a warning is an error
