"""What a binary does not read is refused, and what it reads is in its --help."""
import ast
import pathlib

import pytest
from absl import app, flags

from experiments import command_line

ROOT = pathlib.Path(__file__).parents[2]
USERS = [p for p in (ROOT / "experiments").rglob("*.py") if "sweep_flags.adopt(" in p.read_text(encoding="utf-8")]


@pytest.fixture
def values():
    """A binary that reads one of two shared flags; a library has another."""
    found = flags.FlagValues()
    for module, name in (("experiments.shared", "read"), ("experiments.shared", "unread"), ("library", "other")):
        flag = flags.Flag(flags.ArgumentParser(), None, name, None, "")
        flags.DEFINE_flag(flag, found, module)
    found.register_key_flag_for_module("binary", found["read"])
    return found


def test_what_is_read_and_what_is_a_librarys_passes(values):
    command_line.check(values(["binary", "--read=1", "--other=2"]), values)


@pytest.mark.parametrize(("args", "says"), [(["--read=1", "--unread=2"], "^--unread: not read"), (["more"], "'more'")])
def test_the_rest_is_refused(values, args, says):
    with pytest.raises(app.UsageError, match=says):
        command_line.check(values(["binary", *args]), values)


def test_the_sweeps_binaries_adopt_the_flags_that_they_read():
    """By what their code names: `sweep_flags.STEPS` is read of --steps, and `sweep_flags.task` of --task."""
    assert len(USERS) == 8
    for path in USERS:
        read, adopted = set(), set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) == "sweep_flags":
                read |= {node.attr.lower()} - {"adopt"}
            if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "adopt":
                adopted |= {argument.value for argument in node.args}
        assert adopted == read, path
