"""Where the data of an installation lie, remembered outside its configuration: for a run that cannot read that one.

The note names the folder of the database and holds no secret. It lies beside the configuration; where that folder
cannot be written, in the user's state folder or the system's temporary folder, named after the configuration's path.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from smartcharge.files import write_private_file
from smartcharge.regular_file import read_own_file, temporary_folder

DEFAULT_DATA_FOLDER = "data"
MAX_NOTE_BYTES = 8 * 1024
MAX_NAME_BYTES = 200
"""File systems allow 255 bytes, the temporary name of a file that is being written among them."""


def remember_data_folder(config: Path, folder: Path, environment: Mapping[str, str]) -> None:
    """Write the note where it does not say so yet; where no place can be written, the default has to do."""
    content = os.fsencode(folder.absolute())
    for note in _note_paths(config, environment):
        if _read_note(note) == folder.absolute():
            return
        with suppress(OSError):
            note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private_file(note, content)
            return


def noted_data_folders(config: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """Give the folders that notes about this configuration name."""
    for note in _note_paths(config, environment):
        folder = _read_note(note)
        if folder is not None:
            yield folder


def remembered_data_folders(config: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """Give the folders in which the data may lie, the likeliest first."""
    yield from noted_data_folders(config, environment)
    yield config.absolute().parent / DEFAULT_DATA_FOLDER
    yield config.absolute().parent


def _note_paths(config: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    config = config.absolute()
    yield config.with_name(f".{config.name}.data-folder")
    name = f"{_path_as_name(config)}.data-folder"
    state = environment.get("XDG_STATE_HOME") or (environment.get("HOME") and f"{environment['HOME']}/.local/state")
    if state and Path(state).is_absolute():
        yield Path(state, "smartcharge", name)
    yield Path(temporary_folder(), f"smartcharge-{os.geteuid()}", name)


def _path_as_name(path: Path) -> str:
    """Give a file name that stands for one path: its slashes escaped, or a digest of a long one."""
    name = str(path).replace("%", "%25").replace("/", "%2F")
    if len(os.fsencode(name)) <= MAX_NAME_BYTES:
        return name
    import hashlib  # noqa: PLC0415  # takes longer to load than all the rest here

    return hashlib.sha256(os.fsencode(path)).hexdigest()


def _read_note(note: Path) -> Path | None:
    """Give the folder that a note names; None where there is no note of ours, or it names none."""
    try:
        folder = Path(os.fsdecode(read_own_file(note, MAX_NOTE_BYTES)))
        return folder if folder.is_absolute() and "\0" not in str(folder) and "\n" not in str(folder) else None
    except (OSError, ValueError):
        return None
