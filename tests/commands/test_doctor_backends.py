"""What the doctor tells of the way to the battery, and of a battery that is kept as it is."""

from datetime import timedelta

import pytest
from doctor_installation import DoctorInstallation, healthy_installation
from simulation import Simulation

from smartcharge.simulator.tesla_backends import tesla_config_section


@pytest.fixture
def doctor_installation(simulation: Simulation) -> DoctorInstallation:
    return healthy_installation(simulation)


def set_up_for(doctor_installation: DoctorInstallation, backend: str) -> None:
    """Let the house reach its battery another way."""
    doctor_installation.configure(
        "tesla", **{**dict.fromkeys(("account_email", "energy_site_id")), **settings(doctor_installation, backend)}
    )
    doctor_installation.simulator.sign_in_to_tesla(doctor_installation.folder, backend)


def settings(doctor_installation: DoctorInstallation, backend: str) -> dict[str, object]:
    return tesla_config_section(doctor_installation.simulator.house, backend)


@pytest.mark.parametrize(
    ("backend", "whom", "firmware"),
    [
        ("fleetapi", "Tesla's Fleet API", "firmware 26.18.1 pretend"),
        ("v1r", "the gateway", "Tesla does not report the firmware version"),
    ],
)
def test_a_house_that_is_well_is_well_on_every_way(
    doctor_installation: DoctorInstallation, backend: str, whom: str, firmware: str
) -> None:
    set_up_for(doctor_installation, backend)

    visit = doctor_installation.visit()

    assert visit.about("Tesla")
    assert (visit.exit_code, visit.bad) == (0, set())
    assert whom in visit.told("Tesla", "sign-in")
    assert visit.told("Tesla", "site").startswith("site: Home |")
    assert visit.told("Tesla", "firmware").startswith(firmware)
    assert len(doctor_installation.simulator.powerwall.writes) == 0


@pytest.mark.parametrize(
    ("backend", "file", "mend"),
    [("fleetapi", ".pypowerwall.fleetapi", "setup -fleetapi"), ("v1r", "tedapi_rsa_private.pem", "register")],
)
def test_what_opens_the_way_is_missed_by_its_name(
    doctor_installation: DoctorInstallation, backend: str, file: str, mend: str
) -> None:
    set_up_for(doctor_installation, backend)
    (doctor_installation.folder / file).unlink()

    visit = doctor_installation.visit()

    assert (visit.exit_code, visit.bad) == (5, {("Tesla", "error")})
    assert str(doctor_installation.folder / file) in visit.told("Tesla", "sign-in")
    assert mend in visit.told("Tesla", "sign-in")
    assert doctor_installation.simulator.count("tesla") == 0


def test_a_key_that_was_never_proven_is_told_with_its_mend(doctor_installation: DoctorInstallation) -> None:
    set_up_for(doctor_installation, "v1r")

    with doctor_installation.simulator.fault("tesla", "key-pending"):
        visit = doctor_installation.visit()

    assert visit.exit_code == 5
    assert "switch the Powerwall off" in visit.told("Tesla")


def test_max_backup_from_the_app_is_told_from_our_own_hold(doctor_installation: DoctorInstallation) -> None:
    set_up_for(doctor_installation, "v1r")
    doctor_installation.simulator.powerwall.start_timed_hold(
        doctor_installation.now + timedelta(minutes=20), doctor_installation.now
    )

    visit = doctor_installation.visit()

    assert visit.bad == {("Tesla", "warning")}
    assert "Max Backup until 12:20, which smartcharge did not start" in visit.told("Tesla", "stance")


def test_a_battery_that_is_kept_as_it_is_needs_no_grid_charging(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.configure("control", hold="preserve")
    doctor_installation.simulator.powerwall.grid_charging = False

    visit = doctor_installation.visit()

    assert visit.bad == set()
    assert "keeps its charge (control.hold: preserve), now 60 %" in visit.told("Tesla", "hold")


def test_a_battery_that_cannot_be_kept_as_it_is_is_a_warning(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.configure("control", hold="preserve")
    with doctor_installation.simulator.fault("tesla", "http-503", only="live_status"):
        visit = doctor_installation.visit()

    assert visit.verdicts("Tesla", "hold") == {"warning"}
