"""From a day's lanes to what is drawn: across in percent of the width, so that it fits every screen; down in pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from smartcharge.core.report import Lane, Look, Mark, Picture, Point
from smartcharge.core.slots import Span
from smartcharge.core.timeline import Tick, percent, stacked, ticks

AXIS_PX, TITLE_PX, COURSE_PX, EMPTY_PX, BETWEEN_PX = 24, 18, 48, 4, 10
ROW_PX, BAR_PX = 14, 10
DENSE_ROW_PX, DENSE_BAR_PX, DENSE_FROM_ROWS = 9, 6, 16
"""So a plan that was revised all day still fits on one sheet of paper."""
THIN_PX = 4
THIN = {Look.REST, Look.IDLE}
FOR_LABELS = timedelta(hours=3)
FOR_SIGNS = timedelta(minutes=40)
"""What a label, and a sign without length, take of the day's width on a small screen."""
LABEL_LEFT_FROM = 85.0
"""Percent: from here on a label stands before its bar."""
MOST_DOTS = 48
"""Where a course has more points than half hours, they run into one another."""
FULL = 1000
"""The width and the height of a course's own scale."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A mark on the page. x, width: percent; y, height: pixels; path: its course, on the scale 0-1000 both ways."""

    look: Look
    title: str
    x: float
    width: float
    y: float
    height: float
    label: str = ""
    label_x: float = 0.0
    label_ends: bool = False
    path: str = ""
    dots: tuple[tuple[float, float], ...] = ()

    @property
    def is_moment(self) -> bool:
        """Whether it is a sign without length."""
        return self.width == 0 and not self.path


@dataclass(frozen=True, slots=True)
class Strip:
    """A lane on the page. y: of its name (pixels); foot: of its lower edge; note: what stands beside its name."""

    name: str
    y: float
    foot: float
    note: str
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """The whole picture. height: pixels; hours: where they are named (percent); now: percent, None for no line."""

    height: float
    strips: tuple[Strip, ...]
    hours: tuple[tuple[float, Tick], ...]
    now: float | None


def chart(picture: Picture) -> Chart:
    """Lay out a picture from top to bottom."""
    strips, y = [], float(AXIS_PX)
    for lane in picture.lanes:
        strip = _strip(picture.span, lane, y)
        strips.append(strip)
        y = strip.foot + BETWEEN_PX
    hours = tuple((percent(picture.span, tick.at), tick) for tick in ticks(picture.span, picture.zone))
    now = None if picture.now is None else percent(picture.span, picture.now)
    return Chart(y, tuple(strips), hours, now)


def _strip(span: Span, lane: Lane, top: float) -> Strip:
    y = top + TITLE_PX
    if not lane.marks:
        return Strip(lane.name, y - 5, y + EMPTY_PX, "none", ())
    if lane.top is not None:
        shapes = tuple(_course(span, lane, lane.top, mark, y) for mark in lane.marks)
        return Strip(lane.name, y - 5, y + COURSE_PX, f"0\N{EN DASH}{lane.top:g} {lane.unit}", shapes)
    rows = stacked(lane.marks, lambda mark: mark.span, _room(lane.marks))
    row_px, bar_px = (DENSE_ROW_PX, DENSE_BAR_PX) if len(rows) >= DENSE_FROM_ROWS else (ROW_PX, BAR_PX)
    bars = tuple(_bar(span, lane, mark, y + n * row_px, bar_px) for n, row in enumerate(rows) for mark in row)
    return Strip(lane.name, y - 5, y + len(rows) * row_px, lane.note, bars)


def _room(marks: Sequence[Mark]) -> timedelta:
    if any(mark.label for mark in marks):
        return FOR_LABELS
    signs = any(mark.span.starts_at == mark.span.ends_at and mark.look is not Look.RELEASE for mark in marks)
    return FOR_SIGNS if signs else timedelta(0)


def _bar(span: Span, lane: Lane, mark: Mark, y: float, bar_px: float) -> Shape:
    x, end = percent(span, mark.span.starts_at), percent(span, mark.span.ends_at)
    thin = (bar_px - THIN_PX) / 2 if mark.look in THIN else 0
    ends = end > LABEL_LEFT_FROM
    return Shape(
        look=mark.look,
        title=_title(lane, mark),
        x=x,
        width=round(end - x, 3),
        y=y + thin,
        height=bar_px - 2 * thin,
        label=mark.label,
        label_x=x if ends else end,
        label_ends=ends,
    )


def _course(span: Span, lane: Lane, top: float, mark: Mark, y: float) -> Shape:
    """A mark that shows its course over the strip's whole height; without one it lies at the foot."""
    x, end = percent(span, mark.span.starts_at), percent(span, mark.span.ends_at)
    if not mark.points or mark.look is Look.IDLE:
        height = THIN_PX if mark.look in THIN else BAR_PX
        return Shape(mark.look, _title(lane, mark), x, round(end - x, 3), y + COURSE_PX - height, height)
    spots = [(percent(span, each.at), _height(each, top)) for each in mark.points]
    stepped = mark.look is Look.CHARGING
    dotted = not stepped and len(spots) <= MOST_DOTS
    return Shape(
        look=mark.look,
        title=_title(lane, mark),
        x=x,
        width=round(end - x, 3),
        y=y,
        height=COURSE_PX,
        path="".join(_steps(spots) if stepped else _line(spots)),
        dots=tuple((across, round(y + down * COURSE_PX / FULL, 1)) for across, down in spots if dotted),
    )


def _height(point: Point, top: float) -> float:
    return round(FULL * (1 - min(max(point.value / top, 0.0), 1.0)), 1)


def _steps(spots: Sequence[tuple[float, float]]) -> Iterator[str]:
    """An area whose upper edge keeps each value until the next."""
    yield f"M{spots[0][0] * 10:g} {FULL}"
    for across, down in spots:
        yield f"H{across * 10:g}V{down:g}"
    yield f"V{FULL}Z"


def _line(spots: Sequence[tuple[float, float]]) -> Iterator[str]:
    for n, (across, down) in enumerate(spots):
        yield f"{'L' if n else 'M'}{across * 10:g} {down:g}"


def _title(lane: Lane, mark: Mark) -> str:
    return f"{lane.name}: {mark.when}, {mark.what}"
