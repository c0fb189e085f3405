"""`quotefind info`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quotefind.cli import output
from quotefind.cli.options import IndexOption, JsonOption
from quotefind.paths import index_argument, index_location

if TYPE_CHECKING:
    from quotefind.index.interface import Index


def info(index: IndexOption = None, json: JsonOption = False) -> None:
    """Show what an index holds.

    This includes its quotes, sources, model and size, and whether it is out of date.

    \b
        quotefind info
        quotefind info --index ./poems --json
    """
    from quotefind.stores import open_index

    location = index_location(index)
    with open_index(location) as opened:
        facts = facts_of(opened)
    if json:
        print(output.to_json(facts))  # noqa: T201
        return
    lines = [
        (key.replace("_", " "), str(value))
        for key, value in facts.items()
        if key not in ("bytes", "stale", "rate", "sources")
    ]
    lines.append(("size", f"{facts['bytes'] / 1e6:.1f} MB"))
    if facts["rate"]:
        lines.append(("quotes per second", f"{facts['rate']:.0f}"))
    refresh = f"yes; to refresh it: quotefind index{index_argument(location)}"
    lines.append(("out of date", refresh if facts["stale"] else "no"))
    lines += [
        ("source", f"{location} ({quotes} quote{'s' * (quotes != 1)} in {files} file{'s' * (files != 1)})")
        for location, files, quotes in map(dict.values, facts["sources"])
    ]
    output.show_facts(lines)


def facts_of(index: Index) -> dict[str, Any]:
    """Return what JSON output says of `index`."""
    from quotefind.index.changes import is_stale

    manifest = index.manifest
    return {
        "index": str(index.location),
        "quotes": index.count,
        **index.statistics(),
        "model": manifest.model,
        "fingerprint": manifest.fingerprint,
        "dimension": manifest.dimension,
        "dtype": manifest.dtype,
        "pooling": manifest.pooling,
        "max_tokens": manifest.max_tokens,
        **index.storage(),
        "rate": round(manifest.rate, 1),
        "created": manifest.created,
        "updated": manifest.updated,
        "format": manifest.format,
        "stale": is_stale(index),
        "sources": [
            {"location": source.location, "files": source.files, "quotes": source.quotes} for source in index.sources()
        ],
    }
