"""Reads what strace wrote down: what was done, and when, to the files of a house."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range")
SYNCS = ("fsync", "fdatasync", "sync_file_range")
NAMES = ("unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "mkdir", "mkdirat")
CALLS = (*WRITES, *SYNCS, *NAMES, "openat", "ftruncate", "fallocate")
COMMAND = (
    *("strace", "--follow-forks", "--seccomp-bpf", "--decode-fds=path", "--string-limit=0", "--quiet=all"),
    *("--signal=none", f"--trace={','.join(f'?{call}' for call in CALLS)}"),
)
"""Stops a process at these calls alone. With a question mark: not every kind of machine has every call."""
MINUTE = "/minute/"
"""To look for a file of this name, which is nowhere, marks in the trace that a moment begins."""
LINE = re.compile(r"(?P<thread>\d+) +(?P<text>.*)")
CALL = re.compile(r"(?P<name>\w+)\((?P<given>.*)\) += (?P<result>-?\d+)(?:<(?P<opened>[^>]*)>)?")
UNFINISHED, RESUMED = " <unfinished ...>", re.compile(r"<\.\.\. \w+ resumed>")
HANDLE, QUOTED = re.compile(r"^\d+<([^>]*)>"), re.compile(r'"([^"]*)"')


class Touch(NamedTuple):
    """Something done to a file. at: the moment; file: below the house's folder; call: Linux's; size: bytes written."""

    at: str
    file: str
    call: str
    size: int


def touches(trace: Iterable[str], house: Path) -> Iterator[Touch]:
    """What a trace tells of a folder from the first moment on; to open what is there is no touch."""
    at, there = "", set[str]()
    for call in _calls(trace):
        name, given, result = call["name"], call["given"], int(call["result"])
        if name == "openat" and f'"{MINUTE}' in given:
            at = QUOTED.findall(given)[0].removeprefix(MINUTE)
        elif result >= 0:
            path = _path(call)
            is_touch = name != "openat" or "O_TRUNC" in given or ("O_CREAT" in given and path not in there)
            if name.startswith(("unlink", "rename")):
                there.discard(QUOTED.findall(given)[0])
            if not name.startswith("unlink"):
                there.add(path)
            if at and is_touch and f"{path}/".startswith(f"{house}/"):
                yield Touch(at, path[len(str(house)) + 1 :], name, result if name in WRITES else 0)


def _path(call: re.Match[str]) -> str:
    """Which file a call is about; of two names, the later."""
    if call["name"] == "openat":
        return call["opened"] or ""
    found = (QUOTED if call["name"] in NAMES else HANDLE).findall(call["given"])
    return str(found[-1]) if found else ""


def _calls(trace: Iterable[str]) -> Iterator[re.Match[str]]:
    """Every call that came back; one that another thread's came in between is put together again."""
    begun: dict[str, str] = {}
    for line in trace:
        if not (found := LINE.match(line)):
            continue
        thread, text = found["thread"], found["text"]
        if text.endswith(UNFINISHED):
            begun[thread] = text.removesuffix(UNFINISHED)
            continue
        if resumed := RESUMED.match(text):
            text = begun.pop(thread, "") + text[resumed.end() :]
        if call := CALL.match(text):
            yield call
