"""How a token is had: from the file, by a refresh token, or by one sign-in with what is configured."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from smartcharge.adapters._kraken_account import SERVICE, KrakenAccount
from smartcharge.adapters._kraken_token_requests import SIGN_IN_AGAIN, exchange, exchange_code, log_in
from smartcharge.adapters._kraken_tokens import Stored, TokenFile
from smartcharge.errors import ConfigurationRefused, SignInRefused, Unreachable

if TYPE_CHECKING:
    from smartcharge.adapters._kraken_wire import Wire


class SignIn:
    """One run's way to a token; whoever renews it does so alone, and the others use what he got."""

    def __init__(self, account: KrakenAccount, wire: "Wire") -> None:
        self._account = account
        self._wire = wire
        self._file = TokenFile(account.token_file)

    @property
    def remarks(self) -> list[str]:
        """What was odd about the token file."""
        return self._file.remarks

    def authorization(self, refused: str | None = None) -> str:
        """The Authorization header; `refused`: the one that Kraken has just refused, so that another is had.

        Raises `SignInRefused`, `Throttled`, `Unreachable`, `ConfigurationRefused`.
        """
        return self._usable(self._file.read(), refused) or self._renewed(refused)

    def begin(self) -> str:
        """Sign in with what is configured, whatever is kept, and give the header; that stays where it is refused."""
        credentials = self._account.credentials
        if credentials is None:
            raise SignInRefused("there is nothing configured to sign in with", hint=SIGN_IN_AGAIN, service=SERVICE)
        with self._file.alone():
            return self._keep(log_in(self._wire, self._account, credentials, Stored("kraken", self._account.supplier)))

    def adopt(self, refresh_token: str) -> str:
        """Begin anew from a refresh token, and give the header; what was kept stays where it is refused."""
        supplier = self._account.supplier
        begun = Stored(
            kind="auth0" if supplier == "eon-next" else "kraken",
            supplier=supplier,
            owner=self._account.owner,
            refresh_token=refresh_token,
        )
        with self._file.alone():
            return self._keep(self._refreshed(begun))

    def adopt_code(self, code: str, verifier: str) -> str:
        """Begin anew from the code of a browser's sign-in, and give the header; what was kept stays as in `adopt`."""
        begun = Stored("auth0", self._account.supplier, self._account.owner)
        with self._file.alone():
            return self._keep(exchange_code(self._wire, self._account, code, verifier, begun))

    def note_in_vain(self) -> None:
        """Remember that even a new token was refused: no more of them for a while."""
        with self._file.alone() as kept:
            if kept is not None:
                self._file.write(replace(kept, in_vain_at=self._wire.now))

    @property
    def flex_is_gone(self) -> bool:
        """Whether the supplier was found today (UTC) not to tell plans per device."""
        kept = self._file.read()
        return kept is not None and kept.flex_refused_on == self._wire.now.date()

    def note_flex_is_gone(self) -> None:
        """Remember it until tomorrow."""
        with self._file.alone() as kept:
            if kept is not None:
                self._file.write(replace(kept, flex_refused_on=self._wire.now.date()))

    def _usable(self, kept: Stored | None, refused: str | None) -> str | None:
        if kept is None or not kept.belongs_to(self._account) or not kept.is_good(self._wire.now):
            return None
        return kept.authorization if kept.authorization != refused else None

    def _renewed(self, refused: str | None) -> str:
        with self._file.alone() as kept:
            found = self._usable(kept, refused)  # another run may have been quicker
            if found is not None:
                return found
            mine = kept if kept is not None and kept.belongs_to(self._account) else None
            if kept is not None and mine is None:
                self._refuse_if_in_use(kept)
            if refused is not None and mine is not None and mine.is_in_vain(self._wire.now):
                raise Unreachable("Kraken has just refused new tokens too", service=SERVICE)
            return self._keep(self._renew(mine or Stored("kraken", self._account.supplier)))

    def _refuse_if_in_use(self, others: Stored) -> None:
        """Another account's sign-in that lasts, and is newer than our configuration, is a second house's.

        Each would put its own in the other's place, and present its password every few minutes.
        """
        file, configuration = self._account.token_file, Path(self._account.place)
        if (
            others.is_good(self._wire.now)
            and configuration.exists()
            and file.stat().st_mtime > configuration.stat().st_mtime
        ):
            raise ConfigurationRefused(
                "holds the sign-in of another account, which is in use",
                place=str(file),
                right="Give each house a database in a folder of its own (database.path). Where your account has "
                "changed, run `smartcharge login kraken`.",
            )

    def _renew(self, kept: Stored) -> Stored:
        credentials = self._account.credentials
        if kept.refresh_token is not None:
            self._file.write(kept)  # a disk that takes this one takes the next: a token may be good for one use
        if kept.kind == "auth0" and kept.refresh_token is not None:
            return self._refreshed(kept)
        if kept.can_refresh(self._wire.now):
            try:
                return self._refreshed(kept)
            except SignInRefused:
                if credentials is None:
                    raise
        if credentials is None:
            raise SignInRefused("there is no sign-in for Kraken", hint=SIGN_IN_AGAIN, service=SERVICE)
        return log_in(self._wire, self._account, credentials, kept)

    def _refreshed(self, kept: Stored) -> Stored:
        if kept.kind == "auth0":
            return exchange(self._wire, self._account, kept)
        return log_in(self._wire, self._account, {"refreshToken": kept.refresh_token or ""}, kept)

    def _keep(self, fresh: Stored) -> str:
        """On disk first, then used: a refresh token that is lost is a sign-in lost."""
        self._file.write(fresh)
        if fresh.authorization is None:
            raise Unreachable("E.ON's sign-in gave no ID token", hint=SIGN_IN_AGAIN, service=SERVICE)
        return fresh.authorization
