"""One minute: what is due is released, then the plan, the stance, the midnight reset and the invites."""

from collections.abc import Callable
from functools import partial

from smartcharge.act import invites, plan, reconcile, reset, watchdog
from smartcharge.guard import attempt
from smartcharge.toolbox import Toolbox

PARTS: tuple[Callable[[Toolbox], None], ...] = (
    reconcile.run_due_release,
    plan.run,
    reconcile.run,
    reset.run,
    invites.run,
)


def run(tools: Toolbox) -> None:
    """One failing part does not stop the others; their exit codes are collected."""
    watchdog.started(tools)
    for part in PARTS:
        tools.exit_codes.append(attempt(partial(part, tools), tools.tell))
    watchdog.ended(tools)
