"""A report as lines of text, for a terminal and for the plain part of a mail."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from smartcharge.core.report import DayCell, Figure, Report

WIDTH = 100
COLUMNS = ("half hour", "rate", "held", "car", "battery", "saving", "")


def lines(report: Report) -> Iterator[str]:
    """The whole report, a line each."""
    yield report.title
    yield report.headline
    yield ""
    if report.picture is None:
        yield from _days(report.month.days)
        yield ""
        yield from _figures(report.month.figures)
    else:
        yield from _half_hours(report)
        yield from _figures(report.figures)
    for words in (*report.meaning, f"Made {report.made}."):
        yield ""
        yield from wrap(words, WIDTH)


def _half_hours(report: Report) -> Iterator[str]:
    rows = [(r.when, r.rate, r.held, r.car, r.battery, r.saving, r.remark) for r in report.half_hours]
    if rows:
        yield from _columns([COLUMNS, *rows])
        yield ""


def _days(days: Sequence[DayCell]) -> Iterator[str]:
    known = [day for day in days if not day.is_ahead]
    rows = [(f"{d.day:%a} {d.day.day:>2}", d.held or "-", d.saving, d.leaks, d.trouble) for d in known]
    return _columns([("day", "held", "saving", "leaks", "trouble"), *rows])


def _figures(figures: Sequence[Figure]) -> Iterator[str]:
    return _columns([(each.name, each.amount, each.basis) for each in figures])


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows under one another, two blanks between columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
