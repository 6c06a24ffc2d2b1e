"""The laws that hold after every run of every day, whatever happened; judged from outside, by the true time."""

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

from law_battery import BatteryLaws
from law_holds import HoldLaws
from law_mail import MailLaws
from law_missed_holds import MissedHoldLaws
from law_normal_mode import NormalModeLaws
from law_output import OutputLaws
from law_request_rate import RequestRateLaws
from soak_observer import DayObserver, RunRecord, StoredState

from smartcharge.jobs.reconcile import RECONCILE_COMMAND
from smartcharge.policy.decide import decide
from smartcharge.store.journal import load_journal

if TYPE_CHECKING:
    from soak_day import SoakDay
    from soak_house import SoakContext
    from soak_services import SentMail


MAX_UNVERIFIED_TIME = timedelta(minutes=130)
"""What was written down by a clock that ran ahead is outlived after two hours."""
TICK_COMMANDS = {"tick", "reconcile"}
"""What is enough, on its own, to bring the battery back."""


class SoakLaws:
    """Looks on. known: what the store held when it was last looked at."""

    def __init__(self, day: "SoakDay") -> None:
        self.day = day
        self.observer = DayObserver(day)
        self.known = self.observer.look()
        self.holds, self.battery = HoldLaws(day, self.observer), BatteryLaws(day, self.observer)
        self.duty = MissedHoldLaws(day, self.observer)
        self.rest, self.manners = NormalModeLaws(day, self.observer), RequestRateLaws(day, self.observer)
        self.mail, self.noise = MailLaws(day, self.observer), OutputLaws(day, self.observer)
        self.ran: list[tuple[str, bool]] = []
        self.asking: list[str] = []

    # -- while a run lasts ----------------------------------------------------------------------------

    def skipped(self, command: str) -> None:
        """A run found at once that there is nothing to do."""
        self.ran.append((command, True))

    def before_run(self, command: str, *, is_second_run: bool, is_quiet: bool) -> None:
        """A run begins, perhaps in the midst of another."""
        for run in self.observer.runs:
            run.was_interleaved = True
        known, changes = self.observer.look(), self.observer.changes()
        is_quiet = is_quiet and self.observer.is_on_the_minute()
        self.observer.runs.append(RunRecord(command, known, self.day.battery.writes, changes, is_second_run, is_quiet))
        if is_second_run:
            self.observer.disturbed(forgetful=True)

    def on_question(self, service: str) -> None:
        """A service is asked; Tesla: a conversation begins."""
        run = self.observer.runs[-1]
        if service in self.asking and service != "zappi":
            self.observer.broken("one at a time", f"{run.command} asks {service} while another run does")
        self.asking.append(service)
        self.manners.asked(service, run)
        self._release_comes_first(service, run)
        run.asked.append(service)
        if service == "tesla":
            self.battery.entered()

    def on_end(self, service: str) -> None:
        """It has answered, or the conversation is over."""
        self.asking.remove(service)

    def on_write(self, name: str, value: str | int) -> None:
        """A command arrives at Tesla."""
        self.day.tell(f"  -> {value}")
        self.observer.commanded()
        self.battery.commanded(name, value)
        if value in {"backup", 100}:
            self.holds.commanded(value)
            self.duty.commanded(value)

    def on_mail(self, posted: "SentMail") -> None:
        """A mail is handed over."""
        self.mail.posted(posted)

    def on_hand(self) -> None:
        """The owner has set the battery."""
        self.observer.disturbed()
        self.observer.last_owner_action_at = self.day.now
        self.battery.touched()

    def after_run(self, session: "SoakContext", code: int, said: str, *, was_whole: bool) -> None:
        """Judge what came of a run."""
        day, run = self.day, self.observer.runs.pop()
        if code == 1:
            self.observer.broken("a bug", f"\n{said}\n")
        was, self.known = self.known, self.observer.look()
        if not was_whole:
            self.observer.disturbed(forgetful=True)
        remembers = was_whole and not day.disk_is_full
        self.holds.changed(was.hold, self.known)
        self.duty.after_run(self.known)
        self.battery.after_run(run, self.known)
        self.manners.after_run(run, remembers=remembers)
        if not run.is_second_run:  # a mail on its way is the host's, who may still die before noting it
            self.mail.after_run(remembers=remembers)
        self.noise.after_run(run, session, code, self.known)
        self.ran.append((run.command, was_whole))
        self._judge_owner(run, is_sure=remembers and code == 0)

    def _judge_owner(self, run: RunRecord, *, is_sure: bool) -> None:
        """What the owner says is done, and a clock that is right is believed."""
        seen = self.known.seen
        if run.command == "pause" and is_sure and self.rest.is_well() and self.day.battery.stuck:
            self.observer.broken("a pause releases first", seen)
        if run.command == "resume" and is_sure and not run.was_interleaved and (seen.is_paused or seen.manual_override):
            self.observer.broken("resumed", seen)
        if seen.clock_is_doubtful and self.observer.time_since_unrecorded > MAX_UNVERIFIED_TIME:
            self.observer.broken("a clock is not doubted for long", run.command)

    def _release_comes_first(self, service: str, run: RunRecord) -> None:
        """What is due is released before anybody else is asked."""
        waits = not self.rest.was_well or run.was_interleaved or run.is_second_run or run.command not in TICK_COMMANDS
        if service != "tesla" and "tesla" not in run.asked and run.state_before.release_is_due and not waits:
            self.observer.broken("a due release comes first", f"{run.command} asks {service} before Tesla")

    # -- from round to round --------------------------------------------------------------------------

    def before_round(self) -> None:
        """Cron's minute begins."""
        self.observer.update_observation()
        self.rest.before_round()
        self.ran.clear()

    def after_round(self) -> None:
        """Cron's minute is over: all its runs have ended."""
        lines = set(self.day.house.crontab)
        whole = all(was_whole for _, was_whole in self.ran)
        if not whole or not lines <= {command for command, _ in self.ran}:
            self.observer.disturbed()
        is_healthy = whole and any(command in TICK_COMMANDS for command, _ in self.ran)
        self.holds.after_round(self.known, is_healthy=is_healthy and not self.day.disk_is_full)
        self.duty.after_round(self.known)
        self.rest.after_round(self.known, is_healthy=is_healthy, was_whole=lines <= {c for c, _ in self.ran})

    def at_the_end(self) -> None:
        """All has come to rest, the journal decides again as it did, and the database is whole."""
        with closing(self.observer.db) as db:
            self._at_rest(self.observer.look())
            self.mail.at_the_end()
            (whole,) = db.execute("PRAGMA integrity_check").fetchall()
            if tuple(whole) != ("ok",):
                self.observer.broken("the database is whole", tuple(whole))
            for row in load_journal(db, command=RECONCILE_COMMAND):
                if row.outcome == "decided" and row.state and decide(row.state).reason is not row.reason:
                    self.observer.broken("the journal decides again", f"row {row.id}: {decide(row.state).reason}")

    def _at_rest(self, known: StoredState) -> None:
        if known.hold or known.memory.owned or known.memory.in_doubt_since or self.day.battery.stuck:
            self.observer.broken("all comes to rest", f"{known.hold}, {known.memory}, {self.day.battery.stuck}")
