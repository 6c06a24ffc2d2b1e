"""Who may import whom, as data: at module level, inside functions and for typing alike; and no circles."""

import ast
from dataclasses import dataclass
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter

import pytest
from source_tree import Import, Module, find_imports, load_modules, module_from_text, module_name


@dataclass(frozen=True, slots=True)
class Place:
    """What the modules of one place may import. Patterns, separated by blanks.

    ours: modules of this package, wherever the import stands. late: modules of this package, but only inside a
    function or for typing. libraries, late_libraries: the same for third-party packages.
    """

    ours: str = ""
    late: str = ""
    libraries: str = ""
    late_libraries: str = ""


SUPPORT = "errors files regular_file deadline console formatting text"
"""Error classes, atomic files and locks, time limits, output and its words: anything above the store may use them."""

PLACES = {
    # what needs nothing else
    "__init__ clock config.find regular_file text": Place(),
    "errors": Place("text"),
    "deadline": Place("errors"),
    "files": Place("errors"),
    "console": Place("errors files regular_file deadline text", libraries="click"),
    "formatting": Place("policy.* text", libraries="msgspec"),
    "installations": Place("config.* errors idle"),
    # the fast path, before anything heavy is loaded
    "idle": Place("__init__ config.find regular_file store"),
    "__main__": Place("clock idle", late="cli console"),
    # the command line and the composition root
    "cli_context": Place("errors console", late="app config.load"),
    "cli": Place("__init__ clock console cli_context", late="commands.*", libraries="click"),
    "app": Place(f"{SUPPORT} alerts config.* installations policy.* providers.protocols store.*", late="providers.*"),
    "alerts": Place(f"{SUPPORT} store.*", libraries="msgspec"),
    "config config.*": Place("config.* errors files regular_file", libraries="msgspec yaml"),
    # decides, on values
    "policy policy.*": Place("policy.*", libraries="msgspec"),
    # talks to the outside; each package of providers keeps its own parts
    "providers": Place(),
    "providers.protocols": Place("policy.*"),
    "providers.connection providers.jwt": Place(),
    "providers.http": Place("__init__ errors providers.connection", late_libraries="requests urllib3"),
    "providers.kraken providers.kraken.*": Place(
        "providers.kraken.* providers.http providers.jwt text policy.model errors files regular_file deadline",
        libraries="msgspec",
        late_libraries="requests urllib3",
    ),
    "providers.myenergi": Place(
        "providers.http policy.model errors files regular_file deadline",
        libraries="msgspec",
        late_libraries="httpx pymyenergi",
    ),
    "providers.tesla providers.tesla.*": Place(
        "providers.protocols providers.http providers.jwt providers.tesla.* "
        "text policy.model errors files regular_file deadline",
        libraries="msgspec",
        late_libraries="pypowerwall",
    ),
    "providers.ical": Place("policy.model errors", late_libraries="icalendar"),
    "providers.smtp": Place("providers.connection policy.model errors files regular_file deadline"),
    # the others are one file each
    "providers.*": Place(
        "providers.http policy.model errors files regular_file deadline",
        libraries="msgspec",
        late_libraries="httpx requests",
    ),
    # remembers
    "store.migrations": Place("store.* errors", libraries="msgspec sqlite_utils"),
    "store store.*": Place("store store.* policy.model errors files regular_file text", libraries="msgspec"),
    # acts
    "jobs.idle_forecast": Place(f"jobs.* store.* app idle config.find {SUPPORT}"),
    "jobs.hold_check jobs.hold_record jobs.hold_release": Place(
        f"jobs.* policy.* store.* providers.protocols alerts app config.data_folder config.load {SUPPORT}",
        libraries="msgspec",
    ),
    "jobs jobs.*": Place(f"jobs.* policy.* store.* providers.protocols alerts app {SUPPORT}", libraries="msgspec"),
    # shows
    "report.html": Place("report.model policy.slots", late_libraries="jinja2"),
    "report report.*": Place(f"report.* store.* policy.* app alerts {SUPPORT}", libraries="msgspec"),
    "doctor doctor.*": Place(
        f"doctor doctor.* report.* store.* policy.* app alerts config.* installations {SUPPORT}", libraries="msgspec"
    ),
    "commands commands.*": Place(
        "__init__ jobs.* store.* policy.* report.* doctor doctor.* config.* app alerts cli_context "
        f"commands.options commands.screen {SUPPORT}",
        libraries="click msgspec",
    ),
    # the devices and services of a simulated house: shares nothing with the code that talks to them
    "simulator simulator.*": Place("simulator.*", libraries="aiosmtpd graphql trustme yaml"),
}

EXCEPTIONS = {
    ("store.calendar store.outbox store.readings", "policy.calendar"): "calendar values are not in policy.model yet",
    ("store.control store.hold_file", "policy.battery"): "BatterySettings is not in policy.model yet",
    ("store.control", "policy.decide"): "the kind of a hold is an enum of policy.decide",
    ("store.calendar store.control store.readings", "policy.slots"): "slots are the values of policy.model's fields",
    ("store.dispatches", "policy.plan"): "the changes that an answer makes are values of policy.plan",
    ("store.readings", "policy.energy"): "the energy of a half hour is a value of policy.energy",
    ("providers.tesla.*", "policy.battery"): "BatterySettings is not in policy.model yet",
    ("providers.ical", "policy.calendar"): "calendar values are not in policy.model yet",
    ("providers.smtp", "policy.polling"): "DeliveryResult is not in policy.model yet",
    ("report.lanes", "jobs.shadow"): "compares with another controller",
    ("report.problems", "doctor.check"): "status shows the doctor's class of problem",
    ("report.load", "__init__"): "the page names the version",
    ("doctor.bundle", "__init__"): "the bundle names the version",
    ("doctor.services", "jobs.polling"): "asks whether a service may be asked now",
    ("commands.login", "providers.*"): "signing in is not reached through the registry yet",
    ("commands.demo", "cli simulator.*"): "plays the real commands against the simulator in this process",
    ("commands.init", "commands.crontab"): "init ends with the crontab lines",
    ("commands.status", "commands.snapshot_json"): "a file of its own for status --json",
}
"""Imports that the table does not allow and that are to go: (importers, imported) and the reason why they stand."""

CIRCLES = {("commands.demo", "cli"): "the demo runs the commands in this process, through the command line"}

POLICY_STDLIB = {
    *("collections", "contextlib", "datetime", "enum", "functools", "itertools"),
    *("math", "msgspec", "re", "typing", "zoneinfo"),
}
"""What policy may use besides itself: no clock, no files, no network, no logging, no database."""

RUN_TIME_IMPORTERS = {"cli", "providers.registry"}
"""Modules that may import a module by a name which they compute: the command table and the provider registry."""

INTRUSIONS = {
    "policy reads the database": ("policy.decide", "from smartcharge.store import control"),
    "policy uses a network library": ("policy.decide", "import requests"),
    "a provider imports its library at module level": ("providers.myenergi", "import pymyenergi"),
    "a provider imports another provider": ("providers.myenergi", "from smartcharge.providers import kraken"),
    "a provider imports a part of another": ("providers.myenergi", "import smartcharge.providers.kraken.graphql"),
    "a provider writes to the database": ("providers.kraken.graphql", "from smartcharge.store import services"),
    "a provider uses another provider's library": ("providers.ical", "def read():\n import pypowerwall"),
    "a job imports a provider": ("jobs.fetch", "def run():\n from smartcharge.providers import kraken"),
    "a command imports another command": ("commands.tick", "from smartcharge.commands import pause"),
    "a command imports the command line": ("commands.tick", "def run():\n from smartcharge.cli import cli_group"),
    "a job uses the simulator": ("jobs.fetch", "def run():\n from smartcharge.simulator import house"),
    "the simulator uses the program": ("simulator.house", "from smartcharge.policy import model"),
    "the store imports a job": ("store.control", "def load():\n from smartcharge.jobs import powerwall"),
    "a report runs a command": ("report.load", "def load():\n from smartcharge.commands import report"),
    "an import for typing only": ("policy.decide", "if TYPE_CHECKING:\n from smartcharge.app import App"),
    "an import inside try": ("policy.decide", "try:\n import yaml\nexcept ImportError:\n pass"),
    "a relative import": ("policy.decide", "from ..store import control"),
    "a module that no place holds": ("helpers", "import smartcharge.errors"),
}


def matches(name: str, patterns: str) -> bool:
    """Whether a name fits one of the patterns, which are separated by blanks."""
    return any(fnmatchcase(name, pattern) for pattern in patterns.split())


def place_of(name: str) -> str | None:
    """The first entry of the table that fits a module."""
    return next((patterns for patterns in PLACES if matches(name, patterns)), None)


def is_allowed(module: Module, wanted: Import) -> bool:
    """Whether the table itself allows an import."""
    place = PLACES.get(place_of(module.name) or "", Place())
    if wanted.is_ours:
        return matches(module_name(wanted.target), f"{place.ours} {place.late}" if wanted.later else place.ours)
    if wanted.library is None:
        return True
    return matches(wanted.library, f"{place.libraries} {place.late_libraries}" if wanted.later else place.libraries)


def exceptions_for(module: Module, wanted: Import) -> list[tuple[str, str]]:
    """The listed exceptions that cover an import."""
    return [
        each for each in EXCEPTIONS if matches(module.name, each[0]) and matches(module_name(wanted.target), each[1])
    ]


def forbidden_imports() -> list[tuple[Module, Import]]:
    """Every import that the table does not allow, excepted or not."""
    return [
        (module, wanted)
        for module in load_modules().values()
        for wanted in find_imports(module)
        if not is_allowed(module, wanted)
    ]


def imports_of_ours() -> dict[str, set[str]]:
    """What every module imports of this package at any time; the command line imports every command."""
    modules = load_modules()
    edges = {
        name: {module_name(wanted.target) for wanted in find_imports(module) if wanted.is_ours} - {name}
        for name, module in modules.items()
    }
    edges["cli"] |= {name for name in modules if name.startswith("commands.")}
    return edges


def folder_of(name: str) -> str:
    """The folder of a module, or the module itself where it stands at the top; `config.find` needs no other part."""
    return name if name == "config.find" else name.split(".", maxsplit=1)[0]


def computes_module_name(node: ast.AST) -> bool:
    """Whether a node calls an importing function."""
    return isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}


def find_circle(edges: dict[str, set[str]]) -> list[str]:
    """One circle of the graph, first and last the same; empty if there is none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as found:
        return list(found.args[1])
    return []


@pytest.mark.parametrize("module", load_modules().values(), ids=load_modules())
def test_a_module_imports_only_what_its_place_may(module: Module) -> None:
    assert place_of(module.name), f"{module.name} is in no place of the table"
    forbidden = [each for each in find_imports(module) if not is_allowed(module, each)]
    assert [f"{module.at(each.line)} {each.target}" for each in forbidden if not exceptions_for(module, each)] == []


@pytest.mark.parametrize(("name", "text"), INTRUSIONS.values(), ids=INTRUSIONS)
def test_a_forbidden_import_is_noticed(name: str, text: str) -> None:
    module = module_from_text(name, text)
    assert [is_allowed(module, each) or exceptions_for(module, each) for each in find_imports(module)] == [[]]


def test_every_place_has_a_module() -> None:
    assert sorted(set(PLACES) - {place_of(name) for name in load_modules()}) == []


def test_every_exception_has_a_reason_and_is_still_needed() -> None:
    assert [each for each, reason in EXCEPTIONS.items() if not reason] == []
    used = {each for module, wanted in forbidden_imports() for each in exceptions_for(module, wanted)}
    assert sorted(set(EXCEPTIONS) - used) == [], "no longer needed: take these lines out of EXCEPTIONS"


def test_policy_uses_nothing_that_reaches_outside() -> None:
    policy = [module for name, module in load_modules().items() if matches(name, "policy policy.*")]
    used = [(module, each) for module in policy for each in find_imports(module) if not each.is_ours]
    assert len(used) > 10
    assert [f"{m.at(i.line)} {i.target}" for m, i in used if i.target.split(".")[0] not in POLICY_STDLIB] == []


def test_only_the_command_table_and_the_provider_registry_compute_the_name_of_an_import() -> None:
    computing = {
        name for name, module in load_modules().items() for node in ast.walk(module.tree) if computes_module_name(node)
    }
    assert sorted(computing - RUN_TIME_IMPORTERS) == []
    assert "cli" in computing


def test_imports_run_in_no_circle_late_ones_included() -> None:
    edges = imports_of_ours()
    assert [each for each in CIRCLES if each[1] not in edges[each[0]]] == [], "no longer needed"
    for importer, imported in CIRCLES:
        edges[importer].discard(imported)
    assert find_circle(edges) == []


def test_a_circle_is_noticed() -> None:
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) != []


def test_folders_depend_on_each_other_in_no_circle() -> None:
    edges: dict[str, set[str]] = {}
    for name, targets in imports_of_ours().items():
        for target in targets:
            if not any(matches(name, a) and matches(target, b) for a, b in (*EXCEPTIONS, *CIRCLES)):
                edges.setdefault(folder_of(name), set()).add(folder_of(target))
    assert find_circle({folder: targets - {folder} for folder, targets in edges.items()}) == []


def test_the_package_was_found() -> None:
    assert {"__init__", "cli", "policy.decide", "store", "store.control"} <= set(load_modules())
