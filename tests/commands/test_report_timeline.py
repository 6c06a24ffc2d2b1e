from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from smartcharge.policy.slots import Span
from smartcharge.report.model import axis_ticks, position_pct, stack_in_rows

LONDON = "Europe/London"
NONE, HOUR = timedelta(0), timedelta(hours=1)


def day(text: str, hours: int = 24) -> Span:
    """A day that begins at this moment."""
    start = datetime.fromisoformat(text).astimezone(UTC)
    return Span(start, start + timedelta(hours=hours))


def spans(*hours: tuple[int, int]) -> list[Span]:
    """Stretches of one day, in hours."""
    start = day("2026-12-09T00:00Z").starts_at
    return [Span(start + first * HOUR, start + last * HOUR) for first, last in hours]


def test_a_moment_lies_where_its_share_of_the_day_is() -> None:
    whole = day("2026-12-09T00:00Z")

    assert [position_pct(whole, whole.starts_at + n * HOUR) for n in (0, 6, 18, 24)] == [0, 25, 75, 100]


def test_a_moment_outside_lies_at_the_nearer_end() -> None:
    whole = day("2026-12-09T00:00Z")

    assert position_pct(whole, whole.starts_at - HOUR) == 0
    assert position_pct(whole, whole.ends_at + HOUR) == 100


@pytest.mark.parametrize(
    ("whole", "chief"),
    [
        (day("2026-12-09T00:00Z"), ["00", "06", "12", "18", "24"]),
        (day("2026-03-29T00:00Z", 23), ["00", "06", "12", "18", "24"]),
        (day("2026-10-24T23:00Z", 25), ["00", "06", "12", "18", "24"]),
    ],
    ids=["a usual day", "the clocks go forward", "the clocks go back"],
)
def test_the_hours_are_named_as_the_wall_clock_shows_them(whole: Span, chief: list[str]) -> None:
    named = list(axis_ticks(whole, LONDON))

    assert [tick.label for tick in named if tick.chief] == chief
    assert [tick.label for tick in named if not tick.chief] == ["03", "09", "15", "21"]
    assert (named[0].at, named[-1].at) == (whole.starts_at, whole.ends_at)


def test_what_overlaps_lies_in_rows_of_its_own() -> None:
    first, second, third, fourth = items = spans((1, 3), (2, 4), (3, 5), (2, 3))

    assert stack_in_rows(items, lambda span: span, NONE) == ((first, third), (second,), (fourth,))


def test_a_label_keeps_its_room_behind_an_item() -> None:
    first, second, third = items = spans((1, 3), (4, 5), (8, 9))

    assert stack_in_rows(items, lambda span: span, 3 * HOUR) == ((first, third), (second,))


def test_no_row_is_left_out_and_none_overlaps() -> None:
    items = spans(*((n % 7, n % 7 + 1 + n % 3) for n in range(40)))

    rows = stack_in_rows(items, lambda span: span, NONE)

    assert sorted(map(str, items)) == sorted(str(item) for row in rows for item in row)
    for row in rows:
        ordered = sorted(row, key=lambda span: span.starts_at)
        assert all(a.ends_at <= b.starts_at for a, b in pairwise(ordered))
