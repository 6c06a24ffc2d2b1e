"""HTTP Digest as the charger's cloud speaks it: MD5, qop auth (RFC 7616)."""

import hashlib
import re
import secrets

from smartcharge.world.wire import Asked, Reply

REALM = "MyEnergi Telemetry"
FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


class DigestGuard:
    """Lets in who proves to know the password; each host hands out a nonce of its own."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._nonces: dict[str, str] = {}

    def admits(self, asked: Asked) -> bool:
        """Whether the request carries a valid response to this host's challenge."""
        scheme, _, text = asked.headers.get("authorization", "").partition(" ")
        given = {name: quoted or bare for name, quoted, bare in FIELD.findall(text)}
        if scheme.lower() != "digest" or given.get("nonce") != self._nonces.get(asked.host):
            return False
        target = f"{asked.path}?{asked.query}" if asked.query else asked.path
        secret = _md5(f"{self._user}:{REALM}:{self._password}")
        parts = (secret, given["nonce"], given.get("nc"), given.get("cnonce"), "auth", _md5(f"{asked.method}:{target}"))
        expected = _md5(":".join(map(str, parts)))
        return (given.get("username"), given.get("response")) == (self._user, expected)

    def challenge(self, host: str) -> Reply:
        """Answer 401 with the host's nonce."""
        nonce = self._nonces.setdefault(host, secrets.token_hex(16))
        text = f'Digest realm="{REALM}", qop="auth", nonce="{nonce}", opaque="{secrets.token_hex(8)}", algorithm="MD5"'
        return Reply(401, headers=(("WWW-Authenticate", text),))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
