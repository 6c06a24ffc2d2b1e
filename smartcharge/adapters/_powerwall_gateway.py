"""One conversation with a Powerwall 3's gateway through pypowerwall's `v1r`: opened, listened to, hung up.

Every request is signed with a private key whose other half the gateway knows. Where it does not, or the key was
never proven by the switch on the Powerwall, the library returns None, and tells why in its log and by a warning.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smartcharge.adapters._powerwall_hearing import Hearing
from smartcharge.adapters._powerwall_keeping import SERVICE
from smartcharge.adapters._powerwall_session import asking
from smartcharge.errors import SignInRefused, Trouble, Unreachable

CACHED_SECONDS = 60
"""Longer than any conversation: what was asked for once and is not forced again costs no second request."""
UNPROVEN = (
    "Within ten minutes of registering, switch the Powerwall off for 15 seconds and on again; "
    "after that register the same key anew: `python -m pypowerwall register -authpath {}`."
)
UNKNOWN = "Set tesla.rsa_key_path to the key that was registered, or register it: `python -m pypowerwall register`."
PASSWORD = "Set tesla.gateway_password to the password on the gateway's label."  # noqa: S105 - it names a key
SIGNS = {
    "login failed (401)": ("the gateway refused its password", PASSWORD),
    "login failed (403)": ("the gateway refused its password", PASSWORD),
    "authorization not verified": ("the gateway knows the key, but has not seen it proven", UNPROVEN),
    "PENDING_VERIFICATION": ("the gateway knows the key, but has not seen it proven", UNPROVEN),
    "UNKNOWN_KEY_ID": ("the gateway does not know the key", UNKNOWN),
    "REFUSED_AT_ONCE": ("the gateway does not accept the key", UNKNOWN),
    "INVALID_SIGNATURE": ("the gateway does not accept the key's signature", UNKNOWN),
    "Unable to load PEM": ("the key's file holds no private key", UNKNOWN),
    "Could not deserialize": ("the key's file holds no private key", UNKNOWN),
    "private key is encrypted": ("the key's file is locked with a password", UNKNOWN),
}
"""What the library says where the owner must act; the first that fits.

An answer without content it takes for a refusal of the key, too. It is one only where nothing was ever answered.
"""
SILENCES = ("timed out", "Max retries exceeded", "Connection aborted", "No route to host", "RemoteDisconnected")


@contextmanager
def gateway_session(host: str, password: str, key: Path, timeout_seconds: int) -> Iterator[Any]:
    """The library's object, connected. Raises `Unreachable` or `SignInRefused`: no other way is fallen back on."""
    if not os.access(key, os.R_OK, effective_ids=True):
        raise SignInRefused(f"there is no private key to be read at {key}", hint=UNKNOWN, service=SERVICE)
    import pypowerwall

    library: Any = pypowerwall  # not typed
    powerwall: Any = None
    try:
        with asking_gateway(key) as heard:
            powerwall = library.Powerwall(
                host=host,
                gw_pwd=password,
                rsa_key_path=str(key),
                timeout=timeout_seconds,
                pwcacheexpire=CACHED_SECONDS,
                cachefile=str(key.with_name(".powerwall")),  # never written, but its folder must be writable
                failover=False,
                retry_modes=False,
            )
        tedapi = getattr(powerwall.client, "tedapi", None)
        if tedapi is None or _is_refused(tedapi):
            raise gateway_trouble(heard, key, "" if tedapi is None else "REFUSED_AT_ONCE")
        yield powerwall
    finally:
        if (client := getattr(powerwall, "client", None)) is not None:
            client.close_session()


@contextmanager
def asking_gateway(key: Path) -> Iterator[Hearing]:
    """Listen to the library, keep its warnings to ourselves, and put whatever it raises into our words."""
    with asking(in_words=lambda heard, told: gateway_trouble(heard, key, told)) as heard, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield heard


def gateway_trouble(heard: Hearing, key: Path, besides: str = "") -> Trouble:
    """What it comes to. besides: what an exception told."""
    told = heard.said + besides
    for sign, (says, mend) in SIGNS.items():
        if sign in told:
            return SignInRefused(says, hint=mend.format(key.parent), service=SERVICE)
    if any(sign in told for sign in SILENCES):
        return Unreachable("the gateway could not be reached, or did not answer in time", service=SERVICE)
    return Unreachable("the gateway gave no usable answer", service=SERVICE)


def _is_refused(tedapi: Any) -> bool:  # noqa: ANN401
    """Whether the question that the library asks to try the key was refused."""
    transport = tedapi.v1r_transport
    return bool(transport.pending_verification or transport.key_unknown)
