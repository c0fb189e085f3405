"""Draw a map as PNG or SVG."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from quotefind.map.colours import LIGHT, LIGHT_PAPER, OPACITY, assign_colours
from quotefind.map.places import densest_places
from quotefind.map.quote_map import QuoteMap
from quotefind.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

_INCHES = (11.0, 9.6)
_DPI = 150
_INK = "#1c1d20"
_FAINT = "#6a6b70"
# The area of a quote's mark in square points: the more quotes, the smaller, but always visible.
_LARGEST, _SMALLEST, _OF_ALL = 40.0, 4.0, 60_000.0
_FEW_TOPICS = 20
# More marks would make an SVG too large for a web page; they become one image in it.
_SEPARATE = 5000
# Where a text may go, in its own widths and heights from its position: the rank of a hit beside its ring, the name of a
# topic over its quotes. Texts keep a distance of _APART pixels.
_AROUND = (
    (1.6, 0.9),
    (1.6, -0.9),
    (-1.6, 0.9),
    (-1.6, -0.9),
    (0, 1.6),
    (0, -1.6),
    (3, 0),
    (-3, 0),
    (3, 1.6),
    (3, -1.6),
)
_ABOUT = tuple((right, up) for up in (0, 1, -1, 2, -2, 3, -3) for right in (0, 0.25, -0.25, 0.5, -0.5))
_APART = 6.0
# matplotlib looks for a character in those of these fonts that are installed, in this order.
_FONTS = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Naskh Arabic",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "WenQuanYi Micro Hei",
    "Hiragino Sans",
    "PingFang SC",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Arial Unicode MS",
    "Unifont",
)


def draw_picture(quote_map: QuoteMap, kind: str) -> tuple[bytes, bool]:
    """Return `quote_map` as a picture of `kind` "png" (1650 x 1440 pixels) or "svg", and whether it is complete.

    The same map gives the same bytes. It is incomplete if the installed fonts lack
    characters, which are drawn as boxes.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    settings: Any = {"font.family": _installed(_FONTS), "svg.hashsalt": "quotefind", "text.parse_math": False}
    with mpl.rc_context(settings), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        figure = Figure(_INCHES, dpi=_DPI, facecolor=LIGHT_PAPER, layout=ConstrainedLayoutEngine(w_pad=0.2, h_pad=0.2))
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.set_aspect("equal", adjustable="datalim")
        _draw_heading(axes, quote_map)
        _draw_points(axes, quote_map)
        figure.draw_without_rendering()
        axes.autoscale(enable=False)
        figure.set_layout_engine("none")  # from here on nothing moves, so the area that a text covers is known
        _ring_hits(axes, quote_map)
        _write_ranks_and_names(axes, quote_map)
        written = BytesIO()
        metadata = {"Date": None, "Title": _shown(quote_map.title)} if kind == "svg" else {"Software": None}
        figure.savefig(written, format=kind, metadata=metadata)
    return written.getvalue(), not any("missing from" in str(warning.message) for warning in said)


def _installed(names: Sequence[str]) -> list[str]:
    from matplotlib.font_manager import get_font_names

    known = set(get_font_names())
    return [name for name in names if name in known] or ["sans-serif"]


def _draw_heading(axes: Axes, quote_map: QuoteMap) -> None:
    below = f"{counted(len(quote_map.quotes), 'quote')}, {counted(len(quote_map.topics), 'topic')}"
    if quote_map.query is not None:
        below += f"; ringed: “{_shown(quote_map.query)}”"
    axes.set_title(f"{_shown(quote_map.title)}\n", loc="left", color=_INK, fontsize=17, fontweight="bold")
    axes.text(0, 1.015, below, transform=axes.transAxes, color=_FAINT, fontsize=11)


def _draw_points(axes: Axes, quote_map: QuoteMap) -> None:
    colours = np.array(LIGHT)[assign_colours(quote_map.positions, quote_map.topic_of, quote_map.topics)]
    count = len(quote_map.quotes)
    axes.scatter(
        quote_map.positions[:, 0],
        quote_map.positions[:, 1],
        s=float(np.clip(_OF_ALL / max(count, 1), _SMALLEST, _LARGEST)),
        c=colours[quote_map.topic_of].tolist(),
        alpha=OPACITY,
        linewidths=0,
        rasterized=count > _SEPARATE,
        clip_on=False,
    )
    axes.margins(0.01)


def _ring_hits(axes: Axes, quote_map: QuoteMap) -> None:
    """Draw a ring around each hit."""
    for colour, width in ((LIGHT_PAPER, 4.0), (_INK, 1.6)):
        x, y = quote_map.positions[quote_map.hits].T
        axes.scatter(x, y, s=150, facecolors="none", edgecolors=colour, linewidths=width)


def _write_ranks_and_names(axes: Axes, quote_map: QuoteMap) -> None:
    """Write the rank of each hit, then the name of each topic, the largest first, near its position.

    Texts without room are left out.
    """
    taken: list[Bbox] = []
    for rank, place in enumerate(quote_map.positions[quote_map.hits].tolist(), 1):
        _write(axes, place, str(rank), 10, _AROUND, taken)
    size = 11 if len(quote_map.topics) <= _FEW_TOPICS else 9
    places = densest_places(quote_map.positions, quote_map.topic_of, len(quote_map.topics))
    for topic, place in zip(quote_map.topics, places.tolist(), strict=True):
        _write(axes, place, topic.label, size, _ABOUT, taken)


def _write(
    axes: Axes, place: Sequence[float], text: str, size: float, shifts: Sequence[tuple[float, float]], taken: list[Bbox]
) -> None:
    """Write `text`, moved from `place` by the first of `shifts` at which it overlaps nothing `taken`."""
    page = axes.figure.bbox
    backing = {"boxstyle": "round,pad=0.12", "facecolor": LIGHT_PAPER, "edgecolor": "none", "alpha": 0.8}
    x, y = place
    style = {"color": _INK, "fontsize": size, "fontweight": "bold", "ha": "center", "va": "center"}
    written = axes.text(x, y, text, style, bbox=backing)
    there = written.get_window_extent()
    for right, up in shifts:
        box = there.translated(right * there.width, up * there.height)
        inside = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        if inside and not any(box.padded(_APART).overlaps(other) for other in taken):
            x, y = axes.transData.inverted().transform(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)).tolist()
            written.set_position((x, y))
            taken.append(box)
            return
    written.remove()


def _shown(text: str) -> str:
    """Return `text` with a replacement for each character that cannot be drawn, or is not allowed in XML."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
