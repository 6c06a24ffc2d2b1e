"""Pages of five days: nothing, an ordinary one, one in the shadow, a plan revised forty times, one full of trouble."""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from html_reader import Element, find_event_handlers, find_references, read_html
from sample_days import SAMPLE_DAYS, make_house, run_report

from smartcharge.report import html
from smartcharge.report.model import MarkStyle

MOST_BYTES = 300_000
SHEET_PX = 690
"""What is left for lanes on a sheet of A4 below the head of a page, at 96 pixels to the inch."""
TEXT, SIGNS = 4.5, 3.0
"""What WCAG 2.2 asks of text (1.4.3) and of what tells something without text (1.4.11), at level AA."""
STYLE = Path(html.__file__).with_name("templates") / "style.css"
FORBIDDEN = {"script", "iframe", "object", "embed", "link", "img", "form", "audio", "video", "base", "foreignobject"}
SCHEMES = ("light", "dark", "paper")


@dataclass(frozen=True)
class Page:
    """A page as written, and as read."""

    text: str
    root: Element

    @property
    def marks(self) -> list[Element]:
        """What is drawn in the picture."""
        return [mark for picture in self.root.all("div", "picture") for mark in picture.all("g", "mark")]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    texts = {}
    for name, day in SAMPLE_DAYS.items():
        config = make_house(tmp_path_factory.mktemp("house"), day)
        for what, period in ((name, ("--day", "2026-12-09")), (f"{name}, the month", ("--month", "2026-12"))):
            outcome = run_report(config, *period, "--html", "-")
            assert outcome.exit_code == 0, outcome.stderr
            texts[what] = outcome.stdout
    return {what: Page(text, read_html(text)) for what, text in texts.items()}


@pytest.fixture(params=[*SAMPLE_DAYS, *(f"{name}, the month" for name in SAMPLE_DAYS)])
def page(request: pytest.FixtureRequest, pages: dict[str, Page]) -> Page:
    return pages[request.param]


def test_a_page_stands_alone(page: Page) -> None:
    policy = [each.attributes["content"] for each in page.root.all("meta") if "http-equiv" in each.attributes]
    assert {tag for each in page.root.all() if (tag := each.tag) in FORBIDDEN} == set()
    assert {to for to in find_references(page.root) if not to.startswith("#hatch-")} == set()
    assert find_event_handlers(page.root) == set()
    assert "://" not in page.text
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_a_page_is_small(page: Page) -> None:
    assert len(page.text.encode()) < MOST_BYTES


def test_a_page_is_a_document_that_screen_readers_can_walk_through(page: Page) -> None:
    ids = [each.attributes["id"] for each in page.root.all() if "id" in each.attributes]
    named = {each.attributes["aria-labelledby"] for each in page.root.all() if "aria-labelledby" in each.attributes}
    levels = [int(each.tag[1]) for each in page.root.all() if re.fullmatch("h[1-6]", each.tag)]
    assert page.root.all("html")[0].attributes["lang"] == "en-GB"
    assert page.root.all("title")[0].text.strip()
    assert len(ids) == len(set(ids))
    assert named <= set(ids)
    assert all(
        label <= set(ids) for label in (set(re.findall(r"url\(#([^)]+)\)", page.text)) if page.marks else set(),)
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert len(page.root.all("main")) == 1


def test_every_table_has_a_caption_and_headings_for_all_its_columns(page: Page) -> None:
    tables = page.root.all("table")
    assert tables
    for table in tables:
        columns = len(table.all("thead")[0].all("th"))
        rows = table.all("tbody")[0].all("tr")
        assert table.all("caption")[0].whole_text
        assert rows
        assert {len(row.all("th") + row.all("td")) for row in rows} == {columns}
        assert {row.children[0].attributes["scope"] for row in rows} == {"row"}


def test_every_mark_has_a_title_and_stands_in_the_table_too(page: Page) -> None:
    titles = [mark.children[0].whole_text for mark in page.marks]
    told = [[cell.whole_text for cell in row.children] for t in page.root.all("table", "told") for row in t.all("tr")]
    assert all(mark.children[0].tag == "title" for mark in page.marks)
    assert all(mark.attributes["role"] == "img" for mark in page.marks)
    assert sorted(titles) == sorted(f"{lane}: {when}, {what}" for when, lane, what in told if when != "When")


def test_every_look_that_is_drawn_is_explained(page: Page) -> None:
    drawn = {MarkStyle(each) for mark in page.marks for each in mark.attributes["class"].split()[1:]}
    legend = {item.whole_text for each in page.root.all("ul", "legend") for item in each.all("li")}
    assert legend == {look.sentence for look in drawn}


def test_marks_stay_inside_the_picture(page: Page) -> None:
    for mark in page.marks:
        for rect in mark.all("rect"):
            x, width = (float(rect.attributes[name].removesuffix("%")) for name in ("x", "width"))
            assert 0 <= x <= x + width <= 100.001


def test_a_picture_can_be_parted_between_its_lanes_on_paper(page: Page) -> None:
    for picture in page.root.all("div", "picture"):
        axis, *strips = ([each for each in part.children if each.tag == "svg"] for part in picture.children)
        heights = [float(drawing.attributes["height"]) for (drawing,) in strips]
        rects = [[float(rect.attributes["y"]) for rect in drawing.all("rect")] for (drawing,) in strips]
        tops = [float(axis[0].attributes["height"]) + sum(heights[:n]) for n in range(len(strips))]
        assert len(strips) == 9
        assert max(heights) < SHEET_PX
        assert all(top <= y < top + height for top, height, ys in zip(tops, heights, rects, strict=True) for y in ys)


def test_a_day_in_the_shadow_holds_and_saves_nothing(pages: dict[str, Page]) -> None:
    drawn = {look for mark in pages["in the shadow"].marks for look in mark.attributes["class"].split()[1:]}
    (cell,) = (day for day in pages["in the shadow, the month"].root.all("li", "lived"))
    assert "rehearsed" in drawn
    assert drawn & {"hold", "extension", "asked", "backup", "dear"} == set()
    assert cell.whole_text == "9 Wed 2 h 16 min (would have) charged"


def test_an_ordinary_day_shows_all_that_happened(pages: dict[str, Page]) -> None:
    drawn = [look for mark in pages["ordinary"].marks for look in mark.attributes["class"].split()[1:]]
    expected = {
        "night": 1,
        "cheap": 1,
        "live": 2,
        "replaced": 1,
        "withdrawn": 1,
        "charging": 1,
        "hold": 1,
        "extension": 1,
    }
    later = {"release": 1, "asked": 1, "backup": 1, "rest": 1, "level": 1, "mail": 2}
    assert {look: drawn.count(look) for look in {**expected, **later}} == {**expected, **later}


def test_forty_revisions_are_forty_rows(pages: dict[str, Page]) -> None:
    plan = [
        mark for mark in pages["forty revisions"].marks if {"live", "replaced"} & set(mark.attributes["class"].split())
    ]
    assert len(plan) == 40
    assert len({mark.all("rect")[0].attributes["y"] for mark in plan}) == 40


def test_a_day_of_nothing_says_so(pages: dict[str, Page]) -> None:
    text = pages["nothing"].root.whole_text
    assert "The Powerwall was not charged; no problems." in text
    assert [mark.attributes["class"] for mark in pages["nothing"].marks] == ["mark night"]


def test_words_that_mean_harm_are_only_words(pages: dict[str, Page]) -> None:
    page = pages["full of trouble"]
    assert "<script>alert('x')</script> & <b onmouseover=\"x\">bold</b>" in page.root.whole_text
    assert "&lt;script&gt;" in page.text
    assert "\x1b" not in page.text
    assert "more; `smartcharge history` shows them all" in page.root.whole_text


def test_a_month_is_a_calendar_of_its_days(pages: dict[str, Page]) -> None:
    days = pages["ordinary, the month"].root.all("ol", "calendar")[0].all("li")
    lived = [day for day in days if "lived" in day.attributes["class"]]
    assert len(days) == 31
    assert days[0].attributes["style"] == "grid-column-start: 2"  # 1 December 2026 is a Tuesday
    assert [day.all("time")[0].attributes["datetime"] for day in lived] == ["2026-12-09"]
    assert "2 h 16 min charged" in lived[0].whole_text
    assert [day.attributes["class"] for day in days[10:]] == ["ahead"] * 21


def test_a_page_says_what_saving_means_and_where_each_sum_is_known_from(page: Page) -> None:
    text = page.root.whole_text
    assert "The saving: for each half hour at the off-peak rate outside the off-peak hours" in text
    for sums in page.root.all("table", "sums"):
        rows = [[cell.whole_text for cell in row.children] for row in sums.all("tbody")[0].all("tr")]
        bare = [name for name, amount, basis in rows if not basis and amount not in {"none", "never", "not known"}]
        assert bare == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_has_contrast_enough(scheme: str) -> None:
    colours = palettes()[SCHEMES.index(scheme)]
    paper = colours.pop("paper")
    colours.pop("rule")  # between rows that stand apart without it, and behind the marks
    weak = {
        name: round(contrast(colour, paper), 2)
        for name, colour in colours.items()
        if contrast(colour, paper) < (TEXT if name in {"ink", "muted", "trouble"} else SIGNS)
    }
    assert set(colours) >= {"ink", "muted", "night", "cheap", "plan", "car", "hold", "battery", "trouble"}
    assert weak == {}


def test_every_colour_of_the_page_has_a_name() -> None:
    style = re.sub(r":root\s*\{[^}]*\}", "", STYLE.read_text(encoding="utf-8"))
    used = set(re.findall(r"var\(--([a-z]+)\)", style))
    assert re.findall(r"#[0-9a-f]{3,8}\b|rgba?\(|hsl", style) == []
    assert all(used <= set(palette) for palette in palettes())


def palettes() -> list[dict[str, str]]:
    """The colours by name, of the light, the dark and the printed page."""
    blocks = re.findall(r":root\s*\{([^}]*)\}", STYLE.read_text(encoding="utf-8"))
    assert len(blocks) == len(SCHEMES)
    return [dict(re.findall(r"--([a-z]+):\s*(#[0-9a-f]{6})", block)) for block in blocks]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours. Source: WCAG 2.2, definition of contrast ratio."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of #rrggbb. Source: WCAG 2.2, definition of relative luminance."""
    parts = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
