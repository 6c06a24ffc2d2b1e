"""The files that hold the Tesla sign-in: checked before a session, and backed up after it.

pypowerwall rewrites it in place, readable by the group, and answers a missing or broken one by asking on
the terminal and opening a browser. So it is checked before each session, and looked after when the
session is over. The caller holds the lock throughout.
"""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from smartcharge.errors import ConfigurationError, SignInRefusedError, UnreachableError
from smartcharge.files import make_file_private, write_private_file
from smartcharge.providers.jwt import decode_jwt_claims, is_bearer_token
from smartcharge.regular_file import read_regular_file

TESLA_SERVICE = "tesla"
MIN_FREE_BYTES = 64 * 1024
READ_ONLY_ERRNOS = (errno.EROFS, errno.EACCES, errno.EPERM)
MIN_TOKEN_LIFETIME_SECONDS = 600
"""An access token that is good for this long outlives any session, so that none is renewed in it."""


def last_good_copy(path: Path) -> Path:
    """Where the last good copy of a file is kept."""
    return path.with_name(f"{path.name}.good")


def read_token_file(path: Path) -> dict[str, object] | None:
    """What a file holds; None where it is missing, empty, damaged or too large. `OSError` for a pipe and its like."""
    try:
        read = json.loads(read_regular_file(path))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    except OSError as error:
        if error.errno == errno.EFBIG:
            return None
        raise
    return read if isinstance(read, dict) and read else None


@contextmanager
def translate_storage_errors(folder: Path) -> Iterator[None]:
    """Put a refusal of the disk into words."""
    try:
        yield
    except OSError as refused:
        told = f"the Tesla sign-in could not be stored in {folder} ({refused.strerror})"
        raise UnreachableError(told, service=TESLA_SERVICE) from refused


def require_token_file(path: Path, fix: str) -> None:
    """Make sure that there is a regular file that may be read; `SignInRefusedError` where there is none.

    Raises `ConfigurationError` for a pipe, a device, a folder, and a file that this user may not read.
    """
    try:
        read_token_file(path)
        path.stat()
    except FileNotFoundError:
        told = f"there is no Tesla sign-in in {path.parent}"
        raise SignInRefusedError(told, fix=fix, service=TESLA_SERVICE) from None
    except OSError as error:
        right = "It should be a file that belongs to the user that runs smartcharge, with mode 0600."
        problem = f"cannot be read: {error.strerror or type(error).__name__}"
        raise ConfigurationError(problem, place=str(path), right=right) from error


def require_storable(path: Path) -> None:
    """Make sure that a renewed token can be stored: one that cannot is lost, and with it the sign-in.

    Raises `ConfigurationError` unless the file and its folder may be written, `UnreachableError` for a full disk.
    """
    require_writable(path)
    require_disk_space(path)


def require_writable(path: Path) -> None:
    """Raise `ConfigurationError` unless a file and its folder may be read and written."""
    for place in (path.parent, path):
        if not os.access(place, os.R_OK | os.W_OK, effective_ids=True):
            mode = "0700" if place.is_dir() else "0600"
            raise ConfigurationError(
                "may not be written by this user, so that a renewed Tesla token would be lost",
                place=str(place),
                right=f"Make it belong to the user that runs smartcharge (chown), with mode {mode}.",
            )


def require_disk_space(path: Path) -> None:
    """Prove that the disk takes a file of this size, by writing the good copy anew: it takes a renewed one then."""
    full = UnreachableError(f"the disk that holds {path.parent} is full", fix="Free some space.", service=TESLA_SERVICE)
    if shutil.disk_usage(path.parent).free < MIN_FREE_BYTES:
        raise full
    try:
        write_private_file(last_good_copy(path), read_regular_file(path))
    except OSError:
        raise full from None


@contextmanager
def writable_folder(folder: Path, copies: Mapping[str, bytes]) -> Iterator[Path]:
    """The folder that is given to the library, which refuses one that it cannot write: the sign-in's own if it can.

    Else it is a private one that is deleted afterwards, with these files. They should hold no refresh token: a renewed
    one would be lost.
    """
    if os.access(folder, os.W_OK, effective_ids=True):
        yield folder
        return
    with TemporaryDirectory(dir=_scratch_place(), prefix="smartcharge-") as name:
        for file, content in copies.items():
            write_private_file(Path(name) / file, content)
        yield Path(name)


def _scratch_place() -> Path | None:
    """A place that can be written even where the disk has turned read-only; None for the system's choice."""
    in_memory = Path("/dev/shm")  # noqa: S108  # a private folder is made in it
    return in_memory if os.access(in_memory, os.W_OK, effective_ids=True) else None


def save_last_good_copy(path: Path) -> None:
    """Make a good file private, and keep a copy of it where that differs.

    Nothing of this is needed where the folder cannot be written: then no token was renewed (see `require_storable`).
    """
    try:
        make_file_private(path)
        found, good = read_regular_file(path), last_good_copy(path)
        if not good.exists() or read_regular_file(good) != found:
            write_private_file(good, found)
    except OSError as error:
        if error.errno not in READ_ONLY_ERRNOS:
            raise


def has_lifetime_left(ends: object, now: datetime) -> bool:
    """Whether what ends then (seconds since 1970) is good for a while."""
    return isinstance(ends, int | float) and ends - now.timestamp() > MIN_TOKEN_LIFETIME_SECONDS


CLOUD_AUTH_FILE = ".pypowerwall.auth"
CLOUD_SITE_FILE = ".pypowerwall.site"
CLOUD_AUTH_FILE_COPY = ".pypowerwall.auth.good"
TESLA_SIGN_IN_FIX = "Run `smartcharge login tesla`."
TESLA_SSO_URL = "https://auth.tesla.com/"
ACCESS_TOKEN_LIFETIME_SECONDS = 28_800
UNKNOWN_EXPIRY = 0
"""As `expires_at` the library takes it for "not known": it then waits for Tesla to say so."""


def check_cloud_token_file(folder: Path, email: str, now: datetime | None = None) -> None:
    """Make sure that the library will find a usable sign-in for this address, and can keep a renewed one.

    A file that was broken in mid-write is replaced by its last good copy. Raises `SignInRefusedError` where the
    owner must sign in, `ConfigurationError` where a file to be renewed may not be written, `UnreachableError` where the
    disk is full: a renewed token that cannot be stored is lost, and with it the sign-in. now (UTC): where the
    access token lasts beyond it, none will be renewed, and a full disk keeps no battery from coming back.
    """
    path = folder / CLOUD_AUTH_FILE
    require_token_file(path, TESLA_SIGN_IN_FIX)
    with translate_storage_errors(folder):
        if read_token_file(path) is None and not _restore_cloud_copy(folder, email):
            raise SignInRefusedError(f"{path} is damaged", fix=TESLA_SIGN_IN_FIX, service=TESLA_SERVICE)
        if not any(map(_has_cloud_tokens, (read_token_file(path) or {}).values())):
            _restore_cloud_copy(folder, email)  # foreign content, where a sign-in was
    accounts = read_token_file(path) or {}
    if email not in accounts:
        raise SignInRefusedError(
            f"{path} holds {len(accounts)} other sign-in(s) and none for {email}",
            fix=f"Set tesla.account_email to the address you signed in with, or: {TESLA_SIGN_IN_FIX}",
            service=TESLA_SERVICE,
        )
    if not _has_cloud_tokens(accounts[email]):
        raise SignInRefusedError(f"{path} holds no tokens for {email}", fix=TESLA_SIGN_IN_FIX, service=TESLA_SERVICE)
    if now is None or not _has_lasting_access_token(accounts[email], now):
        require_storable(path)


def cloud_folder(folder: Path, email: str) -> AbstractContextManager[Path]:
    """The folder for the library, see `writable_folder`."""
    entry = (read_token_file(folder / CLOUD_AUTH_FILE) or {}).get(email)
    sso = entry.get("sso") if isinstance(entry, Mapping) else None
    files = {}
    if isinstance(entry, Mapping) and isinstance(sso, Mapping):
        files[CLOUD_AUTH_FILE] = json.dumps({email: {**entry, "sso": {**sso, "refresh_token": ""}}}).encode()
    if (folder / CLOUD_SITE_FILE).exists():
        files[CLOUD_SITE_FILE] = read_regular_file(folder / CLOUD_SITE_FILE)
    return writable_folder(folder, files)


def back_up_cloud_tokens(folder: Path, email: str, held: object = None) -> None:
    """After a session: make the file private, and keep a copy of it where it is good.

    held: the tokens the library has in memory. Where its file is broken they are written, being newer than
    any copy; without them the last good copy is put back. Raises `UnreachableError` where the disk refuses.
    """
    with translate_storage_errors(folder):
        if read_token_file(folder / CLOUD_AUTH_FILE) is None:
            _repair_cloud_token_file(folder, email, {"url": TESLA_SSO_URL, "sso": held})
        _back_up_cloud_file_if_valid(folder, email)


def write_cloud_tokens(folder: Path, email: str, *, refresh_token: str, access_token: str = "") -> None:
    """Store a new sign-in; those of other addresses in the same file stay.

    An access token that came from a browser's sign-in belongs to it: Tesla is said to refuse one that was
    made from the refresh token alone (https://github.com/jasonacox/pypowerwall, pypowerwall/cloud/AUTH.md).
    Raises `UnreachableError` where the disk refuses.
    """
    sso = {
        "token_type": "Bearer",
        "access_token": access_token,
        "refresh_token": refresh_token,
        "expires_at": UNKNOWN_EXPIRY,
        "expires_in": ACCESS_TOKEN_LIFETIME_SECONDS,
    }
    with translate_storage_errors(folder):
        _write_cloud_entry(folder, email, {"url": TESLA_SSO_URL, "sso": sso})
        _back_up_cloud_file_if_valid(folder, email)


def adopt_cloud_tokens(proven: Path, folder: Path, email: str) -> None:
    """Take over a sign-in that was proven in another folder; those of other addresses stay."""
    entry = (read_token_file(proven / CLOUD_AUTH_FILE) or {}).get(email)
    if not isinstance(entry, dict):
        raise SignInRefusedError(
            "the new sign-in was lost while it was proven", fix=TESLA_SIGN_IN_FIX, service=TESLA_SERVICE
        )
    with translate_storage_errors(folder):
        _write_cloud_entry(folder, email, entry)
        _back_up_cloud_file_if_valid(folder, email)


def cloud_tokens_fingerprint(folder: Path, email: str) -> str:
    """A word that changes when the sign-in on file changes, and tells nothing of it."""
    path = folder / CLOUD_AUTH_FILE
    found = path.stat() if path.exists() else None
    state = f"{found.st_mtime_ns} {found.st_size}" if found else "absent"
    return hashlib.sha256(f"{email} {state}".encode()).hexdigest()[:16]


def _has_cloud_tokens(entry: object) -> bool:
    """Whether an entry holds tokens in the form that the library reads without stumbling."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("url", TESLA_SSO_URL), str):
        return False
    sso = entry.get("sso")
    if not isinstance(sso, Mapping) or not isinstance(sso.get("expires_at"), int | float):
        return False
    tokens = [each for each in (sso.get("access_token"), sso.get("refresh_token")) if each]
    return bool(tokens) and all(is_bearer_token(each) for each in tokens)


def _has_lasting_access_token(entry: object, now: datetime) -> bool:
    """Whether an entry's access token is good for a while; where its end is not known, it is not."""
    sso = entry.get("sso") if isinstance(entry, Mapping) else None
    if not isinstance(sso, Mapping) or not sso.get("access_token"):
        return False
    ends = (sso.get("expires_at"), decode_jwt_claims(str(sso["access_token"])).get("exp", sso.get("expires_at")))
    return all(has_lifetime_left(end, now) for end in ends)


def _repair_cloud_token_file(folder: Path, email: str, entry: Mapping[str, object]) -> None:
    try:
        if _has_cloud_tokens(entry):
            _write_cloud_entry(folder, email, entry)
        else:
            _restore_cloud_copy(folder, email)
    except OSError:
        if read_token_file(folder / CLOUD_AUTH_FILE_COPY) is not None:  # a rename needs no room on the disk
            (folder / CLOUD_AUTH_FILE_COPY).replace(folder / CLOUD_AUTH_FILE)
        raise


def _back_up_cloud_file_if_valid(folder: Path, email: str) -> None:
    path = folder / CLOUD_AUTH_FILE
    if _has_cloud_tokens((read_token_file(path) or {}).get(email)):
        save_last_good_copy(path)


def _restore_cloud_copy(folder: Path, email: str) -> bool:
    """Put the last good copy back, if there is one for this address; returns whether there was."""
    good = folder / CLOUD_AUTH_FILE_COPY
    accounts = read_token_file(good)
    if accounts is None or not _has_cloud_tokens(accounts.get(email)):
        return False
    write_private_file(folder / CLOUD_AUTH_FILE, read_regular_file(good))
    return True


def _write_cloud_entry(folder: Path, email: str, entry: Mapping[str, object]) -> None:
    path = folder / CLOUD_AUTH_FILE
    others = read_token_file(path) or read_token_file(folder / CLOUD_AUTH_FILE_COPY) or {}
    write_private_file(path, json.dumps({**others, email: entry}).encode())


FLEET_AUTH_FILE = ".pypowerwall.fleetapi"
FLEET_URL_EUROPE = "https://fleet-api.prd.eu.vn.cloud.tesla.com"
"""Tesla's server for the United Kingdom, Europe, the Middle East and Africa."""
FLEET_URL_PATTERN = re.compile(r"https://[^/\s]+(/[^/\s]+)*")
FLEET_FILE_KEYS = (
    *("CLIENT_ID", "CLIENT_SECRET", "DOMAIN", "REDIRECT_URI", "AUDIENCE"),
    *("partner_token", "partner_account", "access_token", "refresh_token", "site_id"),
)
"""What the library reads from the file and writes there: its own names of the values."""


def fleet_sign_in_fix(folder: Path) -> str:
    """How the owner signs in anew."""
    return f"Run `python -m pypowerwall setup -fleetapi -authpath {folder}`, then `smartcharge login tesla`."


def check_fleet_token_file(folder: Path, now: datetime | None = None) -> int | None:
    """Make sure that the library will find a usable sign-in, and can keep a renewed one.

    Returns the site that the file names, if any. Raises as the check of a cloud sign-in does, and
    `ConfigurationError` where the application or its server is missing. now (UTC): as there.
    """
    path = folder / FLEET_AUTH_FILE
    require_token_file(path, fleet_sign_in_fix(folder))
    with translate_storage_errors(folder):
        if read_token_file(path) is None and not _restore_fleet_copy(path):
            raise _fleet_sign_in_error(f"{path} is damaged", folder)
    found = read_token_file(path) or {}
    if not found.get("CLIENT_ID") or not isinstance(found["CLIENT_ID"], str):
        raise _fleet_file_error(
            path, "CLIENT_ID", "is missing, and without it no token can be renewed", "your application's id"
        )
    if not FLEET_URL_PATTERN.fullmatch(str(found.get("AUDIENCE"))):
        raise _fleet_file_error(
            path, "AUDIENCE", "is not the address of a Fleet API server", f"for Europe {FLEET_URL_EUROPE}"
        )
    if not _has_fleet_tokens(found):
        raise _fleet_sign_in_error(f"{path} holds no tokens", folder)
    if now is None or not has_lifetime_left(decode_jwt_claims(str(found.get("access_token"))).get("exp"), now):
        require_storable(path)
    return _parse_site_id(path, found.get("site_id"))


def fleet_folder(folder: Path) -> AbstractContextManager[Path]:
    """The folder for the library, see `writable_folder`."""
    found = {**(read_token_file(folder / FLEET_AUTH_FILE) or {}), "refresh_token": ""}
    return writable_folder(folder, {FLEET_AUTH_FILE: json.dumps(found).encode()})


def back_up_fleet_tokens(folder: Path, held: Mapping[str, object]) -> None:
    """After a session: make the file private, and keep a copy of it where it is good.

    held: what the library has in memory. Where its file is broken that is written, being newer than any
    copy; else the last good copy is put back. Raises `UnreachableError` where the disk refuses.
    """
    path = folder / FLEET_AUTH_FILE
    with translate_storage_errors(folder):
        if read_token_file(path) is None:
            _repair_fleet_token_file(path, held)
        if _has_fleet_tokens(read_token_file(path) or {}):
            save_last_good_copy(path)


def _has_fleet_tokens(found: Mapping[str, object]) -> bool:
    """Whether there is a token to renew from, and one (empty at worst) that can stand in a header."""
    access = found.get("access_token")
    return is_bearer_token(found.get("refresh_token")) and (access == "" or is_bearer_token(access))


def _parse_site_id(path: Path, found: object) -> int | None:
    """The number of the site, also where it was written as text: then the library alone would not know it again."""
    if found is None or found == "":
        return None
    if isinstance(found, bool) or not str(found).isdecimal():
        raise _fleet_file_error(path, "site_id", "is not the number of an energy site", "digits only")
    return int(str(found))


def _repair_fleet_token_file(path: Path, held: Mapping[str, object]) -> None:
    try:
        if _has_fleet_tokens(held):
            write_private_file(path, json.dumps({key: held.get(key) for key in FLEET_FILE_KEYS}, indent=4).encode())
        else:
            _restore_fleet_copy(path)
    except OSError:
        if read_token_file(last_good_copy(path)) is not None:  # a rename needs no room on the disk
            last_good_copy(path).replace(path)
        raise


def _restore_fleet_copy(path: Path) -> bool:
    """Put the last good copy back, if there is one; returns whether there was."""
    if not _has_fleet_tokens(read_token_file(last_good_copy(path)) or {}):
        return False
    write_private_file(path, read_regular_file(last_good_copy(path)))
    return True


def _fleet_sign_in_error(problem: str, folder: Path) -> SignInRefusedError:
    return SignInRefusedError(problem, fix=fleet_sign_in_fix(folder), service=TESLA_SERVICE)


def _fleet_file_error(path: Path, key: str, problem: str, right: str) -> ConfigurationError:
    return ConfigurationError(problem, place=str(path), key=key, right=f"Use {right}.")
