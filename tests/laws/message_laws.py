"""The laws of what people and services are told: trouble once, mail in its order, and no question against a wait."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from laws.record import HALF_HOUR, Mail, Minute, Outcome, Question

RELEASE_MAX_WAIT = timedelta(seconds=170)
"""A release waits three minutes at most, whatever Tesla asks for."""
CRON_TOLERANCE = timedelta(seconds=15)
HOUR = timedelta(hours=1)
MAX_PER_HOUR = {"kraken": 31, "zappi": 48, "mail": 30, "tesla": 62}
"""Kraken every other minute; the Zappi every other minute, every minute for 20 of them, and twice where it is due."""
MAX_IN_OUTAGE = {"kraken": 9, "zappi": 14, "mail": 4, "tesla": 13}
"""In half an hour in which no question was answered."""
MAX_REFUSALS = {"kraken": 1, "zappi": 2, "mail": 1}
"""The Zappi's server refuses in trouble, too, so there it must come twice."""
REFUSED_INTERVAL = timedelta(minutes=55)
"""A refused sign-in is tried again after an hour at the earliest."""
MIN_MAIL_INTERVAL = timedelta(minutes=4)
"""Five minutes, less what cron may be late by."""
MAX_MAILS_PER_DAY = 50


@dataclass
class OutputLaws:
    """Judges what is printed. repeat_after: how long the same line of trouble must not come again."""

    repeat_after: timedelta
    printed_at: dict[str, datetime] = field(default_factory=dict)

    def minute(self, minute: Minute, *, may_forget: bool = False) -> Iterator[str]:
        """Name lines that came again too soon. may_forget: whether a run could not store what it had printed."""
        for line, count in Counter(minute.errors).items():
            before = self.printed_at.get(line)
            is_soon = before is not None and minute.at - before < self.repeat_after
            if (count > 1 or is_soon) and not may_forget:
                yield f"trouble is told once: {line}"
            self.printed_at[line] = minute.at


@dataclass
class QuestionLaws:
    """Judges how often services are asked, and whether they are left alone when they ask for it.

    waits: since when by the program's clock, and for how long. refused: how often running a sign-in was refused, and
    when last. failing_since: since when a service has answered nothing, by the true time.
    """

    waits: dict[str, tuple[datetime, timedelta]] = field(default_factory=dict)
    refused: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    asked: dict[str, deque[datetime]] = field(default_factory=lambda: defaultdict(deque))
    failing_since: dict[str, datetime] = field(default_factory=dict)
    runs: deque[tuple[datetime, int]] = field(default_factory=deque)

    def minute(self, minute: Minute, *, may_forget: bool = False) -> Iterator[str]:
        """Name questions that came too early or too often. may_forget: whether a run could not store what it heard."""
        self.runs.append((minute.at, minute.runs))
        while self.runs[0][0] <= minute.at - HOUR:
            self.runs.popleft()
        for each in minute.questions:
            is_release = each.service == "tesla" and minute.is_releasing
            yield from self._judge_wait(each, minute.clock, is_release=is_release)
            if not may_forget:
                yield from self._judge_count(each, is_release=is_release)
        self._remember(minute, may_forget=may_forget)

    def forget(self, service: str | None = None) -> None:
        """The clock has jumped, or the owner has corrected a key: no wait and no refusal counts any more."""
        for known in (self.waits, self.refused):
            for each in [service] if service else list(known):
                known.pop(each, None)

    def _judge_wait(self, question: Question, clock: datetime, *, is_release: bool) -> Iterator[str]:
        service = question.service
        if service in self.waits:
            since, wanted = self.waits[service]
            wait = min(wanted, RELEASE_MAX_WAIT) if is_release else wanted - CRON_TOLERANCE
            if timedelta(0) < clock - since < wait:
                yield f"a wait is respected: {service} asked {clock - since} after it asked for {wanted}"
        count, since = self.refused.get(service, (0, clock))
        if service in MAX_REFUSALS and count >= MAX_REFUSALS[service] and clock - since < REFUSED_INTERVAL:
            yield f"a refused sign-in rests: {service} asked after {count} refusals, the last at {since}"

    def _judge_count(self, question: Question, *, is_release: bool) -> Iterator[str]:
        """An hour and a half hour of questions; a release may ask Tesla in every run."""
        service, now = question.service, question.at
        asked = self.asked[service]
        asked.append(now)
        while asked[0] <= now - HOUR:
            asked.popleft()
        runs = sum(count for _, count in self.runs)
        most = max(MAX_PER_HOUR[service], runs if service == "tesla" else 0)
        if len(asked) > most:
            yield f"seldom asked: {service} {len(asked)} times in an hour"
        if question.outcome is Outcome.ACCEPTED:
            self.failing_since.pop(service, None)
            return
        since = self.failing_since.setdefault(service, now)
        lately = sum(at > now - HALF_HOUR for at in asked)
        if now - since >= HALF_HOUR and not is_release and lately > MAX_IN_OUTAGE[service]:
            yield f"seldom asked while it fails: {service} {lately} times in half an hour"

    def _remember(self, minute: Minute, *, may_forget: bool) -> None:
        for each in minute.questions:
            if each.outcome is not Outcome.SIGN_IN_REFUSED:
                self.refused.pop(each.service, None)
            elif not may_forget:
                self.refused[each.service] = (self.refused.get(each.service, (0, minute.clock))[0] + 1, minute.clock)
            if each.outcome is not Outcome.THROTTLED:
                self.waits.pop(each.service, None)
            elif each.retry_after is not None and not may_forget:
                self.waits[each.service] = minute.clock, each.retry_after


@dataclass
class MailLaws:
    """Judges mails as they are handed over. sent: of every event, the mails that the recipient has or may have."""

    local_day: Callable[[datetime], date]
    sent: dict[str, list[Mail]] = field(default_factory=lambda: defaultdict(list))
    per_day: Counter[date] = field(default_factory=Counter)

    def mail(self, mail: Mail) -> Iterator[str]:
        """Name what a calendar would show wrongly, and what floods the recipient."""
        for earlier in self.sent[mail.event]:
            if mail.sequence < earlier.sequence:
                yield f"nothing old after something new: {mail.sequence} of {mail.event} after {earlier.sequence}"
            if mail.sequence == earlier.sequence and mail.content != earlier.content:
                yield f"a repeat is the same mail: {mail.sequence} of {mail.event}"
            apart = mail.at - earlier.at
            is_soon = timedelta(0) <= apart < MIN_MAIL_INTERVAL and mail.true_at - earlier.true_at < MIN_MAIL_INTERVAL
            if mail.sequence != earlier.sequence and is_soon:
                yield f"no flood of mails: {mail.sequence} of {mail.event} {apart} after the last"
        if mail.is_delivered:
            self.sent[mail.event].append(mail)
            self.per_day[self.local_day(mail.at)] += 1
            if self.per_day[self.local_day(mail.at)] > MAX_MAILS_PER_DAY:
                yield f"no flood of mails: more than {MAX_MAILS_PER_DAY} on {self.local_day(mail.at)}"
