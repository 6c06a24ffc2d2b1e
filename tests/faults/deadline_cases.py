"""Servers, resolvers and locks that keep a due release waiting; all cases run at the same time, for they only wait."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from fault_scene import FaultScene, ForkServer, RunResult, make_held_scene

TEMPFAIL_EXIT = 75
FOR_EVER_SECONDS = 3600
KRAKEN, THREADS, POWERWALL = (
    "smartcharge.providers.kraken", "threads", "smartcharge.providers.tesla",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DeadlineCase:
    """faults: on the wire, as (service, kind). stalled: whose look-ups hang. releases: in the same run."""

    faults: tuple[tuple[str, str], ...] = ()
    stalled: tuple[str, ...] = ()
    is_locked: bool = False
    mail_is_silent: bool = False
    command: str = "tick"
    releases: bool = True
    codes: tuple[int, ...] = (0, 3)


OTHER_SERVICES = ("kraken", "myenergi")
DEADLINE_CASES = {
    "Kraken and the Zappi hang": DeadlineCase(tuple((each, "hang") for each in OTHER_SERVICES)),
    "Kraken and the Zappi drip": DeadlineCase(tuple((each, "drip") for each in OTHER_SERVICES)),
    "Kraken's and the Zappi's names are not found": DeadlineCase(stalled=(KRAKEN, THREADS)),
    "the Zappi hangs and reconcile is alone": DeadlineCase((("myenergi", "hang"),), command="reconcile"),
    "Tesla hangs": DeadlineCase((("tesla", "hang"),), releases=False, codes=(6, 3)),
    "Tesla drips": DeadlineCase((("tesla", "drip"),), releases=False, codes=(6, 3)),
    "Tesla's name is not found": DeadlineCase(stalled=(POWERWALL,), releases=False, codes=(6, 3)),
    "everything hangs": DeadlineCase(
        (*((each, "hang") for each in OTHER_SERVICES), ("tesla", "hang")), releases=False, codes=(6, 3)
    ),
    "the mail server says nothing": DeadlineCase(mail_is_silent=True),
    "the lock is held": DeadlineCase(is_locked=True, releases=False, codes=(TEMPFAIL_EXIT,)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DeadlineResult:
    """How the run ended, the battery after it, and after a clean one a minute later."""

    ended: RunResult
    stance: str
    stance_later: str


def run_deadline_case(fork_server: ForkServer, case: DeadlineCase) -> DeadlineResult:
    """A hold with a fresh plan is due and the car has stopped; only the Zappi could tell, or time."""
    with ExitStack() as trouble:
        silent = trouble.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        port = silent.getsockname()[1] if case.mail_is_silent else None
        made = trouble.enter_context(make_held_scene(fork_server, "19:00", last="13:28", mail_port=port))
        made.simulator.proxy_server.drip_interval_s = FOR_EVER_SECONDS
        with ExitStack() as faults:
            for service, kind in case.faults:
                faults.enter_context(made.simulator.fault(service, kind))
            if case.is_locked:
                faults.enter_context(_hold_lock(made))
            ended = made.run("13:29", case.command, stalled=case.stalled)
        stance = made.stance
        made.run("13:30")
        return DeadlineResult(ended, stance, made.stance)


@contextmanager
def _hold_lock(made: FaultScene) -> Iterator[None]:
    handle = os.open(made.home / "smartcharge.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
