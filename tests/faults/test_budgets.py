"""Whatever a server, a resolver or a lock does, every command ends in time, and what can be released is."""

from concurrent.futures import Future

import pytest
from budgets_case import CASES, Played

BUDGET_SECONDS = 50.0
MARGIN_SECONDS = 2.0
"""To fork a child and to notice that it has ended, on a busy machine."""


@pytest.mark.parametrize("name", CASES)
def test_a_due_release_within_the_budget(waiting: dict[str, Future[Played]], name: str) -> None:
    case, seen = CASES[name], waiting[name].result()

    assert seen.ended.seconds < BUDGET_SECONDS + MARGIN_SECONDS
    assert seen.ended.code in case.codes
    assert "Traceback" not in seen.ended.said
    assert seen.stance == ("autonomous/20" if case.releases else "backup/100")
    assert seen.stance_later == "autonomous/20"
