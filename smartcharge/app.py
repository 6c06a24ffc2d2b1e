"""The composition root: makes what one run works with, from its configuration, each part when it is first used."""

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from smartcharge.alerts import AlertMail, Alerts
from smartcharge.config.load import Config
from smartcharge.config.schema import MailConfig, Secret, TeslaConfig
from smartcharge.console import Output, silence_loggers
from smartcharge.deadline import limit_process
from smartcharge.errors import ConfigurationError, LockBusyError, StoreError, UnreachableError
from smartcharge.files import file_lock
from smartcharge.installations import SHARED_DATABASE_FIX, database_owner
from smartcharge.policy.battery import BatterySettings
from smartcharge.policy.model import Policy
from smartcharge.policy.slots import CheapPeriod
from smartcharge.providers.protocols import Battery, Charger, InviteWriter, Mailer, Tariff
from smartcharge.store.database import is_on_disk, open_store
from smartcharge.store.devices import load_idle_forecast
from smartcharge.store.hold_file import HoldFile, hold_file_path
from smartcharge.store.rows import RefusedRow, refused_rows_of
from smartcharge.store.services import add_request_counts, load_service

if TYPE_CHECKING:
    from smartcharge.providers.kraken.account import KrakenAccount
    from smartcharge.providers.tesla import BatteryAddress


KRAKEN_TOKEN_FILE = ".kraken.json"  # noqa: S105


RequestCounter = Callable[[], None]
"""Called for every request that is made."""


def connect_tariff(config: Config, count: RequestCounter) -> Tariff:
    """Connect to the supplier; all of them run Kraken so far."""
    from smartcharge.providers.kraken import KrakenTariff

    return KrakenTariff(make_kraken_account(config), count)


def connect_charger(config: Config, count: RequestCounter, *, host: str | None) -> Charger:
    """Connect to the Zappi. host: the myenergi server on which the hub was found last, None if unknown."""
    from smartcharge.providers.myenergi import ZappiCharger

    hub = config.myenergi
    return ZappiCharger(
        hub_serial=hub.hub_serial,
        api_key=hub.api_key.reveal(),
        zappi_serial=hub.zappi_serial,
        threshold_w=hub.charging_watts,
        host=host,
        count=count,
    )


def connect_configured_battery(
    config: Config, now: datetime, folder: Path | None = None, held_site: str | None = None
) -> Battery:
    """Connect to the Powerwall as configured.

    folder: of other tokens, such as those of a new sign-in to be tested. held_site: the site to connect to where the
    configuration names none.
    """
    from smartcharge.providers.tesla import connect_battery

    if config.tesla is None:
        raise _missing_key_error(config, "tesla.account_email", "Give your Tesla address.")
    address = battery_address(config, config.tesla, folder, held_site)
    return connect_battery(address, now, place=str(config.path))


def battery_address(
    config: Config, tesla: TeslaConfig, folder: Path | None = None, held_site: str | None = None
) -> "BatteryAddress":
    """Give how the Powerwall is reached. folder, held_site: as in `connect_configured_battery`."""
    from smartcharge.providers.tesla import BatteryAddress

    is_gateway = tesla.backend == "v1r"
    return BatteryAddress(
        backend=tesla.backend,
        site=(None if is_gateway else tesla.energy_site_id) or held_site,
        auth_folder=folder or config.auth_folder,
        account_email=tesla.account_email,
        gateway_host=(tesla.gateway_host or "") if is_gateway else None,
        gateway_password=_reveal_or_none(tesla.gateway_password),
        key_file=config.tesla_credentials_file if is_gateway else None,
    )


def held_battery_address(file: HoldFile, folder: Path, config: Config | None) -> "BatteryAddress":
    """The way to the Powerwall that a hold file names. folder: of the file; config: says what the file does not."""
    from smartcharge.providers.tesla import BatteryAddress, complete_address, find_sign_in

    places = (folder, folder.parent)
    auth_folder = find_sign_in(file.backend, Path(file.auth_path), places) if file.auth_path else None
    told = BatteryAddress(
        backend=file.backend or "",
        site=None if file.site == file.gateway_host else file.site,
        auth_folder=auth_folder,
        account_email=file.account_email,
        gateway_host=file.gateway_host,
        gateway_password=file.gateway_password,
        key_file=Path(file.rsa_key_path) if file.rsa_key_path else None,
    )
    configured = battery_address(config, config.tesla) if config and config.tesla else None
    return complete_address(told, configured, (*([auth_folder] if auth_folder else []), *places))


def connect_held_battery(address: "BatteryAddress", folder: Path, now: datetime) -> Battery:
    """The Powerwall at the address from a hold file. Raises `ConfigurationError` where that does not say enough."""
    from smartcharge.providers.tesla import connect_battery

    return connect_battery(address, now, place=str(hold_file_path(folder)))


def count_tesla_requests(count: RequestCounter) -> AbstractContextManager[None]:
    """Call `count` for every request that a Tesla provider makes in the block."""
    from smartcharge.providers.tesla.pypowerwall import count_requests

    return count_requests(count)


def connect_mailer(config: Config) -> Mailer:
    """Connect to the mail account that invites are sent from; ConfigurationError where it is incomplete."""
    from smartcharge.providers.smtp import SmtpMailer

    account = config.invites
    if account is None:
        raise _missing_key_error(config, "gcal.smtp_user", "Give smtp_user and smtp_pass.")
    return SmtpMailer(
        host=account.smtp_host,
        port=account.smtp_port,
        user=account.smtp_user,
        password=account.smtp_pass.reveal(),
    )


def make_invite_writer(config: Config) -> InviteWriter:
    """Make the writer of iCalendar mails, where there is a mail account, and of the calendar file."""
    from smartcharge.providers.ical import IcalInviteWriter

    account, prices = config.invites, config.gcal or MailConfig()
    return IcalInviteWriter(
        sender=account.smtp_user if account else None,
        recipient=account.invite_to if account else None,
        cheap_pence=prices.cheap_rate_pence,
        standard_pence=prices.standard_rate_pence,
        zone=config.control.timezone.key,
    )


def build_report_message(
    *, sender: str, recipient: str, subject: str, text: str, page: str, at: datetime, key: str
) -> bytes:
    """Build the mail of a report."""
    from smartcharge.providers.smtp import build_report_email

    return build_report_email(sender=sender, recipient=recipient, subject=subject, text=text, page=page, at=at, key=key)


def build_alert_message(*, sender: str, recipient: str, line: str, at: datetime, key: str) -> bytes:
    """Build the mail of an alert."""
    from smartcharge.providers.smtp import build_alert_email

    return build_alert_email(sender=sender, recipient=recipient, line=line, at=at, key=key)


def ping_watchdog(url: str, stage: str) -> bool:
    """Call a watchdog's address; gives whether it answered. stage: "start", "fail" or "" for a good end."""
    from smartcharge.providers.healthchecks import ping_healthcheck

    return ping_healthcheck(url, stage)


def make_kraken_account(config: Config) -> "KrakenAccount":
    """Give the account at the supplier, and where its sign-in is stored."""
    from smartcharge.providers.kraken.account import KrakenAccount

    eon = config.eon_next
    return KrakenAccount(
        supplier=eon.supplier,
        number=eon.import_account.reveal(),
        token_file=config.folder / KRAKEN_TOKEN_FILE,
        email=eon.email,
        password=_reveal_or_none(eon.password),
        api_key=_reveal_or_none(eon.api_key),
        pinned_device=eon.device_id,
        auth_url=eon.auth_url,
        auth_client_id=eon.auth_client_id,
        place=str(config.path),
    )


def kraken_sign_in_fingerprint(config: Config) -> str:
    """Give what changes with the credentials and the token file: then a refused sign-in is tried again."""
    from smartcharge.providers.kraken.account import kraken_credentials_fingerprint

    return kraken_credentials_fingerprint(make_kraken_account(config))


def tesla_sign_in_fingerprint(config: Config) -> str:
    """Give what changes with the token or key file and the gateway's password; "absent" without a file."""
    try:
        found = config.tesla_credentials_file.stat()
    except FileNotFoundError:
        return "absent"
    tesla, file = config.tesla, f"{found.st_mtime_ns}-{found.st_size}"
    if tesla is None or tesla.gateway_password is None:
        return file
    return f"{file}-{_credentials_digest(tesla.gateway_host or '', tesla.gateway_password.reveal())}"


def myenergi_sign_in_fingerprint(config: Config) -> str:
    """Give what changes with the hub's credentials."""
    return _credentials_digest(config.myenergi.hub_serial, config.myenergi.api_key.reveal())


def mail_sign_in_fingerprint(config: Config) -> str:
    """Give what changes with the mail account; "absent" without one."""
    account = config.invites
    if account is None:
        return "absent"
    return _credentials_digest(account.smtp_host, str(account.smtp_port), account.smtp_user, account.smtp_pass.reveal())


def _credentials_digest(*credentials: str) -> str:
    """Digest credentials to four bytes: enough to notice a change, too few to learn a secret from."""
    import hashlib

    return hashlib.blake2b("\0".join(credentials).encode(), digest_size=4).hexdigest()


def _reveal_or_none(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def _missing_key_error(config: Config, key: str, right: str) -> ConfigurationError:
    return ConfigurationError("is missing", place=str(config.path), key=key, right=right)


LOCK_FILE_NAME = "smartcharge.lock"
LOCK_WAIT_SECONDS = 20.0
PRESENT_TOLERANCE = timedelta(minutes=5)
"""Answers of services tell of now, and so of any moment this close to it."""


class App:
    """What one run works with. Naming a provider imports its library, so an idle run imports none.

    now: the run's one instant (UTC); is_now_overridden: it is not the present. dry_run: nothing is changed, inside or
    outside. out: what the run tells, and its exit codes. sent: requests by service that no transaction has stored
    yet. skip_tesla: a session that failed, or found the battery in other hands, is enough for one run.
    held_site: the site of the hold file, which is connected to where the configuration names none.
    """

    def __init__(
        self, config: Config, now: datetime, *, dry_run: bool = False, read_only: bool = False, verbose: bool = False
    ) -> None:
        self.config = config
        self.now = now
        self.dry_run = dry_run
        self.read_only = read_only or dry_run
        self.out = Output(config.path, now, verbose=verbose, dry_run=dry_run)
        self.is_now_overridden = False
        self.sent: Counter[str] = Counter()
        self.skip_tesla = False
        self.held_site: str | None = None
        self._began = time.monotonic()
        self._was_busy = False

    @cached_property
    def read_only_db(self) -> sqlite3.Connection:
        """The database, for reading: opening it writes nothing.

        The first run of all finds no file, and the first after an upgrade an older one; where the run may write, it
        then creates or migrates the file, and reads that.
        """
        db = open_store(self.config.database_path, read_only=True)
        if self.read_only or is_on_disk(db):
            return db
        db.close()
        return self.db

    @cached_property
    def db(self) -> sqlite3.Connection:
        """The database, for writing; AssertionError in a run that must not write."""
        if self.read_only:
            raise AssertionError("a read-only run may not write")
        db = open_store(self.config.database_path)
        if owner := database_owner(self.config, load_idle_forecast(db), os.environ):
            db.close()
            message = f"{self.config.database_path} is the memory of another house, that of {owner}"
            raise StoreError(message, fix=SHARED_DATABASE_FIX)
        db.before_commit = partial(add_request_counts, db, self.sent)
        return db

    @property
    def refused_rows(self) -> list[RefusedRow]:
        """Rows of the database that this run had to pass over, because they cannot be read."""
        opened = [self.__dict__[name] for name in ("read_only_db", "db") if name in self.__dict__]
        return list({key: row for db in opened for key, row in refused_rows_of(db).items()}.values())

    def forecast(self, moment: datetime) -> "App":
        """Give the app of a later moment, read-only, with what this run has written so far."""
        later = App(self.config, moment, read_only=True)
        later.read_only_db = self.db
        return later

    @cached_property
    def policy(self) -> Policy:
        """The policy's settings, as configured."""
        control = self.config.control
        return Policy(
            cheap_period=CheapPeriod(*control.cheap_period, zone=control.timezone.key),
            release_lead=timedelta(seconds=control.release_lead_seconds),
            min_hold=timedelta(seconds=control.min_hold_seconds),
            grace=timedelta(seconds=control.grace_seconds),
            extension=control.extension,
            max_hours_per_day=control.max_hours_per_day,
        )

    @property
    def resting(self) -> BatterySettings:
        """The battery's normal settings, as configured."""
        return BatterySettings(self.config.control.resting_mode, self.config.control.default_reserve_pct)

    def controls_battery(self, *, owned: bool = False) -> bool:
        """Whether smartcharge sets the Powerwall: not where there is none, nor beside another controller.

        owned: whether it is about returning what was set from here before, which is always allowed.
        """
        return self.config.tesla is not None and (owned or not self.config.control.shadow)

    @property
    def supplier_label(self) -> str:
        """The supplier's name as the owner knows it, such as "E.ON Next"."""
        return make_kraken_account(self.config).label

    @cached_property
    def tariff(self) -> Tariff:
        """The supplier."""
        self.prepare_network()
        return connect_tariff(self.config, partial(self.count, "kraken"))

    @cached_property
    def charger(self) -> Charger:
        """The car's charger."""
        self.prepare_network()
        host = load_service(self.read_only_db, "zappi").host
        return connect_charger(self.config, partial(self.count, "zappi"), host=host)

    @cached_property
    def battery(self) -> Battery:
        """The house battery; entering it connects. The caller holds the lock."""
        self.prepare_network()
        return connect_configured_battery(self.config, self.now, held_site=self.held_site)

    def battery_with_tokens_from(self, folder: Path) -> Battery:
        """Give the same battery with the tokens of another folder, to test a new sign-in."""
        self.prepare_network()
        return connect_configured_battery(self.config, self.now, folder)

    @cached_property
    def mailer(self) -> Mailer:
        """The mail account that invites are sent from."""
        self.prepare_network()
        return connect_mailer(self.config)

    @cached_property
    def invite_writer(self) -> InviteWriter:
        """The writer of invites."""
        return make_invite_writer(self.config)

    @contextmanager
    def exclusive_lock(self, *, wait_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[None]:
        """Hold the one lock around everything that could write to the battery; LockBusyError after 20 s.

        Where Tesla's token files lie in another folder, which several houses may share, that is locked, too.
        """
        folders = {self.config.folder.resolve(), *(each.resolve() for each in self._token_folders())}
        with ExitStack() as held:
            for folder in sorted(folders):  # two runs that lock in different orders would wait for each other
                wait = 0.0 if self._was_busy else wait_seconds
                if not held.enter_context(file_lock(folder / LOCK_FILE_NAME, wait_seconds=wait)):
                    self._was_busy = True
                    raise LockBusyError("another run holds the lock")
            yield

    def _token_folders(self) -> Iterator[Path]:
        are_renewed = self.config.tesla is not None and self.config.tesla.backend != "v1r"
        if are_renewed and self.config.auth_folder.is_dir():
            yield self.config.auth_folder

    def count(self, service: str) -> None:
        """Count a request, or an attempt to send; the next transaction that changes anything stores it."""
        self.sent[service] += 1

    def counting_tesla_requests(self) -> AbstractContextManager[None]:
        """Count the requests of a Powerwall session, which begins and ends inside the block."""
        return count_tesla_requests(partial(self.count, "tesla"))

    def take_server_time(self) -> datetime | None:
        """Take what the newest answer since the last call said the time was (UTC); None where none said it."""
        from smartcharge.providers.http import take_server_time

        return take_server_time()

    @cached_property
    def alerts(self) -> Alerts:
        """What the owner is told of trouble, on standard error and by mail."""
        account, recipient = self.config.invites, self.config.alerts.email
        return Alerts(
            self.out,
            self.now,
            open_read_only_db=lambda: self.read_only_db,
            open_db=None if self.dry_run else lambda: self.db,
            mail=AlertMail(account.smtp_user, recipient, build_alert_message) if account and recipient else None,
            supplier_label=lambda: self.supplier_label,
        )

    @property
    def exit_codes(self) -> list[int]:
        """The exit codes of what went wrong so far."""
        return self.out.exit_codes

    @property
    def verbose(self) -> bool:
        """Whether -v was given."""
        return self.out.verbose

    def say(self, line: str) -> None:
        """Print a change, or what a dry run would change."""
        self.out.say(line)

    def warn(self, line: str) -> None:
        """Print trouble that begins or ends; the same line once a run."""
        self.out.warn(line)

    def warn_hourly(self, line: str) -> None:
        """Print trouble that cannot be stored: at once, then once an hour."""
        self.out.warn_hourly(line)

    def detail(self, line: str) -> None:
        """Print what only -v shows."""
        self.out.detail(line)

    def set_now(self, moment: datetime) -> None:
        """Use another moment than now, in a run that changes nothing."""
        self.is_now_overridden = abs(moment - self.now) > PRESENT_TOLERANCE
        self.now = moment

    def close(self) -> None:
        """Close the databases, and lift the limits of the process."""
        for name in {"read_only_db", "db"} & self.__dict__.keys():
            self.__dict__.pop(name).close()
        if "_process_limits" in self.__dict__:
            self.__dict__.pop("_process_limits").close()

    def prepare_network(self) -> None:
        """Limit time and memory, and silence the libraries' logs, before a service is asked anything."""
        silence_loggers()
        self._process_limits  # noqa: B018  # the property sets them

    @cached_property
    def _process_limits(self) -> ExitStack:
        return limit_process(UnreachableError.exit_code, self._began)
