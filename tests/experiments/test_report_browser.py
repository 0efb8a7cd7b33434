"""Headless Chromium shows a report whole, and asks for nothing else; npm brings it, from scripts/browser."""
from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from report_cases import CONFIG, SETTINGS

from experiments import report, report_sections, runner

BROWSER = pathlib.Path(__file__).parents[2] / "scripts" / "browser"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A folder with the browser of the lock file, which unpacks itself there."""
    home = tmp_path_factory.mktemp("browser")
    for name in ("package.json", "package-lock.json", "open.mjs"):
        shutil.copy(BROWSER / name, home)
    (home / "tmp").mkdir()
    npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(npm, cwd=home, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"npm ci: {done.stderr[-800:]}; this test needs Node 20 and npm"
    return home


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    out = str(tmp_path_factory.mktemp("runs") / "body")
    runner.train(dataclasses.replace(CONFIG, out=out), progress=False)
    return report.build([out], **SETTINGS)


def opened(browser, page, screenshot=""):
    env = {**os.environ, "TMPDIR": str(browser / "tmp")}
    command = ["node", "open.mjs", str(page), str(screenshot)]
    done = subprocess.run(command, cwd=browser, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-800:]
    return json.loads(done.stdout)


def test_chromium_shows_every_section_and_picture(browser, page, tmp_path):
    found = opened(browser, page, tmp_path / "page.png")
    assert found["requests"] == [] and found["problems"] == []
    assert [s["id"] for s in found["sections"]] == list(report_sections.ANCHORS)
    assert all(s["height"] > 40 for s in found["sections"])
    assert len(found["images"]) == 10
    assert all(min(i["width"], i["height"], i["shown"]) > 50 for i in found["images"])
    assert found["overflow"] <= 0  # Nothing is wider than the window.
    assert (tmp_path / "page.png").stat().st_size > 100_000


def test_chromium_would_notice(browser, page, tmp_path):
    """The same page with a torn picture and one from elsewhere: the first has no size, the second is refused."""
    with open(page, encoding="utf-8") as file:
        text = file.read()
    torn = re.sub(r"(base64,).{200}", r"\1", text, count=1)
    torn = torn.replace("</body>", '<img src="http://127.0.0.1:9/elsewhere.png"></body>')
    (tmp_path / "torn.html").write_text(torn, encoding="utf-8")
    found = opened(browser, tmp_path / "torn.html")
    assert found["images"][0]["width"] == 0 and found["images"][1]["width"] > 0
    assert found["problems"]
