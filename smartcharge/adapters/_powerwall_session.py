"""One conversation with pypowerwall: opened, listened to, and left without logging out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from smartcharge.adapters._powerwall_hearing import HINTS, Hearing, listening, unattended
from smartcharge.adapters._powerwall_tokens import check, keep_good
from smartcharge.errors import Trouble, Unreachable

NO_SITE, WRONG_SITE = "No sites found", "not found for"
"""Why it did not connect, in the library's words, which stand in its log alone."""
InWords = Callable[[Hearing, str], Trouble]
"""What it comes to, that something was heard and an exception told this."""


@contextmanager
def session(
    email: str, site_id: int | None, folder: Path, timeout_seconds: int, now: datetime | None = None
) -> Iterator[tuple[Any, Hearing]]:
    """The library's object, connected or not, and what was heard from it; its token file is checked and kept.

    now (UTC): as in `check`.
    """
    check(folder, email, now)
    import pypowerwall

    library: Any = pypowerwall  # not typed
    powerwall: Any = None
    try:
        with asking() as heard:
            powerwall = library.Powerwall(
                email=email,
                siteid=site_id,
                authpath=str(folder),
                timeout=timeout_seconds,
                cloudmode=True,
                failover=False,
                retry_modes=False,
            )
        with suppress(Unreachable):  # a sign-in renewed by connecting is copied at once; a kill may come any time
            _keep(powerwall, folder, email)
        yield powerwall, heard
    except BaseException:
        with suppress(Unreachable):
            _leave(powerwall, folder, email)
        raise
    _leave(powerwall, folder, email)


def _keep(powerwall: Any, folder: Path, email: str) -> None:  # noqa: ANN401 - the library is not typed
    keep_good(folder, email, getattr(_tesla(powerwall), "token", None))


def _leave(powerwall: Any, folder: Path, email: str) -> None:  # noqa: ANN401
    try:
        _keep(powerwall, folder, email)
    finally:
        if (tesla := _tesla(powerwall)) is not None:
            tesla.close()


def _tesla(powerwall: Any) -> Any:  # noqa: ANN401
    """The library's own client of Tesla, where it got as far as having one."""
    return getattr(getattr(powerwall, "client", None), "tesla", None)


@contextmanager
def asking(hints: Mapping[int, str] = HINTS, in_words: InWords = Hearing.trouble) -> Iterator[Hearing]:
    """Listen to the library, and put whatever it raises into our words. hints: as in `Hearing`."""
    with unattended(), listening(hints) as heard:
        try:
            yield heard
        except Trouble:
            raise
        except Exception as odd:
            raise in_words(heard, repr(odd)) from odd


def connected_site(powerwall: Any) -> Mapping[str, object] | None:  # noqa: ANN401
    """The site that was connected to, in cloud mode; None where none was."""
    site: Mapping[str, object] | None = getattr(powerwall.client, "site", None)
    return site if powerwall.mode == "cloud" else None


def sites(powerwall: Any) -> tuple[tuple[int, str], ...]:  # noqa: ANN401
    """The account's sites with a battery; 1 request."""
    return tuple((each["energy_site_id"], str(each.get("site_name"))) for each in powerwall.client.tesla.battery_list())
