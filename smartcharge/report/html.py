"""A report as one HTML page: no script, nothing loaded from anywhere, for screens of any width and for paper."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from smartcharge.policy.slots import Span
from smartcharge.report.model import (
    AxisTick,
    ChartLane,
    ChartMark,
    ChartPoint,
    DayChart,
    MarkStyle,
    Report,
    axis_ticks,
    position_pct,
    stack_in_rows,
)

AXIS_PX, LANE_TITLE_PX, CURVE_PX, EMPTY_LANE_PX, LANE_GAP_PX = 24, 18, 48, 4, 10
ROW_PX, BAR_PX = 14, 10
DENSE_ROW_PX, DENSE_BAR_PX, DENSE_FROM_ROWS = 9, 6, 16
"""So a plan that was revised all day still fits on one sheet of paper."""
THIN_BAR_PX = 4
THIN_LOOKS = {MarkStyle.REST, MarkStyle.IDLE}
LABEL_ROOM = timedelta(hours=3)
SYMBOL_ROOM = timedelta(minutes=40)
"""What a label, and a sign without length, take of the day's width on a small screen."""
LABEL_LEFT_FROM_PERCENT = 85.0
"""Percent: from here on a label stands before its bar."""
MAX_CURVE_DOTS = 48
"""Where a course has more points than half hours, they run into one another."""
CURVE_SCALE = 1000
"""The width and the height of a course's own scale."""


@dataclass(frozen=True, slots=True)
class ShapeLayout:
    """A mark on the page. x, width: percent; y, height: pixels; path: its course, on the scale 0-1000 both ways."""

    look: MarkStyle
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
class LaneLayout:
    """A lane on the page. y: of its name (pixels); foot: of its lower edge; note: what stands beside its name."""

    name: str
    y: float
    foot: float
    note: str
    shapes: tuple[ShapeLayout, ...]


@dataclass(frozen=True, slots=True)
class ChartLayout:
    """The whole picture. height: pixels; hours: where they are named (percent); now: percent, None for no line."""

    height: float
    strips: tuple[LaneLayout, ...]
    hours: tuple[tuple[float, AxisTick], ...]
    now: float | None


def lay_out_chart(picture: DayChart) -> ChartLayout:
    """Lay out a picture from top to bottom."""
    strips, y = [], float(AXIS_PX)
    for lane in picture.lanes:
        strip = _lay_out_lane(picture.span, lane, y)
        strips.append(strip)
        y = strip.foot + LANE_GAP_PX
    hours = tuple((position_pct(picture.span, tick.at), tick) for tick in axis_ticks(picture.span, picture.zone))
    now = None if picture.now is None else position_pct(picture.span, picture.now)
    return ChartLayout(y, tuple(strips), hours, now)


def _lay_out_lane(span: Span, lane: ChartLane, top: float) -> LaneLayout:
    y = top + LANE_TITLE_PX
    if not lane.marks:
        return LaneLayout(lane.name, y - 5, y + EMPTY_LANE_PX, "none", ())
    if lane.top is not None:
        shapes = tuple(_lay_out_curve(span, lane, lane.top, mark, y) for mark in lane.marks)
        return LaneLayout(lane.name, y - 5, y + CURVE_PX, f"0\N{EN DASH}{lane.top:g} {lane.unit}", shapes)
    rows = stack_in_rows(lane.marks, lambda mark: mark.span, _room_between_marks(lane.marks))
    row_px, bar_px = (DENSE_ROW_PX, DENSE_BAR_PX) if len(rows) >= DENSE_FROM_ROWS else (ROW_PX, BAR_PX)
    bars = tuple(_lay_out_bar(span, lane, mark, y + n * row_px, bar_px) for n, row in enumerate(rows) for mark in row)
    return LaneLayout(lane.name, y - 5, y + len(rows) * row_px, lane.note, bars)


def _room_between_marks(marks: Sequence[ChartMark]) -> timedelta:
    if any(mark.label for mark in marks):
        return LABEL_ROOM
    signs = any(mark.span.starts_at == mark.span.ends_at and mark.look is not MarkStyle.RELEASE for mark in marks)
    return SYMBOL_ROOM if signs else timedelta(0)


def _lay_out_bar(span: Span, lane: ChartLane, mark: ChartMark, y: float, bar_px: float) -> ShapeLayout:
    x, end = position_pct(span, mark.span.starts_at), position_pct(span, mark.span.ends_at)
    thin = (bar_px - THIN_BAR_PX) / 2 if mark.look in THIN_LOOKS else 0
    ends = end > LABEL_LEFT_FROM_PERCENT
    return ShapeLayout(
        look=mark.look,
        title=_shape_title(lane, mark),
        x=x,
        width=round(end - x, 3),
        y=y + thin,
        height=bar_px - 2 * thin,
        label=mark.label,
        label_x=x if ends else end,
        label_ends=ends,
    )


def _lay_out_curve(span: Span, lane: ChartLane, top: float, mark: ChartMark, y: float) -> ShapeLayout:
    """A mark that shows its course over the strip's whole height; without one it lies at the foot."""
    x, end = position_pct(span, mark.span.starts_at), position_pct(span, mark.span.ends_at)
    if not mark.points or mark.look is MarkStyle.IDLE:
        height = THIN_BAR_PX if mark.look in THIN_LOOKS else BAR_PX
        return ShapeLayout(mark.look, _shape_title(lane, mark), x, round(end - x, 3), y + CURVE_PX - height, height)
    coordinates = [(position_pct(span, each.at), _scale_height(each, top)) for each in mark.points]
    stepped = mark.look is MarkStyle.CHARGING
    dotted = not stepped and len(coordinates) <= MAX_CURVE_DOTS
    return ShapeLayout(
        look=mark.look,
        title=_shape_title(lane, mark),
        x=x,
        width=round(end - x, 3),
        y=y,
        height=CURVE_PX,
        path="".join(_step_path(coordinates) if stepped else _line_path(coordinates)),
        dots=tuple((across, round(y + down * CURVE_PX / CURVE_SCALE, 1)) for across, down in coordinates if dotted),
    )


def _scale_height(point: ChartPoint, top: float) -> float:
    return round(CURVE_SCALE * (1 - min(max(point.value / top, 0.0), 1.0)), 1)


def _step_path(coordinates: Sequence[tuple[float, float]]) -> Iterator[str]:
    """An area whose upper edge keeps each value until the next."""
    yield f"M{coordinates[0][0] * 10:g} {CURVE_SCALE}"
    for across, down in coordinates:
        yield f"H{across * 10:g}V{down:g}"
    yield f"V{CURVE_SCALE}Z"


def _line_path(coordinates: Sequence[tuple[float, float]]) -> Iterator[str]:
    for n, (across, down) in enumerate(coordinates):
        yield f"{'L' if n else 'M'}{across * 10:g} {down:g}"


def _shape_title(lane: ChartLane, mark: ChartMark) -> str:
    return f"{lane.name}: {mark.when}, {mark.what}"


TEMPLATE_FOLDER = Path(__file__).with_name("templates")
PAGE_TEMPLATE = "page.html"
TIME_RANGE_PATTERN = re.compile(r"(\d\d:\d\d)-(?=\d\d:\d\d)")


def render_page(report: Report) -> str:
    """Render a report as one HTML document; everything but the templates themselves is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  # a vendor library

    environment = Environment(
        loader=FileSystemLoader(TEMPLATE_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["typeset"] = typeset_time_ranges
    chart = None if report.picture is None else lay_out_chart(report.picture)
    return environment.get_template(PAGE_TEMPLATE).render(report=report, chart=chart)


def typeset_time_ranges(text: str) -> str:
    """Stretches of time with the dash that books use."""
    return TIME_RANGE_PATTERN.sub("\\1\N{EN DASH}", text)
