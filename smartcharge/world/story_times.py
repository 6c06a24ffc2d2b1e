"""Times as stories write them: London wall clock of the story's day, `+1 00:30` a day later, or ISO with offset."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
WALL = re.compile(r"(?:\+(\d+) )?(\d{2}:\d{2}(?::\d{2})?)")
CLOCK = r"(?:\+\d+ )?\d{2}:\d{2}(?::\d{2})?"
SPAN = re.compile(rf"({CLOCK})\s*-\s*({CLOCK})")


class StoryError(ValueError):
    """A story file that cannot be played; says where and why."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Turns a story's written times into instants, UTC."""

    day: date

    def moment(self, text: object) -> datetime:
        """Read one time; StoryError where it is none, or where clocks skip it."""
        written = str(text).strip()
        if match := WALL.fullmatch(written):
            return self._instant(int(match[1] or 0), match[2], written)
        try:
            moment = datetime.fromisoformat(written)
        except ValueError:
            raise StoryError(f"{written!r} is no time: write 13:30, +1 00:30, or ISO with an offset") from None
        if moment.tzinfo is None:
            raise StoryError(f"{written!r} lacks its offset")
        return moment.astimezone(UTC)

    def span(self, text: object) -> tuple[datetime, datetime]:
        """Read `13:00-14:30`; an end before its start is the next day's."""
        match = SPAN.fullmatch(str(text).strip())
        if match is None:
            raise StoryError(f"{str(text)!r} is no span: write 13:00-14:30")
        start, end = self.moment(match[1]), self.moment(match[2])
        while end <= start:
            end += timedelta(days=1)
        return start, end

    def _instant(self, days_later: int, clock: str, written: str) -> datetime:
        wall = datetime.combine(self.day + timedelta(days=days_later), time.fromisoformat(clock), LONDON)
        moment = wall.astimezone(UTC)
        if moment.astimezone(LONDON).replace(tzinfo=None) != wall.replace(tzinfo=None):
            raise StoryError(f"{written!r} does not exist: London's clocks go forward over it")
        return moment
