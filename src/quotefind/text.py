"""Pure functions on strings: normal form, comparison form, identity."""

from __future__ import annotations

import re
import unicodedata

# Opening mark -> the mark that closes it. Only a pair around the whole text is dropped.
_QUOTATION_MARKS = {'"': '"', "“": "”", "„": "“”", "«": "»", "»": "«", "‟": "”", "「": "」", "『": "』", "‘": "’"}
# Letters that Unicode does not decompose, though people type them without their strokes.
_STROKES = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"})
# Between the first and the last name of a person.
_PARTICLES = ("de", "del", "della", "der", "den", "da", "di", "du", "la", "le", "van", "von", "ter", "zu", "al", "ibn")
_LAST_NAME = rf"(?i:(?:(?:{'|'.join(_PARTICLES)}) )*[^\W\d_][\w'’.-]*)"
_FIRST_NAMES = (
    r"(?!(?:Jr|Sr|Esq|Ph\.? ?D|M\.? ?D|Ltd|Inc|II|III|IV|the)\b)[^\W\d_a-z][\w'’.-]*"
    rf"(?: (?:[^\W\d_a-z][\w'’.-]*|{'|'.join(_PARTICLES)})){{0,3}}"
)
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
# These two are compiled only when needed, because a search needs neither.
# What a spreadsheet takes for a formula, in ASCII or full-width characters, with the apostrophes that guard it.
_FORMULA = r"(?s)'*[\t\r]*(?:[=＝]|[+\-@＋－＠].*[(|])"
# A run of more than 100 combining characters is within a match: letters, digits and blanks do not combine.
_SIGNS = r"[^\x00-\u02ff\w\s]{101,}"


def normalise(text: str, *, keep_lines: bool = False) -> str:
    """Return `text` in NFC, with white space collapsed to single spaces and surrounding quotation marks dropped.

    If a mark occurs again inside the text ('"Yes," he said, "no."'), the pair is part of the text and stays. With
    `keep_lines`, line breaks are kept, and several blank lines become one; `one_line` of that result is the result
    without `keep_lines`.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if keep_lines and len(text.splitlines()) > 1:
        lines = "\n".join(one_line(line) for line in text.splitlines())
        text = re.sub(r"\n{3,}", "\n\n", lines.strip())
    else:
        text = one_line(text)
    while len(text) > 2 and text[-1] in _QUOTATION_MARKS.get(text[0], ""):
        inner = text[1:-1]
        if text[0] in inner or text[-1] in inner:
            break
        text = inner.strip()
    return text


def one_line(text: str) -> str:
    """Return `text` with its white space, including line breaks, collapsed to single spaces."""
    return " ".join(text.split())


def with_slashes(text: str) -> str:
    """Return `text` on one line, in the way verse is cited: " / " between lines, " // " between stanzas."""
    return text.replace("\n\n", " // ").replace("\n", " / ")


def is_blank(text: str) -> bool:
    """Whether `text` holds nothing but white space and zero-width characters."""
    return all(c.isspace() or unicodedata.category(c) == "Cf" for c in text)


def fold(text: str) -> str:
    """Return `text` for comparison: only words and numbers, without accents and case, separated by single spaces."""
    if text.isascii():
        return _NOT_ALPHANUMERIC.sub(" ", text.lower()).strip()
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _NOT_ALPHANUMERIC.sub(" ", bare.casefold().translate(_STROKES)).strip()


def fold_name(name: str) -> str:
    """Return the folded name of a person, with the first name first: "Austen, Jane" becomes "jane austen".

    A comma separates last and first names only if a single last name, perhaps with particles, comes before it, and
    capitalised names or initials come after it: not in "King, Jr.", and not in "Jane Austen, Emma" (author and work).
    """
    last, comma, first = name.partition(",")
    if not comma or not re.fullmatch(_LAST_NAME, last.strip()) or not re.fullmatch(_FIRST_NAMES, first.strip()):
        return fold(name)
    return fold(f"{first} {last}")


def last_name_first(folded: str) -> tuple[str, ...]:
    """Return a folded name with the last name first: "beethoven ludwig van" and "van beethoven ludwig"."""
    words = folded.split()
    if len(words) < 2:
        return ()
    particles = len(words) - 1
    while particles > 1 and words[particles - 1] in _PARTICLES:
        particles -= 1
    ways = dict.fromkeys((" ".join([words[-1], *words[:-1]]), " ".join([*words[particles:], *words[:particles]])))
    return tuple(ways)


def piles_marks(text: str) -> bool:
    """Whether `text` has more than 100 combining characters in a row, which no language needs.

    Unicode normalisation sorts them by insertion, which takes a minute for a hundred thousand of them.
    """
    if text.isascii():
        return False
    for signs in re.finditer(_SIGNS, text):
        piled = 0
        for sign in signs[0]:
            piled = piled + 1 if unicodedata.combining(sign) else 0
            if piled > 100:
                return True
    return False


def guard_formula(cell: str) -> str:
    """Return `cell` with an apostrophe before it if a spreadsheet would run it as a formula."""
    return f"'{cell}" if re.match(_FORMULA, cell) else cell


def unguard_formula(cell: str) -> str:
    """Return `cell` without the apostrophe that `guard_formula` put before it."""
    return cell[1:] if cell[:1] == "'" and re.match(_FORMULA, cell) else cell


def wrapped(text: str, width: int) -> str:
    """Return `text` broken at blanks into lines of at most `width` characters; a longer word has its own line."""
    return re.sub(rf"(.{{1,{width}}})(?: |$)", r"\1\n", text).rstrip("\n")


def counted(number: int, what: str) -> str:
    """Return `number` with the noun `what`, in the plural unless it is 1: "1 quote", "1,567 quotes"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def is_unicode(text: str) -> bool:
    """Whether `text` can be written as UTF-8; invalid bytes on the command line become lone surrogates."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def text_digest(text: str) -> bytes:
    """Return 16 bytes that identify the normalised `text` without its line breaks; vectors are reused by this key."""
    from hashlib import sha256  # loads OpenSSL, which a search does not need

    return sha256(one_line(text).encode("utf-8")).digest()[:16]


def quote_id(text: str, author: str | None) -> str:
    """Return the 16 hexadecimal digits that identify the quote with this normalised text and author.

    Line breaks do not count: two quotes that differ only in line breaks are the same quote.
    """
    key = f"{one_line(text)}\0{fold(author) if author else ''}"
    from hashlib import sha256

    return sha256(key.encode("utf-8")).hexdigest()[:16]
