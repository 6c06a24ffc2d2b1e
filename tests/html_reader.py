"""Reads a page as strictly as a browser is lenient: what is open, what it refers to, what it says."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID_TAGS = {"meta", "br", "hr", "img", "input", "link"}
URL_ATTRIBUTES = {"href", "src", "srcset", "action", "data", "poster", "xlink:href", "formaction", "background"}
CSS_URL_PATTERN = re.compile(r"url\(([^)]*)\)|@import")


@dataclass
class Element:
    """An element with its attributes, its children in order, and the text right inside it."""

    tag: str
    attributes: dict[str, str]
    children: "list[Element]" = field(default_factory=list)
    text: str = ""

    def all(self, tag: str | None = None, of_class: str | None = None) -> "list[Element]":
        """Every element below, in order, of this tag and class."""
        found = [self] if self._is(tag, of_class) else []
        return found + [each for child in self.children for each in child.all(tag, of_class)]

    @property
    def whole_text(self) -> str:
        """All the text inside, in one line."""
        return " ".join(f"{self.text} {' '.join(child.whole_text for child in self.children)}".split())

    def _is(self, tag: str | None, of_class: str | None) -> bool:
        classes = self.attributes.get("class", "").split()
        return tag in {None, self.tag} and (of_class is None or of_class in classes)


class HtmlReader(HTMLParser):
    """Builds the tree; refuses what is closed twice, or never."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("root", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID_TAGS:
            self.open.append(self.open[-1].children[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in {tag}"
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].text += data


def read_html(page: str) -> Element:
    """The page as a tree."""
    reader = HtmlReader()
    reader.feed(page)
    reader.close()
    assert [each.tag for each in reader.open] == ["root"], "something is left open"
    return reader.root


def find_references(root: Element) -> set[str]:
    """Whatever the page points to, in attributes and in style."""
    pointed = {value for each in root.all() for name, value in each.attributes.items() if name in URL_ATTRIBUTES}
    styled = [each.text for each in root.all("style")] + [each.attributes.get("style", "") for each in root.all()]
    return pointed | {found[1] or found[0] for text in styled for found in CSS_URL_PATTERN.finditer(text)}


def find_event_handlers(root: Element) -> set[str]:
    """Attributes that would run something."""
    return {name for each in root.all() for name in each.attributes if name.startswith("on")}
