"""The composition root: what one run may reach for, each tool made when it is first named."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from threading import Timer
from typing import TYPE_CHECKING

from smartcharge import budget, log
from smartcharge.config import Config
from smartcharge.core.model import Policy
from smartcharge.core.slots import CheapPeriod
from smartcharge.core.stance import BACKUP, FULL_PCT, Stance
from smartcharge.errors import Busy, ConfigurationRefused, Unreachable
from smartcharge.files import locked
from smartcharge.ports import Battery, Charger, Tariff
from smartcharge.secret import Secret
from smartcharge.store import is_lasting, open_store, services

if TYPE_CHECKING:
    from smartcharge.adapters._kraken_account import KrakenAccount

LOCK_SECONDS = 20.0
TESLA_TOKENS = ".pypowerwall.auth"
KRAKEN_TOKENS = ".kraken.json"


class Toolbox:
    """One run's tools. Naming an adapter imports its library, so an idle run imports none.

    now: the run's one instant (UTC). dry_run: nothing is changed, inside or outside. exit_codes: what
    went wrong so far; the most serious becomes the exit code. tesla_failed: one failed conversation a run
    is enough.
    """

    def __init__(
        self, config: Config, now: datetime, *, dry_run: bool = False, looking: bool = False, verbose: bool = False
    ) -> None:
        _refuse_what_is_not_built(config)
        self.config = config
        self.now = now
        self.dry_run = dry_run
        self.looking = looking or dry_run
        self.verbose = verbose
        self.exit_codes: list[int] = []
        self.tesla_failed = False

    @cached_property
    def peek(self) -> sqlite3.Connection:
        """The memory, for looking only: opening it writes nothing.

        The first run of all finds no file to look at, and the first after an upgrade an older one; where
        the run may write, it then looks at the file that it makes or mends.
        """
        db = open_store(self.config.database_path, read_only=True)
        if self.looking or is_lasting(db):
            return db
        db.close()
        return self.db

    @cached_property
    def db(self) -> sqlite3.Connection:
        """The memory, for changing; a dry run is never given one that lasts."""
        if self.looking:
            raise AssertionError("who only looks may not write")
        return open_store(self.config.database_path)

    @cached_property
    def policy(self) -> Policy:
        """The configured numbers of the policy."""
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
    def holding(self) -> Stance:
        """The stance that fills the battery from the grid."""
        return Stance(BACKUP, FULL_PCT)

    @property
    def resting(self) -> Stance:
        """The stance that is ours to return to, as configured."""
        return Stance(self.config.control.resting_mode, self.config.control.default_reserve_pct)

    @cached_property
    def tariff(self) -> Tariff:
        """The supplier."""
        self.prepare_to_ask()
        from smartcharge.adapters.tariff_kraken import KrakenTariff

        return KrakenTariff(self.kraken_account)

    @cached_property
    def kraken_account(self) -> "KrakenAccount":
        """The account at the supplier, and where its sign-in is kept."""
        from smartcharge.adapters._kraken_account import KrakenAccount

        eon = self.config.eon_next
        return KrakenAccount(
            supplier=eon.supplier,
            number=eon.import_account.reveal(),
            token_file=self.config.folder / KRAKEN_TOKENS,
            email=eon.email,
            password=revealed(eon.password),
            api_key=revealed(eon.api_key),
            pinned_device=eon.device_id,
            auth_url=eon.auth_url,
            auth_client_id=eon.auth_client_id,
            place=str(self.config.path),
        )

    @property
    def kraken_fingerprint(self) -> str:
        """Changes with the credentials and with the token file: then a refused sign-in is tried again."""
        from smartcharge.adapters._kraken_account import sign_in_fingerprint

        return sign_in_fingerprint(self.kraken_account)

    @property
    def hub_fingerprint(self) -> str:
        """Changes with the hub's credentials. Four bytes: enough to notice a change, too few to learn a key."""
        import hashlib

        hub = self.config.myenergi
        credentials = f"{hub.hub_serial}\0{hub.api_key.reveal()}"
        return hashlib.blake2b(credentials.encode(), digest_size=4).hexdigest()

    @cached_property
    def charger(self) -> Charger:
        """The car's charger, at the server it was last found at."""
        self.prepare_to_ask()
        from smartcharge.adapters.charger_zappi import ZappiCharger

        hub = self.config.myenergi
        return ZappiCharger(
            hub_serial=hub.hub_serial,
            api_key=hub.api_key.reveal(),
            zappi_serial=hub.zappi_serial,
            threshold_w=hub.charging_watts,
            host=services.service(self.peek, "zappi").host,
        )

    @cached_property
    def battery(self) -> Battery:
        """The house battery; enter it to talk. The caller holds the lock."""
        self.prepare_to_ask()
        from smartcharge.adapters.battery_powerwall import PowerwallBattery

        tesla = self.config.tesla
        if tesla is None or tesla.account_email is None:
            raise ConfigurationRefused(
                "is missing", place=str(self.config.path), key="tesla.account_email", right="Give your Tesla address."
            )
        return PowerwallBattery(
            email=tesla.account_email, site_id=tesla.energy_site_id, auth_folder=self.config.auth_folder
        )

    @property
    def tesla_fingerprint(self) -> str:
        """Changes with the token file: a refused sign-in is forgiven when the owner has signed in anew."""
        try:
            found = (self.config.auth_folder / TESLA_TOKENS).stat()
        except FileNotFoundError:
            return "absent"
        return f"{found.st_mtime_ns}-{found.st_size}"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the one lock around everything that could touch the battery; raises `Busy` after 20 s."""
        with locked(self.config.folder / "smartcharge.lock", wait_seconds=LOCK_SECONDS) as had:
            if not had:
                raise Busy("another run holds the lock")
            yield

    def say(self, line: str) -> None:
        """A change, or what a dry run would change."""
        log.say(line)

    def warn(self, line: str) -> None:
        """Trouble that begins or ends."""
        log.warn(line)

    def detail(self, line: str) -> None:
        """What only -v shows."""
        if self.verbose:
            log.warn(line)

    def close(self) -> None:
        """Close what was opened."""
        for name in {"peek", "db"} & self.__dict__.keys():
            self.__dict__.pop(name).close()
        if "_watchdog" in self.__dict__:
            self._watchdog.cancel()

    def prepare_to_ask(self) -> None:
        """Once before anyone outside is asked anything: bounds and silence for the libraries."""
        budget.bound_name_look_ups()
        log.hush_libraries()
        self._watchdog  # noqa: B018  # naming it starts it

    @cached_property
    def _watchdog(self) -> Timer:
        return budget.last_resort(Unreachable.exit_code)


def revealed(secret: Secret | None) -> str | None:
    """A secret's text, for the one adapter that needs it."""
    return None if secret is None else secret.reveal()


def _refuse_what_is_not_built(config: Config) -> None:
    """Name plainly what the configuration may say one day and this version cannot do."""
    if config.tesla and config.tesla.backend != "cloud":
        found, key, right = config.tesla.backend, "tesla.backend", "Use `cloud` for now."
    elif config.control.hold != "backup":
        found, key, right = config.control.hold, "control.hold", "Use `backup` for now."
    else:
        return
    raise ConfigurationRefused(
        f"is {found!r}, which this version cannot do", place=str(config.path), key=key, right=right
    )
