"""Docstrings are there, and their Args and Attributes name what the code has."""
from __future__ import annotations

import ast
import importlib
import pathlib
import re
from typing import Iterator, Optional, Union

import pytest

CORE = pathlib.Path(__file__).parents[1] / "core"
FILES = [p for p in sorted(CORE.glob("infonodes/**/*.py")) if p.read_text(encoding="utf-8").strip()]
SECTIONS = ("Args", "Attributes", "Returns", "Raises", "Yields")
RECORDS = ("NamedTuple",)

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


def module_name(path: pathlib.Path) -> str:
    parts = path.relative_to(CORE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def section(docstring: Optional[str], title: str) -> Optional[list[str]]:
    """Returns the names that a section documents, or None if there is no such section."""
    match = re.search(rf"^{title}:\n((?:[ ]{{2,}}.*\n?|\n)+)", docstring or "", re.M)
    if match is None:
        return None
    return re.findall(r"^ {2}(\*{0,2}\w+):", match[1], re.M)


def parameters(function: Function, is_method: bool) -> list[str]:
    spec = function.args
    names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list)
    if is_method and not static:
        names = names[1:]
    if spec.vararg:
        names.append(f"*{spec.vararg.arg}")
    names += [a.arg for a in spec.kwonlyargs]
    if spec.kwarg:
        names.append(f"**{spec.kwarg.arg}")
    return names


def definitions(path: pathlib.Path) -> Iterator[tuple[str, ast.AST, Optional[ast.ClassDef]]]:
    """Yields (dotted name, definition, its class) of classes and functions, not of nested ones."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            yield node.name, node, None
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    yield f"{node.name}.{member.name}", member, node


def is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


def inherits_docs(module: str, name: str) -> bool:
    """Whether a base class documents the method."""
    holder, _, member = name.rpartition(".")
    if not holder:
        return False
    cls = getattr(importlib.import_module(module), holder)
    return any(getattr(vars(base).get(member), "__doc__", None) for base in cls.__mro__[1:])


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_public_things_have_docstrings(path):
    """An overridden method is documented where it is declared; a test's name says it all."""
    missing = []
    if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))):
        missing.append("the module")
    for name, node, _ in definitions(path):
        if not is_public(name) or name.rpartition(".")[2].startswith("test_") or ast.get_docstring(node):
            continue
        if not inherits_docs(module_name(path), name):
            missing.append(name)
    assert not missing


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_args_are_the_parameters(path):
    """In the order of the signature; a class's Args are its constructor's."""
    wrong = {}
    for name, node, holder in definitions(path):
        asked = section(ast.get_docstring(node), "Args")
        if asked is None:
            continue
        function = node
        if isinstance(node, ast.ClassDef):
            function = next((m for m in node.body if getattr(m, "name", "") == "__init__"), None)
        has = [] if function is None else parameters(function, holder is not None or function is not node)
        if asked != has:
            wrong[name] = f"documents {asked}, has {has}"
    assert not wrong


def is_record(node: ast.ClassDef) -> bool:
    bases = [ast.unparse(base) for base in node.bases]
    decorators = [ast.unparse(d) for d in node.decorator_list]
    return any(b in RECORDS for b in bases) or any("dataclass" in d for d in decorators)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_attributes_are_the_fields_of_records(path):
    wrong = {}
    for name, node, _ in definitions(path):
        if not isinstance(node, ast.ClassDef) or not is_record(node):
            continue
        fields = [f.target.id for f in node.body if isinstance(f, ast.AnnAssign)]
        asked = section(ast.get_docstring(node), "Attributes")
        if asked != fields and is_public(name):
            wrong[name] = f"documents {asked}, has {fields}"
    assert not wrong


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_raised_errors_exist(path):
    """What a Raises section names is a builtin or is known to its module."""
    module = importlib.import_module(module_name(path))
    builtins = vars(importlib.import_module("builtins"))
    unknown = set()
    for _, node, _ in definitions(path):
        named = section(ast.get_docstring(node), "Raises") or []
        unknown |= {e for e in named if e not in builtins and not hasattr(module, e)}
    # A base class may raise what only its subclasses' or helpers' modules import.
    from infonodes import replay, types

    assert not {e for e in unknown if not hasattr(types, e) and not hasattr(replay, e)}


def test_sections_are_found():
    """The reader of sections itself, on a docstring of every kind of entry."""
    text = "Does.\n\nArgs:\n  a: One,\n    on two: lines.\n  *b: Two.\n  **c: Three.\n\nReturns:\n  It.\n"
    assert section(text, "Args") == ["a", "*b", "**c"]
    assert section(text, "Attributes") is None
