"""`python -m quotefind` is `quotefind`."""

from quotefind.cli import main

if __name__ == "__main__":
    main()
