"""Pure functions on strings: normal form, comparison form, identity."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotefind.text import fold, fold_name, last_name_first, normalise, quote_id, text_digest

# Texts in which white space, marks and combining characters are likely.
texts = st.text(alphabet=st.one_of(st.sampled_from(" \t\n\u00a0\u2003\"“”„«»‘’'「」aé\u0301\u0338"), st.characters()))


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("", ""),
        (" \t\n\u00a0\u2003", ""),
        ("Cafe\u0301", "Caf\u00e9"),
        ("  To be,\r\n\tor\u00a0not   to be \n", "To be, or not to be"),
        ("one\u2028two\u0085three", "one two three"),
        ('"Hope"', "Hope"),
        ("“ Hope ”", "Hope"),
        ("„Hoffnung“", "Hoffnung"),
        ("„Hoffnung”", "Hoffnung"),
        ("»Hoffnung«", "Hoffnung"),
        ("« L’espoir »", "L’espoir"),
        ("「希望」", "希望"),
        ("‘Hope’", "Hope"),
        ("“„«Hope»“”", "“„«Hope»“”"),
        ("“«Hope»”", "Hope"),
        ('"“Hope”"', "Hope"),
        ('"Yes," he said, "no."', '"Yes," he said, "no."'),
        ("“Yes,” he said, “no.”", "“Yes,” he said, “no.”"),
        ("‘Don’t’", "‘Don’t’"),
        ('He said "yes"', 'He said "yes"'),
        ('"Hope', '"Hope'),
        ('"', '"'),
        ('""', '""'),
        ("'Hope'", "'Hope'"),
    ],
)
def test_normal_form(given_text: str, expected: str) -> None:
    """Text is in NFC, white space is single spaces, pairs of marks around the whole go and all others stay."""
    assert normalise(given_text) == expected


@given(texts)
def test_normal_form_is_final(text: str) -> None:
    """What is normalised is its own normal form: NFC, without white space at its ends or doubled."""
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once == " ".join(once.split())


@given(texts)
def test_normal_form_loses_no_words(text: str) -> None:
    """Normalising drops nothing but white space and marks at the ends."""
    composed = "".join(unicodedata.normalize("NFC", text).split())
    kept = "".join(normalise(text).split())
    dropped = (len(composed) - len(kept)) // 2
    assert kept == composed[dropped : len(composed) - dropped]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Emily Brontë", "emily bronte"),
        ("EMILY BRONTE\u0308", "emily bronte"),
        ("  self-love_and   care!", "self love and care"),
        ("Straße", "strasse"),
        ("Søren", "soren"),
        ("STANISŁAW Łem", "stanislaw lem"),
        ("Æneid, œuvre", "aeneid oeuvre"),
        ("Đorđe Ħal Þór Eðda ı", "dorde hal thor edda i"),
        ("ﬁn", "fin"),
        ("Ἀριστοτέλης", "αριστοτελησ"),
        ("孔子", "孔子"),
        ("J.R.R. Tolkien", "j r r tolkien"),
        ("—!", ""),
    ],
)
def test_comparison_form(text: str, expected: str) -> None:
    """Names are compared without accents, case and punctuation."""
    assert fold(text) == expected


@given(texts)
def test_comparison_form_ignores_case_and_composition(text: str) -> None:
    """A text folds to the same however its accents are written, and folding again changes nothing."""
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))
    assert fold(fold(text)) == fold(text)


def test_identity_is_stable() -> None:
    """Ids and digests are what they were in the first release: indexes and other programs keep them.

    printf '%s' 'Hope is the thing with feathers' | sha256sum, and printf '%s\\0%s' TEXT 'emily dickinson' | sha256sum.
    """
    hope = "Hope is the thing with feathers"
    assert text_digest(hope).hex() == "8a9ac94f0797c24ea03c19923aa26fe8"
    assert quote_id(hope, "Emily Dickinson") == "2a96708fd108c236"
    assert quote_id(hope, None) == "289e8c19d0a8de51"
    assert quote_id("Überall Freude", "José") == "de3389ad72c81ecd"


def test_identity_is_text_and_folded_author() -> None:
    """An id does not depend on how the author's name is written, but on the author and on each letter of the text."""
    assert quote_id("Hope", "Emily BRONTË") == quote_id("Hope", "emily bronte")
    assert len({quote_id("Hope", "A"), quote_id("Hope", "B"), quote_id("Hope", None), quote_id("hope", "A")}) == 4


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Shall I compare thee\nto a summer's day?", "Shall I compare thee\nto a summer's day?"),
        ("  first  line \r\n\tsecond\n\n\n\nthird\n", "first line\nsecond\n\nthird"),
        ("“one\ntwo”", "one\ntwo"),
        ("one line", "one line"),
    ],
)
def test_line_breaks_are_kept_on_demand(text: str, lines: str) -> None:
    """With keep_lines, verse keeps its line breaks and one blank line between stanzas; otherwise they are folded."""
    assert normalise(text, keep_lines=True) == lines
    assert "\n" not in normalise(text)


def test_line_breaks_make_no_other_quote() -> None:
    """The same words in one line or in two have one id and one digest, so they are one quote, encoded once."""
    assert quote_id("one two", "Ann") == quote_id("one\ntwo", "Ann")
    assert text_digest("one two") == text_digest("one\ntwo")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Austen, Jane", "jane austen"),
        ("Tolkien, J. R. R.", "j r r tolkien"),
        ("van Beethoven, Ludwig", "ludwig van beethoven"),
        ("Goethe, Johann Wolfgang von", "johann wolfgang von goethe"),
        ("Jane Austen", "jane austen"),
        ("Jane Austen, Emma", "jane austen emma"),
        ("King, Jr.", "king jr"),
        ("Martin Luther King, Jr.", "martin luther king jr"),
        ("Plato, the elder", "plato the elder"),
    ],
)
def test_a_last_name_may_come_first(name: str, expected: str) -> None:
    """Names of one person compare equal in both orders; a suffix or a work after a comma turns nothing around."""
    assert fold_name(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("jane austen", ("austen jane",)),
        ("ludwig van beethoven", ("beethoven ludwig van", "van beethoven ludwig")),
        ("plato", ()),
    ],
)
def test_the_ways_to_put_the_last_name_first(name: str, expected: tuple[str, ...]) -> None:
    """A particle goes with the last name or follows the first names, as libraries differ."""
    assert last_name_first(name) == expected
