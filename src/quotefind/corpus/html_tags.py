"""The parser of HTML: `html.parser` of the standard library, fed so that no markup makes it fail or take long."""

from __future__ import annotations

from html.parser import HTMLParser


class TagParser(HTMLParser):
    """Reports the tags and the text of a page in their order, with their lines; tags need not match."""

    def __init__(self) -> None:
        """Make a parser for one page."""
        super().__init__(convert_charrefs=True)

    def parse(self, page: str) -> None:
        """Parse a whole page.

        The parser is not closed, because `HTMLParser.close` would search repeatedly for the end of each unfinished tag.
        So text after an unfinished tag or comment is not reported, as in a browser.
        """
        self.feed(f"{page}\n")

    def parse_marked_section(self, i: int, report: int = 1) -> int:  # noqa: ARG002
        """Skip `<![…>`, for which some versions of Python raise AssertionError; return where it ends, -1 if nowhere."""
        return self.rawdata.find(">", i) + 1 or -1
