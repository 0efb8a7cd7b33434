"""Imports within the package point down only; what breaks it would make parts inseparable."""
from __future__ import annotations

import ast
import pathlib

import pytest

CORE = pathlib.Path(__file__).parents[1] / "core"
# A module may import its own layer and those before it.
LAYERS = (
    ("types", "modes", "packing", "wire", "rewards", "eager_leak", "slots"),
    ("networks", "rules", "drawing", "environments", "replay", "checkpoints"),
    ("info_nodes",),
    ("graph",),
    ("policy", "py_policy", "driver", "learning"),
    ("agent",),
    ("presets",),
    ("testing",),
)
# Neighbours in a layer that know nothing of each other.
APART = ("networks", "rules", "drawing", "environments", "replay", "checkpoints")
LEVEL = {part: level for level, layer in enumerate(LAYERS) for part in layer}


def name_of(path: pathlib.Path) -> str:
    parts = path.relative_to(CORE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(CORE.glob("infonodes/**/*.py"))}


def imports(module: str) -> set[str]:
    """Returns the package's modules that `module` imports, lazily too, but for type checkers."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            skipped.update(ast.walk(node))
    found = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else node.module)
    return {name for name in found if name.split(".")[0] == "infonodes"}


def part(module: str) -> str:
    return module.split(".")[1]


INNER = [module for module in MODULES if module != "infonodes"]


def test_every_module_has_a_layer():
    assert {part(module) for module in INNER} == set(LEVEL)


@pytest.mark.parametrize("module", INNER)
def test_imports_point_down(module):
    for imported in imports(module):
        assert imported != "infonodes", f"{module} imports the package itself"
        assert LEVEL[part(imported)] <= LEVEL[part(module)], f"{module} imports {imported}, a layer above it"
        if part(module) in APART and part(imported) in APART:
            assert part(imported) == part(module), f"{module} imports {imported} beside it"


def test_no_cycles():
    """Repeatedly drops modules that import nothing left; none may remain."""
    left = {module: imports(module) & set(MODULES) for module in INNER}
    while left:
        free = [module for module, needs in left.items() if not (needs - {module}) & set(left)]
        assert free, f"modules import each other: {sorted(left)}"
        for module in free:
            del left[module]


@pytest.mark.parametrize("module", [m for m in INNER if part(m) in ("graph", "policy", "agent")])
def test_spine_imports_no_node_type(module):
    nodes = {m for m in imports(module) if part(m) == "info_nodes"}
    assert nodes <= {"infonodes.info_nodes.info_node"}


def test_contract_imports_no_node_type():
    """Nor do the functions that it uses."""
    own = tuple(f"infonodes.info_nodes.{name}" for name in ("info_node", "rows", "billing"))
    for module in own:
        assert {m for m in imports(module) if part(m) == "info_nodes"} <= set(own)


def test_nothing_imports_the_test_kit():
    for module in MODULES:
        if module == "infonodes" or part(module) != "testing":
            assert not [m for m in imports(module) if m.startswith("infonodes.testing")], module
