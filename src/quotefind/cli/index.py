"""`quotefind index`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from quotefind.cli import output, session, supervisor
from quotefind.cli.options import (
    AuthorColumnOption,
    CompactOption,
    DelimiterOption,
    DeviceOption,
    EncodingOption,
    ExcludeOption,
    IndexOption,
    InputFormatOption,
    JsonOption,
    MaxBytesOption,
    NewModelOption,
    NoteColumnOption,
    PruneOption,
    QuietOption,
    RayOption,
    RebuildOption,
    RemoveOption,
    SkipBadOption,
    SourcesArgument,
    TagsColumnOption,
    TextColumnOption,
    VerifyOption,
    WaitOption,
    WorkColumnOption,
    WorkersOption,
    YearColumnOption,
)
from quotefind.errors import UsageError
from quotefind.paths import BUNDLED, DEFAULT_INDEX, index_location
from quotefind.text import counted

if TYPE_CHECKING:
    from quotefind.index.lance.machines import Machines
    from quotefind.index.sources import Source
    from quotefind.index.summary import Summary
    from quotefind.progress import Progress

_MOST_REMARKS = 10  # on the columns of files and the like


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
    note_column: NoteColumnOption = None,
    delimiter: DelimiterOption = None,
    max_bytes: MaxBytesOption = 1_000_000_000,
    skip_bad: SkipBadOption = False,
    exclude: ExcludeOption = None,
    remove: RemoveOption = None,
    prune: PruneOption = False,
    rebuild: RebuildOption = False,
    compact: CompactOption = False,
    verify: VerifyOption = False,
    wait: WaitOption = 0.0,
    ray: RayOption = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Add sources to an index, or update it.

    Only new quotes are encoded. An index remembers its sources and how to read them.

    \b
        quotefind index my-quotes.txt highlights.csv ~/notes
        quotefind index
        curl -s https://example.org/quotes.jsonl | quotefind index - --input-format jsonl
    """
    from quotefind.corpus import ReadOptions
    from quotefind.index.sources import Source, location_of

    # The machines of a cluster check their devices themselves.
    _check_usage(device if ray in (None, "local") else "auto", delimiter)
    if verify:
        if sources or remove or prune or rebuild or compact:
            raise UsageError("--verify changes nothing. Run it without options that change the index.")
        if ray or workers:
            raise UsageError("--verify runs in this process. Run it without --ray and --workers.")
        _verify(name, json=json, quiet=quiet)
        return
    columns = (text_column, author_column, work_column, year_column, tags_column, note_column)
    options = ReadOptions(input_format, encoding, *columns, delimiter, max_bytes)
    given = [Source(location_of(source), options, skip_bad, tuple(exclude or ())) for source in sources or []]
    if not given and (options != ReadOptions() or skip_bad or exclude):
        raise UsageError("These options say how to read a source, so name the source as well: quotefind index SOURCE…")
    supervisor.supervise(ray, name)
    cluster = session.ray_cluster(ray, workers, device)
    with session.progress_bar(quiet=quiet) as progress:
        summary = _update(
            name,
            given,
            _Changes(tuple(remove or ()), prune=prune, rebuild=rebuild, compact=compact),
            model=model,
            device=device,
            wait=wait,
            cluster=cluster,
            progress=progress,
        )
    for remark in () if quiet else summary.remarks[:_MOST_REMARKS]:
        session.warn(remark)
    if not quiet and len(summary.remarks) > _MOST_REMARKS:
        session.warn(f"{len(summary.remarks) - _MOST_REMARKS:,} more remarks like these, on other files")
    for warning in summary.warnings:
        session.warn(warning)
    _show(summary, json=json, quiet=quiet)


@dataclass(frozen=True, slots=True)
class _Changes:
    """What to do to the index, apart from reading sources."""

    remove: tuple[str, ...]
    prune: bool
    rebuild: bool
    compact: bool


def _check_usage(device: str, delimiter: str | None) -> None:
    if device not in ("auto", "cpu"):
        from quotefind.encoders.devices import choose_device

        choose_device(device)  # a wrong name is an error even if there is nothing to encode
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise UsageError("--delimiter needs a single character, for example --delimiter ';'.")


def _update(
    name: str | None,
    given: list[Source],
    changes: _Changes,
    *,
    model: str | None,
    device: str,
    wait: float,
    cluster: Machines | None,
    progress: Progress,
) -> Summary:
    from quotefind.index.sources import STANDARD_INPUT, Source
    from quotefind.stores import open_to_write

    reads_stdin = sum(source.location == STANDARD_INPUT for source in given)
    if reads_stdin > 1:
        raise UsageError("Standard input can be read only once.")
    location = index_location(name)
    here = device if cluster is None else "cpu"  # with a cluster, only the name of the model is needed here
    with open_to_write(location, session.encoder_opener(here, progress), wait=wait, cluster=cluster) as writer:
        if writer.manifest is None and not given:
            if location != index_location(DEFAULT_INDEX):
                writer.require_manifest()
            given = [Source(BUNDLED)]
        rebuilt = None
        if changes.rebuild and writer.manifest is not None:
            # First, so that a damaged matrix does not stop what follows.
            rebuilt = writer.rebuild(model=model, progress=progress)
        try:
            summary = writer.update(
                given,
                model=None if rebuilt else model,
                remove=changes.remove,
                prune=changes.prune,
                progress=progress,
                stream=session.standard_input() if reads_stdin else None,
            )
        except KeyboardInterrupt as interrupt:
            if writer.manifest is not None and (number := writer.count()):
                kept = f"{counted(number, 'quote')} {'is' if number == 1 else 'are'} kept"
                interrupt.add_note(f"{kept}; run the same command to continue")
            raise
        if rebuilt:
            summary.encoded += rebuilt.encoded
            summary.reused = max(summary.reused - rebuilt.encoded, 0)
            summary.warnings += rebuilt.warnings
            summary.seconds += rebuilt.seconds
            summary.rate = rebuilt.rate
        if changes.compact:
            writer.compact(progress)
    return summary


def _verify(name: str | None, *, json: bool, quiet: bool) -> None:
    from quotefind.stores import open_index, verify

    with session.progress_bar(quiet=quiet) as progress, open_index(index_location(name)) as opened:
        count = verify(opened, progress)
    if json:
        print(output.to_json({"verified": count}))  # noqa: T201
    elif not quiet:
        print(f"{counted(count, 'quote')} verified; every row and checksum is correct.")  # noqa: T201


def _show(summary: Summary, *, json: bool, quiet: bool) -> None:
    values = asdict(summary)
    values["seconds"] = round(summary.seconds, 3)
    values["rate"] = round(summary.rate, 1)
    if json:
        print(output.to_json(values))  # noqa: T201
    elif not quiet:
        for sentence in summary.sentences():
            print(sentence)  # noqa: T201
