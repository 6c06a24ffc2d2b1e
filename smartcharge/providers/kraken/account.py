"""Whose plan is asked for: plain values, none of which is ever shown."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

KRAKEN_SERVICE: Final = "Kraken"
GRAPHQL_URLS: Final[dict[str, str]] = {
    "eon-next": "https://api.eonnext-kraken.energy/v1/graphql/",
    "octopus": "https://api.octopus.energy/v1/graphql/",
    "edf": "https://api.edfgb-kraken.energy/v1/graphql/",
}
EON_AUTH_URL: Final = "https://auth.eonnext.com"
EON_AUTH_CLIENT_ID: Final = "OrFeFacHUoXK2afczePYMLCRMXpwRxzW"
"""E.ON's web dashboard, as every browser shows it at sign-in; it is no secret."""
EON_AUTH_REDIRECT_URL: Final = "https://www.eonnext.com/"
"""Where E.ON's sign-in lets that client's browsers end up. Which others it would let them is not known."""
EON_AUTH_AUDIENCE: Final = "eonnext"
EON_AUTH_SCOPE: Final = "openid profile email offline_access"
SUPPLIER_LABELS: Final = {"eon-next": "E.ON Next", "octopus": "Octopus Energy", "edf": "EDF"}
"""The name of each supplier as the owner knows it."""


@dataclass(frozen=True, slots=True)
class KrakenAccount:
    """One account at one supplier.

    number: the account number. token_file: where the sign-in is kept, its lock beside it. pinned_device: watch
    this one only. auth_url, auth_client_id: E.ON's sign-in, None or empty for the ones known. place: the file that
    all this was configured in.
    """

    supplier: Literal["eon-next", "octopus", "edf"]
    number: str = field(repr=False)
    token_file: Path
    email: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    pinned_device: str | None = None
    auth_url: str | None = None
    auth_client_id: str | None = None
    place: str = "config.yaml"

    @property
    def label(self) -> str:
        """The supplier's name as the owner knows it."""
        return SUPPLIER_LABELS[self.supplier]

    @property
    def address(self) -> str:
        """The GraphQL endpoint."""
        return GRAPHQL_URLS[self.supplier]

    @property
    def authorize_url(self) -> str:
        """The page on which the owner signs in to E.ON."""
        return f"{self._auth_url}/authorize"

    @property
    def token_url(self) -> str:
        """Where E.ON's sign-in exchanges a code, or a refresh token."""
        return f"{self._auth_url}/oauth/token"

    @property
    def _auth_url(self) -> str:
        return (self.auth_url or EON_AUTH_URL).rstrip("/")

    @property
    def client_id(self) -> str:
        """As whom E.ON's sign-in is asked."""
        return self.auth_client_id or EON_AUTH_CLIENT_ID

    @property
    def credentials(self) -> dict[str, str] | None:
        """What is signed in with, as Kraken's mutation wants it; None where only a stored sign-in can help."""
        if self.api_key:
            return {"APIKey": self.api_key}
        if self.email and self.password:
            return {"email": self.email, "password": self.password}
        return None

    @property
    def owner(self) -> str:
        """Whose sign-in a stored one must be: the address, or a digest of the key; empty where neither is known."""
        return f"key {_secret_digest(self.api_key)}" if self.api_key else (self.email or "").casefold()


def kraken_credentials_fingerprint(account: KrakenAccount) -> str:
    """What a remembered refusal is tied to: it changes with the configured credentials and with the token file.

    To be taken after the refusal, and compared before the next attempt. Tells nothing of a secret.
    """
    secrets = (account.email, account.password, account.api_key, account.auth_url, account.auth_client_id)
    configured = _secret_digest("\0".join((account.supplier, account.number, *(secret or "" for secret in secrets))))
    try:
        found = account.token_file.stat()
    except OSError:
        return configured
    return f"{configured}-{found.st_mtime_ns:x}-{found.st_size:x}"


def _secret_digest(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=4).hexdigest()
