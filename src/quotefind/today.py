"""The quote of the day: one for a date and a theme, found at once, without a model."""

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

# So many quotes at most are dealt like a pack of cards, each once before any comes again.
PACK = 1_000
# 2^64 divided by the golden ratio: see `place_of`.
_STEP = 0x9E3779B97F4A7C15


def quote_of_the_day(location: Location, day: date, where: Filter | None = None) -> Quote | None:
    """Return the quote of `day` among those of the index at `location` that satisfy `where`; None where none does.

    It depends on the day, the ids of these quotes and nothing else. Up to 1,000 quotes come in turn, in the order of
    their ids (which are hashes, and so in no order that a reader sees): none comes again before all have come. Of more,
    it is the one whose id is the next from `place_of(day)` on, so that a quote that is added or removed changes one
    day in as many as there are quotes.

    No matrix is read, and nothing refreshed. As long as the default index was not made yet, the bundled quotes answer
    as they would in it.

    Raises:
        IndexUnusableError: the index cannot be used, or the quote is not what was written.
    """
    where = where or Filter()
    with open_lookup(location, missing_ok=location == index_location(DEFAULT_INDEX)) as index:
        if index is None:
            return _of_bundled(day, where)
        pack = index.ids(where, PACK + 1)
        pack = index.ids(where, PACK + 1)
        name = choose(pack, day) if len(pack) <= PACK else index.first_id(where, place_of(day))
        return None if name is None else index.quote(name)


def choose(ids: Iterable[str], day: date) -> str | None:
    """Return the one of `ids` (each 16 hexadecimal digits) that is the quote of `day`; None where there are none."""
    names = sorted(ids)
    if not names:
        return None
    if len(names) <= PACK:
        return names[day.toordinal() % len(names)]
    return names[bisect_left(names, place_of(day)) % len(names)]


def place_of(day: date) -> str:
    """Return a place in the order of ids, 16 hexadecimal digits: the days spread evenly over it.

    Day n of the calendar is at n 2^64 / phi modulo 2^64, phi being the golden ratio: the places of any n days in a row
    lie at distances of three sizes only, and none near another. Knuth, "The Art of Computer Programming", volume 3,
    section 6.4 (Fibonacci hashing).
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
