"""A real S3 server for tests: SeaweedFS on a loopback address, with a bucket."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ADDRESS = "127.0.0.30"
BUCKET = "quotes"


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the environment variables for `s3://quotes/…` on a server whose files are in `folder`."""
    weed = Path(sys.executable).with_name("weed")
    ports = {name: _free_port() for name in ("master", "volume", "filer", "s3")}
    keys = {"AWS_ACCESS_KEY_ID": "quotefind", "AWS_SECRET_ACCESS_KEY": "for-tests"}
    identity = (
        '{"identities": [{"name": "tests", "credentials": [{"accessKey": "quotefind", "secretKey": "for-tests"}],'
        ' "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}'
    )
    (folder / "s3.json").write_text(identity, encoding="utf-8")
    with (folder / "weed.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(str(weed), "server", f"-dir={folder}", f"-ip={ADDRESS}", f"-ip.bind={ADDRESS}", "-filer", "-s3"),
                *(f"-master.port={ports['master']}", f"-volume.port={ports['volume']}"),
                *(f"-filer.port={ports['filer']}", f"-s3.port={ports['s3']}", f"-s3.config={folder / 's3.json'}"),
                "-volume.max=20",
                "-master.volumeSizeLimitMB=64",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        endpoint = f"http://{ADDRESS}:{ports['s3']}"
        _make_bucket(endpoint, keys, folder / "weed.log")
        yield {**keys, "AWS_ENDPOINT": endpoint, "AWS_REGION": "us-east-1"}
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _make_bucket(endpoint: str, keys: dict[str, str], log: Path) -> None:
    from pyarrow.fs import S3FileSystem

    end = time.monotonic() + 60
    while True:
        try:
            S3FileSystem(
                access_key=keys["AWS_ACCESS_KEY_ID"],
                secret_key=keys["AWS_SECRET_ACCESS_KEY"],
                endpoint_override=endpoint,
                region="us-east-1",
                allow_bucket_creation=True,
                connect_timeout=5,
                request_timeout=5,
            ).create_dir(BUCKET)
            return
        except OSError:
            if time.monotonic() > end:
                raise TimeoutError(log.read_text(errors="replace")[-2000:]) from None
            time.sleep(0.5)


def _free_port() -> int:
    """Return a free port; the port 10,000 above it, where SeaweedFS also listens, is free too."""
    while True:
        port = random.randrange(20_000, 50_000)
        with contextlib.suppress(OSError), socket.socket() as chosen, socket.socket() as above:
            chosen.bind((ADDRESS, port))
            above.bind((ADDRESS, port + 10_000))
            return port
