"""The Powerwall by its own gateway with the real library: what is its own beside what every battery must do."""

from datetime import timedelta
from pathlib import Path

import pytest
from battery_backends import BackendCase, read_once, write_mode

from smartcharge.errors import SignInRefusedError, TimedHoldUnsupportedError, UnreachableError
from smartcharge.policy.battery import BatteryCommand, BatteryReading, BatterySettings, Lockout
from smartcharge.providers.protocols import DirectBattery
from smartcharge.simulator.simulator import Simulator
from smartcharge.simulator.tesla_gateway import create_owner_key

HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def backend_case(simulator: Simulator, tmp_path: Path) -> BackendCase:
    """A house whose gateway knows the owner's key."""
    simulator.write_gateway_key(tmp_path)
    return BackendCase("v1r", simulator, tmp_path)


def asked(backend_case: BackendCase) -> list[str]:
    return [request.operation for request in backend_case.simulator.requests]


def direct(backend_case: BackendCase, battery: object) -> DirectBattery:
    assert isinstance(battery, DirectBattery)
    return battery


def lease(backend_case: BackendCase) -> BatteryCommand:
    return BatteryCommand("backup", 100, until=backend_case.simulator.now + HALF_AN_HOUR)


# -- settings -----------------------------------------------------------------------------------------


def test_both_values_go_in_one_signed_write(backend_case: BackendCase) -> None:
    with backend_case.battery() as powerwall:
        direct(backend_case, powerwall).write(BatteryCommand("self_consumption", 60))
        reading = powerwall.read_settings()

    assert asked(backend_case) == ["login", "din", "config", "config", "write", "config", "events"]
    assert (reading.mode, reading.reserve_pct) == ("self_consumption", pytest.approx(60))
    assert backend_case.written == ["self_consumption", 60]


@pytest.mark.parametrize("skew_pct", [-2, -1, 1.5, 2])
def test_a_reserve_that_reads_a_point_or_two_off_is_the_one_that_was_written(
    backend_case: BackendCase, skew_pct: float
) -> None:
    write = BatteryCommand("self_consumption", 60)
    with backend_case.battery() as powerwall:
        direct(backend_case, powerwall).write(write)
        backend_case.simulator.gateway.skew_pct = skew_pct

        assert write.is_confirmed_by(powerwall.read_settings())


def test_a_reserve_that_reads_further_off_is_another(backend_case: BackendCase) -> None:
    backend_case.simulator.gateway.skew_pct = 3

    with backend_case.battery() as powerwall:
        assert not BatteryCommand(reserve_pct=20).is_confirmed_by(powerwall.read_settings())


def test_the_facts_tell_what_a_gateway_knows(backend_case: BackendCase) -> None:
    backend_case.simulator.powerwall.grid_charging = False
    with backend_case.battery() as powerwall:
        facts = powerwall.facts()

    assert (facts.site, facts.sites, facts.grid_charging, facts.rate_plan) == ("Home", 1, False, None)


# -- holds that end by themselves ---------------------------------------------------------------------


def test_a_hold_is_leased_and_its_settings_stay_as_they_were(backend_case: BackendCase) -> None:
    with backend_case.battery() as powerwall:
        direct(backend_case, powerwall).write(lease(backend_case))
        reading = powerwall.read_settings()

    assert asked(backend_case)[3:] == ["cancel", "schedule", "config", "events"]
    assert lease(backend_case).is_confirmed_by(reading)
    assert reading == BatteryReading(
        "backup",
        100,
        lockouts=None,
        reserve_accuracy_pct=2.0,
        timed_hold_until=reading.timed_hold_until,
        underlying_settings=BatterySettings("autonomous", 20),
    )
    assert backend_case.written == []


def test_a_lease_ends_by_itself(backend_case: BackendCase) -> None:
    with backend_case.battery() as powerwall:
        direct(backend_case, powerwall).write(lease(backend_case))
    backend_case.simulator.set_time(backend_case.simulator.now + HALF_AN_HOUR)

    with backend_case.battery() as powerwall:
        assert (powerwall.read_settings().mode, powerwall.read_settings().timed_hold_until) == ("autonomous", None)
    assert backend_case.simulator.powerwall.settings == ("autonomous", 20)


def test_a_lease_can_be_ended(backend_case: BackendCase) -> None:
    with backend_case.battery() as powerwall:
        direct(backend_case, powerwall).write(lease(backend_case))
        direct(backend_case, powerwall).write(BatteryCommand(cancels_timed_hold=True))

        assert BatteryCommand(cancels_timed_hold=True).is_confirmed_by(powerwall.read_settings())
    assert backend_case.simulator.powerwall.settings == ("autonomous", 20)


def test_a_gateway_that_knows_of_no_leases_says_so_and_is_read_all_the_same(backend_case: BackendCase) -> None:
    with backend_case.simulator.fault("tesla", "no-timed-holds"), backend_case.battery() as powerwall:
        with pytest.raises(TimedHoldUnsupportedError):
            direct(backend_case, powerwall).write(lease(backend_case))
        reading = powerwall.read()

    assert (reading.mode, reading.timed_hold_until, reading.lockouts) == ("autonomous", None, frozenset())


@pytest.mark.parametrize("kind", ["http-500", "drop", "html"])
def test_a_lease_that_was_lost_on_the_way_is_not_taken_for_one_that_cannot_be_had(
    backend_case: BackendCase, kind: str
) -> None:
    with backend_case.simulator.fault("tesla", kind, only="schedule"):
        assert (
            type(backend_case.refusal(lambda battery: direct(backend_case, battery).write(lease(backend_case))))
            is UnreachableError
        )


@pytest.mark.parametrize("kind", ["http-500", "drop", "html"])
def test_without_the_events_nothing_is_known(backend_case: BackendCase, kind: str) -> None:
    """Whatever the settings say, a backup event would outrank them."""
    with backend_case.simulator.fault("tesla", kind, only="events"):
        assert type(backend_case.refusal(read_once)) is UnreachableError


def test_storm_watch_is_told_from_the_owner_s_own_max_backup(backend_case: BackendCase) -> None:
    with backend_case.simulator.fault("tesla", "storm"), backend_case.battery() as powerwall:
        is_storm_watch_active = powerwall.read()
    backend_case.simulator.powerwall.start_timed_hold(
        backend_case.simulator.now + HALF_AN_HOUR, backend_case.simulator.now
    )
    with backend_case.battery() as powerwall:
        by_hand = powerwall.read()

    assert (is_storm_watch_active.lockouts, is_storm_watch_active.timed_hold_until) == (
        frozenset({Lockout.STORM_WATCH}),
        None,
    )
    assert (by_hand.lockouts, by_hand.timed_hold_until) == (frozenset(), backend_case.simulator.now + HALF_AN_HOUR)


# -- the key and the password -------------------------------------------------------------------------

REFUSALS = {
    "a key that was never proven by the switch": ("key-pending", "switch the Powerwall off"),
    "a key that the gateway has never heard of": ("key-unknown", "tesla.rsa_key_path"),
}


@pytest.mark.parametrize(("kind", "mend"), REFUSALS.values(), ids=REFUSALS)
def test_a_key_that_does_not_open_is_told_with_its_mend(
    backend_case: BackendCase, kind: str, mend: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with backend_case.simulator.fault("tesla", kind):
        trouble = backend_case.refusal(write_mode)

    assert isinstance(trouble, SignInRefusedError)
    assert mend in str(trouble)
    assert backend_case.written == []
    assert capfd.readouterr() == ("", "")


def test_another_key_s_signature_opens_nothing(backend_case: BackendCase) -> None:
    create_owner_key(backend_case.folder / "tedapi_rsa_private.pem")

    assert isinstance(backend_case.refusal(write_mode), SignInRefusedError)


@pytest.mark.parametrize("content", ["", "-----BEGIN RSA PRIVATE KEY-----\nno\n-----END RSA PRIVATE KEY-----\n", None])
def test_a_file_without_a_key_is_told_without_asking_anybody(backend_case: BackendCase, content: str | None) -> None:
    key = backend_case.folder / "tedapi_rsa_private.pem"
    key.unlink()
    if content is not None:
        key.write_text(content)

    assert isinstance(backend_case.refusal(read_once), SignInRefusedError)
    assert asked(backend_case) == []


def test_a_wrong_password_is_told_by_its_name(backend_case: BackendCase, monkeypatch: pytest.MonkeyPatch) -> None:
    with backend_case.simulator.fault("tesla", "http-401", only="login"):
        trouble = backend_case.refusal(read_once)

    assert isinstance(trouble, SignInRefusedError)
    assert "tesla.gateway_password" in str(trouble)


def test_there_is_no_other_way_to_fall_back_on(backend_case: BackendCase) -> None:
    with backend_case.simulator.fault("tesla", "http-503"):
        assert type(backend_case.refusal(read_once)) is UnreachableError

    assert {request.path.split("/")[1] for request in backend_case.simulator.requests} == {"api"}
    assert backend_case.simulator.refused == []
