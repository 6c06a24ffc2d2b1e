"""The composition root: what one run may reach for, each tool made when it is first named."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from threading import Timer

from smartcharge import budget, log, wiring
from smartcharge.config import Config
from smartcharge.core.model import Policy
from smartcharge.core.slots import CheapPeriod
from smartcharge.core.stance import BACKUP, FULL_PCT, Stance
from smartcharge.errors import Busy, Unreachable
from smartcharge.files import locked
from smartcharge.ports import Battery, Charger, InviteWriter, Mailer, PageWriter, Tariff
from smartcharge.store import is_lasting, open_store, services

LOCK_SECONDS = 20.0


class Toolbox:
    """One run's tools. Naming an adapter imports its library, so an idle run imports none.

    now: the run's one instant (UTC). dry_run: nothing is changed, inside or outside. exit_codes: what
    went wrong so far; the most serious becomes the exit code. tesla_done: a conversation that failed, or found
    the battery in other hands, is enough for one run.
    """

    def __init__(
        self, config: Config, now: datetime, *, dry_run: bool = False, looking: bool = False, verbose: bool = False
    ) -> None:
        wiring.refuse_what_is_not_built(config)
        self.config = config
        self.now = now
        self.dry_run = dry_run
        self.looking = looking or dry_run
        self.verbose = verbose
        self.exit_codes: list[int] = []
        self.tesla_done = False
        self._was_busy = False
        self._warned: set[str] = set()

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

    def foreseen(self, moment: datetime) -> "Toolbox":
        """The tools of a later moment, for looking only, with what this run has written so far."""
        later = Toolbox(self.config, moment, looking=True)
        later.peek = self.db
        return later

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
        return wiring.tariff(self.config)

    @cached_property
    def charger(self) -> Charger:
        """The car's charger, at the server it was last found at."""
        self.prepare_to_ask()
        return wiring.charger(self.config, host=services.service(self.peek, "zappi").host)

    @cached_property
    def battery(self) -> Battery:
        """The house battery; enter it to talk. The caller holds the lock."""
        self.prepare_to_ask()
        return wiring.battery(self.config, self.now)

    def battery_signed_in_from(self, folder: Path) -> Battery:
        """The same battery with the tokens of another folder, where a new sign-in is to be proven."""
        self.prepare_to_ask()
        return wiring.battery(self.config, self.now, folder)

    @cached_property
    def mailer(self) -> Mailer:
        """The account that invites go out from."""
        self.prepare_to_ask()
        return wiring.mailer(self.config)

    @cached_property
    def invite_writer(self) -> InviteWriter:
        """Who puts invites into the words of calendars and people."""
        return wiring.invite_writer(self.config)

    @cached_property
    def page_writer(self) -> PageWriter:
        """Who puts reports on pages."""
        return wiring.page_writer()

    @contextmanager
    def alone(self, *, wait_seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Hold the one lock around everything that could touch the battery; raises `Busy` after 20 s."""
        wait = 0.0 if self._was_busy else wait_seconds
        with locked(self.config.folder / "smartcharge.lock", wait_seconds=wait) as had:
            if not had:
                self._was_busy = True
                raise Busy("another run holds the lock")
            yield

    def say(self, line: str) -> None:
        """A change, or what a dry run would change."""
        log.say(line)

    def warn(self, line: str) -> None:
        """Trouble that begins or ends; the same line once a run."""
        if line not in self._warned:
            self._warned.add(line)
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
