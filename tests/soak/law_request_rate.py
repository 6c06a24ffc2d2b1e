"""The laws of asking: not too often, not what cannot matter, and not by who was asked to wait or was refused."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from soak_observer import DayObserver, RunRecord

from smartcharge.errors import SignInRefusedError, ThrottledError

if TYPE_CHECKING:
    from soak_day import SoakDay


HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MAX_REQUESTS_PER_HOUR = {"kraken": 31, "zappi": 48, "mail": 30, "tesla": 62}
"""Kraken every other minute; the Zappi every other minute, every minute for 20 of them, and twice where it is due."""
HALF_HOUR = timedelta(minutes=30)
MAX_REQUESTS_IN_OUTAGE = {"kraken": 9, "zappi": 14, "mail": 4, "tesla": 13}
"""In half an hour in which no question was answered.

A Zappi that says "unknown" has answered: skipping minutes is for 429, 5xx and time-outs, and it is asked on as
ever, every minute for the first five of a slot and the first 15 of a window, and every other minute otherwise.
"""
MIN_WAITS = {"kraken": 105, "zappi": 80, "mail": 280, "tesla": 0}
"""Seconds after 429, however little was asked for."""
RELEASE_MAX_WAIT = timedelta(seconds=170)
MAX_REFUSALS = {"kraken": 1, "zappi": 2, "mail": 1}
"""The Zappi's server refuses in trouble, too, so there it must come twice."""
SHORT_INTERVAL, LONG_INTERVAL = timedelta(seconds=110), timedelta(minutes=14)
MAX_SHORT_INTERVALS = 3


class RequestRateLaws:
    """waits: since when (by the program's clock) each service asked to be left alone, and for how long.

    held_back_until: the same by the true time. refused: how often running, and when last.
    """

    def __init__(self, day: "SoakDay", observer: DayObserver) -> None:
        self.day, self.observer = day, observer
        self.waits: dict[str, tuple[datetime, timedelta]] = {}
        self.refused: dict[str, tuple[int, datetime]] = {}
        self.asked_at: dict[str, list[datetime]] = defaultdict(list)
        self.ill_since: dict[str, datetime] = {}
        self.held_back_until: dict[str, datetime] = {}
        self.jump = day.jump

    def forgiven(self, service: str) -> None:
        """The owner has signed in anew, or corrected his key."""
        self.refused.pop(service, None)

    @property
    def must_wait(self) -> bool:
        """Whether a service asked to be left alone for so long that holds may be missed."""
        return any(self.day.now < until for until in self.held_back_until.values())

    def _is_waiting(self, service: str, wait: timedelta) -> bool:
        return timedelta(0) <= self.day.clock - self.waits[service][0] < wait

    def asked(self, service: str, run: RunRecord) -> None:
        """A service is asked; what it will say is known already."""
        if self.jump != self.day.jump:
            self.jump = self.day.jump
            self.waits.clear()
            self.refused.clear()
        self._judge_wait(service)
        self._judge_refusal(service)
        self._judge_count(service)
        if service == "zappi":
            self._judge_use()
        run.heard[service] = self._fault(service)
        if run.heard[service] is None:
            self.waits.pop(service, None)
            self.held_back_until.pop(service, None)

    def after_run(self, run: RunRecord, *, remembers: bool) -> None:
        """Keep what was heard, where the run could remember it."""
        for service, heard in run.heard.items():
            if heard is None or not isinstance(heard, SignInRefusedError):
                self.refused.pop(service, None)
            if not remembers:
                continue
            if isinstance(heard, ThrottledError):
                least = timedelta(seconds=MIN_WAITS[service])
                wait = max(heard.retry_after or least, least)
                self.waits[service] = (self.day.clock, wait)
                self.held_back_until[service] = self.day.now + abs(self.day.jump) % DAY + wait
            if isinstance(heard, SignInRefusedError):
                count, _ = self.refused.get(service, (0, self.day.clock))
                self.refused[service] = (count + 1, self.day.clock)

    def _fault(self, service: str) -> BaseException | None:
        """What keeps a service from answering; whatever else it says is an answer."""
        day = self.day
        parts = {"tesla": day.battery, "zappi": day.charger, "kraken": day.tariff, "mail": day.mailer}
        fault = getattr(parts[service], "fault")  # noqa: B009  # of any of them
        return fault if isinstance(fault, BaseException) else None

    def _judge_wait(self, service: str) -> None:
        if service not in self.waits:
            return
        since, wait = self.waits[service]
        releasing = service == "tesla" and self.observer.look().is_releasing
        if self._is_waiting(service, min(wait, RELEASE_MAX_WAIT) if releasing else wait):
            self.observer.broken("a wait is kept", f"asked {service}, which asked for {wait} at {since}")

    def _judge_refusal(self, service: str) -> None:
        count, since = self.refused.get(service, (0, self.day.clock))
        if service == "tesla":
            wait = SHORT_INTERVAL if count <= MAX_SHORT_INTERVALS else LONG_INTERVAL
            if count and timedelta(0) <= self.day.clock - since < wait:
                self.observer.broken("a refused sign-in rests", f"asked tesla, refused {count} times, at {since}")
        elif count >= MAX_REFUSALS[service]:
            self.observer.broken("a refused sign-in rests", f"asked {service}, refused {count} times, at {since}")

    def _judge_count(self, service: str) -> None:
        now, asked = self.day.now, self.asked_at[service]
        asked[:] = [*(at for at in asked if now - at < HOUR), now]
        if self._fault(service) is None:
            self.ill_since.pop(service, None)
        ill_since = self.ill_since.setdefault(service, now) if self._fault(service) is not None else now
        if self.observer.time_since_unrecorded < HOUR:
            return
        if len(asked) > MAX_REQUESTS_PER_HOUR[service]:
            self.observer.broken("seldom asked", f"{service} {len(asked)} times in an hour")
        releasing = service == "tesla" and self.observer.look().is_releasing
        lately = [at for at in asked if now - at < HALF_HOUR]
        if now - ill_since >= HALF_HOUR and not releasing and len(lately) > MAX_REQUESTS_IN_OUTAGE[service]:
            self.observer.broken("seldom asked in an outage", f"{service} {len(lately)} times in half an hour")

    def _judge_use(self) -> None:
        """The charger is asked only where its answer could change anything."""
        if self.observer.night is not None or self.observer.look().seen.is_paused:
            self.observer.broken("no question that cannot matter", "asked the Zappi at night, or while paused")
