"""A report as one HTML page: no script, nothing loaded from anywhere, for screens of any width and for paper."""

import re
from pathlib import Path

from smartcharge.adapters._report_picture import chart
from smartcharge.core.report import Report

TEMPLATES = Path(__file__).with_name("report")
PAGE = "page.html"
STRETCH = re.compile(r"(\d\d:\d\d)-(?=\d\d:\d\d)")


class HtmlPages:
    """Writes reports with the templates beside this module; what a template does not know is an error."""

    def page(self, report: Report) -> str:
        """One document; everything but the templates themselves is escaped."""
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters["typeset"] = typeset
        drawn = None if report.picture is None else chart(report.picture)
        return environment.get_template(PAGE).render(report=report, chart=drawn)


def typeset(text: str) -> str:
    """Stretches of time with the dash that books use."""
    return STRETCH.sub("\\1\N{EN DASH}", text)
