"""Two machines for tests: Ray nodes on their own loopback addresses, whose processes can be killed together."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

HEAD, WORKER = "127.0.0.10", "127.0.0.20"


class Nodes:
    """A head and a worker node; the head has processors only if it works too."""

    def __init__(self, folder: Path, *, head_cpus: int = 1, worker_cpus: int = 1) -> None:
        """Start both nodes, which write into `folder`."""
        self._folder = folder
        self._cpus = worker_cpus
        self.port = _free_port()
        # Only clients with this token may run code on the nodes.
        self.environment = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token_hex(32)}
        self.address = f"{HEAD}:{self.port}"
        self._head = self._start(
            "head",
            *("--head", f"--node-ip-address={HEAD}", f"--port={self.port}", "--include-dashboard=false"),
            f"--num-cpus={head_cpus}",
        )
        self._await_port()
        self._worker = self.start_worker()

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start the second node."""
        self._worker = self._start(
            "worker", f"--address={self.address}", f"--node-ip-address={WORKER}", f"--num-cpus={self._cpus}"
        )
        return self._worker

    def _start(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        ray = Path(sys.executable).with_name("ray")
        with (self._folder / f"{name}.log").open("ab") as log:
            # In its own session, so that all its processes can be killed together, as if a machine failed.
            return subprocess.Popen(
                [str(ray), "start", *options, "--disable-usage-stats", "--block", "--object-store-memory=100000000"],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | self.environment,
            )

    def _await_port(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection((HEAD, self.port), timeout=1):
                return
            time.sleep(0.2)
        raise TimeoutError((self._folder / "head.log").read_text(errors="replace")[-2000:])

    def kill_worker(self) -> int:
        """Kill every process of the second node, as a power failure would; return how many."""
        return _kill(self._worker)

    def kill_head(self) -> int:
        """Kill every process of the first node."""
        return _kill(self._head)

    def workers_on(self, name: str) -> int:
        """Return how many processes of actors named `name` run on the second node."""
        return sum(name in command for _, command in _session(self._worker.pid))

    def memory(self) -> list[int]:
        """Return the memory of the processes of each node in bytes, with shared pages divided among them."""
        return [sum(_held(pid) for pid, _ in _session(node.pid)) for node in (self._head, self._worker)]

    def close(self) -> None:
        """Kill both."""
        _kill(self._worker)
        _kill(self._head)


@contextlib.contextmanager
def two_nodes(folder: Path, *, head_cpus: int = 1, worker_cpus: int = 1) -> Iterator[Nodes]:
    """Yield two running nodes; they are killed at the end."""
    nodes = Nodes(folder, head_cpus=head_cpus, worker_cpus=worker_cpus)
    try:
        yield nodes
    finally:
        nodes.close()


def _session(leader: int) -> list[tuple[int, str]]:
    """Return the processes of a session, with their command lines."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, IndexError):
                if os.getsid(int(entry.name)) == leader:
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found.append((int(entry.name), command))
    return found


def _held(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _kill(process: subprocess.Popen[bytes]) -> int:
    killed = 0
    for _ in range(20):  # a process that is just starting is found the next time
        left = [pid for pid, command in _session(process.pid) if command]
        if not left:
            break
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        time.sleep(0.05)
    process.wait()
    return killed


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind((HEAD, 0))
        return int(chosen.getsockname()[1])
