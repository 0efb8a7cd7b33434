"""The README's Python blocks run, in order and in one namespace; what they print is what it shows."""
from __future__ import annotations

import contextlib
import io
import pathlib
import re

import gin
import pytest

from infonodes import InfoNodeAgent

README = pathlib.Path(__file__).parents[1] / "README.md"
SIZES = "WARM_UP, STEPS, EPISODES = 20, 3, 1"


@pytest.fixture
def not_compiled():
    """XLA would compile for most of the test's time."""
    with gin.unlock_config():
        gin.bind_parameter(f"infonodes.{InfoNodeAgent.__name__}.jit_compile", False)
    yield
    with gin.unlock_config():
        gin.bind_parameter(f"infonodes.{InfoNodeAgent.__name__}.jit_compile", None)


def blocks(language: str) -> list[str]:
    """Returns the fenced blocks of a language; `""` is those that name none."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", README.read_text(encoding="utf-8"), re.S | re.M)
    return [text for name, text in found if name == language]


def test_python_blocks_run(not_compiled):
    code = blocks("python")
    assert len(code) == 2
    code[0], found = re.subn(r"^WARM_UP, STEPS, EPISODES = .*$", SIZES, code[0], flags=re.M)
    assert found == 1
    namespace: dict = {}
    printed = []
    for number, block in enumerate(code):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(block, f"README.md, block {number}", "exec"), namespace)  # noqa: S102
        printed.append(out.getvalue())
    assert re.search(r"greedy return: [\d.]+", printed[0])
    assert namespace["agent"].graph["mind"].control_names == ("body",)
    shown = [block.strip() for block in blocks("") if "depth  node" in block]
    assert shown == [printed[1].strip()]


def test_commands_exist():
    """`make run` and `make test` are targets of the Makefile."""
    asked = re.findall(r"^make (\w+)", "\n".join(blocks("")), re.M)
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    assert asked and all(re.search(rf"^{target}:", makefile, re.M) for target in asked)
