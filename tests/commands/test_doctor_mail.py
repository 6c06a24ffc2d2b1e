"""What the doctor finds on the way that invites go."""

import pytest
from doctor_installation import DoctorInstallation, healthy_installation
from simulation import Simulation


@pytest.fixture
def doctor_installation(simulation: Simulation) -> DoctorInstallation:
    doctor_installation = healthy_installation(simulation)
    doctor_installation.configure_mail()
    return doctor_installation


def test_without_an_account_there_is_nothing_to_mend(simulation: Simulation) -> None:
    visit = healthy_installation(simulation).visit()

    assert visit.verdicts("mail") == {"ok"}
    assert visit.about("mail", "sign-in") == []


def test_the_sign_in_is_tried_and_nothing_is_posted(doctor_installation: DoctorInstallation) -> None:
    visit = doctor_installation.visit()

    assert visit.verdicts("mail", "sign-in") == {"ok"}
    assert [each.operation for each in doctor_installation.simulator.requests if each.service == "mail"] == ["AUTH"]
    assert doctor_installation.simulator.mails == []


def test_a_wrong_password_is_an_error(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.configure_mail(smtp_pass="mistyped")

    visit = doctor_installation.visit()

    assert (visit.exit_code, visit.verdicts("mail", "sign-in")) == (5, {"error"})
    assert "App Password" in visit.told("mail", "sign-in")


@pytest.mark.parametrize("kind", ["greeting-421", "no-starttls", "auth-454"])
def test_a_server_that_is_unwell_or_unsafe_is_a_warning(doctor_installation: DoctorInstallation, kind: str) -> None:
    with doctor_installation.simulator.fault("mail", kind):
        visit = doctor_installation.visit()

    assert visit.exit_code == 0
    assert visit.verdicts("mail", "answers") == {"warning"}


def test_a_server_that_nobody_vouches_for_is_a_warning(
    doctor_installation: DoctorInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name)

    assert "certificate" in doctor_installation.visit().told("mail", "answers")
    assert doctor_installation.simulator.mails == []


def test_invites_to_their_own_sender_are_a_warning(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.configure_mail(invite_to=doctor_installation.simulator.house.mail_user)

    visit = doctor_installation.visit("--offline")

    assert (visit.exit_code, visit.verdicts("mail", "addresses")) == (0, {"warning"})
    assert "organiser" in visit.told("mail", "addresses")


def test_a_missing_recipient_is_told_once(doctor_installation: DoctorInstallation) -> None:
    doctor_installation.configure_mail(invite_to=None)

    visit = doctor_installation.visit("--offline")

    told = [each for each in visit.checks if "invite_to is missing" in each["says"]]
    assert len(told) == 1
