"""The doctor as a whole: its output, its exit codes, and that it changes nothing."""

import json
import re
import socket
from datetime import timedelta

import pytest
from doctor_installation import DoctorInstallation, healthy_installation
from simulation import Simulation

from smartcharge.deadline import COMMAND_LIMIT_SECONDS
from smartcharge.doctor.run_checks import CHECK_GROUPS

FAULTS = {
    "kraken cannot be reached": ("kraken", "http-503", "Kraken", "warning", 0),
    "kraken asks us to wait": ("kraken", "http-429", "Kraken", "warning", 0),
    "kraken answers with a page": ("kraken", "html", "Kraken", "warning", 0),
    "myenergi cannot be reached": ("myenergi", "http-503", "Zappi", "warning", 0),
    "myenergi refuses the key": ("myenergi", "http-401", "Zappi", "error", 5),
    "the zappi has long been silent": ("myenergi", "stale", "Zappi", "warning", 0),
    "the hub names no zappi": ("myenergi", "no-zappi", "Zappi", "warning", 0),
    "tesla cannot be reached": ("tesla", "http-503", "Tesla", "warning", 0),
    "tesla refuses the tokens": ("tesla", "http-403", "Tesla", "error", 5),
    "tesla has lost the site": ("tesla", "site-gone", "Tesla", "error", 4),
    "tesla leaves out the mode": ("tesla", "no-mode-field", "Tesla", "warning", 0),
    "storm watch": ("tesla", "storm", "Tesla", "warning", 0),
    "a power cut": ("tesla", "off-grid", "Tesla", "warning", 0),
}


@pytest.fixture
def doctor_installation(simulation: Simulation) -> DoctorInstallation:
    return healthy_installation(simulation)


def test_a_healthy_house_is_told_so(doctor_installation: DoctorInstallation) -> None:
    visit = doctor_installation.visit()

    assert (visit.exit_code, visit.verdict, visit.bad) == (0, "ok", set())
    areas = {
        "configuration",
        "environment",
        "files",
        "clock",
        "database",
        "runs",
        "plan",
        "Kraken",
        "Zappi",
        "Tesla",
        "mail",
    }
    assert areas <= {finding["area"] for finding in visit.checks}


def test_the_text_begins_with_a_summary_and_gives_a_fix_for_every_problem(
    doctor_installation: DoctorInstallation,
) -> None:
    doctor_installation.configure("eon_next", device_id="gone")
    with doctor_installation.simulator.fault("myenergi", "no-zappi"):
        outcome = doctor_installation.simulation.runner(["doctor"], doctor_installation.now)

    lines = outcome.stdout.splitlines()
    assert re.fullmatch(r"Summary    1 problem to fix, 1 warning, \d+ checks passed\.", lines[0])
    assert [line.split()[0] for line in lines if not line.startswith(" ") and line] == ["Summary", "Problem", "Warning"]
    assert "Warning    Zappi: the hub reports no Zappi.\n           To fix: check in the myenergi app" in outcome.stdout
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in outcome.stdout
    assert outcome.stderr == ""


def test_with_v_the_checks_that_passed_are_shown_as_well(doctor_installation: DoctorInstallation) -> None:
    short, *long = (
        doctor_installation.simulation.runner(arguments, doctor_installation.now).stdout
        for arguments in (["doctor", "--offline"], ["-v", "doctor", "--offline"], ["doctor", "--offline", "-v"])
    )

    assert long[0] == long[1]
    assert "smartcharge -v doctor" in short
    assert "OK " not in short
    assert len(re.findall(r"^OK ", long[0], re.MULTILINE)) == int(re.findall(r"(\d+) checks passed", short)[0])


def test_the_object_has_the_promised_keys(doctor_installation: DoctorInstallation) -> None:
    found = json.loads(doctor_installation.simulation.runner(["doctor", "--json"], doctor_installation.now).stdout)

    assert found.keys() == {"verdict", "checks"}
    assert all(each.keys() == {"area", "check", "verdict", "says", "mend"} for each in found["checks"])


def test_the_house_is_only_read(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.visit()

    assert doctor_installation.simulator.powerwall.writes == []
    assert doctor_installation.simulator.writes_to_zappi == []
    assert doctor_installation.simulator.mails == []
    asked = {
        f"{each.method} {each.path} {each.operation}"
        for each in doctor_installation.simulator.requests
        if each.method == "POST"
    }
    assert asked == {"POST /v1/graphql/ devices"}


def test_a_visit_leaves_the_files_as_they_were(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.visit()  # the first conversation with Tesla keeps a copy of a good sign-in, as a run's does
    before = {path.name: path.read_bytes() for path in doctor_installation.folder.iterdir()}

    doctor_installation.visit()

    assert {path.name: path.read_bytes() for path in doctor_installation.folder.iterdir()} == before


@pytest.mark.parametrize(("service", "kind", "area", "verdict", "code"), FAULTS.values(), ids=FAULTS)
def test_one_broken_half_does_not_stop_the_others(
    doctor_installation: DoctorInstallation, service: str, kind: str, area: str, verdict: str, code: int
) -> None:
    with doctor_installation.simulator.fault(service, kind):
        visit = doctor_installation.visit()

    assert (visit.exit_code, visit.verdict) == (code, verdict)
    assert visit.bad == {(area, verdict)}
    assert all(each["mend"] for each in visit.about(area) if each["verdict"] == "error")
    assert "Traceback" not in visit.outcome.stderr


def test_offline_opens_no_socket(doctor_installation: DoctorInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: object, **_options: object) -> socket.socket:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    visit = doctor_installation.visit("--offline")

    assert (visit.exit_code, visit.verdict) == (0, "ok")
    assert doctor_installation.simulator.requests == []
    assert visit.about("plan", "fresh")
    assert visit.about("Tesla") == []


def test_no_secret_is_told_whatever_is_wrong(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.configure("myenergi", zappi_serial=f"{doctor_installation.simulator.house.zappi_serial}9")
    doctor_installation.configure("eon_next", device_id="gone")
    doctor_installation.configure_mail(smtp_pass="another mail word")
    with doctor_installation.simulator.fault("tesla", "http-403"):
        text = doctor_installation.simulation.runner(["doctor"], doctor_installation.now).stdout
        told = text + doctor_installation.visit().outcome.stdout

    assert {secret for secret in doctor_installation.secrets if secret in told} == set()
    assert "another mail word" not in told
    assert "...0019" in told


def test_the_most_serious_finding_gives_the_exit_code(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.configure("eon_next", device_id="gone")
    with (
        doctor_installation.simulator.fault("tesla", "http-403"),
        doctor_installation.simulator.fault("myenergi", "stale"),
    ):
        visit = doctor_installation.visit()

    assert visit.exit_code == 4
    assert visit.bad == {("Kraken", "error"), ("Tesla", "error"), ("Zappi", "warning")}


def test_a_server_that_drips_leaves_every_other_its_turn(doctor_installation: DoctorInstallation) -> None:
    with doctor_installation.simulator.fault("myenergi", "drip"):
        visit = doctor_installation.visit()

    assert visit.exit_code == 0
    assert visit.told("Zappi", "time").startswith("no answer within 8 s")
    assert visit.verdicts("Kraken") == visit.verdicts("Tesla") == {"ok"}


def test_all_shares_together_leave_a_reserve() -> None:
    asking = [part.seconds for part in CHECK_GROUPS if part.online]

    assert sum(asking) < COMMAND_LIMIT_SECONDS


def test_before_the_first_run_a_house_is_not_ill(simulation: Simulation) -> None:
    visit = DoctorInstallation(simulation).visit()

    assert visit.exit_code == 0
    assert visit.bad == {(area, "warning") for area in ("database", "runs", "plan", "mail")}
    assert not (simulation.folder / "smartcharge.db").exists()


def test_a_configuration_that_does_not_load_is_the_one_finding(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.configure("myenergi", charging_wats=500)

    visit = doctor_installation.visit()

    assert (visit.exit_code, visit.verdict, len(visit.checks)) == (4, "error", 1)
    assert "charging_watts" in visit.told("configuration")


def test_a_renewed_token_is_kept_as_a_run_keeps_it(doctor_installation: DoctorInstallation) -> None:
    later = doctor_installation.now + timedelta(minutes=70)
    doctor_installation.simulator.set_time(later)

    visit = doctor_installation.visit(at=later)

    assert visit.verdicts("Kraken", "sign-in") == {"ok"}
    assert doctor_installation.simulator.account.sign_ins == 1
    assert [each.operation for each in doctor_installation.simulator.requests if each.service == "kraken"] == [
        "obtainKrakenToken",
        "devices",
    ]
