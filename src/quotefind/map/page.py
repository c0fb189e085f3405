"""Write a map as one HTML file, which any browser draws without loading anything else.

The quotes are in one element of the page, as JSON without any character that could end the element. The scripts of the
page show them as text only: never as markup, style, code or an attribute with an effect. The content security policy of
the page allows only these scripts, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from importlib.resources import files
from string import Template
from typing import Any

from quotefind.map.colours import DARK, LIGHT, assign_colours
from quotefind.map.places import densest_places
from quotefind.map.quote_map import QuoteMap

_BOKEH = ("bokeh.min.js", "bokeh-gl.min.js", "bokeh-api.min.js")
_SCRIPTS = ("data.js", "view.js", "points.js", "overlay.js", "panel.js", "pointer.js", "page.js")
# Characters that could end the element or open a comment in it, line separators of older JavaScript, and lone
# surrogates, which UTF-8 cannot encode.
_ESCAPED = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def draw_page(quote_map: QuoteMap) -> str:
    """Return `quote_map` as one HTML document, to be written as UTF-8: about 1.6 MB, plus the quotes.

    The same map gives the same document.
    """
    assets = files("quotefind.map") / "assets"
    bokeh = files("bokeh") / "server" / "static" / "js"
    libraries = [(bokeh / name).read_text(encoding="utf-8") for name in _BOKEH]
    own = "\n".join((assets / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    style = (assets / "page.css").read_text(encoding="utf-8")
    scripts = [f"<script>{text}</script>" for text in libraries] + [f'<script type="module">{own}</script>']
    policy = [
        "default-src 'none'",
        f"script-src {' '.join(map(_hash, [*libraries, own]))} 'unsafe-eval'",
        "style-src 'unsafe-inline'",  # Bokeh creates style elements while it draws
        "img-src data: blob:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    page = Template((assets / "page.html").read_text(encoding="utf-8"))
    return page.substitute(
        policy="; ".join(policy), style=style, data=_json(_data(quote_map)), scripts="\n".join(scripts)
    )


def _data(quote_map: QuoteMap) -> dict[str, Any]:
    """Return the data of the page; its scripts use these names."""
    quotes, topics = quote_map.quotes, quote_map.topics
    authors, author_of = _numbered(quote.author for quote in quotes)
    works, work_of = _numbered(quote.work for quote in quotes)
    colours = assign_colours(quote_map.positions, quote_map.topic_of, topics)
    places = densest_places(quote_map.positions, quote_map.topic_of, len(topics))
    return {
        "title": quote_map.title,
        "query": quote_map.query,
        "texts": [quote.text for quote in quotes],
        "authors": authors,
        "author_of": author_of,
        "works": works,
        "work_of": work_of,
        "years": [quote.year for quote in quotes],
        "place_of": {at: quote.place for at, quote in enumerate(quotes) if quote.place},
        "positions": base64.b64encode(quote_map.positions.astype("<f4").tobytes()).decode("ascii"),
        "topics": [
            {"label": topic.label, "size": topic.size, "colour": int(colour), "x": float(x), "y": float(y)}
            for topic, colour, (x, y) in zip(topics, colours, places, strict=True)
        ],
        "topic_of": quote_map.topic_of.tolist(),
        "hits": [[int(hit), float(score)] for hit, score in zip(quote_map.hits, quote_map.scores, strict=True)],
        "palettes": {"light": LIGHT, "dark": DARK},
    }


def _numbered(names: Iterable[str | None]) -> tuple[list[str], list[int]]:
    """Return the distinct names, and for each of `names` its position among them, or -1 for None."""
    numbers: dict[str, int] = {}
    places = [numbers.setdefault(name, len(numbers)) if name else -1 for name in names]
    return list(numbers), places


def _json(data: object) -> str:
    """Return `data` as JSON that is safe in a script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _hash(text: str) -> str:
    """Return the hash of an element's text in the form that a Content-Security-Policy uses."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
