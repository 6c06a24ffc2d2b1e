"""The sign-in that is kept on disk: read with suspicion, replaced as a whole, changed by one run at a time."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from smartcharge.adapters._kraken_account import SERVICE, KrakenAccount
from smartcharge.errors import ConfigurationRefused, Unreachable
from smartcharge.files import locked, make_private, write_private

MARGIN: Final = timedelta(minutes=5)
"""A token is renewed this long before its end."""
LONGEST_LIFE: Final = timedelta(days=31)
IN_VAIN_FOR: Final = timedelta(minutes=15)
LOCK_SECONDS: Final = 10.0
MOST_BYTES: Final = 64 * 1024
DISTURBANCES: Final = (signal.SIGALRM, signal.SIGTERM, signal.SIGINT)

Token = Annotated[str, msgspec.Meta(pattern=r"\A[\x21-\x7e]{1,8192}\Z")]
"""Fit for a header: one printable word."""
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True, slots=True)
class Stored:
    """One sign-in. kind: what the tokens are, Kraken's own or those of E.ON's sign-in; owner: whose.

    until, refresh_until: their ends (UTC), None where unknown. in_vain_at: when a token was last refused though
    it was new. flex_refused_on: the UTC day on which the supplier was found not to tell plans per device.
    """

    kind: Literal["kraken", "auth0"]
    supplier: str
    owner: str = ""
    token: Token | None = field(default=None, repr=False)
    until: Instant | None = None
    refresh_token: Token | None = field(default=None, repr=False)
    refresh_until: Instant | None = None
    in_vain_at: Instant | None = None
    flex_refused_on: date | None = None

    @property
    def authorization(self) -> str | None:
        """The header's value."""
        scheme = "Bearer" if self.kind == "auth0" else "JWT"
        return f"{scheme} {self.token}" if self.token else None

    def belongs_to(self, account: KrakenAccount) -> bool:
        """Whether the same supplier and person are configured, as far as both are known."""
        same_owner = not self.owner or not account.owner or self.owner == account.owner
        return self.supplier == account.supplier and same_owner

    def is_good(self, now: datetime) -> bool:
        """Whether the token is believed to last; an end beyond any life means that the clock has jumped."""
        return self.token is not None and self.until is not None and MARGIN <= self.until - now <= LONGEST_LIFE

    def can_refresh(self, now: datetime) -> bool:
        """Whether there is a refresh token that is not known to be over."""
        return self.refresh_token is not None and (self.refresh_until is None or now < self.refresh_until)

    def is_in_vain(self, now: datetime) -> bool:
        """Whether new tokens were of no use a moment ago."""
        return self.in_vain_at is not None and timedelta(0) <= now - self.in_vain_at < IN_VAIN_FOR


class TokenFile:
    """The file, and the lock beside it. remarks: what was odd about it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.remarks: list[str] = []

    def read(self) -> Stored | None:
        """What is kept; None where there is nothing, or nothing readable. Raises `ConfigurationRefused`."""
        with self._owners_business("cannot be read"), contextlib.suppress(FileNotFoundError):
            make_private(self._path)
            with self._path.open("rb") as file:
                raw = file.read(MOST_BYTES)
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return msgspec.json.decode(raw, type=Stored)
        return None

    def write(self, stored: Stored) -> None:
        """Replace what is kept; a sign-in that is not on disk is lost. Raises `ConfigurationRefused`."""
        with self._owners_business("cannot be written"), undisturbed():
            write_private(self._path, msgspec.json.format(msgspec.json.encode(stored), indent=2) + b"\n")

    @contextmanager
    def alone(self) -> Iterator[Stored | None]:
        """Be the only run that changes it; yields what is kept now. Raises `Unreachable` when another takes long."""
        with ExitStack() as stack:
            with self._owners_business("cannot be locked"):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                lock = self._path.with_name(f"{self._path.name}.lock")
                had = stack.enter_context(locked(lock, wait_seconds=LOCK_SECONDS))
            if not had:
                raise Unreachable("another run has been signing in to Kraken for long", service=SERVICE)
            kept = self.read()
            if kept is None:
                self._set_aside()
            yield kept

    def _set_aside(self) -> None:
        broken = self._path.with_name(f"{self._path.name}.broken")
        with self._owners_business("cannot be set aside"), contextlib.suppress(FileNotFoundError):
            self._path.replace(broken)
            self.remarks.append(f"{self._path.name} could not be understood; it is kept as {broken.name}")

    @contextmanager
    def _owners_business(self, problem: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = f"{problem}: {error.strerror or type(error).__name__}"
            right = "It should belong to the user that runs smartcharge, on a disk with room."
            raise ConfigurationRefused(why, place=str(self._path), right=right) from None


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let the budget's alarm and requests to end wait: a single-use token half written is a sign-in lost.

    Handlers are swapped, not signals blocked: another thread would take them. Python hears them in the main
    thread only, so elsewhere there is nothing to do.
    """
    waiting: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    before = {each: signal.signal(each, lambda heard, _: waiting.append(heard)) for each in DISTURBANCES if is_main}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for heard in waiting:
            signal.raise_signal(heard)
