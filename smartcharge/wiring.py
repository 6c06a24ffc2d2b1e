"""Which adapter serves which port, from the configuration; importing an adapter waits until it is wanted."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from smartcharge.config import Config
from smartcharge.errors import ConfigurationRefused
from smartcharge.ports import Battery, Charger, InviteWriter, Mailer, PageWriter, Tariff
from smartcharge.secret import Secret
from smartcharge.settings import Gcal, Tesla

if TYPE_CHECKING:
    from smartcharge.adapters._kraken_account import KrakenAccount

KRAKEN_TOKENS = ".kraken.json"


Count = Callable[[], None]
"""Called for every request that is made."""


def tariff(config: Config, count: Count) -> Tariff:
    """The supplier: Kraken for all of them so far."""
    from smartcharge.adapters.tariff_kraken import KrakenTariff

    return KrakenTariff(kraken_account(config), count)


def charger(config: Config, count: Count, *, host: str | None) -> Charger:
    """The Zappi behind a myenergi hub, at the server it was last found at."""
    from smartcharge.adapters.charger_zappi import ZappiCharger

    hub = config.myenergi
    return ZappiCharger(
        hub_serial=hub.hub_serial,
        api_key=hub.api_key.reveal(),
        zappi_serial=hub.zappi_serial,
        threshold_w=hub.charging_watts,
        host=host,
        count=count,
    )


def battery(config: Config, now: datetime, folder: Path | None = None) -> Battery:
    """The Powerwall, on the configured way; with the tokens of another folder where a new sign-in is to be proven."""
    tesla, folder = config.tesla, folder or config.auth_folder
    if tesla and tesla.backend == "fleetapi":
        from smartcharge.adapters.battery_fleet import FleetBattery

        return FleetBattery(site_id=tesla.energy_site_id, folder=folder, now=now, place=str(config.path))
    if tesla and tesla.backend == "v1r":
        return _gateway(config, tesla, now)
    from smartcharge.adapters.battery_powerwall import PowerwallBattery

    if tesla is None or tesla.account_email is None:
        raise _missing(config, "tesla.account_email", "Give your Tesla address.")
    return PowerwallBattery(
        email=tesla.account_email,
        site_id=tesla.energy_site_id,
        auth_folder=folder,
        now=now,
        place=str(config.path),
    )


def _gateway(config: Config, tesla: Tesla, now: datetime) -> Battery:
    from smartcharge.adapters.battery_v1r import GatewayBattery

    return GatewayBattery(
        host=tesla.gateway_host or "",
        password=_revealed(tesla.gateway_password) or "",
        key=config.tesla_sign_in,
        now=now,
    )


def tesla_requests(count: Count) -> AbstractContextManager[None]:
    """Hears what the battery's library asks, whichever adapter has it ask."""
    from smartcharge.adapters._powerwall_requests import requests_heard

    return requests_heard(count)


def mailer(config: Config) -> Mailer:
    """The mail account that invites go out from."""
    from smartcharge.adapters.mailer_smtp import SmtpMailer

    account = config.invites
    if account is None:
        raise _missing(config, "gcal.smtp_user", "Give smtp_user and smtp_pass.")
    return SmtpMailer(
        host=account.smtp_host,
        port=account.smtp_port,
        user=account.smtp_user,
        password=account.smtp_pass.reveal(),
    )


def invite_writer(config: Config) -> InviteWriter:
    """iCalendar, for mails where there is a mail account, and for the file to subscribe to."""
    from smartcharge.adapters.invite_ics import IcsInvites

    account, prices = config.invites, config.gcal or Gcal()
    return IcsInvites(
        sender=account.smtp_user if account else None,
        recipient=account.invite_to if account else None,
        cheap_pence=prices.cheap_rate_pence,
        standard_pence=prices.standard_rate_pence,
        zone=config.control.timezone.key,
    )


def page_writer() -> PageWriter:
    """Reports as pages for a browser."""
    from smartcharge.adapters.report_html import HtmlPages

    return HtmlPages()


def report_message(*, sender: str, recipient: str, subject: str, text: str, page: str, at: datetime, key: str) -> bytes:
    """A mail that brings a report."""
    from smartcharge.adapters import report_mail

    return report_mail.report_message(
        sender=sender, recipient=recipient, subject=subject, text=text, page=page, at=at, key=key
    )


def alert_message(*, sender: str, recipient: str, line: str, at: datetime, key: str) -> bytes:
    """A mail that tells of trouble."""
    from smartcharge.adapters import alert_mail

    return alert_mail.alert_message(sender=sender, recipient=recipient, line=line, at=at, key=key)


def ping(url: str, stage: str) -> bool:
    """A sign of life for a watchdog; whether it was heard."""
    from smartcharge.adapters import watchdog_ping

    return watchdog_ping.ping(url, stage)


def kraken_account(config: Config) -> "KrakenAccount":
    """The account at the supplier, and where its sign-in is kept."""
    from smartcharge.adapters._kraken_account import KrakenAccount

    eon = config.eon_next
    return KrakenAccount(
        supplier=eon.supplier,
        number=eon.import_account.reveal(),
        token_file=config.folder / KRAKEN_TOKENS,
        email=eon.email,
        password=_revealed(eon.password),
        api_key=_revealed(eon.api_key),
        pinned_device=eon.device_id,
        auth_url=eon.auth_url,
        auth_client_id=eon.auth_client_id,
        place=str(config.path),
    )


def kraken_fingerprint(config: Config) -> str:
    """Changes with the credentials and with the token file: then a refused sign-in is tried again."""
    from smartcharge.adapters._kraken_account import sign_in_fingerprint

    return sign_in_fingerprint(kraken_account(config))


def tesla_fingerprint(config: Config) -> str:
    """Changes with what opens the way to the battery: a refusal is forgiven when the owner has changed that."""
    try:
        found = config.tesla_sign_in.stat()
    except FileNotFoundError:
        return "absent"
    tesla, file = config.tesla, f"{found.st_mtime_ns}-{found.st_size}"
    if tesla is None or tesla.gateway_password is None:
        return file
    return f"{file}-{_digest(tesla.gateway_host or '', tesla.gateway_password.reveal())}"


def hub_fingerprint(config: Config) -> str:
    """Changes with the hub's credentials."""
    return _digest(config.myenergi.hub_serial, config.myenergi.api_key.reveal())


def mail_fingerprint(config: Config) -> str:
    """Changes with the mail account."""
    account = config.invites
    if account is None:
        return "absent"
    return _digest(account.smtp_host, str(account.smtp_port), account.smtp_user, account.smtp_pass.reveal())


def _digest(*credentials: str) -> str:
    """Four bytes: enough to notice a change, too few to learn a secret from."""
    import hashlib

    return hashlib.blake2b("\0".join(credentials).encode(), digest_size=4).hexdigest()


def _revealed(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def _missing(config: Config, key: str, right: str) -> ConfigurationRefused:
    return ConfigurationRefused("is missing", place=str(config.path), key=key, right=right)
