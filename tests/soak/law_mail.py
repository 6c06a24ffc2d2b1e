"""The laws of mail: nothing is lost, nothing old follows something new, and nobody is flooded."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from soak_observer import DayObserver
from soak_services import SentMail

from smartcharge.policy.polling import DeliveryStatus
from smartcharge.policy.slots import local_day

if TYPE_CHECKING:
    from soak_day import SoakDay


MIN_MAIL_INTERVAL = timedelta(minutes=5) - timedelta(seconds=60)
"""Cron may come late, and then in time."""
MAX_MAILS_PER_DAY = 50
NEAR_MAX_MAILS = 45
"""From here on the cap may be used up: it counts what died on its way as well, which is not seen from here."""
DELIVERED_RESULTS = {DeliveryStatus.ACCEPTED, DeliveryStatus.UNKNOWN}


class MailLaws:
    """had: of every event, the mails that the family has or may have. fresh: those of this run."""

    def __init__(self, day: "SoakDay", observer: DayObserver) -> None:
        self.day, self.observer = day, observer
        self.had: dict[str, list[SentMail]] = defaultdict(list)
        self.certain: set[tuple[str, int]] = set()
        self.fresh: list[SentMail] = []
        self.a_day: Counter[object] = Counter()

    def posted(self, posted: SentMail) -> None:
        """Judge a mail as it is handed over."""
        event, sequence = posted.name
        self._judge_frozen(posted)
        for earlier in self.had[event]:
            self._judge_after(posted, earlier)
        if (event, sequence) in self.certain:
            self.observer.broken("posted once", f"{sequence} of {event} again, though it was taken")
        if posted.status in DELIVERED_RESULTS:
            self.had[event].append(posted)
            self.day.tally.mails += 1
            day = local_day(posted.at, self.observer.policy.cheap_period.zone)
            self.a_day[day] += 1
            if self.a_day[day] > MAX_MAILS_PER_DAY and not self.day.jump:
                self.observer.broken("no flood", f"{self.a_day[day]} mails on {day}")
        self.fresh.append(posted)

    def after_run(self, *, remembers: bool) -> None:
        """Keep which mails are certainly there, and known to be."""
        if remembers:
            self.certain |= {posted.name for posted in self.fresh if posted.status is DeliveryStatus.ACCEPTED}
        self.fresh.clear()

    def _judge_frozen(self, posted: SentMail) -> None:
        """The bytes were written down before they went out."""
        rows = self.observer.db.execute("SELECT message FROM outbox WHERE state = 'inflight'").fetchall()
        if [bytes(row["message"]) for row in rows] != [posted.message]:
            self.observer.broken("frozen before it is posted", f"{posted.name}, {len(rows)} on their way")

    def _judge_after(self, posted: SentMail, earlier: SentMail) -> None:
        event, sequence = posted.name
        if sequence < earlier.name[1]:
            self.observer.broken("nothing old after something new", f"{sequence} of {event} after {earlier.name[1]}")
        if sequence == earlier.name[1] and posted.message != earlier.message:
            self.observer.broken("a repeat is the same mail", f"{sequence} of {event}")
        is_soon = (
            timedelta(0) <= posted.at - earlier.at < MIN_MAIL_INTERVAL
            and posted.true_at - earlier.true_at < MIN_MAIL_INTERVAL
        )
        if sequence != earlier.name[1] and is_soon:
            self.observer.broken("no flood", f"{sequence} of {event} {posted.at - earlier.at} after {earlier.name[1]}")

    def at_the_end(self) -> None:
        """Nothing waits any more, but for tomorrow where the day's mails are used up; the calendar shows the rest."""
        waiting = self._rows("SELECT uid, sequence, state FROM outbox WHERE state IN ('queued', 'inflight')")
        is_used_up = self.a_day[local_day(self.day.clock, self.observer.policy.cheap_period.zone)] >= NEAR_MAX_MAILS
        if waiting and not is_used_up:
            self.observer.broken("every mail is posted", waiting)
        failed = {row[0] for row in self._rows("SELECT uid FROM outbox WHERE state = 'failed'")}
        failed |= {row[0] for row in waiting} if is_used_up else set()
        arrived = dict(sorted(posted.name for posted in self.day.mailer.took))
        newest = self._rows("SELECT uid, MAX(sequence), method FROM events GROUP BY uid")
        for event, sequence, method in newest:
            shown = arrived.get(event)
            if event not in failed and shown != sequence and not (method == "CANCEL" and event not in self.had):
                self.observer.broken(
                    "the calendar shows what it should", f"{shown} of {event}, not {sequence} {method}"
                )
        self._judge_feed(newest)

    def _judge_feed(self, newest: Iterable[tuple[str, int, str]]) -> None:
        feed = self.day.house.folder / "feed.ics"
        if self.day.house.config.gcal is None or self.day.house.config.gcal.feed_path is None:
            return
        text = feed.read_text(encoding="utf-8") if feed.exists() else ""
        events = {part.partition("UID:")[2].split()[0]: part for part in text.split("BEGIN:VEVENT")[1:]}
        for event, sequence, _ in newest:
            if f"SEQUENCE:{sequence}" not in events.get(event, "").split():
                self.observer.broken("the feed shows what it should", f"{event} {sequence}")

    def _rows(self, sql: str) -> list[tuple[str, int, str]]:
        return [tuple(row) for row in self.observer.db.execute(sql).fetchall()]
