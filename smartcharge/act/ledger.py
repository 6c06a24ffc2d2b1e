"""The ledger of a span, gathered from the memory alone; and the prices that it is counted in."""

from smartcharge.core.ledger import HalfHour, Rates
from smartcharge.core.ledger.entries import ledger
from smartcharge.core.slots import Span
from smartcharge.store.ledger import facts
from smartcharge.toolbox import Toolbox

NO_PRICES = "There are no prices: set gcal.cheap_rate_pence and gcal.standard_rate_pence to see money."


def gather(tools: Toolbox, span: Span) -> tuple[HalfHour, ...]:
    """One entry for every half hour of the span; nothing is asked, nothing is written."""
    return ledger(facts(tools.peek, span, tools.now, tools.policy.cheap_period), span)


def rates(tools: Toolbox) -> Rates | None:
    """The configured prices; None without the section that holds them, as a default may be far from the owner's."""
    prices = tools.config.gcal
    return None if prices is None else Rates(prices.cheap_rate_pence, prices.standard_rate_pence)
