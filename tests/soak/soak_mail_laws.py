"""The laws of mail: nothing is lost, nothing old follows something new, and nobody is flooded."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from laws.message_laws import MailLaws
from laws.record import Mail
from soak_observer import DayObserver
from soak_services import SentMail

from smartcharge.policy.polling import DeliveryStatus
from smartcharge.policy.slots import local_day

if TYPE_CHECKING:
    from soak_day import SoakDay


NEAR_MAX_MAILS = 45
"""From here on the cap may be used up: it counts what died on its way as well, which is not seen from here."""
DELIVERED_RESULTS = {DeliveryStatus.ACCEPTED, DeliveryStatus.UNKNOWN}


class SoakMailLaws:
    """Judges mails by the shared laws, and by what the outbox holds.

    certain: mails that are known to have arrived. new: the mails of this run.
    """

    def __init__(self, day: "SoakDay", observer: DayObserver) -> None:
        self.day, self.observer = day, observer
        self.laws = MailLaws(lambda at: local_day(at, observer.policy.cheap_period.zone))
        self.certain: set[tuple[str, int]] = set()
        self.new: list[SentMail] = []

    def posted(self, posted: SentMail) -> None:
        """Judge a mail as it is handed over."""
        event, sequence = posted.name
        self._judge_frozen(posted)
        is_delivered = posted.status in DELIVERED_RESULTS
        mail = Mail(posted.at, posted.true_at, event, sequence, posted.message, is_delivered)
        for each in self.laws.mail(mail):
            law, _, what = each.partition(": ")
            if not (self.day.jump and "more than" in what):
                self.observer.broken(law, what)
        if (event, sequence) in self.certain:
            self.observer.broken("posted once", f"{sequence} of {event} again, though it was taken")
        self.day.tally.mails += is_delivered
        self.new.append(posted)

    def after_run(self, *, remembers: bool) -> None:
        """Keep which mails are certainly there, and known to be."""
        if remembers:
            self.certain |= {posted.name for posted in self.new if posted.status is DeliveryStatus.ACCEPTED}
        self.new.clear()

    def _judge_frozen(self, posted: SentMail) -> None:
        """The bytes were written down before they went out."""
        rows = self.observer.db.execute("SELECT message FROM outbox WHERE state = 'inflight'").fetchall()
        if [bytes(row["message"]) for row in rows] != [posted.message]:
            self.observer.broken("frozen before it is posted", f"{posted.name}, {len(rows)} on their way")

    def at_the_end(self) -> None:
        """Nothing waits any more, but for tomorrow where the day's mails are used up; the calendar shows the rest."""
        waiting = self._rows("SELECT uid, sequence, state FROM outbox WHERE state IN ('queued', 'inflight')")
        is_used_up = (
            self.laws.per_day[local_day(self.day.clock, self.observer.policy.cheap_period.zone)] >= NEAR_MAX_MAILS
        )
        if waiting and not is_used_up:
            self.observer.broken("every mail is posted", waiting)
        failed = {row[0] for row in self._rows("SELECT uid FROM outbox WHERE state = 'failed'")}
        failed |= {row[0] for row in waiting} if is_used_up else set()
        arrived = dict(sorted(posted.name for posted in self.day.mailer.took))
        newest = self._rows("SELECT uid, MAX(sequence), method FROM events GROUP BY uid")
        for event, sequence, method in newest:
            shown = arrived.get(event)
            if event not in failed and shown != sequence and not (method == "CANCEL" and event not in self.laws.sent):
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
