"""What the doctor finds on the way that invites go."""

import pytest
from doctor_case import Patient, healthy
from town_case import Town


@pytest.fixture
def patient(town: Town) -> Patient:
    patient = healthy(town)
    patient.configure_mail()
    return patient


def test_without_an_account_there_is_nothing_to_mend(town: Town) -> None:
    visit = healthy(town).visit()

    assert visit.verdicts("mail") == {"ok"}
    assert visit.about("mail", "sign-in") == []


def test_the_sign_in_is_tried_and_nothing_is_posted(patient: Patient) -> None:
    visit = patient.visit()

    assert visit.verdicts("mail", "sign-in") == {"ok"}
    assert [each.operation for each in patient.street.requests if each.service == "mail"] == ["AUTH"]
    assert patient.street.mails == []


def test_a_wrong_password_is_an_error(patient: Patient) -> None:
    patient.configure_mail(smtp_pass="mistyped")

    visit = patient.visit()

    assert (visit.exit_code, visit.verdicts("mail", "sign-in")) == (5, {"error"})
    assert "App Password" in visit.told("mail", "sign-in")


@pytest.mark.parametrize("kind", ["greeting-421", "no-starttls", "auth-454"])
def test_a_server_that_is_unwell_or_unsafe_is_a_warning(patient: Patient, kind: str) -> None:
    with patient.street.fault("mail", kind):
        visit = patient.visit()

    assert visit.exit_code == 0
    assert visit.verdicts("mail", "answers") == {"warning"}


def test_a_server_that_nobody_vouches_for_is_a_warning(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name)

    assert "certificate" in patient.visit().told("mail", "answers")
    assert patient.street.mails == []


def test_invites_to_their_own_sender_are_a_warning(patient: Patient) -> None:
    patient.configure_mail(invite_to=patient.street.house.mail_user)

    visit = patient.visit("--offline")

    assert (visit.exit_code, visit.verdicts("mail", "addresses")) == (0, {"warning"})
    assert "organiser" in visit.told("mail", "addresses")


def test_a_missing_recipient_is_told_once(patient: Patient) -> None:
    patient.configure_mail(invite_to=None)

    visit = patient.visit("--offline")

    told = [each for each in visit.findings if "invite_to is missing" in each["says"]]
    assert len(told) == 1
