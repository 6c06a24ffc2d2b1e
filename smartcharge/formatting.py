"""Times and Powerwall settings as the owner reads them."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import Enum, auto
from textwrap import wrap
from zoneinfo import ZoneInfo

from msgspec import Struct

from smartcharge.policy.battery import (
    FULL_RESERVE_PCT,
    MODE_AUTONOMOUS,
    MODE_BACKUP,
    MODE_SELF_CONSUMPTION,
    BatterySettings,
)
from smartcharge.text import collapse_spaces

MODE_NAMES = {
    MODE_BACKUP: "backup mode",
    MODE_AUTONOMOUS: "Time-Based Control",
    MODE_SELF_CONSUMPTION: "Self-Powered",
}
"""The modes as the Tesla app names them; it has no name for `backup`, and shows no mode as selected then."""
CHARGING_FROM_GRID = "charging from the grid"
TESLA_APP_SHOWS_NO_MODE = "Meanwhile the Tesla app shows no mode as selected."


def local_time(moment: datetime, zone: str) -> str:
    """Return a local time such as 13:30; in the hour that occurs twice in autumn, 01:30 BST or 01:30 GMT."""
    local = moment.astimezone(ZoneInfo(zone))
    twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
    return f"{local:%H:%M %Z}" if twice else f"{local:%H:%M}"


def local_date_time(moment: datetime, now: datetime, zone: str) -> str:
    """Return 13:30 for a time today, Mon 23 Nov 13:30 for another day; the year is added if it is not this year."""
    there, today = moment.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone))
    if there.date() == today.date():
        return local_time(moment, zone)
    year = f" {there.year}" if there.year != today.year else ""
    return f"{there:%a %d %b}{year} {local_time(moment, zone)}"


def local_span(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    """Return a span of local time such as "Sun 13:00-14:30"."""
    return f"{starts_at.astimezone(ZoneInfo(zone)):%a} {local_time(starts_at, zone)}-{local_time(ends_at, zone)}"


def settings_text(wanted: BatterySettings) -> str:
    """Return settings such as "Time-Based Control (Backup Reserve 20 %)"."""
    charges = wanted.mode == MODE_BACKUP and wanted.reserve_pct == FULL_RESERVE_PCT
    mode = CHARGING_FROM_GRID if charges else MODE_NAMES.get(wanted.mode, wanted.mode)
    return f"{mode} (Backup Reserve {wanted.reserve_pct} %)"


def powerwall_is(settings: BatterySettings) -> str:
    """Return what follows "the Powerwall is", such as "in Self-Powered (Backup Reserve 20 %)"."""
    text = settings_text(settings)
    return text if text.startswith(CHARGING_FROM_GRID) else f"in {text}"


def age_text(elapsed: timedelta) -> str:
    """Return a rounded duration: 40 s, 7 min, 3 h, 2 days."""
    seconds = abs(elapsed.total_seconds())
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


LABEL_WIDTH = 11
"""The column in which the words of a labelled line begin."""
MIN_TEXT_WIDTH = 24


class TextTone(Enum):
    """How a line is meant: the colour of it is the terminal's business."""

    PLAIN = auto()
    HOLDING = auto()
    RESTING = auto()
    WARNING = auto()
    ERROR = auto()
    DIM = auto()


class TextRow(Struct, frozen=True):
    """One line, before it is folded: a label, "" for none, and what is told under it.

    most_lines: what is longer when it is folded may be cut; None: nothing is cut.
    """

    label: str
    text: str
    tone: TextTone = TextTone.PLAIN
    max_lines: int | None = None


EMPTY_ROW = TextRow("", "")


def wrap_row(head: str, text: str, width: int | None, *, max_lines: int | None = None) -> Iterator[str]:
    """A head and its text, folded below the text's beginning; width: in letters, None where nothing is folded.

    most_lines: what is longer is cut, and ends in "...".
    """
    line = f"{head}{collapse_spaces(text)}"
    if width is None or len(line) <= width:
        yield line.rstrip()
        return
    indent = " " * min(len(head), max(width - MIN_TEXT_WIDTH, 0))
    yield from wrap(
        line,
        width,
        subsequent_indent=indent,
        max_lines=max_lines,
        placeholder=" ...",
        drop_whitespace=True,
        break_on_hyphens=False,
    )
