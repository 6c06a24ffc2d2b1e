"""Reads what strace wrote down: what was done, and when, to the files of a house."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

WRITE_CALLS = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range")
SYNC_CALLS = ("fsync", "fdatasync", "sync_file_range")
NAME_CALLS = ("unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "mkdir", "mkdirat")
TRACED_CALLS = (*WRITE_CALLS, *SYNC_CALLS, *NAME_CALLS, "openat", "ftruncate", "fallocate")
STRACE_COMMAND = (
    *("strace", "--follow-forks", "--seccomp-bpf", "--decode-fds=path", "--string-limit=0", "--quiet=all"),
    *("--signal=none", f"--trace={','.join(f'?{call}' for call in TRACED_CALLS)}"),
)
"""Stops a process at these calls alone. With a question mark: not every kind of machine has every call."""
MINUTE_MARK = "/minute/"
"""To look for a file of this name, which is nowhere, marks in the trace that a moment begins."""
TRACE_LINE = re.compile(r"(?P<thread>\d+) +(?P<text>.*)")
CALL_PATTERN = re.compile(r"(?P<name>\w+)\((?P<given>.*)\) += (?P<result>-?\d+)(?:<(?P<opened>[^>]*)>)?")
UNFINISHED_MARK, RESUMED_PATTERN = " <unfinished ...>", re.compile(r"<\.\.\. \w+ resumed>")
HANDLE_PATTERN, QUOTED_PATTERN = re.compile(r"^\d+<([^>]*)>"), re.compile(r'"([^"]*)"')


class FileOperation(NamedTuple):
    """Something done to a file. at: the moment; file: below the house's folder; call: Linux's; size: bytes written."""

    at: str
    file: str
    call: str
    size: int


def read_file_operations(trace: Iterable[str], house: Path) -> Iterator[FileOperation]:
    """What a trace tells of a folder from the first moment on; to open what is there is no touch."""
    at, there = "", set[str]()
    for call in _completed_calls(trace):
        name, given, result = call["name"], call["given"], int(call["result"])
        if name == "openat" and f'"{MINUTE_MARK}' in given:
            at = QUOTED_PATTERN.findall(given)[0].removeprefix(MINUTE_MARK)
        elif result >= 0:
            path = _operation_path(call)
            is_touch = name != "openat" or "O_TRUNC" in given or ("O_CREAT" in given and path not in there)
            if name.startswith(("unlink", "rename")):
                there.discard(QUOTED_PATTERN.findall(given)[0])
            if not name.startswith("unlink"):
                there.add(path)
            if at and is_touch and f"{path}/".startswith(f"{house}/"):
                yield FileOperation(at, path[len(str(house)) + 1 :], name, result if name in WRITE_CALLS else 0)


def _operation_path(call: re.Match[str]) -> str:
    """Which file a call is about; of two names, the later."""
    if call["name"] == "openat":
        return call["opened"] or ""
    found = (QUOTED_PATTERN if call["name"] in NAME_CALLS else HANDLE_PATTERN).findall(call["given"])
    return str(found[-1]) if found else ""


def _completed_calls(trace: Iterable[str]) -> Iterator[re.Match[str]]:
    """Every call that came back; one that another thread's came in between is put together again."""
    begun: dict[str, str] = {}
    for line in trace:
        if not (found := TRACE_LINE.match(line)):
            continue
        thread, text = found["thread"], found["text"]
        if text.endswith(UNFINISHED_MARK):
            begun[thread] = text.removesuffix(UNFINISHED_MARK)
            continue
        if resumed := RESUMED_PATTERN.match(text):
            text = begun.pop(thread, "") + text[resumed.end() :]
        if call := CALL_PATTERN.match(text):
            yield call
