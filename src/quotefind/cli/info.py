"""`quotefind info`."""

from __future__ import annotations

from typing import Any

from quotefind.cli import output
from quotefind.cli.options import IndexOption, JsonOption
from quotefind.paths import index_argument, index_directory


def info(index: IndexOption = None, json: JsonOption = False) -> None:
    """Show what an index holds.

    And from where, with which model, how large it is, and whether it is out of date.

    \b
    quotefind info
    quotefind info --index ./poems --json
    """
    from quotefind.index.reader import Index
    from quotefind.index.sources import is_stale

    directory = index_directory(index)
    with Index(directory) as opened:
        manifest = opened.manifest
        facts: dict[str, Any] = {
            "index": str(directory),
            "quotes": opened.count,
            **opened.statistics(),
            "model": manifest.model,
            "fingerprint": manifest.fingerprint,
            "dimension": manifest.dimension,
            "dtype": manifest.dtype,
            "pooling": manifest.pooling,
            "max_tokens": manifest.max_tokens,
            "matrix": manifest.matrix,
            "rows": manifest.rows,
            "dead_rows": len(opened.dead),
            "bytes": sum(path.stat().st_size for path in directory.iterdir() if path.is_file()),
            "rate": round(manifest.rate, 1),
            "created": manifest.created,
            "updated": manifest.updated,
            "format": manifest.format,
            "stale": is_stale(opened),
        }
        sources = opened.sources()
    if json:
        facts["sources"] = [
            {"location": source.location, "files": source.files, "quotes": source.quotes} for source in sources
        ]
        print(output.to_json(facts))  # noqa: T201
        return
    lines = [
        (key.replace("_", " "), str(value)) for key, value in facts.items() if key not in ("bytes", "stale", "rate")
    ]
    lines.append(("size", f"{facts['bytes'] / 1e6:.1f} MB"))
    if manifest.rate:
        lines.append(("quotes per second", f"{manifest.rate:.0f}"))
    refresh = f"yes; to refresh it: quotefind index{index_argument(directory)}"
    lines.append(("out of date", refresh if facts["stale"] else "no"))
    lines += [
        ("source", f"{source.location} ({source.quotes} quotes in {source.files} file{'s' * (source.files != 1)})")
        for source in sources
    ]
    output.show_facts(lines)
