"""Names of people as written in a single cell or value: "Einstein, Albert", "Oscar Wilde, De Profundis"."""

from __future__ import annotations

import re
from functools import lru_cache

from quotefind.text import fold

_LONGEST = 200  # characters; anything longer is not a name, and is kept as it is
_TITLE_WORDS = 4  # this many words are a title, not first names
_LEADING = re.compile(r"^[\s\-–—―~•*,;:]+")
_TRAILING = re.compile(r"[\s,;:–—―~-]+$")
_LIFE_DATES = re.compile(r"\s*\(\s*(?:c\. ?|b\. ?|born |\*\s?)?\d{3,4}\??\s*(?:[-–—]\s*(?:c\. ?)?\d{0,4}\??)?\s*\)$")
_ONLY_DATES = re.compile(r"(?:c\. ?|b\. ?|born )?\d{3,4}\??\s*[-–—]\s*(?:c\. ?)?\d{0,4}\??(?:\s?(?:BCE?|AD|CE))?")
_SUFFIX = re.compile(r"(?:Jr|Sr|Esq|Ph\.?\s?D|M\.?\s?D|D\.?D|II|III|IV|MBE|OBE)\.?", re.IGNORECASE)
_INITIALS = re.compile(r"(?:[^\W\d_a-z]\.?[ -]?){1,4}")
_PARTICLES_WRITTEN = "de del della der den da di du la le van von ten ter zu dos das af av y bin ibn al el"
_PARTICLES = frozenset(_PARTICLES_WRITTEN.split())
# First names of quoted people, to distinguish "Einstein, Albert" from "Voltaire, Candide", and people from subjects.
_GIVEN_WRITTEN = """
    abraham adam adolf agatha alan albert aldous alexander alexandre alexei alfred alice allen alphonse ambrose amelia
    amy ana anais andre andrea andrei andrew angela ann anna anne anthony antoine anton antonio aristotle arnold arthur
    audrey august augustine ayn barack barbara bell ben benjamin bernard bertolt bertrand betty bill blaise bob boris
    brian bruce calvin carl carlos caroline carol cassandra catherine charles charlie charlotte cheryl chinua chris
    christian christina christopher clara claude clive coco colin cormac cs dale dalai dan daniel dante david deepak
    denis desiderius diana dietrich don donald dorothy douglas duke dwight ed edgar edith edmund edna eduard edward
    edwin eleanor elie elizabeth ella ellen elon emil emile emily emma emmanuel epictetus eric erich erma ernest ernst
    eugene eva eve f fay federico fernando florence francis francois frank franklin franz frederick frida friedrich
    fyodor gabriel galileo george gerald gertrude gilbert giordano giovanni giuseppe goethe graham greg gus gustav
    gustave h hans harold harper harriet harry haruki heinrich helen hellen henri henrik henry herbert herman hermann
    hilary honore horace howard hugo hunter ian ignatius immanuel indira ingmar isaac isabel isadora italo ivan jack
    jackie jacob jacques jalal james jane janet janis jean jeff jerry jim jimi joan joann joe johann john jon jonas
    jonathan jorge jose joseph joyce juan jules julia julie julius karl kahlil kate katharine katherine kathleen kazuo
    keith ken khaled khalil kurt lana lao larry laura lauren lee leo leon leonard leonardo leonhard lev lewis linda
    lloyd lord louis louisa lucille lucius lucy ludwig luis lynn madeleine mahatma malala malcolm marc marcel marcus
    margaret maria marianne marie marilyn mario mark markus marlene martha martin mary mason maurice max maya mel
    michael michel michelangelo miguel mikhail milan miles milton miriam mohandas molly moses mother muhammad napoleon
    nathaniel neil nelson niccolo nicholas nick nikola nikolai nora norman octavia oliver oprah orson oscar otto pablo
    pat patricia paul paulo pearl peter philip pierre plato prince pythagoras rabindranath rachel ralph ray rebecca
    rene richard rick rita robert robin roger roland ron rosa rose roy rudyard rupi russell ruth sally sam samuel sandra
    sara sarah scott sean sigmund simon simone socrates sojourner soren stan stephen steve steven stevie sun susan
    sylvia
    tennessee terry theodor theodore thich thomas tim tina toni tony truman ursula umberto vaclav victor vincent viktor
    virginia vladimir voltaire w walt walter warren wayne wilhelm will willa william winston wislawa wolfgang woody yogi
    yoko yuval zadie zora
"""
_GIVEN = frozenset(_GIVEN_WRITTEN.split())
# People who are known by one name.
_MONONYMS_WRITTEN = """
    aeschylus aesop anaxagoras aristophanes aristotle augustine avicenna bono buddha caesar cervantes cher chanakya
    cicero colette confucius dante democritus demosthenes descartes diogenes einstein epictetus epicurus erasmus
    euripides galileo gandhi goethe hafez hafiz heraclitus herodotus hesiod hippocrates homer horace ibsen jesus juvenal
    kafka kant laozi lucretius machiavelli madonna mencius michelangelo moliere montaigne muhammad napoleon nietzsche
    novalis osho ovid parmenides pele petrarch pindar plato plautus pliny plotinus plutarch prince publilius pythagoras
    rumi saadi sappho seneca shakespeare socrates solon sophocles stendhal sting tacitus terence thales thucydides
    tolstoy vergil virgil voltaire xenophon zeno zhuangzi
"""
_MONONYMS = frozenset(_MONONYMS_WRITTEN.split())
_ARTICLES_WRITTEN = "the a an of on in to and for my how why what der die das le la les el los il lo o os"
_ARTICLES = frozenset(_ARTICLES_WRITTEN.split())


def is_person(name: str) -> bool:
    """Whether `name` clearly names a person: it begins with a known first name, or is a known single name."""
    words = fold(name).split()
    if not words or len(words) > 5 or not name[:1].isupper() or any(word in _ARTICLES for word in words[1:]):
        return False
    if len(words) == 1:
        return words[0] in _MONONYMS
    given = _INITIALS.match(name)
    return words[0] in _GIVEN or not _MONONYMS.isdisjoint((words[0], words[-1])) or bool(given and "." in given[0])


@lru_cache(maxsize=4096)  # a collection names the same authors again and again
def author_and_work(cell: str) -> tuple[str, str | None]:
    """Return the author that `cell` names, in the order "First Last", and the work after a comma if there is one.

    "Einstein, Albert" is "Albert Einstein"; "Oscar Wilde, De Profundis" is an author and a work. If the meaning of the
    comma is not clear, as in "Jane Doe, engineer", or it is in brackets, as in "Plato (Republic, Book VII)", the cell
    is kept, except for dashes and commas around it.
    """
    if len(cell) > _LONGEST:
        return cell, None
    name = _TRAILING.sub("", _LEADING.sub("", " ".join(cell.split())))
    if "," not in name or name.count(",") > 3:
        return _LIFE_DATES.sub("", name) or name, None
    parts = [part.strip() for part in name.split(",")]
    parts[0] = _LIFE_DATES.sub("", parts[0])
    if not all(parts) or any(part.count("(") != part.count(")") for part in parts):
        return name, None
    suffix = ""
    if len(parts) > 2 and _SUFFIX.fullmatch(parts[-1]):  # King, Martin Luther, Jr.
        suffix = f", {parts.pop()}"
    if len(parts) == 2 and _is_family_name(parts[0]) and _is_given_names(parts[1]):
        return f"{parts[1]} {parts[0]}{suffix}", None
    author, rest = parts[0], parts[1:]
    if _SUFFIX.fullmatch(rest[0]):  # Martin Luther King, Jr.
        author, rest = f"{author}, {rest[0]}", rest[1:]
    if suffix:
        rest.append(suffix.removeprefix(", "))
    work = ", ".join(rest)
    if not work or _ONLY_DATES.fullmatch(work):
        return author, None
    if _is_work(author, work):
        return author, work.strip("\"“”«»'*_") or None
    return name, None


def _is_family_name(part: str) -> bool:
    """Whether `part` is one word, perhaps after particles: "Einstein", "van Gogh"."""
    words = part.split()
    if not words or len(words) > 3 or fold(words[-1]) in _GIVEN - _MONONYMS:  # "Jane, John" are two people
        return False
    return all(word.casefold() in _PARTICLES for word in words[:-1])


def _is_given_names(part: str) -> bool:
    """Whether `part` consists of first names or initials: "Albert", "Martin Luther", "J. K."."""
    words = part.split()
    if _INITIALS.fullmatch(part):
        return True
    return (
        len(words) <= 3 and fold(words[0]) in _GIVEN and all(word[0].isupper() or word in _PARTICLES for word in words)
    )


def _is_work(author: str, rest: str) -> bool:
    """Whether `rest` is the title of a work by `author`, and not another author or a description of the author."""
    first = rest.lstrip("\"“«'*_(")[:1]
    if not first or not (first.isupper() or first.isdigit() or not first.isascii()):
        return False
    if is_person(rest) or not author[:1].isupper():
        return False
    words = fold(rest).split()
    is_title = len(words) >= _TITLE_WORDS or not _ARTICLES.isdisjoint(
        words
    )  # no first names: "Hegel, Science of Logic"
    return is_title or len(author.split()) > 1 or fold(author) in _MONONYMS
