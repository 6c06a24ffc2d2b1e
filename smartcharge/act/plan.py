"""Ask the supplier for its plan where an answer is due; the conversation itself is in `plan_answer`."""

from smartcharge.act import patience
from smartcharge.act.plan_due import KRAKEN, due_at, is_due, is_refused
from smartcharge.files import locked
from smartcharge.toolbox import Toolbox


def run(tools: Toolbox, *, at_once: bool = False) -> None:
    """Ask if an answer is due (or `at_once`); two runs at the same moment ask once."""
    if is_refused(tools) or not (at_once or is_due(tools)):
        patience.explain(tools, KRAKEN, due_at(tools))
        return
    if tools.dry_run:
        tools.say("would ask Kraken for the plan")
        return
    with locked(tools.config.folder / "fetch.lock", wait_seconds=0) as had:
        if had and (at_once or is_due(tools)):
            from smartcharge.act import plan_answer  # noqa: PLC0415  # hardly any minute asks

            plan_answer.fetch(tools)
