"""The program: `quotefind`, or `python -m quotefind`.

It imports very little, so that Ctrl-C is handled well while everything else is imported.
"""

from __future__ import annotations


def main() -> None:
    """Run the program, and exit with its exit code."""
    try:
        from quotefind import interrupts

        interrupts.install()
        from quotefind import cli

        cli.main()
    except KeyboardInterrupt:
        from quotefind import interrupts  # Ctrl-C may have come before

        interrupts.exit_now()


if __name__ == "__main__":
    main()
