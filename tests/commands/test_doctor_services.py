"""What the doctor learns by asking the supplier, the charger's cloud and Tesla."""

from dataclasses import replace

import pytest
from doctor_case import Patient, healthy
from town_case import Town

from smartcharge.files import locked


@pytest.fixture
def patient(town: Town) -> Patient:
    return healthy(town)


# -- Kraken ---------------------------------------------------------------------------------------------


def test_a_refused_password_is_tried_once_and_then_remembered(patient: Patient) -> None:
    (patient.folder / ".kraken.json").unlink()
    patient.configure("eon_next", password="mistyped")

    first, sign_ins = patient.visit(), patient.street.account.sign_ins
    later = patient.visit()

    assert (first.exit_code, later.exit_code) == (5, 5)
    assert first.verdicts("Kraken", "sign-in") == later.verdicts("Kraken", "sign-in") == {"error"}
    assert "smartcharge login kraken" in later.told("Kraken")
    assert patient.street.account.sign_ins == sign_ins


def test_without_any_sign_in_for_kraken_nothing_is_asked(patient: Patient) -> None:
    (patient.folder / ".kraken.json").unlink()
    patient.configure("eon_next", password=None)

    visit = patient.visit("--offline")

    assert (visit.exit_code, visit.bad) == (5, {("Kraken", "error")})


def test_the_watched_car_is_named(patient: Patient) -> None:
    told = patient.visit().told("Kraken", "car")

    assert told.startswith(f"{patient.street.house.device_id} is live (SMART_CONTROL_CAPABLE)")


def test_a_suspended_car_is_a_warning(patient: Patient) -> None:
    (car,) = patient.street.account.devices
    patient.street.account.devices = (replace(car, suspended=True),)

    visit = patient.visit()

    assert (visit.exit_code, visit.bad) == (0, {("Kraken", "warning")})
    assert "is suspended" in visit.told("Kraken", "car")


def test_a_car_that_is_no_longer_live_is_an_error(patient: Patient) -> None:
    (car,) = patient.street.account.devices
    patient.street.account.devices = (replace(car, current="RETIRED"),)

    visit = patient.visit()

    assert visit.exit_code == 4
    assert "there are: ELECTRIC_VEHICLES RETIRED" in visit.told("Kraken", "car")


def test_two_cars_are_a_warning_until_one_is_named(patient: Patient) -> None:
    (car,) = patient.street.account.devices
    patient.street.account.devices = (car, replace(car, device_id="second"))
    assert "2 cars are watched" in patient.visit().told("Kraken", "car")

    patient.configure("eon_next", device_id="second")

    visit = patient.visit()
    assert visit.verdicts("Kraken") == {"ok"}
    assert "not watched" in visit.told("Kraken", "car")


def test_a_named_car_that_is_gone_is_an_error(patient: Patient) -> None:
    patient.configure("eon_next", device_id="gone")

    visit = patient.visit()

    assert visit.exit_code == 4
    assert patient.street.house.device_id in visit.told("Kraken")


# -- Zappi ----------------------------------------------------------------------------------------------


def test_a_zappi_is_told_by_its_last_four_digits(patient: Patient) -> None:
    patient.town.drive(7200)

    assert patient.visit().told("Zappi", "Zappi").startswith("...0001: 7,200 W, pilot C2, charging")


def test_one_refusal_by_myenergi_is_not_believed(patient: Patient) -> None:
    with patient.street.fault("myenergi", "http-401", times=1):
        visit = patient.visit()

    assert visit.verdicts("Zappi") == {"ok"}


def test_a_named_zappi_that_is_not_there_is_an_error_that_tells_which_are(patient: Patient) -> None:
    patient.configure("myenergi", zappi_serial="17009999")

    visit = patient.visit()

    assert visit.exit_code == 4
    assert "names ...9999, and the hub knows ...0001" in visit.told("Zappi")
    assert "...0001 is not watched" in visit.told("Zappi")


def test_the_zappi_is_not_asked_twice_within_a_minute(patient: Patient) -> None:
    patient.town.plan("13:00-14:30")
    patient.town.drive(7200)
    patient.town.run("13:05", "tick")
    patient.street.requests.clear()

    visit = patient.visit()

    assert "charging" in visit.told("Zappi")
    assert patient.street.count("myenergi") == 0


# -- Tesla ----------------------------------------------------------------------------------------------


def test_the_powerwall_is_told_with_its_site_and_firmware(patient: Patient) -> None:
    visit = patient.visit()

    assert visit.told("Tesla", "site").startswith("Home |")
    assert visit.told("Tesla", "stance").startswith("the Powerwall is in time-based control, reserve 20 %")
    assert visit.told("Tesla", "firmware").startswith("26.18.1 pretend")


def test_without_a_sign_in_tesla_is_not_asked(patient: Patient) -> None:
    (patient.folder / ".pypowerwall.auth").unlink()

    visit = patient.visit()

    assert (visit.exit_code, visit.bad) == (5, {("Tesla", "error")})
    assert "smartcharge login tesla" in visit.told("Tesla")
    assert patient.street.count("tesla") == 0


def test_a_powerwall_held_by_somebody_else_is_a_warning(patient: Patient) -> None:
    patient.street.powerwall.set_by_hand(mode="backup")

    visit = patient.visit()

    assert visit.bad == {("Tesla", "warning")}
    assert "not by smartcharge" in visit.told("Tesla", "stance")


def test_a_powerwall_held_by_smartcharge_is_well(patient: Patient) -> None:
    patient.town.plan("13:00-14:30")
    patient.town.drive(7200)
    patient.town.run("13:05", "tick")

    assert "backup, reserve 100 %, held by smartcharge" in patient.visit().told("Tesla", "stance")


def test_a_powerwall_that_may_not_fill_from_the_grid_is_a_warning(patient: Patient) -> None:
    assert patient.visit().verdicts("Tesla", "grid charging") == {"ok"}

    patient.street.powerwall.grid_charging = False

    assert patient.visit().verdicts("Tesla", "grid charging") == {"warning"}


def test_a_missing_rate_plan_matters_only_for_time_based_control(patient: Patient) -> None:
    patient.street.powerwall.has_rate_plan = False
    assert patient.visit().verdicts("Tesla", "rate plan") == {"warning"}

    patient.configure("control", resting_mode="self_consumption")

    assert patient.visit().verdicts("Tesla", "rate plan") == {"ok"}


def test_of_two_sites_one_has_to_be_named(patient: Patient) -> None:
    patient.street.tesla.add_site()
    assert "one of 2 sites" in patient.visit().told("Tesla", "site")

    patient.configure("tesla", energy_site_id=None)

    visit = patient.visit()
    assert visit.exit_code == 4
    assert "Holiday house" in visit.told("Tesla")


def test_a_run_that_has_the_battery_is_not_disturbed(patient: Patient) -> None:
    with locked(patient.folder / "smartcharge.lock", wait_seconds=0):
        visit = patient.visit()

    assert (visit.exit_code, visit.bad) == (0, {("Tesla", "warning")})
    assert patient.street.count("tesla") == 0
