"""Use a Ray cluster: Ray Data encodes on its machines, and lance-ray builds indexes and searches there.

Every machine of the cluster needs the same version of this package. Each worker opens the model, which is prepared on
first use, and writes its fragments into the shared storage itself.
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

# A message of Lance inside an error of Ray or lance-ray.
_LANCE_ERROR = re.compile(r"LanceError\(.*")
# The most and the fewest texts that a worker encodes at a time, which become one fragment; if the worker is killed,
# their vectors are lost. With few texts the parts are smaller, so that every worker has several turns.
_MOST, _LEAST, _TURNS = 8192, 256, 8
# Parts that are shared at a time: each task of Ray carries a list of all of them.
_PARTS = 1000
# If a machine dies, Ray starts its actors for search and indexing on another one, as often as necessary, and repeats
# their tasks. They reserve little of a processor, so that there is room for them.
_SEARCHING = {"num_cpus": 0.01, "max_restarts": -1, "max_task_retries": -1, "scheduling_strategy": "SPREAD"}
# How often to count the processors again while machines come and go.
_ATTEMPTS = 10
# The head is checked every `_WATCH` seconds; after this many failures in a row it is gone.
_WATCH, _FAILURES = 5.0, 6
# Seconds within which the head must answer when the command connects.
_PATIENCE = 15.0


class Cluster:
    """A Ray cluster, or one that is started on this machine; it implements `machines.Machines`.

    Attributes:
        address: host and port of its head, or "local" for a cluster on this machine.
        workers: how many of its processors work; 0 for all, until it is connected.
    """

    def __init__(self, address: str, workers: int | None = None, device: str = "cpu") -> None:
        """Connect to nothing yet.

        Raises:
            UsageError: `address` is not an address.
            ModelError: the extra `scale` is missing.
        """
        self._head = head_of(address)
        # No usage reports, and no progress bars of Ray in the output of a command.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        # Ray writes about machines that died on standard output, between the results.
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "(?s).*")
        if has_token():  # a head asks for a token wherever there is one; a client must opt in
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
        self._hint = "" if address == LOCAL else "If it has a token, set RAY_AUTH_MODE and RAY_AUTH_TOKEN. "

    def connect(self, location: Location, state: Callable[[], str]) -> None:
        """Connect to the cluster, once.

        Args:
            location: of the index that it works on.
            state: returns a sentence on the state of the index, for error messages now and later.

        Raises:
            ModelError: the cluster cannot be reached.
        """
        import ray

        self._location = location
        self._state = state
        if not ray.is_initialized():
            options: dict[str, Any] = {"address": self.address}
            if self.address == LOCAL:
                options |= {"num_cpus": self.workers or None, "include_dashboard": False}
            elif self._head is not None and is_here(self._head[0]):
                options["_node_ip_address"] = self._head[0]  # Ray might choose another address of this machine
            with self._answering(), _silenced():
                if self._head is not None:  # Ray itself would try for minutes, or forever
                    expect_answer(self._head, _PATIENCE)
                    threading.Thread(target=self._watch, args=(self._head,), daemon=True).start()
                ray.init(log_to_driver=False, logging_level=logging.FATAL, **options)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.raise_original_map_exception = True  # errors of this program say what is wrong and how to fix it
        for name in ("ray", "ray.data", "lance_ray"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._hint = ""
        with self._answering():
            self.workers = self.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turn what Ray raises into an error that names the cluster and the state of the index."""
        try:
            with warnings.catch_warnings():
                # They are for developers, or come from Lance about forks, and Ray does not fork.
                warnings.simplefilter("ignore")
                yield
        except Exception as error:  # Ray has many error types, and passes on those of others
            own = _own_error(error)
            if own is not None:
                raise own from error
            with reported(self._location):
                if found := _LANCE_ERROR.search(str(error)):  # about the storage, not about the cluster
                    raise OSError(found[0]) from error
            raise ModelError(
                f"The Ray cluster at {self.address} cannot be reached or no longer answers: "
                f"{_said(error).rstrip('.')}. {self._hint}{self._asked_state()}"
            ) from error

    def _watch(self, head: tuple[str, int]) -> None:
        """End the process with a message when the head is gone; Ray would end it a minute later without one."""
        failed = 0
        while failed < _FAILURES:
            time.sleep(_WATCH)
            try:
                expect_answer(head, _WATCH)
                failed = 0
            except OSError:
                failed += 1
        try:
            gone = f"The head of the Ray cluster at {self.address} no longer answers."
            sys.stderr.write(f"quotefind: {gone} {self._asked_state()}\n")
            for stream in (sys.stderr, sys.stdout):  # results so far
                stream.flush()
        finally:
            os._exit(ModelError.exit_code)

    def _asked_state(self) -> str:
        """Return the state of the index; if the storage does not answer either, what is wrong with it."""
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
        """Build the index of the vectors on all workers, with Lance's `options` for an index of this `kind`."""
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
        """Merge small fragments on all workers."""
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
        """Return `columns` of the rows that the query `nearest` finds, searched by all workers."""
        import lance_ray

        def found(workers: int) -> pa.Table:
            lance_ray.init_global_pool(workers, _SEARCHING)  # it starts processes once, which takes seconds
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
        """Call `work` with the number of workers to use: those that were asked for, if there are enough processors."""
        import ray

        with self._answering():
            for _ in range(_ATTEMPTS):
                there = max(1, int(ray.cluster_resources().get("CPU", 1)))
                try:
                    return work(min(self.workers, there))
                except ValueError as error:
                    if "Tried to start a pool" not in str(error):
                        raise
                    time.sleep(1.0)  # a machine has died since the processors were counted
            raise TimeoutError("its machines keep coming and going")


@contextmanager
def _silenced() -> Iterator[None]:
    """Discard what is written to stderr without Python, such as the settings that Ray's core prints at its start."""
    kept = os.dup(2)
    streams = sys.stderr, sys.__stderr__
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
            os.dup2(nowhere.fileno(), 2)
        # Python may still write there: the user may interrupt it, or the head may die.
        sys.stderr = sys.__stderr__ = open(kept, "w", closefd=False)  # type: ignore[misc] # noqa: SIM115
        yield
    finally:
        sys.stderr, sys.__stderr__ = streams  # type: ignore[misc]
        os.dup2(kept, 2)
        os.close(kept)


def _one_after_the_other(first: pa.Table, others: Iterator[pa.Table], rows: int) -> pa.RecordBatchReader:
    """Return a reader of `first` and of as many `others` as are needed for this many `rows`."""
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        taken = len(first)
        yield from first.to_batches()
        while taken < rows and (table := next(others, None)) is not None:
            taken += len(table)
            yield from table.to_batches()

    return pa.RecordBatchReader.from_batches(first.schema, batches())


def _own_error(error: BaseException) -> QuotefindError | None:
    """Return `error`, or the error that made a worker fail, if it comes from this program; else None."""
    seen: BaseException | None = error
    while seen is not None:
        # Ray's exceptions inherit from both types, and their text includes a traceback after the first line.
        cause = getattr(seen, "cause", seen)
        if isinstance(cause, QuotefindError):
            return type(cause)(str(cause).partition("\n")[0])
        seen = seen.__cause__ or seen.__context__
    return None


def _said(error: BaseException) -> str:
    """Return the line of an error of Ray that is not about a place in Ray's own code."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", str(cause)).splitlines() if line.strip()]
    if not lines:
        return type(cause).__name__
    return lines[-1 if lines[0].startswith("ray::") else 0][:300]
