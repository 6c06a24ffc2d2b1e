"""Text from outside, made fit for one line of a terminal, a log, a mail's header, the journal or a page."""

MAX_WORD_CHARACTERS = 100


def to_one_line(text: str) -> str:
    """Replace what is not printable: the text cannot begin a second line, colour a terminal or turn its direction."""
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "?" for sign in text)


def collapse_spaces(text: str) -> str:
    """The same with one space between words, and none around them."""
    return to_one_line(" ".join(text.split()))


def clean_text(value: object, max_length: int = MAX_WORD_CHARACTERS) -> str | None:
    """A text from an answer without what is not printable, cut at `max_length`; None where nothing is left."""
    if not isinstance(value, str):
        return None
    return "".join(letter for letter in value[:max_length] if letter.isprintable()).strip() or None
