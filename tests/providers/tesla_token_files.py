"""Token files for the tests: good, renewed and damaged ones."""

import json
from pathlib import Path
from typing import Any

from smartcharge.providers.tesla.tokens import CLOUD_AUTH_FILE

EMAIL = "owner@example.com"
SECRETS = ("first-access-token-0001", "first-refresh-token-001")


def token_entry(access: object = SECRETS[0], refresh: object = SECRETS[1], **changes: object) -> dict[str, Any]:
    """One account's entry."""
    sso = {
        "token_type": "Bearer",
        "access_token": access,
        "refresh_token": refresh,
        "expires_at": 4e9,
        "expires_in": 28800,
    }
    return {"url": "https://auth.tesla.com/", "sso": sso | changes}


def write_token_file(folder: Path, content: object, name: str = CLOUD_AUTH_FILE) -> Path:
    """Put content into a token file: text as it is, anything else as JSON."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def read_token_file(folder: Path, name: str = CLOUD_AUTH_FILE) -> Any:  # noqa: ANN401
    """What a token file holds."""
    return json.loads((folder / name).read_text())


GOOD_TOKENS = {EMAIL: token_entry()}
RENEWED_TOKENS = {EMAIL: token_entry("second-access-token-002", "second-refresh-token-02")}

DAMAGED_FILES = {
    "empty": "",
    "cut off": json.dumps(GOOD_TOKENS)[:40],
    "no JSON": "python -m pypowerwall setup",
    "a list": "[]",
    "null": "null",
    "an empty object": "{}",
    "nested beyond reason": "[" * 100_000,
}
