"""Values that must never be shown: passwords, keys, account numbers, addresses that open doors."""

import re
from typing import Final

HTTPS: Final = r"\Ahttps://[^\s\x00-\x1f\x7f]+\Z"

_ONE_LINE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_APP_PASSWORD_LENGTH: Final = 16


def is_one_line(text: str) -> bool:
    """Whether text is not empty and free of line breaks and control characters, so that it can end no header."""
    return _ONE_LINE.fullmatch(text) is not None


class Secret:
    """One line of text that only `reveal` gives away; ValueError where it is not one line."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not is_one_line(text):
            raise ValueError("not one line of text")
        self._text = text

    def reveal(self) -> str:
        """Give the value itself, for the one call that needs it."""
        return self._text

    def __repr__(self) -> str:
        """Show that there is a secret, and nothing of it."""
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        """Compare by value, so that configurations can be compared."""
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash(self._text)


class Key(Secret):
    """A key or an account number: blanks around it do not count, blanks inside are a mistake (ValueError)."""

    __slots__ = ()

    def __init__(self, text: str) -> None:
        super().__init__(text.strip())
        if re.search(r"\s", self._text):
            raise ValueError("blanks inside")


class AppPassword(Secret):
    """A mail password; Google shows its sixteen letters in groups, the blanks between them do not count."""

    __slots__ = ()

    def __init__(self, text: str) -> None:
        compact = "".join(text.split())
        super().__init__(compact if len(compact) == _APP_PASSWORD_LENGTH and compact.isalnum() else text)


class SecretUrl(Secret):
    """An https:// address that is a secret, because knowing it is enough to use it (else ValueError)."""

    __slots__ = ()

    def __init__(self, text: str) -> None:
        super().__init__(text.strip())
        if not re.search(HTTPS, self._text):
            raise ValueError("not an https:// address")
