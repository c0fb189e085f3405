"""Who said it, and where: the one parser of attributions, for every format that writes them behind a dash."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_LAST_DASH = re.compile(r"(?P<words>.*)\s(?:—|--)[—-]*\s*", re.DOTALL)  # greedy, hence the last
_LONGEST = 100  # characters behind the text
_LONGEST_ON_OWN_LINE = 250  # fortunes tell whole stories there; also behind words in quotation marks
_LONGEST_RAW = 1_000  # with its white space, which is folded; nothing longer is looked at and remembered
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
_IN_WORK = re.compile(rf"(?P<author>[^,]+?)\s+(?:in|from)\s+(?P<work>{_TITLE}|<[^<>]+>)")
_IN_ANYTHING = re.compile(r"(?P<author>[^,]+?)\s+(?:in|from|on|at|to|about)\s+(?P<work>.+)")
# Commas in brackets, in quotation marks and before such a suffix do not end the author.
_AUTHOR_FIRST = re.compile(
    r"(?P<author>(?:\([^()]*\)|\"[^\"]*\"|[^,(\"])+"
    r"(?:,\s*(?:Jr|Sr|Esq|Ph\.?\s?D|M\.?D|Ltd|Inc|II|III|IV)\b\.?(?=\s*(?:,|$)))*)"
    r"(?:\s*,\s*(?P<work>.*))?"
)
_WORK_ONLY = re.compile(r"(?:[Ff]rom|[Ii]n|[Oo]n|to|with|at|(?:seen|found|heard|overheard) (?:in|on|at))\s")
_FROM = re.compile(r"^(?:from|in)\s+", re.IGNORECASE)
_IN = re.compile(r"^(?:in|from)\s+")
_LIFE_DATES = re.compile(r"\s*\((?:c\. ?|b\. ?|born )?[0-9]{3,4}\??\s*[-–—]?\s*(?:c\. ?)?[0-9]{0,4}\??\)")


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who said a quote (`author`) and where it stands (`work`); None where it does not say, never both."""

    author: str | None
    work: str | None


def split_attribution(text: str) -> tuple[str, Attribution | None]:
    """Return the words and the attribution of `words — Author, Work` or `words -- Author`.

    Only what stands behind the last dash and looks like a name is one; otherwise all of `text` is the words.
    """
    if "—" not in text and "--" not in text:
        return text, None
    dash = _LAST_DASH.match(text)
    if dash is None:
        return text, None
    words, credit = dash["words"].rstrip(), text[dash.end() :]
    attribution = parse_attribution(credit, quoted=_is_quoted(words)) if words else None
    if attribution is None:
        return text, None
    if attribution.author is None and words[-1].isalnum():
        return text, None  # 'She said -- "Never"': what follows goes on with the sentence
    return words, attribution


def _is_quoted(words: str) -> bool:
    """Whether quotation marks stand around the whole of `words`, and none of them within."""
    closing = _MARKS.get(words[:1], "")
    inner = words[1 : -len(closing)]
    return bool(closing and inner and words.endswith(closing)) and words[0] not in inner and closing not in inner


def parse_attribution(credit: str, *, own_line: bool = False, quoted: bool = False) -> Attribution | None:
    """Return the attribution that `credit`, the words behind a dash, states, or None if it does not look like one.

    Args:
        credit: `Author`, `Author, Work` or `"Work", Author`, without the dash.
        own_line: it stands on a line of its own, which says so much that it may be longer, and begin in lower case
            or end in a full stop.
        quoted: the words before the dash stand in quotation marks, so that it may be longer, too.
    """
    return None if len(credit) > _LONGEST_RAW else _parse(credit, own_line, quoted)


@lru_cache(maxsize=4096)  # a collection names the same authors again and again
def _parse(credit: str, own_line: bool, quoted: bool) -> Attribution | None:
    credit = _LEAD_IN.sub("", " ".join(credit.split()), count=1)
    if own_line:
        if credit[:1].islower() and _ends_sentence(credit):
            return None
        credit = _without_stop(credit)
    longest = _LONGEST_ON_OWN_LINE if own_line or quoted else _LONGEST
    if not credit or len(credit) > longest or not _plausible(credit, own_line):
        return None
    attribution = _divide(credit)
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
    """Whether `credit` begins as names and titles do."""
    first = credit[0]
    if first.isalnum() and not first.islower():
        return True
    if any(credit.startswith(mark) for mark in (*_MARKS, *_EMPHASIS)):
        return True
    return bool(_UNNAMED.match(credit) or _PARTICLE.match(credit) or _LOWER_INITIALS.match(credit))


def _ends_sentence(credit: str) -> bool:
    """Whether `credit` ends as sentences do, and not in an abbreviation or an initial."""
    return credit.endswith(("!", "?")) or (credit.endswith(".") and not _ABBREVIATED.search(credit))


def _whole(credit: str) -> bool:
    """Whether no quotation or bracket that was opened before the dash is closed in `credit`."""
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
    work = _bare(_IN.sub("", parts["work"] or "", count=1))
    return Attribution(author or None, work or None) if author or work else Attribution(None, credit)


def _divide_story(credit: str) -> Attribution:
    """Return the author and the work of words too long for a name, such as `A. B. in the preface of that book`."""
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
