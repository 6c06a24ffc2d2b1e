"""The laws of what people and services are told: trouble once, mail in its order, and no question against a wait."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from laws.record import Mail, Minute, Outcome

RELEASE_MAX_WAIT = timedelta(seconds=170)
"""A release waits three minutes at most, whatever Tesla asks for."""
CRON_TOLERANCE = timedelta(seconds=15)
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
class WaitLaws:
    """Judges whether a wait that a service asked for is respected. waits: since when by the program's clock."""

    waits: dict[str, tuple[datetime, timedelta]] = field(default_factory=dict)

    def minute(self, minute: Minute) -> Iterator[str]:
        """Name questions that came too early; a release may ask Tesla again after three minutes."""
        asked = {each.service for each in minute.questions}
        for service in sorted(asked & self.waits.keys()):
            since, wanted = self.waits[service]
            is_release = service == "tesla" and minute.is_releasing
            wait = min(wanted, RELEASE_MAX_WAIT) if is_release else wanted - CRON_TOLERANCE
            if timedelta(0) < minute.clock - since < wait:
                yield f"a wait is respected: {service} asked {minute.clock - since} after it asked for {wanted}"
        for each in minute.questions:
            if each.outcome is Outcome.THROTTLED and each.retry_after is not None:
                self.waits[each.service] = minute.clock, each.retry_after
            elif each.outcome is not Outcome.THROTTLED:
                self.waits.pop(each.service, None)


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
