"""Links within the docs and the README lead somewhere, and their Python is Python."""
from __future__ import annotations

import pathlib
import re

import pytest

from infonodes.environments import probes
from infonodes.modes import COLLECT, Modes

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md")),
    *(p for p in sorted(DOCS.rglob("*.md")) if "_build" not in p.parts and "_site" not in p.parts),
]
FENCE = re.compile(r"```.*?```", re.S)


def name_of(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def read(path: pathlib.Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(path: pathlib.Path) -> set[str]:
    """Returns the anchors of a page's headings, as GitHub and kramdown make them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", read(path)), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_resolve(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", read(page))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), f"{link} leads out of the repository"
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{link}: no such heading"


def test_every_page_is_reached_from_the_readme_or_the_index():
    reached, found = set(), [ROOT / "README.md", ROOT / "CHANGELOG.md", DOCS / "index.md"]
    while found:
        page = found.pop()
        if page.suffix != ".md" or page in reached:
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+)", FENCE.sub("", read(page)))
        found += [(page.parent / link).resolve() for link in links if not re.match(r"[a-z]+:", link)]
    assert sorted(map(name_of, set(PAGES) - reached)) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_compiles(page):
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", read(page), re.S)):
        compile(block, f"{name_of(page)}, block {number}", "exec")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_one_heading_and_closed_fences(page):
    text = read(page)
    assert text.startswith("# ") or "results" in page.parts
    assert text.count("```") % 2 == 0


def test_every_page_is_reached_from_the_index():
    seen, waiting = set(), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        for link in re.findall(r"\]\(([^)\s#:]+\.md)", FENCE.sub("", read(page))):
            target = (page.parent / link).resolve()
            if target not in seen and target.exists():
                waiting.append(target)
    lost = {p for p in PAGES if p not in seen and DOCS in p.parents and "results" not in p.parts}
    assert not lost


def test_decisions_are_numbered_in_order():
    pages = sorted((DOCS / "decisions").glob("*.md"))
    assert [int(p.name[:4]) for p in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        assert read(page).startswith(f"# {int(page.name[:4])}. ")


def test_tables_name_what_there_is():
    """Probes and modes: each is named, none that is not there."""
    table = read(DOCS / "environments.md").split("## Guarded")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.M)) == probes.NAMES
    modes = re.findall(r"^\| `(\w+)` \|", read(DOCS / "modes.md"), re.M)
    assert set(modes) == set(Modes.__dataclass_fields__)
    assert all(f"`{value}`" in read(DOCS / "modes.md") for value in COLLECT)
