"""The mail server as smtplib meets it."""

import smtplib
import ssl
from collections.abc import Iterator

import pytest

from smartcharge.simulator.simulator import Simulator

RAW = b"From: a@example.com\r\nTo: b@example.com\r\nSubject: hello\r\n\r\nA mail.\r\n"


@pytest.fixture
def client(simulator: Simulator) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP(simulator.smtp_host, simulator.smtp_port, timeout=60) as connected:
        yield connected


def post(client: smtplib.SMTP, simulator: Simulator) -> None:
    client.starttls(context=ssl.create_default_context())
    client.login(simulator.house.mail_user, simulator.house.mail_password)
    client.sendmail("a@example.com", ["b@example.com"], RAW)


def test_a_mail_arrives_byte_for_byte(client: smtplib.SMTP, simulator: Simulator) -> None:
    post(client, simulator)

    assert [(mail.at, mail.recipients, mail.raw) for mail in simulator.mails] == [
        (simulator.now, ("b@example.com",), RAW)
    ]
    assert [(each.operation, each.status) for each in simulator.requests] == [("AUTH", 235), ("DATA", 250)]


def test_a_wrong_password_is_refused(client: smtplib.SMTP, simulator: Simulator) -> None:
    client.starttls(context=ssl.create_default_context())

    with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        client.login(simulator.house.mail_user, "wrong")
    assert caught.value.smtp_code == 535


def test_nothing_is_accepted_before_signing_in(client: smtplib.SMTP, simulator: Simulator) -> None:
    client.starttls(context=ssl.create_default_context())

    with pytest.raises(smtplib.SMTPSenderRefused):
        client.sendmail("a@example.com", ["b@example.com"], RAW)
    assert simulator.mails == []


REFUSALS: dict[str, tuple[type[smtplib.SMTPException], int]] = {
    "auth-535": (smtplib.SMTPAuthenticationError, 535),
    "auth-454": (smtplib.SMTPAuthenticationError, 454),
    "data-550": (smtplib.SMTPDataError, 550),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_has_its_code(client: smtplib.SMTP, simulator: Simulator, kind: str) -> None:
    kind_of_error, code = REFUSALS[kind]

    with simulator.fault("mail", kind), pytest.raises(kind_of_error) as caught:
        post(client, simulator)
    assert getattr(caught.value, "smtp_code", None) == code
    assert simulator.mails == []


@pytest.mark.parametrize("code", [450, 550])
def test_a_recipient_may_be_refused_for_now_or_for_good(client: smtplib.SMTP, simulator: Simulator, code: int) -> None:
    with simulator.fault("mail", f"rcpt-{code}"), pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        post(client, simulator)

    assert caught.value.recipients["b@example.com"][0] == code


def test_a_link_may_be_cut_when_the_server_has_the_mail_already(client: smtplib.SMTP, simulator: Simulator) -> None:
    with simulator.fault("mail", "cut-after-dot"), pytest.raises(smtplib.SMTPServerDisconnected):
        post(client, simulator)

    assert len(simulator.mails) == 1


def test_a_busy_server_says_421_for_a_greeting(simulator: Simulator) -> None:
    with simulator.fault("mail", "greeting-421"), pytest.raises(smtplib.SMTPConnectError) as caught:
        smtplib.SMTP(simulator.smtp_host, simulator.smtp_port, timeout=60)

    assert caught.value.smtp_code == 421


def test_a_server_without_tls_does_not_offer_to_sign_in(simulator: Simulator) -> None:
    with (
        simulator.fault("mail", "no-starttls"),
        smtplib.SMTP(simulator.smtp_host, simulator.smtp_port, timeout=60) as client,
    ):
        with pytest.raises(smtplib.SMTPNotSupportedError):
            client.starttls(context=ssl.create_default_context())
        client.ehlo()
        assert not client.has_extn("auth")
