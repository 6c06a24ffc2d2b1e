"""The Powerwall by its own gateway with the real library: what is its own beside what every battery must do."""

from datetime import timedelta
from pathlib import Path

import pytest
from battery_case import Way, hold, look

from smartcharge.core.stance import BatteryReading, Power, Stance, Write
from smartcharge.errors import LeaseUnknown, SignInRefused, Unreachable
from smartcharge.ports import DirectBattery
from smartcharge.world.signatures import make_key
from smartcharge.world.street import Street

HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def way(street: Street, tmp_path: Path) -> Way:
    """A house whose gateway knows the owner's key."""
    street.write_gateway_key(tmp_path)
    return Way("v1r", street, tmp_path)


def asked(way: Way) -> list[str]:
    return [request.operation for request in way.street.requests]


def direct(way: Way, battery: object) -> DirectBattery:
    assert isinstance(battery, DirectBattery)
    return battery


def lease(way: Way) -> Write:
    return Write("backup", 100, until=way.street.now + HALF_AN_HOUR)


# -- settings -----------------------------------------------------------------------------------------


def test_both_values_go_in_one_signed_write(way: Way) -> None:
    with way.battery() as powerwall:
        direct(way, powerwall).write(Write("self_consumption", 60))
        reading = powerwall.read_stance()

    assert asked(way) == ["login", "din", "config", "config", "write", "config", "events"]
    assert (reading.mode, reading.reserve_pct) == ("self_consumption", pytest.approx(60))
    assert way.written == ["self_consumption", 60]


@pytest.mark.parametrize("skew_pct", [-2, -1, 1.5, 2])
def test_a_reserve_that_reads_a_point_or_two_off_is_the_one_that_was_written(way: Way, skew_pct: float) -> None:
    write = Write("self_consumption", 60)
    with way.battery() as powerwall:
        direct(way, powerwall).write(write)
        way.street.gateway.skew_pct = skew_pct

        assert write.is_seen_in(powerwall.read_stance())


def test_a_reserve_that_reads_further_off_is_another(way: Way) -> None:
    way.street.gateway.skew_pct = 3

    with way.battery() as powerwall:
        assert not Write(reserve_pct=20).is_seen_in(powerwall.read_stance())


def test_the_facts_tell_what_a_gateway_knows(way: Way) -> None:
    way.street.powerwall.grid_charging = False
    with way.battery() as powerwall:
        facts = powerwall.facts()

    assert (facts.site, facts.sites, facts.grid_charging, facts.rate_plan) == ("Home", 1, False, None)


# -- holds that end by themselves ---------------------------------------------------------------------


def test_a_hold_is_leased_and_its_settings_stay_as_they_were(way: Way) -> None:
    with way.battery() as powerwall:
        direct(way, powerwall).write(lease(way))
        reading = powerwall.read_stance()

    assert asked(way)[3:] == ["cancel", "schedule", "config", "events"]
    assert lease(way).is_seen_in(reading)
    assert reading == BatteryReading(
        "backup",
        100,
        powers=None,
        exact_to_pct=2.0,
        leased_until=reading.leased_until,
        beneath=Stance("autonomous", 20),
    )
    assert way.written == []


def test_a_lease_ends_by_itself(way: Way) -> None:
    with way.battery() as powerwall:
        direct(way, powerwall).write(lease(way))
    way.street.set_time(way.street.now + HALF_AN_HOUR)

    with way.battery() as powerwall:
        assert (powerwall.read_stance().mode, powerwall.read_stance().leased_until) == ("autonomous", None)
    assert way.street.powerwall.stance == ("autonomous", 20)


def test_a_lease_can_be_ended(way: Way) -> None:
    with way.battery() as powerwall:
        direct(way, powerwall).write(lease(way))
        direct(way, powerwall).write(Write(ends_lease=True))

        assert Write(ends_lease=True).is_seen_in(powerwall.read_stance())
    assert way.street.powerwall.stance == ("autonomous", 20)


def test_a_gateway_that_knows_of_no_leases_says_so_and_is_read_all_the_same(way: Way) -> None:
    with way.street.fault("tesla", "no-leases"), way.battery() as powerwall:
        with pytest.raises(LeaseUnknown):
            direct(way, powerwall).write(lease(way))
        reading = powerwall.read()

    assert (reading.mode, reading.leased_until, reading.powers) == ("autonomous", None, frozenset())


@pytest.mark.parametrize("kind", ["http-500", "drop", "html"])
def test_a_lease_that_was_lost_on_the_way_is_not_taken_for_one_that_cannot_be_had(way: Way, kind: str) -> None:
    with way.street.fault("tesla", kind, only="schedule"):
        assert type(way.refusal(lambda battery: direct(way, battery).write(lease(way)))) is Unreachable


@pytest.mark.parametrize("kind", ["http-500", "drop", "html"])
def test_without_the_events_nothing_is_known(way: Way, kind: str) -> None:
    """Whatever the settings say, a backup event would outrank them."""
    with way.street.fault("tesla", kind, only="events"):
        assert type(way.refusal(look)) is Unreachable


def test_storm_watch_is_told_from_the_owner_s_own_max_backup(way: Way) -> None:
    with way.street.fault("tesla", "storm"), way.battery() as powerwall:
        stormy = powerwall.read()
    way.street.powerwall.lease(way.street.now + HALF_AN_HOUR, way.street.now)
    with way.battery() as powerwall:
        by_hand = powerwall.read()

    assert (stormy.powers, stormy.leased_until) == (frozenset({Power.STORM_WATCH}), None)
    assert (by_hand.powers, by_hand.leased_until) == (frozenset(), way.street.now + HALF_AN_HOUR)


# -- the key and the password -------------------------------------------------------------------------

REFUSALS = {
    "a key that was never proven by the switch": ("key-pending", "switch the Powerwall off"),
    "a key that the gateway has never heard of": ("key-unknown", "tesla.rsa_key_path"),
}


@pytest.mark.parametrize(("kind", "mend"), REFUSALS.values(), ids=REFUSALS)
def test_a_key_that_does_not_open_is_told_with_its_mend(
    way: Way, kind: str, mend: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with way.street.fault("tesla", kind):
        trouble = way.refusal(hold)

    assert isinstance(trouble, SignInRefused)
    assert mend in str(trouble)
    assert way.written == []
    assert capfd.readouterr() == ("", "")


def test_another_key_s_signature_opens_nothing(way: Way) -> None:
    make_key(way.folder / "tedapi_rsa_private.pem")

    assert isinstance(way.refusal(hold), SignInRefused)


@pytest.mark.parametrize("content", ["", "-----BEGIN RSA PRIVATE KEY-----\nno\n-----END RSA PRIVATE KEY-----\n", None])
def test_a_file_without_a_key_is_told_without_asking_anybody(way: Way, content: str | None) -> None:
    key = way.folder / "tedapi_rsa_private.pem"
    key.unlink()
    if content is not None:
        key.write_text(content)

    assert isinstance(way.refusal(look), SignInRefused)
    assert asked(way) == []


def test_a_wrong_password_is_told_by_its_name(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    with way.street.fault("tesla", "http-401", only="login"):
        trouble = way.refusal(look)

    assert isinstance(trouble, SignInRefused)
    assert "tesla.gateway_password" in str(trouble)


def test_there_is_no_other_way_to_fall_back_on(way: Way) -> None:
    with way.street.fault("tesla", "http-503"):
        assert type(way.refusal(look)) is Unreachable

    assert {request.path.split("/")[1] for request in way.street.requests} == {"api"}
    assert way.street.refused == []
