"""How a token is had: from the file, by a refresh token, or by one sign-in with what is configured."""

import contextlib
import os
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from smartcharge.errors import AppError, ConfigurationError, SignInRefusedError, UnreachableError
from smartcharge.files import file_lock, make_file_private, write_private_file
from smartcharge.providers.http import HttpClient
from smartcharge.providers.jwt import decode_jwt_claims, parse_json_object
from smartcharge.providers.kraken.account import EON_AUTH_REDIRECT_URL, KRAKEN_SERVICE, KrakenAccount
from smartcharge.providers.kraken.graphql import (
    HTTP_FORBIDDEN,
    OBTAIN_TOKEN_FIELD,
    GraphqlResponse,
    parse_graphql_response,
    sign_in_mutation,
)
from smartcharge.regular_file import open_regular_file

TOKEN_RENEWAL_MARGIN: Final = timedelta(minutes=5)
"""A token is renewed this long before its end."""
MAX_TOKEN_LIFETIME: Final = timedelta(days=31)
FRESH_TOKEN_REFUSED_PAUSE: Final = timedelta(minutes=15)
TOKEN_LOCK_TIMEOUT_SECONDS: Final = 10.0
MAX_TOKEN_FILE_BYTES: Final = 64 * 1024
DAMAGED_FILE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
DEFERRED_SIGNALS: Final = (signal.SIGALRM, signal.SIGTERM, signal.SIGINT)

HeaderToken = Annotated[str, msgspec.Meta(pattern=r"\A[\x21-\x7e]{1,8192}\Z")]
"""Fit for a header: one printable word."""
AwareDatetime = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True, slots=True)
class StoredSignIn:
    """One sign-in. kind: what the tokens are, Kraken's own or those of E.ON's sign-in; owner: whose.

    until, refresh_until: their ends (UTC), None where unknown. in_vain_at: when a token was last refused though
    it was new. flex_refused_on: the UTC day on which the supplier was found not to tell plans per device.
    """

    kind: Literal["kraken", "auth0"]
    supplier: str
    owner: str = ""
    token: HeaderToken | None = field(default=None, repr=False)
    until: AwareDatetime | None = None
    refresh_token: HeaderToken | None = field(default=None, repr=False)
    refresh_until: AwareDatetime | None = None
    in_vain_at: AwareDatetime | None = None
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

    def is_token_valid(self, now: datetime) -> bool:
        """Whether the token is believed to last; an end beyond any life means that the clock has jumped."""
        return (
            self.token is not None
            and self.until is not None
            and TOKEN_RENEWAL_MARGIN <= self.until - now <= MAX_TOKEN_LIFETIME
        )

    def can_refresh(self, now: datetime) -> bool:
        """Whether there is a refresh token that is not known to be over."""
        return self.refresh_token is not None and (self.refresh_until is None or now < self.refresh_until)

    def has_fresh_token_refused(self, now: datetime) -> bool:
        """Whether new tokens were of no use a moment ago."""
        return self.in_vain_at is not None and timedelta(0) <= now - self.in_vain_at < FRESH_TOKEN_REFUSED_PAUSE


class KrakenTokenFile:
    """The file, and the lock beside it. remarks: what was odd about it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.remarks: list[str] = []

    def read(self) -> StoredSignIn | None:
        """What is kept; None where there is nothing, or nothing readable. Raises `ConfigurationError`."""
        with self._translate_file_errors("cannot be read"), contextlib.suppress(FileNotFoundError):
            make_file_private(self._path)
            handle = open_regular_file(self._path)
            with os.fdopen(handle, "rb") as file, contextlib.suppress(*DAMAGED_FILE_ERRORS):
                return msgspec.json.decode(file.read(MAX_TOKEN_FILE_BYTES), type=StoredSignIn)
        return None

    def write(self, stored: StoredSignIn) -> None:
        """Replace what is kept; a sign-in that is not on disk is lost. Raises `ConfigurationError`."""
        with self._translate_file_errors("cannot be written"), defer_signals():
            write_private_file(self._path, msgspec.json.format(msgspec.json.encode(stored), indent=2) + b"\n")

    @contextmanager
    def exclusive_lock(self) -> Iterator[StoredSignIn | None]:
        """Be the only run that changes it; yields what is stored. `UnreachableError` where another run takes long."""
        with ExitStack() as stack:
            with self._translate_file_errors("cannot be locked"):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                lock = self._path.with_name(f"{self._path.name}.lock")
                had = stack.enter_context(file_lock(lock, wait_seconds=TOKEN_LOCK_TIMEOUT_SECONDS))
            if not had:
                raise UnreachableError(
                    "another run has been signing in to your supplier for too long", service=KRAKEN_SERVICE
                )
            kept = self.read()
            if kept is None:
                self._move_corrupt_file()
            yield kept

    def _move_corrupt_file(self) -> None:
        broken = self._path.with_name(f"{self._path.name}.broken")
        with self._translate_file_errors("cannot be set aside"), contextlib.suppress(FileNotFoundError):
            self._path.replace(broken)
            self.remarks.append(f"{self._path.name} could not be understood; it is kept as {broken.name}")

    @contextmanager
    def _translate_file_errors(self, problem: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = f"{problem}: {error.strerror or type(error).__name__}"
            right = "Make sure that it belongs to the user that runs smartcharge, on a disk with free space."
            raise ConfigurationError(why, place=str(self._path), right=right) from None


@contextmanager
def defer_signals() -> Iterator[None]:
    """Let the budget's alarm and requests to end wait: a single-use token half written is a sign-in lost.

    Handlers are swapped, not signals blocked: another thread would take them. Python hears them in the main
    thread only, so elsewhere there is nothing to do.
    """
    waiting: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    before = {each: signal.signal(each, lambda heard, _: waiting.append(heard)) for each in DEFERRED_SIGNALS if is_main}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for heard in waiting:
            signal.raise_signal(heard)


def parse_token_expiry(stamp: object, now: datetime, longest: timedelta) -> datetime | None:
    """A Unix timestamp as a believable end: after now and within the longest life; else None."""
    if isinstance(stamp, bool) or not isinstance(stamp, int | float):
        return None
    with contextlib.suppress(ValueError, OverflowError, OSError):
        at = datetime.fromtimestamp(stamp, now.tzinfo)
        return at if now < at <= now + longest else None
    return None


KRAKEN_SIGN_IN_FIX: Final = "Run `smartcharge login kraken`"
KRAKEN_CREDENTIALS_FIX: Final = "Correct eon_next.email, password or api_key, or run `smartcharge login kraken`"
DEFAULT_TOKEN_LIFETIME: Final = timedelta(minutes=50)
MAX_REFRESH_TOKEN_LIFETIME: Final = timedelta(days=400)
HTTP_OK: Final = 200

WRONG_CREDENTIALS_CODE: Final = "KT-CT-1138"
SIGN_IN_ERROR_MESSAGES: Final = {
    WRONG_CREDENTIALS_CODE: "wrong e-mail address or password",
    "KT-CT-1134": "the stored sign-in has expired",
    "KT-CT-1135": "the stored sign-in is not valid",
    "KT-CT-1136": "an e-mail address and a password are both needed",
    "KT-CT-1137": "an e-mail address and a password, or an API key, is needed",
    "KT-CT-1139": "wrong API key or password",
    "KT-CT-1141": "wrong API key or password",
    "KT-CT-1142": "wrong API key or password",
    "KT-CT-1146": "the password has expired, set a new one with your supplier",
    "KT-CT-1148": "your account wants a second factor",
    "KT-CT-1160": "a captcha is wanted, which only a browser can answer",
}
"""The codes that refuse a sign-in. Any other code is a fault of the service: right credentials were answered with
KT-CT-1124 for hours (https://github.com/thecem/octopus_germany/issues/39)."""
WRONG_PASSWORD_OR_MOVED: Final = (
    "wrong password, or your account has moved to the new E.ON sign-in: run `smartcharge login kraken`"  # noqa: S105
)
REFRESH_TOKEN_SPENT: Final = (
    "the E.ON sign-in has expired, was ended, or its token was already used (invalid_grant)",
    KRAKEN_SIGN_IN_FIX,
)
BROWSER_CODE_SPENT: Final = (
    "E.ON's sign-in does not take this code: it is good once, and for some minutes only (invalid_grant)",
    "Run `smartcharge login kraken --browser` again, and paste without delay",
)
CLIENT_REFUSED_ERRORS: Final = frozenset(
    {"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_request"}
)


class PasswordRefused(SignInRefusedError):  # noqa: N818
    """E.ON takes neither address nor password: they are wrong, or the account has moved to the new sign-in."""


def obtain_kraken_token(
    wire: HttpClient, account: KrakenAccount, credentials: Mapping[str, str], kept: StoredSignIn
) -> StoredSignIn:
    """Ask the supplier for a token; what `kept` remembers beside the tokens is carried over.

    Raises `SignInRefusedError`, `UnreachableError`, and `ThrottledError` (HTTP 403 too: that is the network's edge).
    """
    question = sign_in_mutation(credentials)
    reply = wire.post_json(account.address, question.body)
    if reply.status == HTTP_FORBIDDEN:
        raise reply.blocked_error()
    answer = parse_graphql_response(reply, question)
    given = answer.data.get(OBTAIN_TOKEN_FIELD)
    token = _validate_header_token(given.get("token")) if isinstance(given, Mapping) else None
    if answer.faults or token is None or not isinstance(given, Mapping):
        raise _sign_in_error(answer, account)
    return replace(
        kept,
        kind="kraken",
        owner=account.owner,
        token=token,
        until=_token_expiry(given.get("payload"), token, wire.now),
        refresh_token=_validate_header_token(given.get("refreshToken")) or credentials.get("refreshToken"),
        refresh_until=parse_token_expiry(given.get("refreshExpiresIn"), wire.now, MAX_REFRESH_TOKEN_LIFETIME),
    )


def exchange_refresh_token(wire: HttpClient, account: KrakenAccount, kept: StoredSignIn) -> StoredSignIn:
    """Exchange E.ON's refresh token for an ID token and the next refresh token; token None where none was given.

    Raises `SignInRefusedError`, `ThrottledError`, `UnreachableError`. Source: RFC 6749, section 6.
    """
    given = {"grant_type": "refresh_token", "refresh_token": kept.refresh_token or ""}
    return _exchange_tokens(wire, account, given, kept, REFRESH_TOKEN_SPENT)


def exchange_browser_code(
    wire: HttpClient, account: KrakenAccount, code: str, verifier: str, begun: StoredSignIn
) -> StoredSignIn:
    """Exchange the code that a browser brought back for tokens; raises as `exchange` does.

    Source: RFC 6749, section 4.1.3, and RFC 7636, section 4.5.
    """
    given = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    fresh = _exchange_tokens(wire, account, {**given, "redirect_uri": EON_AUTH_REDIRECT_URL}, begun, BROWSER_CODE_SPENT)
    if fresh.refresh_token is None:
        told = "E.ON's sign-in gave no refresh token, without which it would end within the hour"
        raise UnreachableError(told, fix="Try again; if it stays so, please report it", service=KRAKEN_SERVICE)
    return fresh


def _exchange_tokens(
    wire: HttpClient, account: KrakenAccount, given: Mapping[str, str], before: StoredSignIn, spent: tuple[str, str]
) -> StoredSignIn:
    reply = wire.post_form(account.token_url, {**given, "client_id": account.client_id})
    reply.raise_for_status()
    if reply.body is None:
        raise reply.blocked_error() if reply.status == HTTP_FORBIDDEN else reply.unusable_error()
    if reply.status != HTTP_OK:
        raise _exchange_error(reply.body.get("error"), reply.status, spent)
    token = _validate_header_token(reply.body.get("id_token"))
    return replace(
        before,
        token=token,
        until=_token_expiry(None, token, wire.now) if token else None,
        refresh_token=_validate_header_token(reply.body.get("refresh_token")) or before.refresh_token,
    )


def _sign_in_error(answer: GraphqlResponse, account: KrakenAccount) -> AppError:
    codes = {fault.code for fault in answer.faults}
    if not codes & SIGN_IN_ERROR_MESSAGES.keys():
        return UnreachableError(
            f"{account.label} could not sign you in just now ({answer.codes})", service=KRAKEN_SERVICE
        )
    if WRONG_CREDENTIALS_CODE in codes and account.supplier == "eon-next":
        return PasswordRefused(
            f"{account.label} refused the sign-in ({WRONG_CREDENTIALS_CODE}): {WRONG_PASSWORD_OR_MOVED}",
            service=KRAKEN_SERVICE,
        )
    meaning = next(text for code, text in SIGN_IN_ERROR_MESSAGES.items() if code in codes)
    return SignInRefusedError(
        f"{account.label} refused the sign-in ({answer.codes}): {meaning}",
        fix=KRAKEN_CREDENTIALS_FIX,
        service=KRAKEN_SERVICE,
    )


def _exchange_error(error: object, status: int, spent: tuple[str, str]) -> AppError:
    if error == "invalid_grant":
        told, fix = spent
        return SignInRefusedError(told, fix=fix, service=KRAKEN_SERVICE)
    if isinstance(error, str) and error in CLIENT_REFUSED_ERRORS:
        return SignInRefusedError(
            f"E.ON's sign-in does not know this program any more ({error})",
            fix="Set eon_next.auth_client_id and auth_url to what its web page uses now",
            service=KRAKEN_SERVICE,
        )
    return UnreachableError(f"E.ON's sign-in could not give a token (HTTP {status})", service=KRAKEN_SERVICE)


def _validate_header_token(value: object) -> str | None:
    """A token fit for a header: one printable word."""
    return value if isinstance(value, str) and re.fullmatch(r"[\x21-\x7e]{1,8192}", value) else None


def _token_expiry(payload: object, token: str, now: datetime) -> datetime:
    """When a token ends: as its payload says, else as the token itself says, else soon enough."""
    for told in (parse_json_object(payload), decode_jwt_claims(token)):
        end = parse_token_expiry(told.get("exp"), now, MAX_TOKEN_LIFETIME)
        if end is not None and end - now > TOKEN_RENEWAL_MARGIN:
            return end
    return now + DEFAULT_TOKEN_LIFETIME


class KrakenAuth:
    """One run's way to a token; whoever renews it does so alone, and the others use what he got."""

    def __init__(self, account: KrakenAccount, wire: HttpClient) -> None:
        self._account = account
        self._wire = wire
        self._file = KrakenTokenFile(account.token_file)

    @property
    def remarks(self) -> list[str]:
        """What was odd about the token file."""
        return self._file.remarks

    def authorization(self, refused: str | None = None) -> str:
        """The Authorization header; `refused`: the one that was just refused, so that another is obtained.

        Raises `SignInRefusedError`, `ThrottledError`, `UnreachableError`, `ConfigurationError`.
        """
        return self._get_usable_authorization(self._file.read(), refused) or self._get_renewed_authorization(refused)

    def begin(self) -> str:
        """Sign in with what is configured, whatever is kept, and give the header; that stays where it is refused."""
        credentials = self._account.credentials
        if credentials is None:
            raise SignInRefusedError(
                "the configuration holds nothing to sign in with", fix=KRAKEN_SIGN_IN_FIX, service=KRAKEN_SERVICE
            )
        with self._file.exclusive_lock():
            return self._keep(
                obtain_kraken_token(
                    self._wire, self._account, credentials, StoredSignIn("kraken", self._account.supplier)
                )
            )

    def adopt(self, refresh_token: str) -> str:
        """Begin anew from a refresh token, and give the header; what was kept stays where it is refused."""
        supplier = self._account.supplier
        begun = StoredSignIn(
            kind="auth0" if supplier == "eon-next" else "kraken",
            supplier=supplier,
            owner=self._account.owner,
            refresh_token=refresh_token,
        )
        with self._file.exclusive_lock():
            return self._keep(self._refresh_sign_in(begun))

    def sign_in_with_code(self, code: str, verifier: str) -> str:
        """Begin anew from the code of a browser's sign-in, and give the header; what was kept stays as in `adopt`."""
        begun = StoredSignIn("auth0", self._account.supplier, self._account.owner)
        with self._file.exclusive_lock():
            return self._keep(exchange_browser_code(self._wire, self._account, code, verifier, begun))

    def record_fresh_token_refused(self) -> None:
        """Remember that even a new token was refused: no more of them for a while."""
        with self._file.exclusive_lock() as kept:
            if kept is not None:
                self._file.write(replace(kept, in_vain_at=self._wire.now))

    @property
    def is_flex_unavailable(self) -> bool:
        """Whether the supplier was found today (UTC) not to tell plans per device."""
        kept = self._file.read()
        return kept is not None and kept.flex_refused_on == self._wire.now.date()

    def record_flex_unavailable(self) -> None:
        """Remember it until tomorrow."""
        with self._file.exclusive_lock() as kept:
            if kept is not None:
                self._file.write(replace(kept, flex_refused_on=self._wire.now.date()))

    def _get_usable_authorization(self, kept: StoredSignIn | None, refused: str | None) -> str | None:
        if kept is None or not kept.belongs_to(self._account) or not kept.is_token_valid(self._wire.now):
            return None
        return kept.authorization if kept.authorization != refused else None

    def _get_renewed_authorization(self, refused: str | None) -> str:
        with self._file.exclusive_lock() as kept:
            found = self._get_usable_authorization(kept, refused)  # another run may have been quicker
            if found is not None:
                return found
            mine = kept if kept is not None and kept.belongs_to(self._account) else None
            if kept is not None and mine is None:
                self._refuse_foreign_sign_in(kept)
            if refused is not None and mine is not None and mine.has_fresh_token_refused(self._wire.now):
                raise UnreachableError(
                    f"{self._account.label} refused new tokens as well, a moment ago", service=KRAKEN_SERVICE
                )
            return self._keep(self._renew_sign_in(mine or StoredSignIn("kraken", self._account.supplier)))

    def _refuse_foreign_sign_in(self, others: StoredSignIn) -> None:
        """Another account's sign-in that lasts, and is newer than our configuration, is a second house's.

        Each would put its own in the other's place, and present its password every few minutes.
        """
        file, configuration = self._account.token_file, Path(self._account.place)
        if (
            others.is_token_valid(self._wire.now)
            and configuration.exists()
            and file.stat().st_mtime > configuration.stat().st_mtime
        ):
            raise ConfigurationError(
                "holds the sign-in of another account, which is in use",
                place=str(file),
                right="Give each house a database in a folder of its own (database.path). Where your account has "
                "changed, run `smartcharge login kraken`.",
            )

    def _renew_sign_in(self, kept: StoredSignIn) -> StoredSignIn:
        credentials = self._account.credentials
        if kept.refresh_token is not None:
            self._file.write(kept)  # a disk that takes this one takes the next: a token may be good for one use
        if kept.kind == "auth0" and kept.refresh_token is not None:
            return self._refresh_sign_in(kept)
        if kept.can_refresh(self._wire.now):
            try:
                return self._refresh_sign_in(kept)
            except SignInRefusedError:
                if credentials is None:
                    raise
        if credentials is None:
            raise SignInRefusedError(
                f"you are not signed in to {self._account.label}", fix=KRAKEN_SIGN_IN_FIX, service=KRAKEN_SERVICE
            )
        return obtain_kraken_token(self._wire, self._account, credentials, kept)

    def _refresh_sign_in(self, kept: StoredSignIn) -> StoredSignIn:
        if kept.kind == "auth0":
            return exchange_refresh_token(self._wire, self._account, kept)
        return obtain_kraken_token(self._wire, self._account, {"refreshToken": kept.refresh_token or ""}, kept)

    def _keep(self, fresh: StoredSignIn) -> str:
        """On disk first, then used: a refresh token that is lost is a sign-in lost."""
        self._file.write(fresh)
        if fresh.authorization is None:
            raise UnreachableError("E.ON's sign-in gave no ID token", fix=KRAKEN_SIGN_IN_FIX, service=KRAKEN_SERVICE)
        return fresh.authorization
