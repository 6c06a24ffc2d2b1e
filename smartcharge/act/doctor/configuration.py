"""The configuration: whether it loads, and what is allowed in it but hardly meant."""

from collections.abc import Iterator

from smartcharge.act.doctor import placeholders
from smartcharge.act.doctor.findings import Area, Finding
from smartcharge.errors import ConfigurationRefused
from smartcharge.toolbox import Toolbox

HERE = Area("configuration")


def examine(tools: Toolbox) -> Iterator[Finding]:
    """It has loaded, or there were no tools."""
    yield HERE.ok("file", f"{tools.config.path} loads")
    yield from placeholders.examine(tools, HERE)
    for warning in tools.config.warnings:
        says, _, mend = warning.partition(". ")
        yield HERE.warning("meaning", says, mend)
    if tools.config.tesla is None and not any("tesla." in warning for warning in tools.config.warnings):
        yield HERE.warning("meaning", "no Powerwall is configured, so nothing is ever held", "Add tesla.account_email")


def refusal(refused: ConfigurationRefused) -> Finding:
    """It does not load, so nothing else can be looked at."""
    return HERE.trouble("file", refused)
