"""Fixtures that all tests share: a home of their own, a fake encoder, and the real model prepared once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_encoder import FakeEncoder
from hypothesis import settings
from library import Library

from quotefind.encoders import Encoder, open_encoder
from quotefind.index.local.writer import open_to_write
from quotefind.index.sources import Source

# A newcomer's run must not fail by chance: by default Hypothesis tries the same examples each time, however slow the
# machine. For a longer random search: HYPOTHESIS_PROFILE=search pytest.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# A shell that runs the tests in the background may have them ignore Ctrl-C, and every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty QUOTEFIND_HOME, so that no test reads or writes that of the user."""
    directory = tmp_path / "home"
    monkeypatch.setenv("QUOTEFIND_HOME", str(directory))
    for name in ("QUOTEFIND_INDEX", "QUOTEFIND_FORMAT", "QUOTEFIND_TOP"):
        monkeypatch.delenv(name, raising=False)
    return directory


@pytest.fixture(scope="session")
def real_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the real model lies prepared; made once a session. Only its models are to be used."""
    directory = tmp_path_factory.mktemp("real-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUOTEFIND_HOME", str(directory))
        open_encoder(device="cpu")
    return directory


@pytest.fixture(scope="session")
def real_encoder(real_home: Path) -> Encoder:
    """The real model, opened on the CPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUOTEFIND_HOME", str(real_home))
        return open_encoder(device="cpu")


@pytest.fixture
def home_with_model(home: Path, real_home: Path) -> Path:
    """This test's own home, without any index, in which the real model is prepared already."""
    home.mkdir()
    (home / "cache").symlink_to(real_home / "cache", target_is_directory=True)
    return home


@pytest.fixture(scope="session")
def bundled_home(tmp_path_factory: pytest.TempPathFactory, real_home: Path) -> Path:
    """A home with the real model and the default index of the bundled quotes; for reading only."""
    directory = tmp_path_factory.mktemp("bundled-home")
    (directory / "cache").symlink_to(real_home / "cache", target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUOTEFIND_HOME", str(directory))
        with open_to_write(
            directory / "indexes" / "default",
            lambda model, fingerprint: open_encoder(model, device="cpu", fingerprint=fingerprint),
        ) as writer:
            writer.update([Source("bundled")])
    return directory


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Torch in one thread: for as little as tests train, several are slower."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def encoder() -> FakeEncoder:
    """A fake encoder that nothing was encoded with yet."""
    return FakeEncoder()


@pytest.fixture
def library(tmp_path: Path, encoder: FakeEncoder) -> Library:
    """An empty `Library` with the fake encoder."""
    return Library(tmp_path / "index", tmp_path / "sources", encoder)
