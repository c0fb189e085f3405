"""Parse attributions (who said it, and where), for every format that writes them after a dash.

Four dashes (`—`, `--`, `―`, `~`) always separate an attribution from a text. A hyphen, an en dash or brackets do so
only after the end of a sentence or a closing quotation mark, or in a file where most entries are written that way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from quotefind.corpus.author_names import is_likely_name

_DASH = r"(?:—|―|--|~)"
_LAST_DASH = re.compile(rf"(?P<words>.*)\s{_DASH}[—―~-]*\s*", re.DOTALL)  # greedy, hence the last
_LAST_DASH_AFTER_MARK = re.compile(rf"(?P<words>.*[\"”»」』])\s?{_DASH}[—―~-]*\s*", re.DOTALL)
_LAST_HYPHEN = re.compile(r"(?P<words>.*)\s[-–][-–]*\s*(?=\S)", re.DOTALL)
_LAST_HYPHEN_AFTER_STOP = re.compile(r"(?P<words>.*[.!?…\"”“’'»«›‹」』。！？)*_\]])\s+[-–][-–]*\s*(?=\S)", re.DOTALL)
_IN_BRACKETS = re.compile(r"(?P<words>.*\S)\s*\((?P<credit>[^()]*(?:\([^()]*\)[^()]*)?)\)\.?\s*", re.DOTALL)
_OWN_LINE = re.compile(r"\s*(?P<dash>[—―~–-]+)\s*(?=\S)")
_OWN_LINE_BRACKETS = re.compile(r"\s*\((?P<credit>[^()]+(?:\([^()]*\)[^()]*)?)\)\s*")
_OWN_LINE_BY = re.compile(r"\s*(?:by|By|BY)\s+(?=\S)")
_STOPS = ".!?…\"”“’'»«›‹」』。！？)]*_"
_STRONG_MARKS = '"”“»«›‹」』’'
_COPULA = re.compile(r"\b(?:is|are|was|were|means|equals|ist|sind|est|es|is:)$", re.IGNORECASE)
_TURNS = re.compile(r"(?:^|[.!?…]\s+)[-–—]\s*[^\W\d_]")
_LONGEST = 100  # characters after the text
_LONGEST_ON_OWN_LINE = 250  # fortunes put whole stories there; also after words in quotation marks
_LONGEST_RAW = 1_000  # with its white space, which is folded; nothing longer is parsed and cached
_MOST_WORDS = 8

_LEAD_IN = re.compile(r"^(?:by|attr\.|attributed to)\s+", re.IGNORECASE)
_UNNAMED = re.compile(r"(?:anonymous|anon|unknown|unattributed|proverb|traditional|author unknown)\b")
_PARTICLE = re.compile(
    r"(?:(?:de|del|della|der|den|da|di|du|la|le|van|von|ten|zu|ibn|bin|abu|al|el)[ -]|d['’])+[^\Wa-z_]"
)
_LOWER_INITIALS = re.compile(r"(?:[a-z]\. ?){2}")
_SENTENCE = re.compile(
    r"(?:i|i['’](?:m|ve|d|ll)|it|it['’]s|he|she|we|you|they|that|this|these|those|there|and|but|or|so|if|when|because"
    r"|not|what|how|why|who|which|nor|yet|then|do|don['’]t|is|are|was|were|will|would|can|could)"
    r"\s+(?=[^\W\d_])(?P<second>\w)",
    re.IGNORECASE,
)
_ABBREVIATED = re.compile(
    r"(?:^|[\s.(\-])(?:[^\W\d_]|jr|sr|st|esq|ph\.?d|m\.?d|inc|ltd|co|bros|ed|eds|vol|ch|no|et al)\.$",
    re.IGNORECASE,
)
# Opening mark -> the mark that closes it, around a title.
_MARKS = {'"': '"', "“": "”", "„": "“", "«": "»", "‘": "’", "'": "'", "``": "''", "「": "」", "『": "』", "《": "》"}
_EMPHASIS = {"**": "**", "__": "__", "*": "*", "_": "_"}
_TITLE = "|".join(
    re.escape(a) + r"(?:(?!" + re.escape(b) + r").)+" + re.escape(b) for a, b in {**_MARKS, **_EMPHASIS}.items()
)
_TITLE_FIRST = re.compile(rf"(?P<title>{_TITLE})(?:\s*,\s*(?:by\s+)?(?P<rest>.+))?")
_TITLE_AND_YEAR = re.compile(rf"(?P<title>{_TITLE})\s*,?\s*\(?(?P<year>[0-9]{{4}})\)?")
_IN_WORK = re.compile(rf"(?P<author>[^,]+?)\s+(?:in|from)\s+(?P<work>{_TITLE}|<[^<>]+>)")
_IN_ANYTHING = re.compile(r"(?P<author>[^,]+?)\s+(?:in|from|on|at|to|about)\s+(?P<work>.+)")
# Commas in brackets, in quotation marks and before such a suffix do not end the author.
_AUTHOR_FIRST = re.compile(
    r"(?P<author>(?:\([^()]*\)|\"[^\"]*\"|[^,(\"])+"
    r"(?:,\s*(?:Jr|Sr|Esq|Ph\.?\s?D|M\.?D|Ltd|Inc|II|III|IV)\b\.?(?=\s*(?:,|$)))*)"
    r"(?:\s*,\s*(?P<work>.*))?"
)
_WORK_ONLY = re.compile(r"(?:[Ff]rom|[Ii]n|[Oo]n|to|with|at|(?:seen|found|heard|overheard) (?:in|on|at))\s")
_WORK_BY = re.compile(r"(?P<work>.{2,150}?),?\s+[Bb]y\s+(?P<author>[^,]+?)")
_FROM = re.compile(r"^(?:from|in)\s+", re.IGNORECASE)
_IN = re.compile(r"^(?:in|from)\s+")
_LIFE_DATES = re.compile(r"\s*\((?:c\. ?|b\. ?|born )?[0-9]{3,4}\??\s*[-–—]?\s*(?:c\. ?)?[0-9]{0,4}\??\)")
_PLACE_WORDS = (
    r"(?:pp|pgs?|pages?|chs?|chap|chapters?|sec|sections?|locs?|locations?|lines?|verses?|vv|kapitel|kap|seiten?"
    r"|cap[ií]tulo|capitolo|chapitre|p[áa]g|p[áa]gina|pagina|hoofdstuk|kapittel|глава|стр)"
)
_NUMBER = r"[0-9]+(?:[.:][0-9]+)*(?:\s*[-–—]\s*[0-9]+)?"
_NUMERAL = r"(?:\.\s*|\s+)[ivxlc]+\b"
_PLACE = rf"(?:{_PLACE_WORDS}(?:\.?\s*{_NUMBER}|{_NUMERAL})|(?:[pls]|cap)\.\s*{_NUMBER}|p\s+{_NUMBER}|§+\s*{_NUMBER})"
_ONLY_PLACE = re.compile(rf"{_PLACE}(?:\s*[,;(]\s*{_PLACE}\)?)*\.?", re.IGNORECASE)
_PLACE_LAST = re.compile(rf"(?:\s*[,;]\s*(?P<plain>{_PLACE})|\s*\((?P<within>{_PLACE})\))\.?$", re.IGNORECASE)
_ADDRESS = re.compile(
    r"(?:\s+(?:in|at|on|from|see))?\s*[(<\[]?(?<![\w@.])(?:https?://|www\.)[^\s)>\]]+[)>\]]?[,;]?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Attribution:
    """The author of a quote, its work, its place in the work, and its year; one of the first three is known."""

    author: str | None
    work: str | None
    place: str | None = None
    year: int | None = None


def split_attribution(text: str, *, loose: bool = False) -> tuple[str, Attribution | None]:
    """Return the words and the attribution of `words — Author, Work`, `words. - Author` or `"words" (Author)`.

    What comes after the last dash, or in brackets at the end, is an attribution if it looks like a name; otherwise all
    of `text` is the words. With `loose`, a hyphen or brackets need not follow the end of a sentence.
    """
    for dash in (_LAST_DASH, _LAST_DASH_AFTER_MARK):
        found = dash.match(text) if "—" in text or "--" in text or "―" in text or "~" in text else None
        if found and (parted := _part(found["words"].rstrip(), text[found.end() :])):
            return parted
    if " -" in text or " –" in text:
        for hyphen in (_LAST_HYPHEN_AFTER_STOP, _LAST_HYPHEN)[: 1 + loose]:
            found = hyphen.match(text)
            if found and (named := _named_after_hyphen(text, found["words"].rstrip(), text[found.end() :])):
                return named
    if text.rstrip()[-2:].strip(".").endswith(")") and (found := _IN_BRACKETS.fullmatch(text)):
        words = found["words"]
        closed = words[-1] in _STRONG_MARKS or (loose and is_closed(words))
        attribution = _named(found["credit"], quoted=True) if closed or loose else None
        if attribution is not None and (closed or is_likely_name(attribution.author or "", least=2)):
            return words, attribution
    return text, None


def _part(words: str, credit: str) -> tuple[str, Attribution] | None:
    """Return the words and the attribution if `credit`, which follows a dash that always separates them, is one."""
    attribution = parse_attribution(credit, quoted=_is_quoted(words)) if words else None
    if attribution is None:
        return None
    author = attribution.author
    if words[-1].isalnum() and not attribution.place:
        if attribution.work is None and (inner := _author_before(words)):  # words — Author — Work
            before, name = inner
            return before, Attribution(name, author)
        # 'She said -- "Never"', "I have one answer — Silence": here the sentence continues after the dash.
        named = author and (is_likely_name(author) or (author[0].isalpha() and " " in author))
        if not named and not (author and _UNNAMED.match(author.casefold())):
            return None
    return words, attribution


def _author_before(words: str) -> tuple[str, str] | None:
    """Return the words and the author of `words — Author` after the end of a sentence."""
    before, attribution = split_attribution(words)
    if attribution is None or attribution.author is None or attribution.work is not None or not is_closed(before):
        return None
    return before, attribution.author


def _named_after_hyphen(text: str, words: str, credit: str) -> tuple[str, Attribution] | None:
    """Return the words and the attribution if `credit`, which follows a hyphen or an en dash, is a plain name."""
    if not words or _COPULA.search(words) or len(_TURNS.findall(text)) > 1:
        return None
    for dash in (" - ", " – "):
        author, found, work = credit.partition(dash)
        if found and is_likely_name(author.strip()) and work.strip():
            return words, Attribution(author.strip(), _bare(work.strip()))
    attribution = _named(credit, quoted=_is_quoted(words))
    return (words, attribution) if attribution else None


def is_closed(words: str) -> bool:
    """Whether `words` end as a sentence or a quotation does."""
    return words[-1:] in _STOPS and bool(words)


def _is_quoted(words: str) -> bool:
    """Whether a pair of quotation marks encloses all of `words`, and does not occur inside."""
    closing = _MARKS.get(words[:1], "")
    inner = words[1 : -len(closing)]
    return bool(closing and inner and words.endswith(closing)) and words[0] not in inner and closing not in inner


def own_line_attribution(line: str, *, after_hyphen: bool = True) -> Attribution | None:
    """Return the attribution that a separate line below a text states, or None.

    The line begins with a dash or "by", or is in brackets. After a hyphen or an en dash, which also begin list items,
    only a plain name counts as an attribution, and only with `after_hyphen`.
    """
    if dash := _OWN_LINE.match(line):
        credit = line[dash.end() :]
        if dash["dash"] in ("-", "–"):
            return _named(credit, own_line=True) if after_hyphen else None
        return parse_attribution(credit, own_line=True)
    if brackets := _OWN_LINE_BRACKETS.fullmatch(line):
        return _named(brackets["credit"], own_line=True)
    if by := _OWN_LINE_BY.match(line):
        return _named(line[by.end() :], own_line=True)
    return None


def _named(credit: str, *, own_line: bool = False, quoted: bool = False) -> Attribution | None:
    """Return the attribution that `credit` states, if its author looks like the name of a person."""
    attribution = parse_attribution(credit, own_line=own_line, quoted=quoted)
    if attribution is None or credit.rstrip().endswith(("!", "?")):
        return None
    author = attribution.author
    if author is None:
        return attribution if attribution.place and not attribution.work else None
    return attribution if is_likely_name(author) or _UNNAMED.match(author.casefold()) else None


def name_attribution(words: str, *, least: int = 1) -> Attribution | None:
    """Return the attribution that a heading or a line in italics states, or None if it is neither a name nor a place.

    It must be `Name`, `Name, Work`, `Name — Work` or `Work by Name`, where the name has at least `least` words.
    """
    words = _bare_emphasis(" ".join(words.split()))
    if len(words) > _LONGEST_ON_OWN_LINE or not words:
        return None
    if by := _WORK_BY.fullmatch(words):
        author = _bare_emphasis(_without_dates(by["author"]))
        if is_likely_name(author):
            return Attribution(author, _bare(by["work"].rstrip(" ,")))
    for dash in (" — ", " – ", " - ", " -- ", ": "):
        name, found, work = words.partition(dash)
        if found and is_likely_name(_without_dates(name), least=least) and work:
            return Attribution(_without_dates(name), _bare(work))
    attribution = parse_attribution(words, own_line=True)
    if attribution is None or words.endswith(("!", "?")):
        return None
    if attribution.author is None:
        return attribution if attribution.place and not attribution.work else None
    return attribution if is_likely_name(attribution.author, least=least) else None


def place_of(words: str) -> str | None:
    """Return `words` if they are only a place in a work (a chapter, a section, a page), else None."""
    words = " ".join(words[:_LONGEST_RAW].split()).strip(" .")
    return words if _ONLY_PLACE.fullmatch(words) else None


def parse_attribution(credit: str, *, own_line: bool = False, quoted: bool = False) -> Attribution | None:
    """Return the attribution that `credit`, the words after a dash, states, or None if it does not look like one.

    Args:
        credit: `Author`, `Author, Work`, `"Work", Author` or `Author, Work, p. 12`, without the dash.
        own_line: it is on its own line, and so may be longer, begin in lower case, or end with a full stop.
        quoted: the words before the dash are in quotation marks, so it may be longer as well.
    """
    return None if len(credit) > _LONGEST_RAW else _parse(credit, own_line, quoted)


@lru_cache(maxsize=4096)  # a collection names the same authors again and again
def _parse(credit: str, own_line: bool, quoted: bool) -> Attribution | None:
    credit = _LEAD_IN.sub("", " ".join(credit.split()), count=1)
    if "://" in credit or "www." in credit:
        credit = _ADDRESS.sub("", credit).strip(" ,;")
    if place := place_of(credit):
        return Attribution(None, None, place)
    if own_line:
        if credit[:1].islower() and _ends_sentence(credit):
            return None
        credit = _without_stop(credit)
    longest = _LONGEST_ON_OWN_LINE if own_line or quoted else _LONGEST
    if not credit or len(credit) > longest or not _plausible(credit, own_line):
        return None
    attribution = _divide_at_place(credit)
    author = attribution.author
    if author is None:
        return attribution
    if len(author.split()) > _MOST_WORDS:
        return _divide_story(credit) if own_line else None
    return attribution if own_line or not _ends_sentence(author.rstrip("\"”’'»")) else None


def _plausible(credit: str, own_line: bool) -> bool:
    """Whether `credit` could be a name or a title at all."""
    if not any(map(str.isalnum, credit)):
        return False
    sentence = _SENTENCE.match(credit)
    if sentence and sentence["second"].islower():
        return False
    return own_line or (
        _starts_name(credit) and credit[-1] not in ";:," and not _ends_sentence(credit) and _whole(credit)
    )


def _starts_name(credit: str) -> bool:
    """Whether `credit` begins like a name or a title."""
    first = credit[0]
    if first.isalnum() and not first.islower():
        return True
    if any(credit.startswith(mark) for mark in (*_MARKS, *_EMPHASIS)):
        return True
    return bool(_UNNAMED.match(credit) or _PARTICLE.match(credit) or _LOWER_INITIALS.match(credit))


def _ends_sentence(credit: str) -> bool:
    """Whether `credit` ends like a sentence, and not with an abbreviation or an initial."""
    return credit.endswith(("!", "?")) or (credit.endswith(".") and not _ABBREVIATED.search(credit))


def _whole(credit: str) -> bool:
    """Whether `credit` closes no quotation mark or bracket that was opened before the dash."""
    return (
        credit.count('"') % 2 == 0
        and credit.count("”") <= credit.count("“") + credit.count("„")
        and all(credit.count(closing) <= credit.count(opening) for opening, closing in ("«»", "「」", "『』"))
        and credit.count(")") <= credit.count("(")
    )


def _without_stop(credit: str) -> str:
    """Return `credit` without the punctuation that ends it, unless that is part of an abbreviation."""
    credit = credit.rstrip(" ,;:")
    return credit if _ABBREVIATED.search(credit) or credit.endswith("..") else credit.removesuffix(".")


def _divide_at_place(credit: str) -> Attribution:
    """Return the author and the work that `credit` names, and the place if it ends with one."""
    places: list[str] = []
    rest = credit
    while found := _PLACE_LAST.search(rest):
        places.insert(0, found["plain"] or found["within"])
        rest = rest[: found.start()]
    attribution = _divide(rest) if rest else None
    if not places or attribution is None:
        return _divide(credit)
    return replace(attribution, place=", ".join(places))


def _divide(credit: str) -> Attribution:
    """Return the author and the work that `credit` names."""
    if title := _TITLE_FIRST.fullmatch(credit):
        rest = title["rest"]
        if rest is None:
            return Attribution(None, _bare(title["title"]))
        if rest[0].isupper() and not any(map(str.isdigit, rest)) and not _WORK_ONLY.match(rest):
            return Attribution(_without_dates(rest) or None, _bare(title["title"]))
        return Attribution(None, credit)
    if _WORK_ONLY.match(credit):
        return Attribution(None, _bare(_FROM.sub("", credit, count=1)))
    parts = (" in " in credit or " from " in credit) and _IN_WORK.fullmatch(credit)
    parts = parts or _AUTHOR_FIRST.fullmatch(credit)
    if parts is None:
        return Attribution(None, credit)
    author = _bare_emphasis(_without_dates(parts["author"]))
    work = _IN.sub("", parts["work"] or "", count=1)
    if author and (dated := _TITLE_AND_YEAR.fullmatch(work)):
        return Attribution(author, _bare(dated["title"]), year=int(dated["year"]))
    work = _bare(work)
    return Attribution(author or None, work or None) if author or work else Attribution(None, credit)


def _divide_story(credit: str) -> Attribution:
    """Return the author and the work of text too long for a name, such as `A. B. in the preface of that book`."""
    parts = _IN_ANYTHING.fullmatch(credit)
    if parts is None or len(parts["author"].split()) > _MOST_WORDS // 2:
        return Attribution(None, credit)
    return Attribution(parts["author"], parts["work"])


def _without_dates(author: str) -> str:
    """Return `author` without the years of birth and death in brackets."""
    return (_LIFE_DATES.sub("", author) if "(" in author else author).strip()


def _bare(title: str) -> str:
    """Return `title` without the quotation marks or the emphasis around all of it."""
    if not title or title[-1].isalnum():
        return title
    for opening, closing in {**_MARKS, **_EMPHASIS}.items():
        inner = title[len(opening) : -len(closing)]
        if inner and title == f"{opening}{inner}{closing}" and opening not in inner and closing not in inner:
            return _bare(inner.strip())
    return title


def _bare_emphasis(author: str) -> str:
    """Return `author` without the emphasis around the whole name."""
    if author[-1:] not in ("*", "_"):
        return author
    for mark in _EMPHASIS:
        inner = author[len(mark) : -len(mark)]
        if inner and author == f"{mark}{inner}{mark}":
            return inner.strip()
    return author
