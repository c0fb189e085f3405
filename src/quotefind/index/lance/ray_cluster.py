"""Several machines that work as one: Ray Data encodes on them, lance-ray builds indexes and searches there.

What runs on a machine of the cluster is this package, installed there as it is here; each worker opens the model, which
is prepared there when it is first used, and writes its fragments into the shared storage itself.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quotefind.errors import ModelError, QuotefindError
from quotefind.index.lance.dataset import (
    import_lance,
    missing_extra,
    reported,
    shared_texts,
    storage_options,
)
from quotefind.index.lance.encoding import Worker, from_row
from quotefind.index.lance.ray_health import LOCAL, expect_answer, has_token, head_of, is_here
from quotefind.index.lance.vector_index import NAME
from quotefind.progress import Progress

if TYPE_CHECKING:
    import lance
    import pyarrow as pa

    from quotefind.index.lance.dataset import LanceManifest
    from quotefind.index.lance.machines import Encoded
    from quotefind.paths import Location

# What Lance says somewhere in an error of Ray or of lance-ray.
_LANCE_ERROR = re.compile(r"LanceError\(.*")
# Texts that a worker encodes at once, and so the rows of a fragment: what is lost of its work when it is killed. With
# few texts, so few that every worker has several turns.
_MOST, _LEAST, _TURNS = 8192, 256, 8
# So many parts of texts are shared at once: with what tells Ray to read a part comes a list of all of them.
_PARTS = 1000
# Those that search or index start again on another machine when theirs dies, as often as it takes, and do again what
# they had begun. They ask little of a processor, so that they find room there.
_SEARCHING = {"num_cpus": 0.01, "max_restarts": -1, "max_task_retries": -1, "scheduling_strategy": "SPREAD"}
# How often to count the processors of a cluster that changes.
_ATTEMPTS = 10
# The head is looked for every so many seconds; after so many failures in a row it is gone.
_WATCH, _FAILURES = 5.0, 6
# So many seconds it has to answer at all.
_PATIENCE = 15.0


class Cluster:
    """A Ray cluster, or one that is made on this machine.

    Attributes:
        address: of its head, "local" for one made here.
        workers: how many of its processors work; all where that was not said, once it is connected.
    """

    def __init__(self, address: str, workers: int | None = None, device: str = "cpu") -> None:
        """Connect to nothing yet.

        Raises:
            UsageError: `address` is none.
            ModelError: the extra `scale` is missing.
        """
        self._head = head_of(address)
        # Ray would report its use to its makers, and write of its progress between the lines of a command.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        # What it has to say of a machine that died would stand on standard output, between the results.
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "(?s).*")
        if has_token():  # a head asks for it by itself where there is one; who connects has to say so
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import_lance("--ray")
        try:
            import lance_ray  # noqa: F401
            import ray.data  # noqa: F401
        except ModuleNotFoundError as error:
            raise missing_extra("--ray", error) from error
        self.address = address
        self.workers = workers or 0
        self._device = device
        self._location: Location = Path()
        self._state: Callable[[], str] = str
        self._hint = (
            "" if address == LOCAL else "Where it has a token, RAY_AUTH_MODE and RAY_AUTH_TOKEN are to be set. "
        )

    def connect(self, location: Location, state: Callable[[], str]) -> None:
        """Connect to it, once.

        Args:
            location: of the index that it is to work on.
            state: returns a sentence on what state the index is in, for the message where that fails, now or later.

        Raises:
            ModelError: it cannot be reached.
        """
        import ray

        self._location = location
        self._state = state
        if not ray.is_initialized():
            options: dict[str, Any] = {"address": self.address}
            if self.address == LOCAL:
                options |= {"num_cpus": self.workers or None, "include_dashboard": False}
            elif self._head is not None and is_here(self._head[0]):
                options["_node_ip_address"] = self._head[0]  # of several that this machine has, Ray might take another
            with self._answering(), _silenced():
                if self._head is not None:  # Ray itself tries for minutes, or for ever
                    expect_answer(self._head, _PATIENCE)
                    threading.Thread(target=self._watch, args=(self._head,), daemon=True).start()
                ray.init(log_to_driver=False, logging_level=logging.FATAL, **options)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.raise_original_map_exception = True  # an error of this program says what is wrong, and what mends it
        for name in ("ray", "ray.data", "lance_ray"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._hint = ""
        with self._answering():
            self.workers = self.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turn what Ray raises into an error that says which cluster it is about, and how the index is."""
        try:
            with warnings.catch_warnings():
                # They are for who writes programs; or of Lance, about processes that are forked, which Ray's are not.
                warnings.simplefilter("ignore")
                yield
        except Exception as error:  # Ray has many errors of its own, and lets those of others through
            own = _own_error(error)
            if own is not None:
                raise own from error
            with reported(self._location):
                if found := _LANCE_ERROR.search(str(error)):  # of what is stored, and not of the cluster
                    raise OSError(found[0]) from error
            raise ModelError(
                f"The Ray cluster at {self.address} cannot be reached, or does not answer any more: "
                f"{_said(error).rstrip('.')}. {self._hint}{self._asked_state()}"
            ) from error

    def _watch(self, head: tuple[str, int]) -> None:
        """End the process with a message once the head is gone: Ray itself would end it a minute later, with none."""
        failed = 0
        while failed < _FAILURES:
            time.sleep(_WATCH)
            try:
                expect_answer(head, _WATCH)
                failed = 0
            except OSError:
                failed += 1
        try:
            gone = f"The head of the Ray cluster at {self.address} does not answer any more."
            sys.stderr.write(f"quotefind: {gone} {self._asked_state()}\n")
            for stream in (sys.stderr, sys.stdout):  # what was found so far
                stream.flush()
        finally:
            os._exit(ModelError.exit_code)

    def _asked_state(self) -> str:
        """Return what is said of the index; where the storage cannot be asked either, what is wrong with it."""
        try:
            return self._state()
        except QuotefindError as error:
            return str(error)

    def encode(
        self,
        tables: Iterable[pa.Table],
        total: int,
        location: Location,
        schema: pa.Schema,
        manifest: LanceManifest,
        progress: Progress,
    ) -> Iterator[Encoded]:
        """Encode quotes on all workers; see `Machines`. The texts are shared with them beside the dataset."""
        lance = import_lance()
        rows = max(_LEAST, min(_MOST, total // (self.workers * _TURNS)))
        remaining = iter(tables)
        shared_so_far = 0
        while (first := next(remaining, None)) is not None:
            progress("sharing", shared_so_far, total)
            with reported(location):
                shared = lance.write_dataset(
                    _one_after_the_other(first, remaining, rows * _PARTS),
                    shared_texts(location),
                    mode="overwrite",
                    storage_options=storage_options(location),
                    max_rows_per_file=rows,
                )
            shared_so_far += shared.count_rows()
            yield from self._encode_shared(len(shared.get_fragments()), location, schema, manifest)

    def _encode_shared(
        self, parts: int, location: Location, schema: pa.Schema, manifest: LanceManifest
    ) -> Iterator[Encoded]:
        """Encode the shared texts, which are in `parts` fragments; yield as `encode` does."""
        import lance_ray
        import ray

        options = storage_options(location)
        each: dict[str, Any] = {"num_cpus": 1, "num_gpus": 1 if self._device.startswith("cuda") else 0}
        with self._answering():
            # With the same resources for reading and encoding, and whole fragments as parts, Ray fuses both into one
            # task; otherwise it would start a process to read each part. When a machine dies, Ray Data itself starts
            # its workers on another machine and repeats what they had begun.
            work = lance_ray.read_lance(
                shared_texts(location),
                storage_options=options,
                ray_remote_args=each,
                override_num_blocks=parts,
            ).map_batches(
                Worker,
                fn_constructor_args=(manifest.model, manifest.fingerprint, self._device, location, options, schema),
                batch_size=None,
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(size=self.workers),
                **each,
            )
            for batch in work.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                yield from map(from_row, batch.to_pylist())

    def build_vector_index(
        self, dataset: lance.LanceDataset, kind: str, partitions: int, options: dict[str, int]
    ) -> None:
        """Make the index of the vectors on all workers, with the `options` that Lance has for its `kind`."""
        import lance_ray

        fragments = len(dataset.get_fragments())
        self._with_workers(
            lambda workers: lance_ray.create_index(
                str(dataset.uri),
                column="vector",
                index_type=kind,
                name=NAME,
                metric="cosine",
                num_partitions=partitions,
                num_workers=workers,
                num_segments=min(self.workers, fragments),
                storage_options=storage_options(str(dataset.uri)),
                ray_remote_args=_SEARCHING,
                **options,
            )
        )

    def compact(self, dataset: lance.LanceDataset) -> None:
        """Put small fragments together on all workers."""
        import lance_ray

        self._with_workers(
            lambda workers: lance_ray.compact_files(
                str(dataset.uri),
                num_workers=workers,
                storage_options=storage_options(str(dataset.uri)),
                ray_remote_args=_SEARCHING,
            )
        )

    def search(
        self, dataset: lance.LanceDataset, nearest: dict[str, Any], columns: list[str], condition: str | None
    ) -> pa.Table:
        """Return the `columns` of the nearest rows, as all workers find them."""
        import lance_ray

        def found(workers: int) -> pa.Table:
            lance_ray.init_global_pool(workers, _SEARCHING)  # once: to start its processes takes seconds
            return lance_ray.vector_search(
                dataset,
                nearest=nearest,
                columns=columns,
                filter=condition,
                num_workers=self.workers,
                storage_options=storage_options(str(dataset.uri)),
                scanner_options={"prefilter": True},
            )

        return self._with_workers(found)

    def _with_workers(self, work: Callable[[int], Any]) -> Any:
        """Return what `work` returns, given how many workers to use: as many as are wanted and have a processor."""
        import ray

        with self._answering():
            for _ in range(_ATTEMPTS):
                there = max(1, int(ray.cluster_resources().get("CPU", 1)))
                try:
                    return work(min(self.workers, there))
                except ValueError as error:
                    if "Tried to start a pool" not in str(error):
                        raise
                    time.sleep(1.0)  # a machine was found to be dead since they were counted
            raise TimeoutError("its processors change all the time")


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep from stderr what is written there without Python, as Ray's core does of its own settings as it starts."""
    kept = os.dup(2)
    streams = sys.stderr, sys.__stderr__
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
            os.dup2(nowhere.fileno(), 2)
        # For what is said when it is interrupted, or when the head dies.
        sys.stderr = sys.__stderr__ = open(kept, "w", closefd=False)  # type: ignore[misc] # noqa: SIM115
        yield
    finally:
        sys.stderr, sys.__stderr__ = streams  # type: ignore[misc]
        os.dup2(kept, 2)
        os.close(kept)


def _one_after_the_other(first: pa.Table, others: Iterator[pa.Table], rows: int) -> pa.RecordBatchReader:
    """Return what reads `first` and as many of the `others` as it takes for so many `rows`."""
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        taken = len(first)
        yield from first.to_batches()
        while taken < rows and (table := next(others, None)) is not None:
            taken += len(table)
            yield from table.to_batches()

    return pa.RecordBatchReader.from_batches(first.schema, batches())


def _own_error(error: BaseException) -> QuotefindError | None:
    """Return the error of this program that made a worker fail, if that is what happened, or that `error` is."""
    seen: BaseException | None = error
    while seen is not None:
        # What Ray raises is of both kinds, and says more than a user wants to read; so does its cause, behind.
        cause = getattr(seen, "cause", seen)
        if isinstance(cause, QuotefindError):
            return type(cause)(str(cause).partition("\n")[0])
        seen = seen.__cause__ or seen.__context__
    return None


def _said(error: BaseException) -> str:
    """Return the line of what Ray says that is not about where in its own code it happened."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", str(cause)).splitlines() if line.strip()]
    if not lines:
        return type(cause).__name__
    return lines[-1 if lines[0].startswith("ray::") else 0][:300]
