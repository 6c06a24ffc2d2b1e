"""A configuration in the making: every answer judged as the file's own values are, then laid into the example.

The example is what people read to learn the keys; so a file that was made from answers explains itself as well.
"""

import json
import os
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from msgspec import structs

from smartcharge.config import load_config
from smartcharge.errors import ConfigurationRefused
from smartcharge.files import UNWRITABLE, create_private
from smartcharge.settings import SECTIONS, Period
from smartcharge.typed import is_secret, right, typed, without_none

EXAMPLE: Final = "config.example.yaml"
HEAD: Final = (
    "# Written by `smartcharge init`. It holds secrets: keep it to yourself, it is readable by you alone (0600)."
)
SECTION: Final = re.compile(r"(\w+):")
ENTRY: Final = re.compile(r'(  (\w+): +)("[^"]*"|\S+)( *)(.*)')
PLAIN: Final = re.compile(r"[0-9.]+|[a-z-]+")


def kind_of(key: str) -> object:
    """The type that a key's values have."""
    section, _, name = key.partition(".")
    return next(without_none(each.type) for each in structs.fields(SECTIONS[section]) if each.name == name)


def is_hidden(key: str) -> bool:
    """Whether its values are never shown."""
    return is_secret(kind_of(key))


def mend(key: str, text: str) -> str | None:
    """What would be right in place of an answer, in a sentence; None where it is right."""
    kind = kind_of(key)
    try:
        typed(_spelt(key, text), kind, Path)
    except ValueError:
        return f"{right(kind, text)}."
    return None


def require_free(path: Path) -> None:
    """Make sure that a new file can be made there; raises `ConfigurationRefused` where there is one already."""
    if os.path.lexists(path):
        right = "Nothing was changed: edit it, or name another file with --config."
        raise ConfigurationRefused("is there already, and is never written over", place=str(path), right=right)
    folder = next(place for place in path.parents if place.exists())
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise ConfigurationRefused("cannot be made here by this user", place=str(path), right=UNWRITABLE)


def write(path: Path, answers: Mapping[str, str]) -> None:
    """Make the file, once it is known to load: whole or not at all. Raises as `require_free` does."""
    text = filled(answers)
    with TemporaryDirectory() as folder:
        tried = Path(folder, path.name)
        tried.touch(mode=0o600)
        tried.write_text(text, encoding="utf-8")
        load_config(tried, {})
    require_free(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_private(path, text.encode())
    except FileExistsError:
        require_free(path)
        raise
    except OSError as odd:
        raise ConfigurationRefused(f"cannot be written ({odd.strerror})", place=str(path), right=UNWRITABLE) from odd


def filled(answers: Mapping[str, str]) -> str:
    """The example with these answers in it, its comments where they were."""
    lines, section = [HEAD], ""
    for line in files("smartcharge").joinpath(EXAMPLE).read_text(encoding="utf-8").splitlines()[1:]:
        section = found[1] if (found := SECTION.match(line)) else section
        entry = ENTRY.fullmatch(line)
        key = f"{section}.{entry[2]}" if entry else ""
        lines.append(_entry(entry, key, answers[key]) if entry and key in answers else line)
    return "\n".join(lines) + "\n"


def _entry(entry: re.Match[str], key: str, answer: str) -> str:
    value = _scalar(key, answer, is_quoted=entry[3].startswith('"'))
    room = len(entry[3]) + len(entry[4]) - len(value)
    return f"{entry[1]}{value}{' ' * max(room, 2) if entry[5] else ''}{entry[5]}"


def _scalar(key: str, answer: str, *, is_quoted: bool) -> str:
    if kind_of(key) == Period:
        return json.dumps([part.strip() for part in _spelt(key, answer).split(",")])
    return answer if PLAIN.fullmatch(answer) and not is_quoted else json.dumps(answer, ensure_ascii=False)


def _spelt(key: str, text: str) -> str:
    """An answer as a file would have it: two times may be typed as 00:00-06:00."""
    return re.sub(r"[\[\]\"' ]", "", text).replace("-", ",") if kind_of(key) == Period else text
