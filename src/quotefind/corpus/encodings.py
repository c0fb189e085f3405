"""Find the encoding of a text: by its byte order mark, or, if it is not UTF-8, by guessing."""

from __future__ import annotations

import codecs
import re

# The longer marks come first, because the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Common encodings; if several fit equally well, the first one is chosen.
_LIKELY = (
    *("cp1252", "cp1254", "cp1250", "cp1251", "cp1253", "cp1255", "cp1256", "cp1257", "koi8_r", "mac_roman", "cp850"),
    *("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr"),
)
_SAMPLE = 1 << 16  # bytes with letters that are not ASCII; more would not help
_CLOSE = 0.02  # two encodings fit equally well if their scores differ by less than this
# What Polish looks like in cp1252, and Turkish: a sign within a word, and letters that only Icelandic has.
_FOREIGN = re.compile(r"(?<=[^\W\d_])[¹²³¼½¾¯¿¡¦¨ª¬®°±´¶·¸º»¢£¤¥§](?=[^\W\d_])|[ðþ]")


def marked_encoding(head: bytes) -> str | None:
    """Return the encoding that a byte order mark of UTF-16 or UTF-32 at the beginning of a text implies, or None."""
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def likely_encoding(head: bytes, *, whole: bool) -> str | None:
    """Return the likely encoding of a text that begins with `head`; None for UTF-8, even with some damaged bytes.

    Args:
        head: the first bytes of the text.
        whole: whether `head` is the whole text; otherwise it may end within a character.
    """
    if head.isascii() or b"\0" in head:
        return None
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = decoder.decode(head, final=whole)
    broken = sum("\udc80" <= character <= "\udcff" for character in text)
    sound = sum(character > "\x7f" for character in text) - broken
    if broken <= sound:  # bytes of another encoding are hardly ever valid UTF-8
        return None
    from charset_normalizer import from_bytes  # takes a tenth of a second to load

    lines = [line for line in head.split(b"\n") if not line.isascii()]
    sample = b""
    for line in lines:
        if sample and len(sample) + len(line) > _SAMPLE:
            break
        sample += line + b"\n"
    found = from_bytes(sample, cp_isolation=list(_LIKELY))
    best = found.best()
    if best is None:
        return None
    equal = [
        encoding
        for match in found
        if match.chaos <= best.chaos + _CLOSE and match.coherence >= best.coherence - _CLOSE
        for encoding in match.could_be_from_charset
        if encoding in _LIKELY
    ]
    return min(equal, key=lambda encoding: (_strangeness(sample, encoding), _LIKELY.index(encoding)))


def _strangeness(sample: bytes, encoding: str) -> int:
    return len(_FOREIGN.findall(sample.decode(encoding, "replace")))
