"""What the doctor tells of the way to the battery, and of a battery that is kept as it is."""

from datetime import timedelta

import pytest
from doctor_case import Patient, healthy
from town_case import Town

from smartcharge.world import ways_to_tesla


@pytest.fixture
def patient(town: Town) -> Patient:
    return healthy(town)


def set_up_for(patient: Patient, backend: str) -> None:
    """Let the house reach its battery another way."""
    patient.configure("tesla", **{**dict.fromkeys(("account_email", "energy_site_id")), **settings(patient, backend)})
    patient.street.sign_in_to_tesla(patient.folder, backend)


def settings(patient: Patient, backend: str) -> dict[str, object]:
    return ways_to_tesla.settings(patient.street.house, backend)


@pytest.mark.parametrize(
    ("backend", "whom", "firmware"),
    [("fleetapi", "Tesla's Fleet API", "26.18.1 pretend"), ("v1r", "the gateway", "not told")],
)
def test_a_house_that_is_well_is_well_on_every_way(patient: Patient, backend: str, whom: str, firmware: str) -> None:
    set_up_for(patient, backend)

    visit = patient.visit()

    assert visit.about("Tesla")
    assert (visit.exit_code, visit.bad) == (0, set())
    assert whom in visit.told("Tesla", "sign-in")
    assert visit.told("Tesla", "site").startswith("Home |")
    assert visit.told("Tesla", "firmware").startswith(firmware)
    assert len(patient.street.powerwall.writes) == 0


@pytest.mark.parametrize(
    ("backend", "file", "mend"),
    [("fleetapi", ".pypowerwall.fleetapi", "setup -fleetapi"), ("v1r", "tedapi_rsa_private.pem", "register")],
)
def test_what_opens_the_way_is_missed_by_its_name(patient: Patient, backend: str, file: str, mend: str) -> None:
    set_up_for(patient, backend)
    (patient.folder / file).unlink()

    visit = patient.visit()

    assert (visit.exit_code, visit.bad) == (5, {("Tesla", "error")})
    assert str(patient.folder / file) in visit.told("Tesla", "sign-in")
    assert mend in visit.told("Tesla", "sign-in")
    assert patient.street.count("tesla") == 0


def test_a_key_that_was_never_proven_is_told_with_its_mend(patient: Patient) -> None:
    set_up_for(patient, "v1r")

    with patient.street.fault("tesla", "key-pending"):
        visit = patient.visit()

    assert visit.exit_code == 5
    assert "switch the Powerwall off" in visit.told("Tesla")


def test_max_backup_from_the_app_is_told_from_our_own_hold(patient: Patient) -> None:
    set_up_for(patient, "v1r")
    patient.street.powerwall.lease(patient.now + timedelta(minutes=20), patient.now)

    visit = patient.visit()

    assert visit.bad == {("Tesla", "warning")}
    assert "Max Backup until 12:20, and not by smartcharge" in visit.told("Tesla", "stance")


def test_a_battery_that_is_kept_as_it_is_needs_no_grid_charging(patient: Patient) -> None:
    patient.configure("control", hold="preserve")
    patient.street.powerwall.grid_charging = False

    visit = patient.visit()

    assert visit.bad == set()
    assert "kept as it is; it holds 60 % now" in visit.told("Tesla", "hold")


def test_a_battery_that_cannot_be_kept_as_it_is_is_a_warning(patient: Patient) -> None:
    patient.configure("control", hold="preserve")
    with patient.street.fault("tesla", "http-503", only="live_status"):
        visit = patient.visit()

    assert visit.verdicts("Tesla", "hold") == {"warning"}
