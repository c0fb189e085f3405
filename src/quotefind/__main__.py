"""The program: `quotefind`, or `python -m quotefind`.

It imports next to nothing, so that Ctrl-C is in good hands while the rest is imported.
"""

from __future__ import annotations


def main() -> None:
    """Run the program; it ends with its exit code."""
    try:
        from quotefind import interrupts

        interrupts.install()
        from quotefind import cli

        cli.main()
    except KeyboardInterrupt:
        from quotefind import interrupts  # it may have come before

        interrupts.exit_now()


if __name__ == "__main__":
    main()
