"""The quote of the day: one quote for a date, chosen without a model."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from quotefind.corpus import ReadOptions, read_file
from quotefind.index.filters import Filter
from quotefind.paths import BUNDLED, DEFAULT_INDEX, Location, bundled_quotes, index_location
from quotefind.records import Quote
from quotefind.stores import open_lookup
from quotefind.text import quote_id

# Up to this many quotes are dealt like a pack of cards: each once before any repeats.
PACK = 1_000
# 2^64 divided by the golden ratio: see `start_id`.
_STEP = 0x9E3779B97F4A7C15


def quote_of_the_day(location: Location, day: date, where: Filter | None = None) -> Quote | None:
    """Return the quote of `day` among the quotes of the index at `location` that satisfy `where`; None if none does.

    It depends only on the day and the ids of these quotes. Up to 1,000 quotes take turns in the order of their ids,
    which are hashes and so look random: none repeats before all have had their day. If there are more, it is the first
    quote whose id is `start_id(day)` or higher, so adding or removing one of n quotes changes about one day in n.

    The matrix is not read, and sources are not refreshed. If the default index does not exist yet, the bundled quotes
    are used.

    Raises:
        IndexUnusableError: the index cannot be used, or the quote does not match its checksum.
    """
    where = where or Filter()
    with open_lookup(location, missing_ok=location == index_location(DEFAULT_INDEX)) as index:
        if index is None:
            return _of_bundled(day, where)
        pack = index.ids(where, PACK + 1)
        name = choose(pack, day) if len(pack) <= PACK else index.first_id(where, start_id(day))
        return None if name is None else index.quote(name)


def choose(ids: Iterable[str], day: date) -> str | None:
    """Return the one of `ids` (16 hexadecimal digits each) that is the quote of `day`; None if there are none."""
    names = sorted(ids)
    if not names:
        return None
    if len(names) <= PACK:
        return names[day.toordinal() % len(names)]
    return names[bisect_left(names, start_id(day)) % len(names)]


def start_id(day: date) -> str:
    """Return 16 hexadecimal digits at which to start looking for the id of `day`; consecutive days spread evenly.

    Day n of the calendar gives n 2^64 / phi modulo 2^64, where phi is the golden ratio: Fibonacci hashing (Knuth, "The
    Art of Computer Programming", volume 3, section 6.4).
    """
    return f"{day.toordinal() * _STEP % 2**64:016x}"


def _of_bundled(day: date, where: Filter) -> Quote | None:
    quotes: dict[str, Quote] = {}
    for quote in read_file(bundled_quotes(), ReadOptions()):
        if isinstance(quote, Quote) and where.admits(quote):
            name = quote_id(quote.text, quote.author)
            quotes.setdefault(name, replace(quote, id=name, source=BUNDLED))
    chosen = choose(quotes, day)
    return None if chosen is None else quotes[chosen]
