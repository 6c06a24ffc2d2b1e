"""What the doctor learns by asking the supplier, the charger's cloud and Tesla."""

from dataclasses import replace

import pytest
from doctor_installation import DoctorInstallation, healthy_installation
from simulation import Simulation

from smartcharge.files import file_lock


@pytest.fixture
def doctor_installation(simulation: Simulation) -> DoctorInstallation:
    return healthy_installation(simulation)


# -- Kraken ---------------------------------------------------------------------------------------------


def test_a_refused_password_is_tried_once_and_then_remembered(doctor_installation: DoctorInstallation) -> None:
    (doctor_installation.folder / ".kraken.json").unlink()
    doctor_installation.configure("eon_next", password="mistyped")

    first, sign_ins = doctor_installation.visit(), doctor_installation.simulator.account.sign_ins
    later = doctor_installation.visit()

    assert (first.exit_code, later.exit_code) == (5, 5)
    assert first.verdicts("Kraken", "sign-in") == later.verdicts("Kraken", "sign-in") == {"error"}
    assert "smartcharge login kraken" in later.told("Kraken")
    assert doctor_installation.simulator.account.sign_ins == sign_ins


def test_without_any_sign_in_for_kraken_nothing_is_asked(doctor_installation: DoctorInstallation) -> None:
    (doctor_installation.folder / ".kraken.json").unlink()
    doctor_installation.configure("eon_next", password=None)

    visit = doctor_installation.visit("--offline")

    assert (visit.exit_code, visit.bad) == (5, {("Kraken", "error")})


def test_the_watched_car_is_named(doctor_installation: DoctorInstallation) -> None:
    told = doctor_installation.visit().told("Kraken", "car")

    assert told.startswith(f"{doctor_installation.simulator.house.device_id} is active (SMART_CONTROL_CAPABLE)")


def test_a_suspended_car_is_a_warning(doctor_installation: DoctorInstallation) -> None:
    (car,) = doctor_installation.simulator.account.devices
    doctor_installation.simulator.account.devices = (replace(car, suspended=True),)

    visit = doctor_installation.visit()

    assert (visit.exit_code, visit.bad) == (0, {("Kraken", "warning")})
    assert "smart charging is suspended" in visit.told("Kraken", "car")


def test_a_car_that_is_no_longer_live_is_an_error(doctor_installation: DoctorInstallation) -> None:
    (car,) = doctor_installation.simulator.account.devices
    doctor_installation.simulator.account.devices = (replace(car, current="RETIRED"),)

    visit = doctor_installation.visit()

    assert visit.exit_code == 4
    assert "registered: ELECTRIC_VEHICLES RETIRED" in visit.told("Kraken", "car")


def test_two_cars_are_a_warning_until_one_is_named(doctor_installation: DoctorInstallation) -> None:
    (car,) = doctor_installation.simulator.account.devices
    doctor_installation.simulator.account.devices = (car, replace(car, device_id="second"))
    assert "2 cars are registered" in doctor_installation.visit().told("Kraken", "car")

    doctor_installation.configure("eon_next", device_id="second")

    visit = doctor_installation.visit()
    assert visit.verdicts("Kraken") == {"ok"}
    assert "not used" in visit.told("Kraken", "car")


def test_a_named_car_that_is_gone_is_an_error(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.configure("eon_next", device_id="gone")

    visit = doctor_installation.visit()

    assert visit.exit_code == 4
    assert doctor_installation.simulator.house.device_id in visit.told("Kraken")


# -- Zappi ----------------------------------------------------------------------------------------------


def test_a_zappi_is_told_by_its_last_four_digits(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.simulation.drive(7200)

    assert doctor_installation.visit().told("Zappi", "Zappi").startswith("...0001: 7,200 W, pilot C2, charging")


def test_one_refusal_by_myenergi_is_not_believed(doctor_installation: DoctorInstallation) -> None:
    with doctor_installation.simulator.fault("myenergi", "http-401", times=1):
        visit = doctor_installation.visit()

    assert visit.verdicts("Zappi") == {"ok"}


def test_a_named_zappi_that_is_not_there_is_an_error_that_tells_which_are(
    doctor_installation: DoctorInstallation,
) -> None:
    doctor_installation.configure("myenergi", zappi_serial="17009999")

    visit = doctor_installation.visit()

    assert visit.exit_code == 4
    assert "is ...9999, but the hub reports ...0001" in visit.told("Zappi")
    assert "...0001 is not used" in visit.told("Zappi")


def test_the_zappi_is_not_asked_twice_within_a_minute(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.simulation.plan("13:00-14:30")
    doctor_installation.simulation.drive(7200)
    doctor_installation.simulation.run("13:05", "tick")
    doctor_installation.simulator.requests.clear()

    visit = doctor_installation.visit()

    assert "charging" in visit.told("Zappi")
    assert doctor_installation.simulator.count("myenergi") == 0


# -- Tesla ----------------------------------------------------------------------------------------------


def test_the_powerwall_is_told_with_its_site_and_firmware(doctor_installation: DoctorInstallation) -> None:
    visit = doctor_installation.visit()

    assert visit.told("Tesla", "site").startswith("site: Home |")
    assert visit.told("Tesla", "stance").startswith("the Powerwall is in Time-Based Control (Backup Reserve 20 %)")
    assert visit.told("Tesla", "firmware").startswith("firmware 26.18.1 pretend")


def test_without_a_sign_in_tesla_is_not_asked(doctor_installation: DoctorInstallation) -> None:
    (doctor_installation.folder / ".pypowerwall.auth").unlink()

    visit = doctor_installation.visit()

    assert (visit.exit_code, visit.bad) == (5, {("Tesla", "error")})
    assert "smartcharge login tesla" in visit.told("Tesla")
    assert doctor_installation.simulator.count("tesla") == 0


def test_a_powerwall_held_by_somebody_else_is_a_warning(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.simulator.powerwall.set_manually(mode="backup")

    visit = doctor_installation.visit()

    assert visit.bad == {("Tesla", "warning")}
    assert "smartcharge did not set it" in visit.told("Tesla", "stance")


def test_a_powerwall_held_by_smartcharge_is_well(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.simulation.plan("13:00-14:30")
    doctor_installation.simulation.drive(7200)
    doctor_installation.simulation.run("13:05", "tick")

    told = doctor_installation.visit().told("Tesla", "stance")
    assert "charging from the grid (Backup Reserve 100 %), set by smartcharge" in told
    assert "the Tesla app shows no mode as selected" in told


def test_a_powerwall_that_may_not_fill_from_the_grid_is_a_warning(doctor_installation: DoctorInstallation) -> None:
    assert doctor_installation.visit().verdicts("Tesla", "grid charging") == {"ok"}

    doctor_installation.simulator.powerwall.grid_charging = False

    assert doctor_installation.visit().verdicts("Tesla", "grid charging") == {"warning"}


def test_a_missing_rate_plan_matters_only_for_time_based_control(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.simulator.powerwall.has_rate_plan = False
    assert doctor_installation.visit().verdicts("Tesla", "rate plan") == {"warning"}

    doctor_installation.configure("control", resting_mode="self_consumption")

    assert doctor_installation.visit().verdicts("Tesla", "rate plan") == {"ok"}


def test_of_two_sites_one_has_to_be_named(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.simulator.tesla.add_site()
    assert "one of 2 sites" in doctor_installation.visit().told("Tesla", "site")

    doctor_installation.configure("tesla", energy_site_id=None)

    visit = doctor_installation.visit()
    assert visit.exit_code == 4
    assert "Holiday house" in visit.told("Tesla")


def test_a_run_that_has_the_battery_is_not_disturbed(doctor_installation: DoctorInstallation) -> None:
    with file_lock(doctor_installation.folder / "smartcharge.lock", wait_seconds=0):
        visit = doctor_installation.visit()

    assert (visit.exit_code, visit.bad) == (0, {("Tesla", "warning")})
    assert doctor_installation.simulator.count("tesla") == 0
