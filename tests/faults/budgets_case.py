"""Servers, resolvers and locks that keep a due release waiting; all cases run at the same time, for they only wait."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from faults_case import Ended, Scene, Zygote, held_with_token_until

BUSY = 75
FOR_EVER_SECONDS = 3600
KRAKEN, THREADS, POWERWALL = (
    "smartcharge.adapters._kraken", "threads", "smartcharge.adapters._powerwall",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """faults: on the wire, as (service, kind). stalled: whose look-ups hang. releases: in the same run."""

    faults: tuple[tuple[str, str], ...] = ()
    stalled: tuple[str, ...] = ()
    is_locked: bool = False
    mail_is_silent: bool = False
    command: str = "tick"
    releases: bool = True
    codes: tuple[int, ...] = (0, 3)


OTHERS = ("kraken", "myenergi")
CASES = {
    "Kraken and the Zappi hang": Case(tuple((each, "hang") for each in OTHERS)),
    "Kraken and the Zappi drip": Case(tuple((each, "drip") for each in OTHERS)),
    "Kraken's and the Zappi's names are not found": Case(stalled=(KRAKEN, THREADS)),
    "the Zappi hangs and reconcile is alone": Case((("myenergi", "hang"),), command="reconcile"),
    "Tesla hangs": Case((("tesla", "hang"),), releases=False, codes=(6, 3)),
    "Tesla drips": Case((("tesla", "drip"),), releases=False, codes=(6, 3)),
    "Tesla's name is not found": Case(stalled=(POWERWALL,), releases=False, codes=(6, 3)),
    "everything hangs": Case(
        (*((each, "hang") for each in OTHERS), ("tesla", "hang")), releases=False, codes=(6, 3)
    ),
    "the mail server says nothing": Case(mail_is_silent=True),
    "the lock is held": Case(is_locked=True, releases=False, codes=(BUSY,)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Played:
    """How the run ended, the battery after it, and after a clean one a minute later."""

    ended: Ended
    stance: str
    stance_later: str


def play(zygote: Zygote, case: Case) -> Played:
    """A hold with a fresh plan is due and the car has stopped; only the Zappi could tell, or time."""
    with ExitStack() as trouble:
        silent = trouble.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        port = silent.getsockname()[1] if case.mail_is_silent else None
        made = trouble.enter_context(held_with_token_until(zygote, "19:00", last="13:28", mail_port=port))
        made.street.door.drip_s = FOR_EVER_SECONDS
        with ExitStack() as faults:
            for service, kind in case.faults:
                faults.enter_context(made.street.fault(service, kind))
            if case.is_locked:
                faults.enter_context(_locked(made))
            ended = made.run("13:29", case.command, stalled=case.stalled)
        stance = made.stance
        made.run("13:30")
        return Played(ended, stance, made.stance)


@contextmanager
def _locked(made: Scene) -> Iterator[None]:
    handle = os.open(made.home / "smartcharge.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
