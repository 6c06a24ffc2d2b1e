"""A random day as the neutral record that the laws judge, and the laws that only a look into a run can judge."""

from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from laws.battery_laws import CommandLaws, MissedHoldLaws, ReturnLaws
from laws.journal_laws import JournalLaws, judge_evidence
from laws.message_laws import OutputLaws, QuestionLaws
from laws.record import RELEASE_LEAD, Command, Minute, Outcome, Question
from soak_mail_laws import SoakMailLaws
from soak_observer import DayObserver, RunRecord, StoredState
from soak_session_laws import MANUAL_COMMANDS, SessionLaws

from smartcharge.errors import SignInRefusedError, ThrottledError
from smartcharge.policy.battery import CLAMPED_RESERVE_PCT, FULL_RESERVE_PCT, MODE_AUTONOMOUS, MODE_BACKUP
from smartcharge.policy.slots import SLOT, last_noon

if TYPE_CHECKING:
    from soak_day import SoakDay
    from soak_house import SoakContext
    from soak_services import SentMail


REPEAT_AFTER = timedelta(minutes=20)
STEADY_TIME = timedelta(minutes=6)
"""So long everything must have been as it is before the battery has to be held."""
CALM_TIME = STEADY_TIME * 4
"""After so long nothing waits any more because of what was wrong before."""
SHORT_TIME = timedelta(minutes=4)
"""A window with less left than that is not worth a hold."""
MIN_NIGHT_ROUNDS = 8
"""Minutes in which the midnight reset is certainly done, whatever it met before."""
MAX_DOUBTFUL_TIME = timedelta(minutes=130)
"""What was recorded by a clock that ran ahead is outlived after two hours."""
MIN_WAITS = {"kraken": 105, "zappi": 80, "mail": 280, "tesla": 0}
"""Seconds after 429, however little was asked for."""
TICK_COMMANDS = {"tick", "reconcile"}
"""What is enough, on its own, to bring the battery back."""
HOLD_FILE = "powerwall-hold.json"


class SoakLaws:
    """Judges a day while it passes. known: what the store held when it was last looked at."""

    def __init__(self, day: "SoakDay") -> None:
        self.day = day
        self.observer = DayObserver(day)
        self.known = self.observer.look()
        self.session, self.mail = SessionLaws(day, self.observer), SoakMailLaws(day, self.observer)
        self.commands, self.returns, self.missed = CommandLaws(), ReturnLaws(), MissedHoldLaws()
        self.output, self.questions = OutputLaws(REPEAT_AFTER), QuestionLaws()
        self.ran: list[tuple[str, bool]] = []
        self.given: list[Command] = []
        self.asked: list[Question] = []
        self.errors: list[str] = []
        self.asking: list[str] = []
        self.jump, self.was_well = day.jump, False
        self.held_back_until = day.now
        self.good_rounds = self.good_night_rounds = 0
        self.held_for, self.held_to = timedelta(0), day.now

    # -- while a run lasts ----------------------------------------------------------------------------

    def skipped(self, command: str) -> None:
        """A run found at once that there is nothing to do."""
        self.ran.append((command, True))

    def before_run(self, command: str, *, is_second_run: bool, is_quiet: bool) -> None:
        """A run begins, perhaps in the middle of another."""
        for run in self.observer.runs:
            run.was_interleaved = True
        known, changes = self.observer.look(), self.observer.changes()
        is_quiet = is_quiet and self.observer.is_on_the_minute()
        self.observer.runs.append(RunRecord(command, known, self.day.battery.writes, changes, is_second_run, is_quiet))
        if is_second_run:
            self.observer.disturbed(forgetful=True)

    def on_question(self, service: str) -> None:
        """A service is asked; at Tesla a session begins. What it will answer is known already."""
        run = self.observer.runs[-1]
        if service in self.asking and service != "zappi":
            self.observer.broken("one at a time", f"{run.command} asks {service} while another run does")
        if self.jump != self.day.jump:
            self.jump = self.day.jump
            self.questions.forget()
            self.commands.forget_accepted()
        self.asking.append(service)
        self.asked.append(self._question(service))
        self._release_comes_first(service, run)
        run.asked.append(service)
        if service == "tesla":
            self.session.entered()
        elif service == "zappi" and (self.observer.night is not None or self.observer.look().seen.is_paused):
            self.observer.broken("no question that cannot matter", "asked the Zappi at night, or while paused")

    def _question(self, service: str) -> Question:
        day = self.day
        parts = {"tesla": day.battery, "zappi": day.charger, "kraken": day.tariff, "mail": day.mailer}
        fault = getattr(parts[service], "fault", None)
        if isinstance(fault, ThrottledError):
            least = timedelta(seconds=MIN_WAITS[service])
            wait = max(fault.retry_after or least, least)
            self.held_back_until = max(self.held_back_until, day.now + wait)
            return Question(day.now, service, Outcome.THROTTLED, wait)
        if isinstance(fault, SignInRefusedError):
            return Question(day.now, service, Outcome.SIGN_IN_REFUSED)
        return Question(day.now, service, Outcome.NO_ANSWER if isinstance(fault, BaseException) else Outcome.ACCEPTED)

    def on_end(self, service: str) -> None:
        """It has answered, or the session is over."""
        self.asking.remove(service)

    def on_write(self, name: str, value: str | int) -> None:
        """A command arrives at Tesla."""
        battery = self.day.battery
        self.day.tell(f"  -> {value}")
        self.observer.commanded()
        outcome = Outcome.NO_RATE_PLAN if battery.no_rate_plan and value == MODE_AUTONOMOUS else Outcome.ACCEPTED
        self.given.append(Command(battery.now, name, value, Outcome.NO_ANSWER if battery.loses_answers else outcome))
        self.session.commanded(name, value)

    def on_mail(self, posted: "SentMail") -> None:
        """A mail is handed over."""
        self.mail.posted(posted)

    def on_owner_action(self) -> None:
        """The owner has set the battery."""
        self.observer.disturbed()
        self.observer.last_owner_action_at = self.day.now
        self.commands.forget_accepted()
        self.session.touched()

    def after_run(self, session: "SoakContext", code: int, said: str, *, was_whole: bool) -> None:
        """Judge what came of a run."""
        day, run = self.day, self.observer.runs.pop()
        if code == 1:
            self.observer.broken("a bug", f"\n{said}\n")
        self.known = self.observer.look()
        if not was_whole:
            self.observer.disturbed(forgetful=True)
        remembers = was_whole and not day.disk_is_full
        if not remembers:
            self.commands.forget_accepted()
        self.session.after_run(run, session, code, self.known)
        if not run.is_second_run:  # a mail on its way is the first run's, which may still be killed before it is noted
            self.mail.after_run(remembers=remembers)
        self.errors += session.warned if run.command not in MANUAL_COMMANDS else []
        self.ran.append((run.command, was_whole))
        self._judge_owner(run, is_sure=remembers and code == 0)

    def _judge_owner(self, run: RunRecord, *, is_sure: bool) -> None:
        """What the owner asks for is done, and a clock that is right is believed."""
        seen = self.known.seen
        if run.command == "pause" and is_sure and self.is_well() and self.day.battery.still_held:
            self.observer.broken("a pause releases first", seen)
        if run.command == "resume" and is_sure and not run.was_interleaved and (seen.is_paused or seen.manual_override):
            self.observer.broken("resumed", seen)
        if seen.clock_is_doubtful and self.observer.time_since_unrecorded > MAX_DOUBTFUL_TIME:
            self.observer.broken("a clock is not doubted for long", run.command)

    def _release_comes_first(self, service: str, run: RunRecord) -> None:
        """What is due is released before anybody else is asked."""
        waits = not self.was_well or run.was_interleaved or run.is_second_run or run.command not in TICK_COMMANDS
        if service != "tesla" and "tesla" not in run.asked and run.state_before.release_is_due and not waits:
            self.observer.broken("a due release comes first", f"{run.command} asks {service} before Tesla")

    # -- from minute to minute ------------------------------------------------------------------------

    def is_well(self) -> bool:
        """Whether Tesla works, and no wait that it asked for is still to be respected."""
        day = self.day
        well = not any(period.fault.kind == "tesla" for period in day.fault_periods) and not day.battery.lockouts
        return well and not day.battery.pending and day.now >= day.waiting_until

    def before_round(self) -> None:
        """Cron's minute begins."""
        self.observer.update_observation()
        self.was_well = self.is_well()
        for each in (self.ran, self.given, self.asked, self.errors):
            each.clear()

    def after_round(self) -> None:
        """Cron's minute is over: all its runs have ended."""
        lines = set(self.day.house.crontab)
        whole = all(was_whole for _, was_whole in self.ran)
        if not whole or not lines <= {command for command, _ in self.ran}:
            self.observer.disturbed()
        is_healthy = whole and any(command in TICK_COMMANDS for command, _ in self.ran)
        may_forget = self.observer.time_since_unrecorded < REPEAT_AFTER * 3
        minute = self._minute(is_healthy=is_healthy)
        sentences = (
            *self.commands.minute(minute),
            *self.returns.minute(minute, is_recorded=is_healthy and not self.day.disk_is_full),
            *self.missed.minute(minute, wait=0),
            *self.output.minute(minute, may_forget=may_forget),
            *self.questions.minute(minute, may_forget=may_forget),
        )
        for each in sentences:
            law, _, what = each.partition(": ")
            self.observer.broken(law, what)
        self._judge_daily_limit()
        self._judge_night(is_whole=is_healthy and lines <= {command for command, _ in self.ran})

    def _minute(self, *, is_healthy: bool) -> Minute:
        day, known, observer = self.day, self.known, self.observer
        hold, battery = known.hold and known.hold.hold, day.battery
        is_full = battery.reserve.shown in {FULL_RESERVE_PCT, CLAMPED_RESERVE_PCT} and battery.mode.shown == MODE_BACKUP
        return Minute(
            at=day.now,
            clock=day.clock,
            runs=len(self.ran) if is_healthy else 0,
            commands=tuple(self.given),
            questions=tuple(self.asked),
            errors=tuple(self.errors),
            hold=hold,
            owned=known.memory.owned,
            hold_file=(day.house.folder / HOLD_FILE).exists(),
            is_paused=known.seen.is_paused,
            settings=(MODE_BACKUP, FULL_RESERVE_PCT) if is_full else ("", 0),
            still_held=battery.still_held,
            car_stopped=not day.charger.charging
            and day.now - day.car_since > STEADY_TIME
            and observer.time_since_disturbance > STEADY_TIME * 2,
            tesla_works=self.was_well,
            must_hold=self._must_hold(),
        )

    def _must_hold(self) -> bool:
        """Whether the car has charged for long in a steady window, and nothing stands in the way of a hold."""
        day, observer, seen, policy = self.day, self.observer, self.known.seen, self.observer.policy
        if not day.charger.charging or day.now - day.car_since <= STEADY_TIME:
            return False
        if observer.time_since_disturbance <= CALM_TIME or observer.time_since_owner_action <= SLOT + STEADY_TIME:
            return False
        is_cheap_near = (
            policy.cheap_period.next_start(day.clock) - day.clock < STEADY_TIME or observer.night is not None
        )
        by_owner = seen.is_paused or seen.manual_override_until is not None or seen.clock_is_doubtful
        limited = policy.max_hours_per_day is not None or day.now < self.held_back_until
        return not (is_cheap_near or by_owner or limited) and self._is_in_steady_window(day.clock)

    def _is_in_steady_window(self, clock: datetime) -> bool:
        """Whether a window has been planned for long just as it is, began a while ago, and goes on for a while."""
        tariff = self.day.tariff
        before = [told for told in tariff.told if clock - STEADY_TIME * 2 < told.at <= clock - STEADY_TIME]
        window = tariff.window_around(clock - STEADY_TIME)
        goes_on = window is not None and clock + RELEASE_LEAD + SHORT_TIME < window[1]
        return goes_on and bool(before) and all(told.spans == tariff.newest[told.car].spans for told in before)

    def _judge_daily_limit(self) -> None:
        """No more hours from noon to noon than allowed, counted by the true time."""
        day, policy = self.day, self.observer.policy
        if last_noon(day.now, policy.cheap_period.zone) > self.held_to:
            self.held_for = timedelta(0)
        if self.known.hold is not None:
            self.held_for += day.now - self.held_to
        self.held_to, most = day.now, policy.max_hours_per_day
        was_right = self.observer.time_since_unrecorded > self.held_for + SLOT
        if most is not None and was_right and self.held_for > timedelta(hours=most, minutes=1):
            self.observer.broken("no longer than the daily limit", f"held for {self.held_for}")

    def _judge_night(self, *, is_whole: bool) -> None:
        """Once per cheap period it is read back at rest."""
        night, day, known = self.observer.night, self.day, self.known
        self.good_rounds = self.good_rounds + 1 if is_whole and self.was_well else 0
        hindered = known.seen.is_paused or known.seen.clock_is_doubtful or day.battery.lockouts is None
        if night is None or not self.good_rounds or hindered or day.now < self.held_back_until or day.jump:
            self.good_night_rounds = 0
            return
        self.good_night_rounds = 0 if day.disk_is_full else self.good_night_rounds + 1
        reset_at = known.memory.midnight_reset_at
        done = reset_at is not None and reset_at >= night.starts_at
        if self.observer.restores_previous:
            done = not known.memory.owned
        if self.good_night_rounds >= MIN_NIGHT_ROUNDS and not done:
            self.observer.broken("at rest every night", f"{self.good_night_rounds} good minutes, last at {reset_at}")

    def at_the_end(self) -> None:
        """All has come to rest, every recorded decision was right, and the database is whole."""
        with closing(self.observer.db) as db:
            self._judge_rest(self.observer.look())
            self.mail.at_the_end()
            (whole,) = db.execute("PRAGMA integrity_check").fetchall()
            if tuple(whole) != ("ok",):
                self.observer.broken("the database is whole", tuple(whole))
            told = {span for answer in self.day.tariff.told for span in answer.spans}
            for state, law in JournalLaws().new_rows(db):
                for each in (law,) if law else judge_evidence(state, self.day.charger.charging_at, told):
                    self.observer.broken(each, f"decided at {state.now}")

    def _judge_rest(self, known: StoredState) -> None:
        still_held = self.day.battery.still_held
        if known.hold or known.memory.owned or known.memory.in_doubt_since or still_held:
            self.observer.broken("all comes to rest", f"{known.hold}, {known.memory}, {still_held}")
