"""Text made safe for what would interpret parts of it: a terminal, a JSON or a Markdown parser."""

from __future__ import annotations

import json
import re
from typing import Any

# Control characters, line separators, direction marks, and characters that hide text (annotations, tags). Joiners and
# variation selectors stay: emoji and Persian need them.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
    "|[\ud800-\udfff]"
)
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|&])")
# Begins a list, a rule or a code block at the start of a line. or makes a heading of the line above.
_MARKDOWN_BLOCK = r"([-+~]|[0-9]{1,9}[.)]|=+$)"


def printable(text: str) -> str:
    """Return `text` with every character that a terminal would interpret replaced by a visible one."""
    return _UNSAFE.sub(_visible, text)


def to_json(value: Any) -> str:
    """Return `value` as JSON on one line, with every character that a terminal would interpret escaped."""
    return _UNSAFE.sub(_escape, json.dumps(value, ensure_ascii=False))


def markdown(text: str) -> str:
    """Return the line `text` escaped for Markdown (CommonMark), so that nothing in it is markup."""
    text = _MARKDOWN.sub(r"\\\1", text)
    if block := re.match(_MARKDOWN_BLOCK, text):
        at = block.end() - 1
        text = f"{text[:at]}\\{text[at:]}"
    return text


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)  # the control pictures of Unicode
    return "\u2421" if code == 0x7F else "\ufffd"
