"""`quotefind index`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from quotefind.cli import output, session
from quotefind.cli.options import (
    AuthorColumnOption,
    CompactOption,
    DeviceOption,
    EncodingOption,
    IndexOption,
    InputFormatOption,
    JsonOption,
    NewModelOption,
    PruneOption,
    QuietOption,
    RebuildOption,
    RemoveOption,
    SkipBadOption,
    SourcesArgument,
    TagsColumnOption,
    TextColumnOption,
    VerifyOption,
    WaitOption,
    WorkColumnOption,
    YearColumnOption,
)
from quotefind.errors import UsageError
from quotefind.paths import BUNDLED, DEFAULT_INDEX, index_directory

if TYPE_CHECKING:
    from quotefind.index.sources import Source
    from quotefind.index.summary import Summary
    from quotefind.index.writer import IndexWriter

_COUNTED = ("sources", "added", "reused", "updated", "removed", "repeats", "truncated", "bad", "quotes")


def index(
    sources: SourcesArgument = None,
    name: IndexOption = None,
    model: NewModelOption = None,
    device: DeviceOption = "auto",
    input_format: InputFormatOption = None,
    encoding: EncodingOption = "utf-8",
    text_column: TextColumnOption = None,
    author_column: AuthorColumnOption = None,
    work_column: WorkColumnOption = None,
    year_column: YearColumnOption = None,
    tags_column: TagsColumnOption = None,
    skip_bad: SkipBadOption = False,
    remove: RemoveOption = None,
    prune: PruneOption = False,
    rebuild: RebuildOption = False,
    compact: CompactOption = False,
    verify: VerifyOption = False,
    wait: WaitOption = 0.0,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Index quotes, or refresh what is indexed.

    Only what is new is encoded; an index remembers its sources, and how to read them.

    \b
    quotefind index my-quotes.txt highlights.csv ~/notes
    quotefind index
    curl -s https://example.org/quotes.jsonl | quotefind index - --input-format jsonl
    """
    from quotefind.corpus import ReadOptions
    from quotefind.index.sources import Source, location_of
    from quotefind.index.writer import open_to_write

    if device not in ("auto", "cpu"):
        from quotefind.encoders.devices import choose_device

        choose_device(device)  # to say what is wrong with it also where nothing has to be encoded
    directory = index_directory(name)
    if verify:
        if sources or remove or prune or rebuild or compact:
            raise UsageError("--verify only looks; run it without anything that changes the index.")
        _verify(name, json=json, quiet=quiet)
        return
    options = ReadOptions(input_format, encoding, text_column, author_column, work_column, year_column, tags_column)
    given = [Source(location_of(source), options, skip_bad) for source in sources or []]
    if sum(source.location == "-" for source in given) > 1:
        raise UsageError("Standard input can be read only once.")
    with session.progress_bar(quiet=quiet) as progress:
        opener = session.encoder_opener(device, progress)
        with open_to_write(directory, opener, wait=wait) as writer:
            _check(writer, given, is_default=directory == index_directory(DEFAULT_INDEX))
            if writer.manifest is None and not given:
                given = [Source(BUNDLED)]
            damaged = rebuild and writer.manifest is not None
            if damaged:
                # First, so that a damaged matrix does not stand in the way of what comes.
                rebuilt = writer.rebuild(model=model, progress=progress)
            summary = writer.update(
                given,
                model=None if damaged else model,
                remove=tuple(remove or ()),
                prune=prune,
                progress=progress,
                stream=sys.stdin.buffer,
            )
            if damaged:
                summary.encoded += rebuilt.encoded
                summary.seconds += rebuilt.seconds
                summary.rate = rebuilt.rate
            if compact:
                writer.compact(progress)
    for warning in summary.warnings:
        session.warn(warning)
    _show(summary, json=json, quiet=quiet)


def _check(writer: IndexWriter, given: list[Source], *, is_default: bool) -> None:
    if writer.manifest is None and not given and not is_default:
        writer.require_manifest()


def _verify(name: str | None, *, json: bool, quiet: bool) -> None:
    from quotefind.index.reader import Index
    from quotefind.index.verify import verify

    with session.progress_bar(quiet=quiet) as progress, Index(index_directory(name)) as opened:
        count = verify(opened, progress)
    if json:
        print(output.to_json({"verified": count}))  # noqa: T201
    elif not quiet:
        print(f"{count} quotes verified: every row and every hash is right.")  # noqa: T201


def _show(summary: Summary, *, json: bool, quiet: bool) -> None:
    values = asdict(summary)
    values["seconds"] = round(summary.seconds, 3)
    values["rate"] = round(summary.rate, 1)
    if json:
        print(output.to_json(values))  # noqa: T201
    elif not quiet:
        lines = [(key, str(values[key])) for key in _COUNTED]
        lines.append(("seconds", f"{summary.seconds:.1f}"))
        if summary.rate:
            lines.append(("quotes per second", f"{summary.rate:.0f}"))
        output.show_facts(lines)
