"""Names of authors: which of them mean nobody, and whether words look like a name."""

from __future__ import annotations

import re
from functools import lru_cache

from quotefind.text import fold

# How people and programs such as calibre write that the author is unknown, folded.
_NOBODY_WRITTEN = """
    unknown | unknown author | author unknown | unknown authors | unknown source | unknown artist | source unknown
    unidentified | anonymous | anonymous author | author anonymous | anon | unattributed | no author | not known
    name unknown | null | nan | none | nil | n a | na | n d | undefined | not available | not applicable | unbekannt
    unbekannter autor | autor unbekannt | unbekannter verfasser | verfasser unbekannt | anonym | anonymus | inconnu
    auteur inconnu | inconnue | anonyme | desconocido | autor desconocido | anónimo | desconocida | sconosciuto
    autore sconosciuto | anonimo | ignoto | onbekend | onbekende auteur | auteur onbekend | anoniem | desconhecido
    autor desconhecido | anônimo | неизвестный | неизвестный автор | автор неизвестен | неизвестно | неизвестен
    аноним | невідомий | невідомий автор | невідомо | анонім | непознат | okänd | okänd författare | ukendt
    ukendt forfatter | ukjent | ukjent forfatter | tuntematon | tuntematon kirjoittaja | anonyymi | nieznany
    autor nieznany | nieznany autor | anonimowy | neznámý | neznámý autor | autor neznámý | anonymní | neznámy
    neznámy autor | neznan | nepoznat | nepoznati autor | ismeretlen | ismeretlen szerző | necunoscut
    autor necunoscut | bilinmeyen | bilinmeyen yazar | bilinmiyor | anonim | άγνωστος | άγνωστος συγγραφέας
    ανώνυμος | desconegut | autor desconegut | ezezaguna | descoñecido | tundmatu | nežinomas | nezināms | óþekktur
    未知 | 未知作者 | 佚名 | 匿名 | 无名氏 | 無名氏 | 作者不详 | 作者不詳 | 不明 | 作者不明 | 不詳 | 不详 | 著者不明
    詠み人知らず | 알 수 없음 | 알 수 없는 저자 | 작자 미상 | 미상 | 익명 | không rõ | khuyết danh | vô danh
    tidak diketahui | غير معروف | مجهول | مؤلف مجهول | مجهول المؤلف | ناشناس | نامشخص | לא ידוע | לא ידועה | אלמוני
    מחבר לא ידוע | अज्ञात | অজানা | ไม่ทราบ | ไม่ทราบชื่อผู้แต่ง
"""
_NOBODY = frozenset(fold(name) for name in re.split(r"[|\n]", _NOBODY_WRITTEN) if name.strip())
# Download sites write their name instead of the author, or in brackets after it.
_SITES = (
    r"(?:www\.)?(?:z-?lib(?:rary)?(?:\.\w+)?|1lib\.\w+|b-ok\.\w+|bookzz\.org|booksc\.\w+|libgen(?:\.\w+)?"
    r"|library genesis|anna['’]?s?[ -]archive(?:\.\w+)?|pdfdrive(?:\.\w+)?|oceanofpdf(?:\.com)?|ebook3000(?:\.com)?"
    r"|epubdrive(?:\.\w+)?|dokumen\.pub|it-ebooks(?:\.\w+)?|allitebooks(?:\.\w+)?|avxhome(?:\.\w+)?|vk\.com"
    r"|manybooks\.net|feedbooks(?:\.com)?|scribd(?:\.com)?|ebook-hunter(?:\.\w+)?|singlelogin\.\w+|epubbooks(?:\.com)?)"
)
_SITE = re.compile(rf"\s*[\[(]?\s*{_SITES}(?:\s*,\s*{_SITES})*\s*[\])]?", re.IGNORECASE)
_SITE_AFTER = re.compile(rf"\s*[\[(]\s*{_SITES}(?:\s*,\s*{_SITES})*\s*[\])]\s*$", re.IGNORECASE)
_ADDRESS = re.compile(r"<?(?:[a-z][a-z0-9+.-]{1,20}://|www\.|mailto:)\S+>?", re.IGNORECASE)
_LONGEST = 1_000  # characters; nothing longer is a name

# Words in headings of lists of quotes or at the beginning of sentences; no name contains one.
_HEADINGS_WRITTEN = """
    about all annotations appendix are articles bibliography bookmarks chapter citas citations collection excerpt
    excerpts favorite favorites favourite favourites highlight highlights inspirational introduction is links maybe
    metadata misc miscellaneous motivational my never next none note notes nothing now okay on other others our part
    passages personal preface quotation quotations quote quotes random references remark sayings sources summary
    table tags that these this those thoughts todo topics untitled various volume was weekly were yes your zitate
"""
_HEADINGS = frozenset(_HEADINGS_WRITTEN.split())
# Topics of quotes. Topics alone are not a name, though a name may contain one: Bob Hope, Will Rogers.
_TOPICS_WRITTEN = """
    a action adversity advice ageing aging also ambition amen an anger animals anxiety applause art article beat
    beauty book books boredom bravery business chance change character charity children choice cities coding
    communication compassion confidence conscience country courage creativity criticism curiosity da daily day death
    design desire determination dialogue dialogues discipline doubt dreams drink duty education emotions empathy
    emphasis english epilogue equality essays ethics evil evolution experience failure faith fame family farewell
    fate fathers fear films focus folly food forgiveness freedom french friends friendship fun funny future games
    gardens general generosity genius german goals god good government gratitude great greatness greed grief growth
    guilt habit habits happiness hatred health heart history home honesty honor honour hope hospitality human-nature
    humanity humility humor humour ignorance illness imagination immortality innovation inspiration integrity
    intelligence interviews ja jealousy journal joy joyfulness justice kindle kindness knowledge language laugh
    laughing laughs laughter law leaders leadership learning leisure letters liberty lies life list literature
    living loneliness loss love loyalty luck management manners marriage math mathematicians mathematics meaning
    memory men mercy mind mindfulness mistakes moderation money morality more mothers motivation movies music nature
    nee nein nej night no non novels ok opinion opportunity optimism originality oui pain parenting part passion
    past patience pause peace perfection perseverance persistence philosophers philosophy planning pleasure poems
    poetry poets politics positivity poverty power prayer pride productivity programming progress prologue purpose
    reading reason regret relationships religion resilience respect responsibility revenge sadness science
    scientists sea seasons section self self-knowledge sex si sic sighs silence simplicity sin sleep smiling society
    software solitude songs sorrow soul spanish speech speeches spirituality sports stars stoicism stories strategy
    strength stress success suffering teaching teamwork technology test thinking time tradition travel trust truth
    tv uncertainty understanding unity values violence virtue vision war wealth will willpower winning wisdom women
    wonder work worry writers writing youth zen
"""
_TOPICS = frozenset(_TOPICS_WRITTEN.split())
_INITIAL = re.compile(
    r"(?:[^\W\d_]\.(?:-?[^\W\d_]\.)*|[^\W\d_]{1,2}|(?:St|Dr|Mr|Mrs|Ms|Jr|Sr|Prof|Rev|Lt|Col|Gen|Sir)\.)"
)
_PARTICLES_WRITTEN = """
    de del della der den da das di do dos du la las le les los van von ten ter zu zur zum ibn bin bint abu al el of
    the and und et y e i en och og af av a at ap à to proverb saying
"""
_PARTICLES = frozenset(_PARTICLES_WRITTEN.split())
_SAID_BY_MANY = ("proverb", "saying")
_WORD = re.compile(r"(?:d['’]|l['’]|o['’]|al-|el-|ibn-|[\"“'‘(])?(?P<first>[^\W_])[\w'’.\-–—\"”)]*,?")
_MOST_WORDS = 7
_LONGEST_UNCASED = 24  # characters of a name in a script without case, which may not use blanks


def real_author(name: str) -> str | None:
    """Return `name`, or None if it names nobody.

    These name nobody: "Unknown" and "Anonymous" in the languages of calibre, "null", "nan" and "N/A", web addresses and
    download sites. A download site in brackets after a name is dropped.
    """
    if len(name) > _LONGEST:
        return name
    name = _SITE_AFTER.sub("", name).strip() if name[-1:] in ("]", ")") else name
    if not name or _SITE.fullmatch(name) or _ADDRESS.fullmatch(name):
        return None
    folded = fold(name)
    return None if folded in _NOBODY or not name.strip("?-–—._*/ ") else name


@lru_cache(maxsize=4096)  # a collection names the same authors again and again
def is_likely_name(words: str, *, least: int = 1) -> bool:
    """Whether `words` look like the name of a person: `least` to seven words, each with a capital.

    Titles of collections ("My favorite quotes") and common topics ("Courage") are not names.
    """
    parts = words.split()
    if not least <= len(parts) <= _MOST_WORDS or not (words[-1].isalnum() or words[-1] in ".\"”’')"):
        return False
    if not _has_case(words):
        return len(words) <= _LONGEST_UNCASED and all(c.isalpha() or c in " ·・-.'’" for c in words)
    bares = [part.strip("\"“”'‘’(),").casefold() for part in parts]
    if not _HEADINGS.isdisjoint(bares) or _PARTICLES.union(_TOPICS).issuperset(bares):
        return False
    last = len(parts) - 1
    within = [bare in _PARTICLES and (at < last or bare in _SAID_BY_MANY) for at, bare in enumerate(bares)]
    capitals = [_is_capital(part, at, last) for at, part in enumerate(parts)]
    if not all(map(any, zip(within, capitals, strict=True))):
        return False
    return any(capital and not _INITIAL.fullmatch(part) for capital, part in zip(capitals, parts, strict=True))


def _is_capital(part: str, at: int, last: int) -> bool:
    """Whether the word `part`, at position `at` of 0 to `last`, looks like a word of a name."""
    if part == "&":
        return 0 < at < last
    word = _WORD.fullmatch(part)
    if word is None or (part[-1] == "." and at == last and not _INITIAL.fullmatch(part)):
        return False
    first = word["first"]
    return first.isupper() or not _has_case(part) if not first.isdigit() else at > 0


def _has_case(words: str) -> bool:
    return words.upper() != words.lower()
