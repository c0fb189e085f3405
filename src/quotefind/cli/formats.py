"""`quotefind formats`."""

from __future__ import annotations

from typing import Any

from quotefind.cli import output
from quotefind.cli.options import FormatOption, OutputFormat

FORMAT_KEYS = ("name", "files", "description", "example")


def formats(style: FormatOption = None) -> None:
    """List the source formats, with examples.

    Usually the name of a file tells its format. Otherwise, set it with "quotefind index --input-format".

    \b
        quotefind formats
        quotefind formats --format json
    """
    style = output.default_format(style)
    records = _records()
    if style is OutputFormat.table:
        _show_table(records)
    elif style is OutputFormat.plain:
        for record in records:
            files = ", ".join(record["files"])
            print(record["name"], files, record["description"], output.printable(record["example"]), sep="\t")  # noqa: T201
    elif style is OutputFormat.markdown:
        for record in records:
            files = ", ".join(f"`{name}`" for name in record["files"])
            print(f"## {record['name']}\n\n{record['description']}{f' ({files})' if files else ''}\n")  # noqa: T201
            print(f"```text\n{record['example']}\n```\n")  # noqa: T201
    else:
        output.write_records(records, style, FORMAT_KEYS)


def _records() -> list[dict[str, Any]]:
    """Return the formats as JSON objects; `files` are file names and suffixes."""
    from quotefind.corpus import FORMATS
    from quotefind.corpus.examples import EXAMPLES

    return [
        dict(
            zip(
                FORMAT_KEYS,
                (entry.name, [*entry.names, *entry.suffixes], entry.description, EXAMPLES[entry.name]),
                strict=True,
            )
        )
        for entry in FORMATS.values()
    ]


def _show_table(records: list[dict[str, Any]]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    out = output.console()
    for record in records:
        files = ", ".join(record["files"]) or f"--input-format {record['name']}"
        out.print(Text.assemble((record["name"], "bold"), f"  {files}"))
        out.print(Padding(Text(record["description"]), (0, 0, 0, 2), expand=False))
        example = "\n".join(map(output.printable, record["example"].expandtabs(4).split("\n")))
        out.print(Padding(Text(example, style="dim", overflow="fold"), (0, 0, 1, 4), expand=False))
