"""The package as its own source tells it: modules, imports and functions, read with `ast`, nothing imported."""

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "smartcharge"
BLOCK_NODES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
BRANCH_NODES = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.match_case,
    ast.comprehension,
)
Def = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a module imports. later: inside a function, or for the type checker only."""

    target: str
    line: int
    later: bool

    @property
    def is_ours(self) -> bool:
        """Whether it belongs to the package."""
        return self.target.split(".")[0] == PACKAGE

    @property
    def library(self) -> str | None:
        """The third-party package that it belongs to, if any."""
        top = self.target.split(".")[0]
        return None if self.is_ours or top in sys.stdlib_module_names else top


@dataclass(frozen=True, slots=True)
class Module:
    """A source file. name: dotted, without the package's own name; the package itself is `__init__`."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    def at(self, line: int) -> str:
        """A place that an editor can jump to."""
        return f"{self.path.relative_to(ROOT)}:{line}"


@cache
def load_modules() -> dict[str, Module]:
    """Every module of the package by its name."""
    return {module.name: module for module in map(_read_module, sorted((ROOT / PACKAGE).rglob("*.py")))}


def find_imports(module: Module) -> Iterator[Import]:
    """Everything a module imports; a submodule taken from its package is the submodule."""
    at_once = {id(node) for node in _at_module_level(module.tree.body)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, id(node) not in at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (
                Import(_import_target(node, alias.name), node.lineno, id(node) not in at_once) for alias in node.names
            )


def module_name(target: str) -> str:
    """A target inside the package as `Module.name` periods it."""
    return target.removeprefix(PACKAGE).lstrip(".") or "__init__"


def find_functions(module: Module) -> Iterator[Def]:
    """Every function and method, nested ones included."""
    return (node for node in ast.walk(module.tree) if isinstance(node, Def))


def count_branches(function: Def) -> int:
    """Branches, loops, handlers, cases, comprehensions, and each `and` and `or`; a function inside has its own."""
    total = 0
    for node in _own_nodes(function):
        total += isinstance(node, BRANCH_NODES)
        total += len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0
    return total


def nesting_depth(function: Def) -> int:
    """How deep blocks lie inside one another; `elif` is no deeper than its `if`."""
    return max((_block_depth(statement) for statement in function.body), default=0)


def unannotated_parameters(function: Def) -> Iterator[str]:
    """The parameters without a type, and "return"."""
    taken = function.args
    stars = [star for star in (taken.vararg, taken.kwarg) if star]
    for arg in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs, *stars):
        if arg.annotation is None and arg.arg not in {"self", "cls"}:
            yield arg.arg
    if function.returns is None:
        yield "return"


def module_from_text(name: str, text: str) -> Module:
    """A module that is not there, to see whether a rule would notice."""
    path = ROOT.joinpath(PACKAGE, *name.split(".")).with_suffix(".py")
    return Module(name, path, ast.parse(text), text.count("\n"))


def _read_module(path: Path) -> Module:
    name = ".".join(path.relative_to(ROOT / PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    text = path.read_text(encoding="utf-8")
    return Module(name, path, ast.parse(text), text.count("\n"))


def _import_target(node: ast.ImportFrom, name: str) -> str:
    if node.level:
        return f"relative import of {node.module or name}"
    package = ROOT.joinpath(*f"{node.module}.{name}".split("."))
    is_module = package.with_suffix(".py").exists() or (package / "__init__.py").exists()
    return f"{node.module}.{name}" if is_module else f"{node.module}"


def _at_module_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, (Def, ast.If)) and (isinstance(node, Def) or ast.unparse(node.test) == "TYPE_CHECKING"):
            continue
        yield node
        yield from _at_module_level(child for child in _child_statements(node))


def _child_statements(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements right below a node, those of `except` and `case` included."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            yield from child.body


def _own_nodes(function: Def) -> Iterator[ast.AST]:
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, Def):
            yield node
            waiting.extend(ast.iter_child_nodes(node))


def _block_depth(node: ast.stmt) -> int:
    if isinstance(node, Def):
        return 0
    below = max((_block_depth(child) - _is_elif(node, child) for child in _child_statements(node)), default=0)
    return below + isinstance(node, BLOCK_NODES)


def _is_elif(node: ast.stmt, child: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
