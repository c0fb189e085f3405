"""The clipboard of the desktop, if there is one."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from quotefind.errors import ModelError

_FIX = "On Linux, install wl-clipboard (Wayland), or xclip or xsel (X11), and run this in a desktop session."


def copy(text: str) -> None:
    """Put `text` on the clipboard.

    Raises:
        ModelError: there is no clipboard, or it refuses the text.
    """
    import pyperclip

    try:
        with tempfile.TemporaryFile() as messages:
            # Clipboard programs keep running to hand the text out, so they must not hold our streams open. pyperclip
            # ignores their exit codes, but on failure they print a message.
            with _output_to(messages):
                pyperclip.copy(text)
            messages.seek(0)
            problem = messages.read().decode(errors="replace").strip()
    except (pyperclip.PyperclipException, OSError) as error:
        raise _failed(str(error)) from error
    if problem:
        raise _failed(problem)


def _failed(reason: str) -> ModelError:
    reason = " ".join(reason.split()).partition(" For more information")[0].rstrip(".")
    return ModelError(f"Nothing was copied to the clipboard: {reason[:300]}. {_FIX}")


@contextmanager
def _output_to(file: BinaryIO) -> Iterator[None]:
    """Send what child processes write to stdout and stderr to `file`."""
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
