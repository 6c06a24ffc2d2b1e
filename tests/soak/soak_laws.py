"""The laws that hold after every run of every day, whatever happened; judged from outside, by the true time."""

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

from law_battery import BatteryLaws
from law_duty import DutyLaws
from law_holds import HoldLaws
from law_mail import MailLaws
from law_manners import Manners
from law_noise import NoiseLaws
from law_rest import RestLaws
from soak_sight import Known, Run, Sight

from smartcharge.act import reconcile
from smartcharge.core.decide import decide
from smartcharge.store import journal

if TYPE_CHECKING:
    from soak_day import Day
    from soak_house import SoakSession
    from soak_services import Posted

DOUBT = timedelta(minutes=130)
"""What was written down by a clock that ran ahead is outlived after two hours."""
A_TICK = {"tick", "reconcile"}
"""What is enough, on its own, to bring the battery back."""


class Laws:
    """Looks on. known: what the store held when it was last looked at."""

    def __init__(self, day: "Day") -> None:
        self.day = day
        self.sight = Sight(day)
        self.known = self.sight.look()
        self.holds, self.battery = HoldLaws(day, self.sight), BatteryLaws(day, self.sight)
        self.duty = DutyLaws(day, self.sight)
        self.rest, self.manners = RestLaws(day, self.sight), Manners(day, self.sight)
        self.mail, self.noise = MailLaws(day, self.sight), NoiseLaws(day, self.sight)
        self.ran: list[tuple[str, bool]] = []
        self.asking: list[str] = []

    # -- while a run lasts ----------------------------------------------------------------------------

    def skipped(self, command: str) -> None:
        """A run found at once that there is nothing to do."""
        self.ran.append((command, True))

    def before_run(self, command: str, *, is_guest: bool, is_quiet: bool) -> None:
        """A run begins, perhaps in the midst of another."""
        for run in self.sight.runs:
            run.had_company = True
        known, changes = self.sight.look(), self.sight.changes()
        is_quiet = is_quiet and self.sight.is_on_the_minute()
        self.sight.runs.append(Run(command, known, self.day.battery.writes, changes, is_guest, is_quiet))
        if is_guest:
            self.sight.disturbed(forgetful=True)

    def on_question(self, service: str) -> None:
        """A service is asked; Tesla: a conversation begins."""
        run = self.sight.runs[-1]
        if service in self.asking and service != "zappi":
            self.sight.broken("one at a time", f"{run.command} asks {service} while another run does")
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
        self.sight.commanded()
        self.battery.commanded(name, value)
        if value in {"backup", 100}:
            self.holds.commanded(value)
            self.duty.commanded(value)

    def on_mail(self, posted: "Posted") -> None:
        """A mail is handed over."""
        self.mail.posted(posted)

    def on_hand(self) -> None:
        """The owner has set the battery."""
        self.sight.disturbed()
        self.sight.hand_at = self.day.now
        self.battery.touched()

    def after_run(self, session: "SoakSession", code: int, said: str, *, was_whole: bool) -> None:
        """Judge what came of a run."""
        day, run = self.day, self.sight.runs.pop()
        if code == 1:
            self.sight.broken("a bug", f"\n{said}\n")
        was, self.known = self.known, self.sight.look()
        if not was_whole:
            self.sight.disturbed(forgetful=True)
        remembers = was_whole and not day.disk_is_full
        self.holds.changed(was.hold, self.known)
        self.duty.after_run(self.known)
        self.battery.after_run(run, self.known)
        self.manners.after_run(run, remembers=remembers)
        if not run.is_guest:  # a mail on its way is the host's, who may still die before noting it
            self.mail.after_run(remembers=remembers)
        self.noise.after_run(run, session, code, self.known)
        self.ran.append((run.command, was_whole))
        self._judge_owner(run, is_sure=remembers and code == 0)

    def _judge_owner(self, run: Run, *, is_sure: bool) -> None:
        """What the owner says is done, and a clock that is right is believed."""
        seen = self.known.seen
        if run.command == "pause" and is_sure and self.rest.is_well() and self.day.battery.stuck:
            self.sight.broken("a pause releases first", seen)
        if run.command == "resume" and is_sure and not run.had_company and (seen.paused or seen.stand_down):
            self.sight.broken("resumed", seen)
        if seen.clock_is_doubtful and self.sight.sure_for > DOUBT:
            self.sight.broken("a clock is not doubted for long", run.command)

    def _release_comes_first(self, service: str, run: Run) -> None:
        """What is due is released before anybody else is asked."""
        waits = not self.rest.was_well or run.had_company or run.is_guest or run.command not in A_TICK
        if service != "tesla" and "tesla" not in run.asked and run.begun_with.release_is_due and not waits:
            self.sight.broken("a due release comes first", f"{run.command} asks {service} before Tesla")

    # -- from round to round --------------------------------------------------------------------------

    def before_round(self) -> None:
        """Cron's minute begins."""
        self.sight.look_around()
        self.rest.before_round()
        self.ran.clear()

    def after_round(self) -> None:
        """Cron's minute is over: all its runs have ended."""
        lines = set(self.day.house.crontab)
        whole = all(was_whole for _, was_whole in self.ran)
        if not whole or not lines <= {command for command, _ in self.ran}:
            self.sight.disturbed()
        is_healthy = whole and any(command in A_TICK for command, _ in self.ran)
        self.holds.after_round(self.known, is_healthy=is_healthy and not self.day.disk_is_full)
        self.duty.after_round(self.known)
        self.rest.after_round(self.known, is_healthy=is_healthy, was_whole=lines <= {c for c, _ in self.ran})

    def at_the_end(self) -> None:
        """All has come to rest, the journal decides again as it did, and the database is whole."""
        with closing(self.sight.db) as db:
            self._at_rest(self.sight.look())
            self.mail.at_the_end()
            (whole,) = db.execute("PRAGMA integrity_check").fetchall()
            if tuple(whole) != ("ok",):
                self.sight.broken("the database is whole", tuple(whole))
            for row in journal.rows(db, command=reconcile.COMMAND):
                if row.outcome == "decided" and row.situation and decide(row.situation).because is not row.because:
                    self.sight.broken("the journal decides again", f"row {row.id}: {decide(row.situation).because}")

    def _at_rest(self, known: Known) -> None:
        if known.hold or known.memory.owned or known.memory.in_doubt_since or self.day.battery.stuck:
            self.sight.broken("all comes to rest", f"{known.hold}, {known.memory}, {self.day.battery.stuck}")
