"""What a command needs to start: an index, an encoder, a cluster, warnings and a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import typer

from quotefind import limits
from quotefind.errors import SourceError, UsageError
from quotefind.paths import index_location
from quotefind.progress import Progress, silent

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from quotefind.encoders import Encoder
    from quotefind.index.filters import Filter
    from quotefind.index.interface import Index
    from quotefind.index.lance.machines import Machines
    from quotefind.records import Quote
    from quotefind.refresh import SearchSession


def standard_input() -> BinaryIO:
    """Return standard input as a stream of bytes.

    Raises:
        SourceError: standard input is closed.
    """
    if sys.stdin is None:
        raise SourceError("Standard input is closed, so there is nothing to read.")
    return sys.stdin.buffer


def warn(message: str) -> None:
    """Print `message` on stderr."""
    from quotefind.cli.output import printable

    print(f"quotefind: {printable(message)}", file=sys.stderr)  # noqa: T201


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Progress]:
    """Show a progress bar with rate and time left on stderr if that is a terminal; remove it at the end."""
    import os

    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield silent
        return
    bar = _Bar()
    try:
        yield bar
    finally:
        bar.close()


class _Bar:
    """A `Progress` that appears with its first step: most searches end before that."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._stage = ""

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        from rich.progress import TaskID

        from quotefind.cli.output import printable

        task = TaskID(0)
        if self._bar is None:
            self._bar = self._started()
            self._bar.add_task("", total=None, rate="")
        known = self._bar.tasks[0]
        # A stage that continues under another name, such as one with the current loss, keeps its rate and time left.
        if stage != self._stage and ((total or None) != known.total or done < known.completed):
            self._bar.reset(task, total=total or None)
        self._stage = stage
        speed = self._bar.tasks[0].speed
        rate = f"{speed:.{0 if speed >= 10 else 1}f}/s" if speed and total else ""
        self._bar.update(task, description=printable(stage), completed=done, total=total or None, rate=rate)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    @staticmethod
    def _started() -> Bar:
        from rich import progress
        from rich.console import Console

        bar = progress.Progress(
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}", markup=False),
            progress.TimeRemainingColumn(),
            console=Console(file=sys.stderr),  # this one, also while a library's output is captured
            transient=True,
        )
        bar.start()
        return bar


def encoder_opener(
    device: str = "cpu", progress: Progress = silent, *, mapped: int = 0
) -> Callable[[str | None, str | None], Encoder]:
    """Return a function that opens an encoder on `device` from a model and the fingerprint that it must have.

    `mapped` is the size in bytes of other files that are mapped into memory.
    """

    def open_it(model: str | None, fingerprint: str | None) -> Encoder:
        limits.check(limits.ENCODING, mapped=mapped)
        from quotefind.encoders import open_encoder

        encoder = open_encoder(model, device=device, fingerprint=fingerprint, progress=progress)
        reason = getattr(encoder, "reason", "")
        if reason:
            warn(f"the model {encoder.name} cannot be exported to ONNX, so each run loads torch ({reason})")
        return encoder

    return open_it


@contextmanager
def opened(
    index: str | None, *, refresh: bool, cluster: Machines | None = None, exact: bool = False
) -> Iterator[Index]:
    """Open the index that the user names; bring it up to date first if `refresh` is true."""
    from quotefind.refresh import open_fresh

    with progress_bar() as progress:
        found = open_fresh(
            index_location(index),
            encoder_opener(progress=progress),
            refresh=refresh,
            cluster=cluster,
            exact=exact,
            tell=warn,
            progress=progress,
        )
    with found:
        yield found


def encoder_of(index: Index) -> Encoder:
    """Open the encoder of `index` on the CPU, which for a few queries is the fastest to start."""
    with progress_bar() as progress:
        opener = encoder_opener(progress=progress, mapped=index.mapped)
        return opener(index.manifest.model, index.manifest.fingerprint)


def search_session(
    index: str | None, *, refresh: bool, cluster: Machines | None = None, exact: bool = False
) -> SearchSession:
    """Return a session on the index that the user names; the first answer opens it, and it stays open."""
    from quotefind.refresh import SearchSession

    return SearchSession(index_location(index), refresh=refresh, cluster=cluster, exact=exact, tell=warn)


@contextmanager
def answering(search_session: SearchSession) -> Iterator[tuple[Index, Encoder]]:
    """Yield the index and encoder of `search_session` for one answer, with a progress bar for what takes long."""
    with progress_bar() as progress:

        def open_it(model: str | None, fingerprint: str | None) -> Encoder:
            return encoder_opener(progress=progress, mapped=search_session.mapped)(model, fingerprint)

        with search_session.answering(open_it, progress) as found:
            yield found


def warn_if_truncated(encoder: Encoder, queries: Sequence[str]) -> None:
    """Warn if the encoder cuts any of `queries`."""
    long = sum(length > encoder.max_tokens for length in encoder.count_tokens(queries))
    if long:
        what = "a query is" if long == 1 else f"{long} queries are"
        warn(f"{what} longer than {encoder.max_tokens} tokens; the rest is ignored")


def nothing_found(what: str = "nothing found", *, filtered: bool) -> typer.Exit:
    """Say that there are no results, and whether filters may be the reason; return the end of the command."""
    warn(f"{what} with these filters" if filtered else what)
    return typer.Exit(1)


def copy(quote: Quote) -> None:
    """Put `quote` on the clipboard, with its attribution, and say so.

    Raises:
        ModelError: there is no clipboard.
    """
    from quotefind.cli import clipboard, output

    clipboard.copy(output.clipping(quote))
    warn(f"copied to the clipboard: {output.plain_line(quote)}")


def filter_of(
    author: list[str] | None,
    work: list[str] | None,
    tag: list[str] | None,
    max_chars: int | None,
    *,
    proposed: bool = False,
) -> Filter:
    """Return the filter for these options."""
    from quotefind.index.filters import Filter

    return Filter(tuple(author or ()), tuple(work or ()), tuple(tag or ()), max_chars, proposed)


def ray_cluster(ray: str | None, workers: int | None, device: str = "cpu") -> Machines | None:
    """Return the Ray cluster that the options name; None if they name none.

    Raises:
        UsageError: --workers without --ray, or `ray` is not the address of a cluster.
        ModelError: the extra `scale` is missing.
    """
    if ray is None:
        if workers is not None:
            raise UsageError("--workers is for a Ray cluster; name it too: --ray ADDRESS, or --ray local.")
        return None
    from quotefind.index.lance.ray_cluster import Cluster

    return Cluster(ray, workers, device)
