"""What a command needs to begin: an index, an encoder, and somebody to tell how it goes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

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
    from quotefind.refresh import SearchSession


def standard_input() -> BinaryIO:
    """Return the bytes of standard input.

    Raises:
        SourceError: it is closed.
    """
    if sys.stdin is None:
        raise SourceError("standard input is closed; there is nothing to read.")
    return sys.stdin.buffer


def warn(message: str) -> None:
    """Say `message` on stderr."""
    from quotefind.cli.output import printable

    print(f"quotefind: {printable(message)}", file=sys.stderr)  # noqa: T201


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Progress]:
    """Give a progress bar with rate and time left on stderr, if that is a terminal; it is gone at the end."""
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
    """A `Progress` that shows itself once there is something to tell: most searches end before."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._stage = ""

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        from rich.progress import TaskID

        from quotefind.cli.output import printable

        task = TaskID(0)
        if self._bar is None:
            self._bar = self._made()
            self._bar.add_task("", total=None, rate="")
        known = self._bar.tasks[0]
        # A stage that goes on under another name, as with the loss of each step, keeps its rate and its time left.
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
    def _made() -> Bar:
        from rich import progress
        from rich.console import Console

        bar = progress.Progress(
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}", markup=False),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        bar.start()
        return bar


def encoder_opener(
    device: str = "cpu", progress: Progress = silent, *, mapped: int = 0
) -> Callable[[str | None, str | None], Encoder]:
    """Return what opens an encoder on `device` from a model and the fingerprint that it must have.

    `mapped` is how many bytes of files are mapped into memory beside it.
    """

    def open_it(model: str | None, fingerprint: str | None) -> Encoder:
        limits.check(limits.ENCODING, mapped=mapped)
        from quotefind.encoders import open_encoder

        encoder = open_encoder(model, device=device, fingerprint=fingerprint, progress=progress)
        reason = getattr(encoder, "reason", "")
        if reason:
            warn(f"the model {encoder.name} cannot be exported to ONNX, so that each run loads torch ({reason})")
        return encoder

    return open_it


@contextmanager
def opened(
    index: str | None, *, refresh: bool, cluster: Machines | None = None, exact: bool = False
) -> Iterator[Index]:
    """Give the index that the user means, brought up to date unless `refresh` is false."""
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
    """Open the encoder that `index` was made with, on the CPU: for a few queries it starts first."""
    with progress_bar() as progress:
        opener = encoder_opener(progress=progress, mapped=index.mapped)
        return opener(index.manifest.model, index.manifest.fingerprint)


def search_session(
    index: str | None, *, refresh: bool, cluster: Machines | None = None, exact: bool = False
) -> SearchSession:
    """Return the index that the user means, to be opened with the first answer and kept open."""
    from quotefind.refresh import SearchSession

    return SearchSession(index_location(index), refresh=refresh, cluster=cluster, exact=exact, tell=warn)


@contextmanager
def answering(search_session: SearchSession) -> Iterator[tuple[Index, Encoder]]:
    """Give index and encoder of `search_session` for one answer; what takes long shows that it goes on."""
    with progress_bar() as progress:

        def open_it(model: str | None, fingerprint: str | None) -> Encoder:
            return encoder_opener(progress=progress, mapped=search_session.mapped)(model, fingerprint)

        with search_session.answering(open_it, progress) as found:
            yield found


def warn_of_long(encoder: Encoder, requests: Sequence[str]) -> None:
    """Say how many of `requests` the encoder cuts."""
    long = sum(length > encoder.max_tokens for length in encoder.count_tokens(requests))
    if long:
        what = "a request is" if long == 1 else f"{long} requests are"
        warn(f"{what} longer than {encoder.max_tokens} tokens; what stands behind these does not count")


def filter_of(
    author: list[str] | None,
    work: list[str] | None,
    tag: list[str] | None,
    max_chars: int | None,
    *,
    proposed: bool = False,
) -> Filter:
    """Return the filter that the options say."""
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
