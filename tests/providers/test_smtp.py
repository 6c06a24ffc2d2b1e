"""Every answer a mail server can give, over real TLS: what it means for the message, and for the next attempt."""

import base64
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from controlled_time_limit import Share
from scripted_mail_server import CUT_REPLY, EHLO_WITHOUT_STARTTLS, STALL_REPLY, ScriptedMailServer, create_tls_files

from smartcharge.deadline import DeadlineExceeded, time_limit
from smartcharge.errors import AppError, SignInRefusedError, ThrottledError, UnreachableError
from smartcharge.policy.polling import DeliveryResult, DeliveryStatus
from smartcharge.providers import smtp
from smartcharge.providers.smtp import SmtpMailer

USER, PASSWORD, RECIPIENT = "house@example.com", "abcdefghijklmnop", "family@example.com"
MAIL = b"From: house@example.com\r\nTo: family@example.com\r\n\r\n.a line with a dot\r\nand a last one\r\n"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for localhost that the client trusts."""
    context, file = create_tls_files(tmp_path, "localhost")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return context


@contextmanager
def post(context: ssl.SSLContext, **script: str) -> Iterator[ScriptedMailServer]:
    with ScriptedMailServer(context, script) as served:
        yield served


def mailer(served: ScriptedMailServer, password: str = PASSWORD, host: str = "localhost") -> SmtpMailer:
    return SmtpMailer(host=host, port=served.port, user=USER, password=password)


def test_a_mail_is_handed_over_as_it_is(authority: ssl.SSLContext) -> None:
    with post(authority) as served:
        assert mailer(served).send(MAIL, RECIPIENT) == DeliveryResult(DeliveryStatus.ACCEPTED)

    assert served.mails == [MAIL]
    assert served.heard[:2] == ["EHLO [127.0.0.1]", "STARTTLS"]
    heard = [word.replace("from:", "FROM:").replace("to:", "TO:") for word in served.heard[3:6]]  # as Python 3.13 says
    assert heard == ["AUTH", f"MAIL FROM:<{USER}>", f"RCPT TO:<{RECIPIENT}>"]


def test_the_password_goes_out_as_it_was_given(authority: ssl.SSLContext) -> None:
    with post(authority) as served:
        mailer(served).send(MAIL, RECIPIENT)

    assert base64.b64decode(served.secrets[0].split()[-1]).decode() == f"\0{USER}\0{PASSWORD}"


def test_on_port_465_tls_comes_first(authority: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedMailServer(authority, implicit=True) as served:
        monkeypatch.setattr(smtp, "IMPLICIT_TLS_PORT", served.port)
        assert mailer(served).send(MAIL, RECIPIENT).status is DeliveryStatus.ACCEPTED

    assert "STARTTLS" not in served.heard
    assert served.mails == [MAIL]


def test_a_check_signs_in_and_posts_nothing(authority: ssl.SSLContext) -> None:
    with post(authority) as served:
        mailer(served).check()

    assert [line.split()[0] for line in served.heard] == ["EHLO", "STARTTLS", "EHLO", "AUTH", "QUIT"]


TROUBLES: dict[str, tuple[dict[str, str], type[AppError], str]] = {
    "a busy server": ({"connect": "421 4.3.2 try later"}, UnreachableError, "421 4.3.2"),
    "a server that hangs up": ({"connect": CUT_REPLY}, UnreachableError, "ended the session"),
    "one that has no TLS to spare": ({"STARTTLS": "454 4.7.0 not now"}, UnreachableError, "454 4.7.0"),
    "too many sign-ins": ({"AUTH": "454 4.7.0 too many"}, UnreachableError, "454 4.7.0"),
    "a wrong password": ({"AUTH": "535 5.7.8 no"}, SignInRefusedError, "535 5.7.8"),
    "an account that wants an App Password": ({"AUTH": "534 5.7.9 app password"}, SignInRefusedError, "534 5.7.9"),
    "a sender that must wait": ({"mail": "421 4.7.0 later"}, UnreachableError, "421 4.7.0"),
    "a sender who is not this account": ({"mail": "553 5.7.1 not yours"}, UnreachableError, "553 5.7.1"),
    "a sender who must sign in": ({"mail": "530 5.7.0 sign in"}, SignInRefusedError, "530 5.7.0"),
    "the day's mails used up": ({"mail": "550 5.4.5 daily limit"}, ThrottledError, "550 5.4.5"),
    "a recipient that must wait": ({"rcpt": "450 4.2.1 later"}, UnreachableError, "450 4.2.1"),
    "the day's mails used up, said late": ({"dot": "550 5.4.5 daily limit"}, ThrottledError, "550 5.4.5"),
    "a link cut before the mail": ({"rcpt": CUT_REPLY}, UnreachableError, "ended the session"),
    "a mail that may come later": ({"dot": "451 4.3.0 later"}, UnreachableError, "451 4.3.0"),
    "a server that wants no data now": ({"data": "451 4.3.0 later"}, UnreachableError, "451 4.3.0"),
    "a challenge that is none": ({"AUTH": "334 abc"}, UnreachableError, "cannot be read"),
    "a sign-in refused in no known way": ({"AUTH": "600 5.7.8 no"}, UnreachableError, "answers 600"),
    "a recipient refused in no known way": ({"rcpt": "999 5.1.1 no"}, UnreachableError, "asks to try later"),
    "a mail refused in no known way": ({"dot": "600 5.7.1 no"}, UnreachableError, "asks to try later"),
}
FATES: dict[str, tuple[dict[str, str], DeliveryResult]] = {
    "an address that does not exist": (
        {"rcpt": "550 5.1.1 nobody"},
        DeliveryResult(DeliveryStatus.NO_SUCH_ADDRESS, "550 5.1.1"),
    ),
    "a mail that is not wanted": ({"dot": "550 5.7.1 spam"}, DeliveryResult(DeliveryStatus.REFUSED, "550 5.7.1")),
    "a refusal without an enhanced code": ({"dot": "554 no"}, DeliveryResult(DeliveryStatus.REFUSED, "554")),
    "a link cut after the final dot": ({"dot": CUT_REPLY}, DeliveryResult(DeliveryStatus.UNKNOWN)),
    "a link cut at good-bye": ({"quit": CUT_REPLY}, DeliveryResult(DeliveryStatus.ACCEPTED)),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_a_trouble_means_that_the_mail_was_not_taken(authority: ssl.SSLContext, name: str) -> None:
    script, kind, words = TROUBLES[name]
    with post(authority, **script) as served, pytest.raises(kind, match=words) as caught:
        mailer(served).send(MAIL, RECIPIENT)

    assert type(caught.value) is kind
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("name", FATES)
def test_a_receipt_says_what_became_of_the_mail(authority: ssl.SSLContext, name: str) -> None:
    script, expected = FATES[name]
    with post(authority, **script) as served:
        assert mailer(served).send(MAIL, RECIPIENT) == expected


def test_a_used_up_day_is_over_after_a_day(authority: ssl.SSLContext) -> None:
    with post(authority, mail="550 5.4.5 daily limit") as served, pytest.raises(ThrottledError) as caught:
        mailer(served).send(MAIL, RECIPIENT)

    assert caught.value.retry_after == timedelta(hours=24)


def test_what_a_server_repeats_of_a_password_goes_no_further(authority: ssl.SSLContext) -> None:
    with post(authority, AUTH=f"535 5.7.8 {PASSWORD} is wrong") as served, pytest.raises(SignInRefusedError) as caught:
        mailer(served).send(MAIL, RECIPIENT)

    assert PASSWORD not in str(caught.value)


def test_a_silent_server_costs_a_time_out_and_no_more(
    authority: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is left alone with its silence would hang up at last, and that is told in other words."""
    monkeypatch.setattr(smtp, "SMTP_TIMEOUT_SECONDS", 0.3)
    with post(authority, connect=STALL_REPLY) as served, pytest.raises(UnreachableError, match="does not answer"):
        mailer(served).send(MAIL, RECIPIENT)


def test_a_silence_after_the_final_dot_leaves_it_unknown(
    authority: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over = smtplib.SMTP.data

    def hand_over_and_wait_no_longer(client: smtplib.SMTP, message: bytes) -> tuple[int, bytes]:
        assert client.sock is not None
        assert client.sock.gettimeout() == smtp.SMTP_TIMEOUT_SECONDS
        client.sock.settimeout(0.5)
        return hand_over(client, message)

    monkeypatch.setattr(smtp, "SMTP_TIMEOUT_SECONDS", 60.0)
    monkeypatch.setattr(smtplib.SMTP, "data", hand_over_and_wait_no_longer)
    with post(authority, dot=STALL_REPLY) as served:
        assert mailer(served).send(MAIL, RECIPIENT) == DeliveryResult(DeliveryStatus.UNKNOWN)

    assert served.mails == [MAIL]


def test_the_callers_share_of_time_is_kept(
    authority: ssl.SSLContext, share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "SMTP_TIMEOUT_SECONDS", 60.0)
    with post(authority, mail=STALL_REPLY) as served:
        served.before_stalling = share.use_up
        with pytest.raises(DeadlineExceeded), time_limit(share.ROOMY_SECONDS):
            mailer(served).send(MAIL, RECIPIENT)

    assert served.reached[-1] == "MAIL"


def test_without_encryption_no_password_is_said(authority: ssl.SSLContext) -> None:
    with (
        post(authority, EHLO=EHLO_WITHOUT_STARTTLS) as served,
        pytest.raises(UnreachableError, match="offers no encryption"),
    ):
        mailer(served).send(MAIL, RECIPIENT)

    assert served.secrets == []


def test_a_strangers_certificate_ends_the_conversation(
    authority: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    _, other = create_tls_files(tmp_path / "other", "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    with post(authority) as served, pytest.raises(UnreachableError, match="certificate of localhost"):
        mailer(served).send(MAIL, RECIPIENT)

    assert served.secrets == []


def test_a_certificate_for_another_name_ends_it_too(authority: ssl.SSLContext) -> None:
    with post(authority) as served, pytest.raises(UnreachableError, match="certificate of 127"):
        mailer(served, host="127.0.0.1").send(MAIL, RECIPIENT)

    assert served.secrets == []


def test_the_variable_of_requests_vouches_as_well(
    authority: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with post(authority) as served:
        assert mailer(served).send(MAIL, RECIPIENT).status is DeliveryStatus.ACCEPTED


def test_a_bundle_that_is_missing_is_no_reason_to_trust_anybody(
    authority: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with post(authority) as served, pytest.raises(UnreachableError):
        mailer(served).send(MAIL, RECIPIENT)

    assert served.secrets == []


def test_a_password_no_mail_server_takes_is_the_owners_to_mend(authority: ssl.SSLContext) -> None:
    with post(authority) as served, pytest.raises(SignInRefusedError, match="characters that no mail server accepts"):
        mailer(served, password="pässwörd").send(MAIL, RECIPIENT)


def test_a_server_without_sign_in_is_not_used(authority: ssl.SSLContext) -> None:
    plain = "250-localhost\r\n250 STARTTLS"
    with post(authority, EHLO=plain) as served, pytest.raises(UnreachableError, match="no way to sign in"):
        mailer(served).send(MAIL, RECIPIENT)


@pytest.mark.parametrize("host", ["localhost", "a" * 70 + ".example"])
def test_nobody_there_is_a_trouble_like_others(host: str) -> None:
    with pytest.raises(UnreachableError, match="could not be reached"):
        SmtpMailer(host=host, port=1, user=USER, password=PASSWORD).send(MAIL, RECIPIENT)
