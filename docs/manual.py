r"""Write the man page from the reference: `python docs/manual.py > docs/quotefind.1`.

The reference comes from the program:
`typer quotefind.cli utils docs --name quotefind | tr -d '\b' > docs/reference.md`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from quotefind import __version__

# Characters that roff would interpret, or show as others.
_SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\(aq", '"': r"\(dq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
# Paragraphs of the reference that are sections of a man page.
_SECTIONS = {"Exit codes: ": "EXIT STATUS", "Environment: ": "ENVIRONMENT"}
_FILES = {
    "~/.local/share/quotefind/indexes/NAME": "The index called NAME, a directory. It is below $XDG_DATA_HOME if set; "
    "on macOS and Windows, where applications keep their data.",
    "~/.cache/quotefind": "Prepared models, and the progress of interrupted work. It is below $XDG_CACHE_HOME if set.",
}


def page(reference: str) -> str:
    """Return the man page quotefind(1) in the man macros of roff, ASCII, with the content of the reference."""
    body: list[str] = []
    sections: list[str] = []
    summary = ""
    tokens = MarkdownIt().parse(reference)
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "inline":
            kind = "" if before is None else before.tag
            summary = summary or (token.content if kind == "p" else "")
            ends = [name for start, name in _SECTIONS.items() if token.content.startswith(start)]
            if ends:
                sections += [f".SH {ends[0]}", text(token.content.partition(": ")[2])]
            elif kind != "h1":
                body += _inline(token, kind, first=not any(line.startswith(".SS") for line in body))
        elif token.type == "fence":
            body += [".PP", *(f".B {text(line.removeprefix('$ '))}" for line in token.content.splitlines())]
        elif token.type == "code_block":
            body += [".PP", ".EX", *map(text, token.content.splitlines()), ".EE"]
    name = summary[0].lower() + summary[1:].rstrip(".")
    head = [f'.TH QUOTEFIND 1 "" "quotefind {__version__}" "User Commands"', ".SH NAME", rf"quotefind \- {text(name)}"]
    files = [line for path, about in _FILES.items() for line in (".TP", f".B {text(path)}", text(about))]
    return "\n".join([*head, ".SH DESCRIPTION", *body, *sections, ".SH FILES", *files]) + "\n"


def _inline(token: Token, kind: str, *, first: bool) -> list[str]:
    """Return a heading, a paragraph, or an item whose name is code; `first` is whether no command came before."""
    if kind in ("h2", "h3"):
        return [*([".SH COMMANDS"] if first else []), f".SS {text(token.content.strip('`'))}"]
    children = token.children or []
    if children and children[0].type == "code_inline":
        about = "".join(child.content or " " for child in children[1:]).removeprefix(": ")
        return [".TP", f".B {text(children[0].content)}", text(" ".join(about.split()))]
    if children and any(child.type == "strong_open" for child in children):
        return []  # **Usage**, **Arguments**, **Options**, **Commands**
    return [".PP", text(" ".join(token.content.split()))]


def text(content: str) -> str:
    """Return `content` so that roff shows it as it is."""
    escaped = "".join(_SPECIAL.get(c, c if c.isascii() else rf"\[u{ord(c):04X}]") for c in content)
    return re.sub(r"(?m)^(?=\.)", r"\\&", escaped)


if __name__ == "__main__":
    sys.stdout.write(page((Path(__file__).parent / "reference.md").read_text(encoding="utf-8")))
