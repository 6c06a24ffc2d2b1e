"""What the doctor finds on the host itself, without asking anybody: one good and one bad case for each area."""

import os
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from doctor_installation import DoctorInstallation, DoctorRun, healthy_installation
from simulation import Simulation

from smartcharge.store.database import open_store, transaction
from smartcharge.store.services import record_service_failure


@pytest.fixture
def doctor_installation(simulation: Simulation) -> DoctorInstallation:
    return healthy_installation(simulation)


def offline(doctor_installation: DoctorInstallation, at: datetime | None = None) -> DoctorRun:
    return doctor_installation.visit("--offline", at=at)


def test_a_configuration_that_others_can_read_is_a_warning(doctor_installation: DoctorInstallation) -> None:
    assert offline(doctor_installation).verdicts("configuration") == {"ok"}

    (doctor_installation.folder / "config.yaml").chmod(0o644)

    visit = offline(doctor_installation)
    assert (visit.exit_code, visit.bad) == (0, {("configuration", "warning")})
    assert "chmod 600" in visit.told("configuration", "meaning")


def test_a_house_without_a_powerwall_is_told_so_once(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.configure("tesla", account_email=None, energy_site_id=None)

    visit = doctor_installation.visit()

    assert len(visit.about("configuration", "meaning")) == 1
    assert visit.about("Tesla") == []


@pytest.mark.parametrize(
    ("variable", "value", "check", "verdict"),
    [
        ("HTTPS_PROXY", "proxy.example.com:3128", "proxy", "error"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "certificates", "error"),
        ("SSL_CERT_DIR", "/nowhere", "certificates", "error"),
        ("RES_OPTIONS", "rotate", "name look-ups", "warning"),
        ("SSLKEYLOGFILE", "/var/log/keys", "certificates", "warning"),
    ],
)
def test_an_odd_variable_is_named(
    doctor_installation: DoctorInstallation,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    check: str,
    verdict: str,
) -> None:
    assert offline(doctor_installation).verdicts("environment") == {"ok"}

    monkeypatch.setenv(variable, value)

    visit = offline(doctor_installation)
    (found,) = [each for each in visit.about("environment", check) if each["verdict"] != "ok"]
    assert (found["verdict"], visit.exit_code) == (verdict, 4 if verdict == "error" else 0)
    assert f"${variable}" in found["says"]


def test_a_bundle_for_one_library_alone_is_a_warning(
    doctor_installation: DoctorInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    assert "Set SSL_CERT_FILE" in offline(doctor_installation).told("environment", "certificates")


def test_the_password_of_a_proxy_is_not_shown(
    doctor_installation: DoctorInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://owner:opensesame@127.0.0.1:3128")

    visit = offline(doctor_installation)

    assert "127.0.0.1:3128" in visit.told("environment", "proxy")
    assert "opensesame" not in visit.outcome.stdout


@pytest.mark.parametrize("name", ["smartcharge.db", ".kraken.json", ".pypowerwall.auth"])
def test_a_file_that_others_can_read_is_a_warning(doctor_installation: DoctorInstallation, name: str) -> None:
    assert offline(doctor_installation).verdicts("files") == {"ok"}

    (doctor_installation.folder / name).chmod(0o640)

    assert f"chmod 600 {doctor_installation.folder / name}" in offline(doctor_installation).told("files", "private")


def test_a_folder_of_another_user_is_a_warning(
    doctor_installation: DoctorInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = doctor_installation.folder.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)

    assert offline(doctor_installation).verdicts("files", "folder") == {"warning"}


def test_a_clock_from_before_this_program_is_an_error(doctor_installation: DoctorInstallation) -> None:
    visit = offline(doctor_installation, at=datetime.fromisoformat("1970-01-01T00:10:00Z"))

    assert visit.exit_code == 4
    assert visit.verdicts("clock", "time") == {"error"}


def test_a_clock_behind_what_was_written_down_is_an_error(doctor_installation: DoctorInstallation) -> None:
    visit = offline(doctor_installation, at=doctor_installation.now - timedelta(hours=1))

    assert visit.exit_code == 4
    assert "timedatectl" in visit.told("clock", "time")


def test_a_stamp_from_far_ahead_is_not_believed(doctor_installation: DoctorInstallation) -> None:
    visit = offline(doctor_installation, at=doctor_installation.now - timedelta(days=3))

    assert visit.exit_code == 0
    assert "is ignored" in visit.told("clock", "time")


def test_a_clock_that_stepped_back_by_seconds_is_none(doctor_installation: DoctorInstallation) -> None:
    assert offline(doctor_installation, at=doctor_installation.now - timedelta(seconds=30)).verdicts("clock") == {"ok"}


def test_a_zone_that_is_not_the_tariffs_is_a_warning(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.configure("control", timezone="Europe/Paris")

    assert offline(doctor_installation).bad == {("clock", "warning")}


def test_a_damaged_database_is_an_error_and_the_services_are_asked_all_the_same(
    doctor_installation: DoctorInstallation,
) -> None:
    path = doctor_installation.folder / "smartcharge.db"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * (path.stat().st_size - 16))

    visit = doctor_installation.visit()

    assert (visit.exit_code, visit.bad) == (4, {("database", "error")})
    assert {"ok"} == visit.verdicts("Kraken") == visit.verdicts("Zappi") == visit.verdicts("Tesla")
    assert visit.about("runs") == visit.about("plan") == []


def test_a_page_gone_bad_inside_the_database_is_found(doctor_installation: DoctorInstallation) -> None:
    path = doctor_installation.folder / "smartcharge.db"
    with closing(sqlite3.connect(path)) as db, db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'dispatches_by_end'").fetchone()
    _spoil(path, page)

    visit = offline(doctor_installation)

    assert (visit.exit_code, visit.verdicts("database", "whole")) == (4, {"error"})


def _spoil(path: Path, page: int) -> None:
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    content[(page - 1) * size : (page - 1) * size + 16] = b"\xff" * 16
    path.write_bytes(content)


def test_a_database_of_the_future_is_an_error(doctor_installation: DoctorInstallation) -> None:
    with closing(sqlite3.connect(doctor_installation.folder / "smartcharge.db")) as db, db:
        db.execute("PRAGMA user_version = 999")

    visit = offline(doctor_installation)

    assert (visit.exit_code, visit.bad) == (4, {("database", "error")})
    assert "Upgrade smartcharge" in visit.told("database")


def test_runs_are_told_by_the_last_question_to_kraken(doctor_installation: DoctorInstallation) -> None:
    visit = offline(doctor_installation, at=doctor_installation.now + timedelta(minutes=2))

    assert visit.told("runs", "cron").startswith("E.ON Next was last asked 2 min ago, so cron works")


def test_a_cron_that_sleeps_is_a_warning_with_the_mend(doctor_installation: DoctorInstallation) -> None:
    visit = offline(doctor_installation, at=doctor_installation.now + timedelta(hours=2))

    assert visit.exit_code == 0
    assert visit.bad == {("runs", "warning"), ("plan", "warning")}
    assert "crontab -l" in visit.told("runs", "cron")


def test_at_night_kraken_is_asked_less_and_silence_is_longer(doctor_installation: DoctorInstallation) -> None:
    midnight = doctor_installation.now.replace(hour=23, minute=59)
    doctor_installation.simulator.set_time(midnight)
    doctor_installation.simulation.runner(["tick"], midnight)

    assert offline(doctor_installation, at=midnight + timedelta(minutes=25)).verdicts("runs", "cron") == {"ok"}


def test_a_hold_past_its_end_is_a_warning(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.simulation.plan("13:00-14:30")
    doctor_installation.simulation.drive(7200)
    doctor_installation.simulation.run("13:05", "tick")

    assert offline(doctor_installation).about("runs", "release") == []
    visit = offline(doctor_installation, at=doctor_installation.now + timedelta(minutes=40))

    assert visit.told("runs", "release").startswith("the Powerwall should have returned to normal at 13:30")


def test_trouble_that_goes_on_is_told(doctor_installation: DoctorInstallation) -> None:
    with doctor_installation.simulator.fault("kraken", "http-503"):
        doctor_installation.simulation.run("12:05", "tick")
        visit = offline(doctor_installation)

    assert "a problem with E.ON Next for 0 s (1 attempts)" in visit.told("runs", "fetch-dispatches")


def test_a_car_whose_plan_is_not_told_is_a_warning(doctor_installation: DoctorInstallation) -> None:
    with doctor_installation.simulator.fault("kraken", "plan-null"):
        doctor_installation.simulation.run("12:05", "tick")
        visit = offline(doctor_installation)

    assert "device 5e1f0c7a-0000-4000-8000-0000000000e1" in visit.told("plan", "answers")
    assert visit.verdicts("plan", "answers") == {"warning"}


def test_a_stale_plan_is_a_warning(doctor_installation: DoctorInstallation) -> None:
    assert offline(doctor_installation).verdicts("plan") == {"ok"}

    visit = offline(doctor_installation, at=doctor_installation.now + timedelta(minutes=15))

    assert visit.bad == {("plan", "warning")}
    assert "fetch-dispatches --now" in visit.told("plan", "fresh")


def test_a_service_that_asked_for_patience_is_left_in_peace(doctor_installation: DoctorInstallation) -> None:
    db = open_store(doctor_installation.folder / "smartcharge.db")
    with transaction(db):
        record_service_failure(
            db,
            "zappi",
            doctor_installation.now,
            "myenergi asks us to wait",
            doctor_installation.now + timedelta(minutes=5),
        )
    db.close()

    visit = doctor_installation.visit()

    assert visit.bad == {("Zappi", "warning")}
    assert "until 12:05 before it asks again: myenergi asks us to wait" in visit.told("Zappi", "patience")
    assert doctor_installation.simulator.count("myenergi") == 0
