"""The composition root: what one run may reach for, each tool made when it is first named."""

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path

from smartcharge import budget, log, neighbours, refusals, wiring
from smartcharge.config import Config
from smartcharge.core.model import Policy
from smartcharge.core.slots import CheapPeriod
from smartcharge.core.stance import Stance
from smartcharge.errors import Busy, DatabaseRefused, Unreachable
from smartcharge.files import locked
from smartcharge.ports import Battery, Charger, InviteWriter, Mailer, PageWriter, Tariff
from smartcharge.store import fetches, is_lasting, open_store, services

LOCK = "smartcharge.lock"
LOCK_SECONDS = 20.0
PRESENT = timedelta(minutes=5)
"""What is asked outside tells of so long a present."""


class Toolbox:
    """One run's tools. Naming an adapter imports its library, so an idle run imports none.

    now: the run's one instant (UTC); is_imagined: it is not the present. command: what runs. dry_run: nothing is
    changed, inside or outside. exit_codes: what went wrong so far; the most serious becomes the exit code. sent:
    requests by service that no transaction has taken along yet. tesla_done: a conversation that failed, or found the
    battery in other hands, is enough for one run.
    """

    def __init__(
        self, config: Config, now: datetime, *, dry_run: bool = False, looking: bool = False, verbose: bool = False
    ) -> None:
        self.config = config
        self.now = now
        self.dry_run = dry_run
        self.looking = looking or dry_run
        self.verbose = verbose
        self.is_imagined = False
        self.command = ""
        self.exit_codes: list[int] = []
        self.sent: Counter[str] = Counter()
        self.tesla_done = False
        self._began = time.monotonic()
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
        db = open_store(self.config.database_path)
        if owner := neighbours.owner_of_memory(self.config, fetches.foreseen(db), os.environ):
            db.close()
            told = f"{self.config.database_path} is the memory of another house, that of {owner}"
            raise DatabaseRefused(told, hint=neighbours.MEND)
        db.before_commit = partial(services.add_requests, db, self.sent)
        return db

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
    def resting(self) -> Stance:
        """The stance that is ours to return to, as configured."""
        return Stance(self.config.control.resting_mode, self.config.control.default_reserve_pct)

    def sets_battery(self, *, owned: bool = False) -> bool:
        """Whether the Powerwall is set from here: not where there is none, nor beside another controller.

        owned: it is about bringing back what was set from here before.
        """
        return self.config.tesla is not None and (owned or not self.config.control.shadow)

    @cached_property
    def tariff(self) -> Tariff:
        """The supplier."""
        self.prepare_to_ask()
        return wiring.tariff(self.config, partial(self.count, "kraken"))

    @cached_property
    def charger(self) -> Charger:
        """The car's charger, at the server it was last found at."""
        self.prepare_to_ask()
        host = services.service(self.peek, "zappi").host
        return wiring.charger(self.config, partial(self.count, "zappi"), host=host)

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
        """Hold the one lock around everything that could touch the battery; raises `Busy` after 20 s.

        Where Tesla's token files lie elsewhere, as those of several houses may, that place is locked, too.
        """
        folders = {self.config.folder.resolve(), *(each.resolve() for each in self._token_folders())}
        with ExitStack() as held:
            for folder in sorted(folders):  # in the same order everywhere
                wait = 0.0 if self._was_busy else wait_seconds
                if not held.enter_context(locked(folder / LOCK, wait_seconds=wait)):
                    self._was_busy = True
                    raise Busy("another run holds the lock")
            yield

    def _token_folders(self) -> Iterator[Path]:
        is_renewed = self.config.tesla is not None and self.config.tesla.backend != "v1r"
        if is_renewed and self.config.auth_folder.is_dir():
            yield self.config.auth_folder

    def count(self, service: str) -> None:
        """Note a request, or an attempt to post; the next transaction that changes anything takes it along."""
        self.sent[service] += 1

    def counting_tesla(self) -> AbstractContextManager[None]:
        """Note the requests of a conversation with the battery, which begins and ends inside the block."""
        return wiring.tesla_requests(partial(self.count, "tesla"))

    def say(self, line: str) -> None:
        """A change, or what a dry run would change."""
        log.say(line)

    def warn(self, line: str) -> None:
        """Trouble that begins or ends; the same line once a run."""
        if line not in self._warned:
            self._warned.add(line)
            log.warn(line)

    def tell(self, line: str) -> None:
        """A refusal that cannot be remembered: at once, then once an hour; each time where somebody is watching."""
        if self.verbose or self.dry_run or log.is_watched() or self._is_news(line):
            self.warn(line)

    def _is_news(self, line: str) -> bool:
        return refusals.is_news(self.config.path, self.command, line, self.now)

    def detail(self, line: str) -> None:
        """What only -v shows; the same line once a run."""
        if self.verbose:
            self.warn(line)

    def imagine(self, moment: datetime) -> None:
        """Go by another moment than the present, where nothing is changed."""
        self.is_imagined = abs(moment - self.now) > PRESENT
        self.now = moment

    def close(self) -> None:
        """Close what was opened."""
        for name in {"peek", "db"} & self.__dict__.keys():
            self.__dict__.pop(name).close()
        if "_bounds" in self.__dict__:
            self.__dict__.pop("_bounds").close()

    def prepare_to_ask(self) -> None:
        """Once before anyone outside is asked anything: bounds and silence for the libraries."""
        log.hush_libraries()
        self._bounds  # noqa: B018  # naming it sets them

    @cached_property
    def _bounds(self) -> ExitStack:
        return budget.bounds(Unreachable.exit_code, self._began)
