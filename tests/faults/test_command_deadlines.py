"""Whatever a server, a resolver or a lock does, every command ends in time, and what can be released is."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from deadline_cases import DEADLINE_CASES, DeadlineCase, DeadlineResult, run_deadline_case
from fault_scene import ForkServer

from smartcharge.deadline import COMMAND_LIMIT_SECONDS


def test_a_due_release_and_the_end_of_the_run_come_in_time_whoever_keeps_it_waiting(fork_server: ForkServer) -> None:
    """All cases go on at the same time, for they do little but wait.

    Who keeps them waiting never lets go, so that each ends by its own share of the time, or by the last resort; how
    long those are, and that they end what goes on in them, is proven in `test_budget.py`.
    """
    with ThreadPoolExecutor(len(DEADLINE_CASES)) as pool:
        played = dict(
            zip(
                DEADLINE_CASES,
                pool.map(lambda case: run_deadline_case(fork_server, case), DEADLINE_CASES.values()),
                strict=True,
            )
        )

    assert [f"{name}: {wrong}" for name, each in played.items() for wrong in offences(DEADLINE_CASES[name], each)] == []


def offences(case: DeadlineCase, seen: DeadlineResult) -> Iterator[str]:
    """What was not as it should be."""
    if seen.ended.granted is None or seen.ended.granted > COMMAND_LIMIT_SECONDS:
        yield f"gave itself {seen.ended.granted} s"
    if seen.ended.code not in case.codes or "Traceback" in seen.ended.said:
        yield f"ended with {seen.ended}"
    if seen.stance != ("autonomous/20" if case.releases else "backup/100"):
        yield f"left the battery at {seen.stance}"
    if seen.stance_later != "autonomous/20":
        yield f"a clean run later the battery is at {seen.stance_later}"
