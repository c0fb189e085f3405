"""The clipboard of the desktop, where there is one."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from quotefind.errors import ModelError

_WHAT_MENDS = "On Linux, install wl-clipboard (Wayland), or xclip or xsel (X11), and run this in a desktop session."


def copy(text: str) -> None:
    """Put `text` on the clipboard.

    Raises:
        ModelError: there is no clipboard, or it does not take the text.
    """
    import pyperclip

    try:
        with tempfile.TemporaryFile() as words:
            # The programs that do it stay to hand the text out: they must not keep our streams open. They end with an
            # exit code that nobody looks at; but where they could not do it, they say so.
            with _streams_to(words):
                pyperclip.copy(text)
            words.seek(0)
            said = words.read().decode(errors="replace")
    except (pyperclip.PyperclipException, OSError) as error:
        raise _failed(str(error)) from error
    if said.strip():
        raise _failed(said)


def _failed(reason: str) -> ModelError:
    reason = " ".join(reason.split()).rstrip(".")
    return ModelError(f"Nothing was put on the clipboard: {reason[:300]}. {_WHAT_MENDS}")


@contextmanager
def _streams_to(file: BinaryIO) -> Iterator[None]:
    """Have what processes that are started write to stdout and stderr go to `file`."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    with ExitStack() as stack:
        for descriptor in (1, 2):
            try:
                saved = os.dup(descriptor)
            except OSError:  # it is closed
                continue
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, descriptor)
            os.dup2(file.fileno(), descriptor)
        yield
