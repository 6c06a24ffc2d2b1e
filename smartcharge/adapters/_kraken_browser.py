"""E.ON's sign-in with a browser: an address to open anywhere, and what ties the answer to this attempt.

A password is of no use there: the page wants to see a person. So the owner signs in, and brings back the address
where the browser ends up. Source: RFC 7636 (PKCE); https://auth0.com/docs/get-started/authentication-and-authorization-flow
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlencode

from smartcharge.adapters._kraken_account import AUTH_AUDIENCE, AUTH_REDIRECT, AUTH_SCOPE, KrakenAccount

STATE_BYTES, VERIFIER_BYTES = 24, 48


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt. address: to be opened in a browser; state, verifier: known to this attempt alone."""

    address: str = field(repr=False)
    state: str = field(repr=False)
    verifier: str = field(repr=False)


def begin(account: KrakenAccount) -> Attempt:
    """Make up a new attempt; nothing is sent."""
    state, verifier = secrets.token_urlsafe(STATE_BYTES), secrets.token_urlsafe(VERIFIER_BYTES)
    digest = hashlib.sha256(verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": account.client_id,
        "redirect_uri": AUTH_REDIRECT,
        "scope": AUTH_SCOPE,
        "audience": AUTH_AUDIENCE,
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    return Attempt(f"{account.authorize_address}?{urlencode(asked)}", state, verifier)
