"""One conversation with pypowerwall over Tesla's Fleet API: opened, listened to, and left with nothing open."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from smartcharge.adapters._powerwall_fleet_file import KEPT, fleet_sign_in, keep_fleet
from smartcharge.adapters._powerwall_hearing import Hearing
from smartcharge.adapters._powerwall_session import asking
from smartcharge.errors import Unreachable

PRODUCTS = "api/1/products"
CACHED_SECONDS = 60
"""Longer than any conversation: what was asked for once and is not forced again costs no second request."""


def refusals(folder: Path) -> Mapping[int, str]:
    """What the owner is to do about a refusal, by its status."""
    scopes = "Let the application have the scopes energy_device_data and energy_cmds, then sign in anew"
    return {401: fleet_sign_in(folder), 403: f"{scopes}. {fleet_sign_in(folder)}"}


@contextmanager
def fleet_session(folder: Path, site_id: int | None, timeout_seconds: int) -> Iterator[tuple[Any, Hearing]]:
    """The library's object, connected or not, and what was heard from it; its file, checked before, is kept."""
    import pypowerwall

    library: Any = pypowerwall  # not typed
    powerwall: Any = None
    try:
        with asking(refusals(folder)) as heard:
            powerwall = library.Powerwall(
                siteid=site_id,
                authpath=str(folder),
                timeout=timeout_seconds,
                pwcacheexpire=CACHED_SECONDS,
                cloudmode=True,
                fleetapi=True,
                failover=False,
                retry_modes=False,
            )
        with suppress(Unreachable):  # a sign-in renewed by connecting is copied at once; a kill may come any time
            keep_fleet(folder, _held(powerwall))
        yield powerwall, heard
    except BaseException:
        with suppress(Unreachable):
            _leave(powerwall, folder)
        raise
    _leave(powerwall, folder)


def fleet_of(powerwall: Any) -> Any:  # noqa: ANN401 - the library is not typed
    """The library's own client of the Fleet API, where it got as far as having one."""
    return getattr(getattr(powerwall, "client", None), "fleet", None)


def products(powerwall: Any) -> list[Mapping[str, object]] | None:  # noqa: ANN401
    """What the account owned when the conversation began; None where Tesla did not say. Costs no request."""
    answer = getattr(fleet_of(powerwall), "pwcache", {}).get(PRODUCTS)
    listed = answer.get("response") if isinstance(answer, Mapping) else None
    return [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else None


def _held(powerwall: Any) -> dict[str, object]:  # noqa: ANN401
    fleet = fleet_of(powerwall)
    return {key: getattr(fleet, key, None) for key in KEPT}


def _leave(powerwall: Any, folder: Path) -> None:  # noqa: ANN401
    try:
        keep_fleet(folder, _held(powerwall))
    finally:
        _hang_up()


def _hang_up() -> None:
    """Close the one connection that the library keeps for all its conversations; it makes a new one when asked."""
    from pypowerwall.fleetapi import fleetapi

    client: Any = getattr(fleetapi, "_http2_client", None)
    if client is not None:
        client.close()
