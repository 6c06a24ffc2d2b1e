"""Which adapter serves which port, from the configuration; importing an adapter waits until it is wanted."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from smartcharge.config import TESLA_TOKENS, Config
from smartcharge.errors import ConfigurationRefused
from smartcharge.ports import Battery, Charger, InviteWriter, Mailer, Tariff
from smartcharge.secret import Secret
from smartcharge.settings import Gcal

if TYPE_CHECKING:
    from smartcharge.adapters._kraken_account import KrakenAccount

KRAKEN_TOKENS = ".kraken.json"


def tariff(config: Config) -> Tariff:
    """The supplier: Kraken for all of them so far."""
    from smartcharge.adapters.tariff_kraken import KrakenTariff

    return KrakenTariff(kraken_account(config))


def charger(config: Config, *, host: str | None) -> Charger:
    """The Zappi behind a myenergi hub, at the server it was last found at."""
    from smartcharge.adapters.charger_zappi import ZappiCharger

    hub = config.myenergi
    return ZappiCharger(
        hub_serial=hub.hub_serial,
        api_key=hub.api_key.reveal(),
        zappi_serial=hub.zappi_serial,
        threshold_w=hub.charging_watts,
        host=host,
    )


def battery(config: Config, now: datetime, folder: Path | None = None) -> Battery:
    """The Powerwall, through Tesla's cloud; with the tokens of another folder where a new sign-in is to be proven."""
    from smartcharge.adapters.battery_powerwall import PowerwallBattery

    tesla = config.tesla
    if tesla is None or tesla.account_email is None:
        raise _missing(config, "tesla.account_email", "Give your Tesla address.")
    return PowerwallBattery(
        email=tesla.account_email,
        site_id=tesla.energy_site_id,
        auth_folder=folder or config.auth_folder,
        now=now,
        place=str(config.path),
    )


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
    """Changes with the token file: a refused sign-in is forgiven when the owner has signed in anew."""
    try:
        found = (config.auth_folder / TESLA_TOKENS).stat()
    except FileNotFoundError:
        return "absent"
    return f"{found.st_mtime_ns}-{found.st_size}"


def hub_fingerprint(config: Config) -> str:
    """Changes with the hub's credentials."""
    return _digest(config.myenergi.hub_serial, config.myenergi.api_key.reveal())


def mail_fingerprint(config: Config) -> str:
    """Changes with the mail account."""
    account = config.invites
    if account is None:
        return "absent"
    return _digest(account.smtp_host, str(account.smtp_port), account.smtp_user, account.smtp_pass.reveal())


def refuse_what_is_not_built(config: Config) -> None:
    """Name plainly what the configuration may say one day and this version cannot do."""
    asked: dict[str, str] = {"control.hold": config.control.hold}
    built = {"control.hold": "backup", "tesla.backend": "cloud"}
    if config.tesla:
        asked["tesla.backend"] = config.tesla.backend
    for key, found in asked.items():
        if found != built[key]:
            raise ConfigurationRefused(
                f"is {found!r}, which this version cannot do",
                place=str(config.path),
                key=key,
                right=f"Use `{built[key]}` for now.",
            )


def _digest(*credentials: str) -> str:
    """Four bytes: enough to notice a change, too few to learn a secret from."""
    import hashlib

    return hashlib.blake2b("\0".join(credentials).encode(), digest_size=4).hexdigest()


def _revealed(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def _missing(config: Config, key: str, right: str) -> ConfigurationRefused:
    return ConfigurationRefused("is missing", place=str(config.path), key=key, right=right)
