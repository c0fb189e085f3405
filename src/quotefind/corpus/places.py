"""Places and dates of highlights, as reading tools write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from quotefind.text import fold, one_line

_NUMBERS = re.compile(r"[0-9]+(?:\s*[-–—]\s*[0-9]+)?|[ivxlcdm]+", re.IGNORECASE)
_PAGE_WORD = re.compile(r"(?:pp?\.|pages?\b)\s*", re.IGNORECASE)

_YEAR = re.compile(r"(?<![0-9])(?:19[89]|20[0-9])[0-9](?![0-9])")
_NUMERIC = re.compile(
    r"(?P<year>(?:19|20)[0-9]{2})\s*[年년.\-/]\s*(?P<month>[0-9]{1,2})\s*[月월.\-/]\s*(?P<day>[0-9]{1,2})(?![0-9])"
)
_TIME = re.compile(
    r"(?P<before>上午|下午|午前|午後|오전|오후)?\s*"
    r"(?<![0-9])(?P<hour>[0-9]{1,2})[:.](?P<minute>[0-9]{2})(?:[:.](?P<second>[0-9]{2}))?(?![0-9])"
    r"\s*(?P<after>[ap]\.?\s?m\b)?",
    re.IGNORECASE,
)
_AFTERNOON = ("p", "下午", "午後", "오후")
_DAY = re.compile(r"(?<![0-9])[0-9]{1,2}(?![0-9])")
_LETTERS = re.compile(r"[^\W\d_]+")

# The months, a line each, in the languages of reading devices and without accents, as `fold` returns them.
_MONTHS = """
january janvier januar enero gennaio janeiro januari ianuarie stycznia ledna tammikuuta ocak января jan
february fevrier februar febrero febbraio fevereiro februari februarie lutego unora helmikuuta subat февраля feb
march mars marz maerz marzo marco maart martie marca brezna maaliskuuta mart марта mar marts
april avril abril aprile aprilie kwietnia dubna huhtikuuta nisan апреля апрель apr
may mai mayo maggio maio mei maj maja kvetna toukokuuta mayis мая май
june juin juni junio giugno junho iunie czerwca cervna kesakuuta haziran июня июнь jun
july juillet juli julio luglio julho iulie lipca cervence heinakuuta temmuz июля июль jul
august aout agosto augustus augusti sierpnia srpna elokuuta agustos августа август aug
september septembre septiembre settembre setembro septembrie wrzesnia zari syyskuuta eylul сентября сентябрь sep sept
october octobre oktober octubre ottobre outubro octombrie pazdziernika rijna lokakuuta ekim октября октябрь oct okt
november novembre noviembre novembro noiembrie listopadu marraskuuta kasim ноября nov
december decembre dezember diciembre dicembre dezembro decembrie grudnia prosince joulukuuta aralik декабря dec
"""
_MONTH = {name: number for number, names in enumerate(_MONTHS.strip().splitlines(), 1) for name in names.split()}


def place(chapter: object = None, page: object = None, location: object = None) -> str | None:
    """Return a place in a book in short English, such as "Chapter One, p. 91" or "location 1204-1206".

    Args:
        chapter: its title, as the source writes it.
        page: a number, a range of numbers or a Roman numeral; anything else is left out.
        location: the location of a Kindle, a number or a range.

    Values that are neither strings nor numbers are left out. Return None if nothing is left.
    """
    parts = [one_line(chapter)] if isinstance(chapter, str) and chapter.strip() else []
    if (pages := _number(page)) is not None:
        parts.append(f"{'p.' if pages.isalnum() else 'pp.'} {pages}")
    if (locations := _number(location)) is not None:
        parts.append(f"location {locations}")
    return ", ".join(parts) or None


def _number(value: object) -> str | None:
    """Return a number, a range or a Roman numeral in the form used in a place."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float):
        value = int(value) if value.is_integer() else ""
    text = _PAGE_WORD.sub("", str(value).strip(), count=1)
    if len(text) > 40 or not _NUMBERS.fullmatch(text):
        return None
    return re.sub(r"\s*[-–—]\s*", "-", text)


def percent(fraction: object) -> str | None:
    """Return a number between 0 and 1 as a percentage, such as "34%"; None for anything else."""
    if isinstance(fraction, int | float) and 0 <= fraction <= 1:
        return f"{fraction:.0%}"
    return None


def since_epoch(value: object, *, begins: int = 0, unit: float = 1.0) -> str | None:
    """Return a point in time as ISO 8601 in UTC, to the second; None if it is not plausible.

    Args:
        value: the time since the epoch.
        begins: the beginning of the epoch, in seconds after 1970.
        unit: the unit of `value` in seconds: 0.001 for milliseconds.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        moment = datetime.fromtimestamp(value * unit + begins, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="seconds") if 1980 <= moment.year < 2100 else None


def worded_date(text: str) -> str | None:
    """Return the date in `text`, with the time if there is one, as ISO 8601; None if it is missing or ambiguous.

    About twenty languages are supported ("Added on Friday, January 05, 2024 10:42:22 PM", "2019年3月3日"). A date in
    which day and month are both numbers is read only if the year comes first.
    """
    time = _TIME.search(text)
    rest = text if time is None else f"{text[: time.start()]} {text[time.end() :]}"
    if numeric := _NUMERIC.search(rest):
        year, month, day = (int(numeric[name]) for name in ("year", "month", "day"))
    else:
        years = set(_YEAR.findall(rest))
        months = {_MONTH[word] for word in map(fold, _LETTERS.findall(rest)) if word in _MONTH}
        days = set(map(int, _DAY.findall(rest)))
        if not len(years) == len(months) == len(days) == 1:
            return None
        year, month, day = int(years.pop()), months.pop(), days.pop()
    try:
        moment = datetime(year, month, day)
        if time is None:
            return moment.date().isoformat()
        return moment.replace(hour=_hour(time), minute=int(time["minute"]), second=int(time["second"] or 0)).isoformat()
    except ValueError:
        return None


def _hour(time: re.Match[str]) -> int:
    """Return the hour, from 0 to 23, of a time that may be marked as a.m. or p.m."""
    hour = int(time["hour"])
    half = (time["before"] or time["after"] or "").casefold()
    if not half or hour > 12:
        return hour
    return hour % 12 + (12 if half.startswith(_AFTERNOON) else 0)
