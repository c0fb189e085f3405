"""The documentation against the program: its Python examples run, and the house is drawn as it is."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from cli_tools import run
from test_architecture import LAYERS

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = sorted(DOCS.glob("*.md"))
LINKING = [*PAGES, *(DOCS.parent / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))]


def test_the_examples_for_notebooks_run(bundled_home: Path, tmp_path: Path) -> None:
    """The blocks of notebook.md run one after the other, unchanged, with an index of the bundled quotes."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / "notebook.md").read_text(encoding="utf-8"), re.M | re.S)
    assert len(blocks) == 6
    done = run((sys.executable, "-c", "\n".join(blocks)), home=bundled_home, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert re.match(r"\(\d+, 384\) \w", done.lines[0])
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_the_house_is_drawn_as_it_is() -> None:
    """The layers in how-it-works.md are those that the imports keep to, in their order."""
    page = (DOCS / "how-it-works.md").read_text(encoding="utf-8")
    (drawn,) = re.findall(r"^```text\n( cli .*?)^```$", page, re.M | re.S)
    layers = [set(re.split(r"\s{3,}", line.strip())[0].split()) for line in drawn.splitlines()]
    assert layers == LAYERS


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link of a page leads to a file of the repository."""
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    headings = [heading.strip().lower() for heading in re.findall(r"^#+ (.*)$", text, re.M)]
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKING, ids=[page.name for page in LINKING])
def test_anchors_name_headings(page: Path) -> None:
    """Each link to a part of a page leads to a heading of that page."""
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if link[1] not in anchors(page.parent / link[0] if link[0] else page)] == []
