"""Records docs/demo.svg: what the program shows on a terminal of 88 columns, with the bundled quotes.

    python docs/demo.py

The commands run for real, each on a terminal of its own; rich draws what they wrote.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

_COLUMNS = 88
_COMMANDS = (
    'quotefind find "quotes about family" -k 2',
    'quotefind find "change and new beginnings" --max-chars 100 -k 1',
    'quotefind pair "Know thyself." "The unexamined life is not worth living."',
    "quotefind topics --topics 12 -k 0 | head -5",
)


def shown(command: str) -> str:
    """Return what `command` writes to a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, _COLUMNS, 0, 0))
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    process = subprocess.Popen(
        ["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL, env=environment
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # what Linux says at the end of a terminal
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    if process.wait():
        sys.exit(f"{shlex.quote(command)} ended with {process.returncode}")
    return written.decode().replace("\r\n", "\n").strip("\n")


def main() -> None:
    """Run the commands and draw what they show."""
    screen = Console(record=True, width=_COLUMNS, file=open(os.devnull, "w"), force_terminal=True, legacy_windows=False)  # noqa: PTH123, SIM115
    for command in _COMMANDS:
        screen.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        screen.print(Text.from_ansi(shown(command)))
        screen.print()
    drawn = screen.export_svg(title="quotefind", theme=SVG_EXPORT_THEME, unique_id="quotefind-demo")
    drawn = re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL)  # nothing is fetched, not even a font
    Path(__file__).with_name("demo.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
