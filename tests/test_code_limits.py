"""What no file and no function may be or do: ceilings, one clock, few broad handlers, one printer."""

import ast
from collections.abc import Iterator

import pytest
from source_tree import (
    Def,
    Module,
    count_branches,
    find_functions,
    load_modules,
    module_from_text,
    nesting_depth,
    unannotated_parameters,
)

CLOCK_READINGS = {
    "the usual way": "from datetime import datetime\ndatetime.now()",
    "through the module": "import datetime\ndatetime.datetime.utcnow()",
    "under another name": "from time import time as instant\ninstant()",
    "handed on": "import time\nwait(clock=time.time)",
    "by the database": "db.execute(\"SELECT datetime('now')\")",
}
FUNCTIONS = {
    "a straight one": ("def f(): return 1", 0, 0),
    "elif is no deeper than if": ("def f():\n if a: pass\n elif b: pass\n elif c: pass", 3, 1),
    "else holds what lies in it": ("def f():\n if a: pass\n else:\n  for b in c:\n   with d: pass", 2, 3),
    "handlers and cases count": ("def f():\n try: pass\n except A: pass\n match b:\n  case 1: pass", 2, 1),
    "words inside a condition count": ("def f(): return a and b and c or [d for d in e]", 4, 0),
    "a function inside has its own": ("def f():\n def g():\n  if a: pass", 0, 0),
}

FILE_LINES, FUNCTION_LINES, BRANCH_POINTS, NESTING = 600, 60, 10, 3
CLOCKS = {
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
    *("time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime", "time.strftime"),
    *("uuid.uuid1", "email.utils.localtime", "email.utils.formatdate", "email.utils.make_msgid"),
}
CLOCK_IN_SQL = ("current_timestamp", "current_date", "current_time", "'now'", "unixepoch()")
BROAD_HANDLERS = {
    "console": "one place turns an unforeseen error into an exit code",
    "jobs.hold_check": "a damaged database raises anything, and must not keep a Powerwall held",
    "providers.myenergi": "pymyenergi raises anything, TypeError where a name look-up failed",
    "providers.tesla.pypowerwall": "pypowerwall raises anything",
}


def test_the_clock_is_read_in_one_place() -> None:
    reads = [read for module in load_modules().values() for read in clock_reads(module)]
    assert [read.split(":")[0] + read[read.index(" ") :] for read in reads] == [
        "smartcharge/clock.py datetime.datetime.now"
    ], reads


@pytest.mark.parametrize("text", CLOCK_READINGS.values(), ids=CLOCK_READINGS)
def test_a_reading_of_the_clock_is_noticed(text: str) -> None:
    assert len(list(clock_reads(module_from_text("policy.decide", text)))) == 1


@pytest.mark.parametrize(("text", "branch_points", "levels"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions_are_measured_as_meant(text: str, branch_points: int, levels: int) -> None:
    function = next(find_functions(module_from_text("policy.decide", text)))
    assert (count_branches(function), nesting_depth(function)) == (branch_points, levels)


def test_broad_handlers_stand_only_at_the_borders() -> None:
    found = [module.name for module in load_modules().values() for _ in broad_handlers(module)]
    assert sorted(set(found)) == sorted(BROAD_HANDLERS)
    assert found.count("console") == 1


def test_only_the_console_prints() -> None:
    printing = {name for name, m in load_modules().items() for node in ast.walk(m.tree) if _is_call(node, "print")}
    assert printing == {"console"}


@pytest.mark.parametrize("module", load_modules().values(), ids=load_modules())
def test_files_and_functions_stay_within_the_limits(module: Module) -> None:
    measures = [f"{module.at(1)} {module.lines} lines"] if module.lines > FILE_LINES else []
    assert measures + [offence for function in find_functions(module) for offence in too_large(module, function)] == []


@pytest.mark.parametrize("module", load_modules().values(), ids=load_modules())
def test_everything_is_annotated(module: Module) -> None:
    bare = [(f, name) for f in find_functions(module) for name in unannotated_parameters(f)]
    assert [f"{module.at(function.lineno)} {function.name}: {name}" for function, name in bare] == []


def clock_reads(module: Module) -> Iterator[str]:
    """Every mention of a way to read the wall clock, called or passed on, SQL's own included."""
    names = full_names(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute | ast.Name):
            first, *rest = ast.unparse(node).split(".")
            full = ".".join((names.get(first, first), *rest))
            yield from (f"{module.at(node.lineno)} {full}" for clock in CLOCKS if full == clock)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (f"{module.at(node.lineno)} {word}" for word in CLOCK_IN_SQL if word in node.value.lower())


def full_names(module: Module) -> dict[str, str]:
    """What the imported names of a module stand for."""
    names: dict[str, str] = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
    return names


def broad_handlers(module: Module) -> Iterator[ast.ExceptHandler]:
    """Handlers of everything; one that clears up and raises on is none."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and not _raises_on(node):
            caught = ast.unparse(node.type) if node.type else "BaseException"
            if {"Exception", "BaseException"} & set(caught.strip("()").split(", ")):
                yield node


def too_large(module: Module, function: Def) -> Iterator[str]:
    """What of a function is beyond its ceiling."""
    measured = {
        "lines": ((function.end_lineno or function.lineno) - function.lineno + 1, FUNCTION_LINES),
        "branch points": (count_branches(function), BRANCH_POINTS),
        "levels": (nesting_depth(function), NESTING),
    }
    for what, (found, ceiling) in measured.items():
        if found > ceiling:
            yield f"{module.at(function.lineno)} {function.name}: {found} {what}"


def _raises_on(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _is_call(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
