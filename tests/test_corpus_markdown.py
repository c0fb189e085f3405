"""Markdown and Org as people and reading tools write them: attributions, headings, highlights, lists, verse."""

from __future__ import annotations

import io

import pytest

from quotefind.corpus import ReadOptions, read_stream
from quotefind.records import Quote


def quotes(text: str, name: str = "-", input_format: str = "md") -> list[Quote]:
    """Return the quotes of `text`, in which nothing is bad."""
    found = list(read_stream(io.BytesIO(text.encode()), name, ReadOptions(input_format=input_format)))
    assert all(isinstance(record, Quote) for record in found)
    return [record for record in found if isinstance(record, Quote)]


def credits_of(text: str, name: str = "-", input_format: str = "md") -> list[tuple[str, str | None, str | None]]:
    """Return text, author and work of each quote in `text`."""
    return [(quote.text, quote.author, quote.work) for quote in quotes(text, name, input_format)]


@pytest.mark.parametrize(
    ("text", "author", "work", "place"),
    [
        ("> Hi.\n\n– Ann Alpha\n", "Ann Alpha", None, None),
        ("> Hi.\n\n- Ann Alpha\n", "Ann Alpha", None, None),
        ("> Hi.\n\n*Ann Alpha*\n", "Ann Alpha", None, None),
        ("> Hi.\n> - Ann Alpha\n", "Ann Alpha", None, None),
        ("> Hi.\n> ~ Ann Alpha\n", "Ann Alpha", None, None),
        ("> Hi.\n> *Ann Alpha*\n", "Ann Alpha", None, None),
        ("> Hi.\n>\n> **Ann Alpha**\n", "Ann Alpha", None, None),
        ("> Hi.\n> <cite>Ann Alpha</cite>\n", "Ann Alpha", None, None),
        ("> Hi. <cite>Ann Alpha</cite>\n", "Ann Alpha", None, None),
        ("> Hi.\n> <footer>— Ann Alpha, <cite>Work</cite></footer>\n", "Ann Alpha", "Work", None),
        ("> Hi.\n> (Ann Alpha, *Work*)\n", "Ann Alpha", "Work", None),
        ("> Hi.\n> By Ann Alpha\n", "Ann Alpha", None, None),
        ("> Hi.\n> — [Ann Alpha](https://example.org/x), *Work*\n", "Ann Alpha", "Work", None),
        ("> Hi.\n> — Ann Alpha (https://example.org)\n", "Ann Alpha", None, None),
        ("> Hi.\n> — *Ann Alpha*, Work, p. 12\n", "Ann Alpha", "Work", "p. 12"),
        ('> "Hi."\n>\n> Ann Alpha\n', "Ann Alpha", None, None),
        ("> hi – Ann Alpha\n", "Ann Alpha", None, None),
        ("> hi - Ann Alpha\n", "Ann Alpha", None, None),
        ("> [!quote] Ann Alpha — Work\n> Hi.\n", "Ann Alpha", "Work", None),
        ("> [!quote] Section 4.4.2 (p. 19)\n> Hi.\n", None, None, "Section 4.4.2 (p. 19)"),
        ("> [!quote] Courage\n> Hi.\n", None, None, None),
        ("> [!quote] https://example.org\n> Hi.\n", None, None, None),
        ("> [!cite] @smith2020\n> Hi.\n", None, "@smith2020", None),
        ("<blockquote>Hi.<cite>Ann Alpha</cite></blockquote>\n", "Ann Alpha", None, None),
        ("Author:: [[Ann Alpha]]\nBook:: [[Work]]\n\n> Hi.\n", "Ann Alpha", "Work", None),
        ('+++\nauthor = "Ann Alpha"\ntitle = "Work"\n+++\n> Hi.\n', "Ann Alpha", "Work", None),
        ("+++\n[book]\nauthor = 'Ann Alpha'\n+++\n> Hi.\n", "Ann Alpha", None, None),
    ],
)
def test_attributions_of_block_quotes(text: str, author: str | None, work: str | None, place: str | None) -> None:
    """However the attribution of a block quote is written, it is found, and not left in the text."""
    [quote] = quotes(text)
    assert (quote.text.casefold().rstrip("."), quote.author, quote.work, quote.place) == ("hi", author, work, place)


@pytest.mark.parametrize(
    "text",
    [
        "> Well-worn - and often mended - coats\n",
        "> Courage is - Grace Itself\n",
        "> Garbage In - Gospel Out\n",
        "> He came\n> *and left*\n",
        "> Hi.\n\n- be kind\n",
        "> Hi.\n\n- Ann Alpha\n- Ben Beta\n",
        "> Hi.\n\nAnn Alpha came by.\n",
        "> Hi.\n\n*A remark of mine*\n",
    ],
)
def test_what_is_no_attribution_of_a_block_quote(text: str) -> None:
    """Sentences with hyphens, remarks and lists after a quote attribute nothing."""
    assert [quote.author for quote in quotes(text)] == [None]


@pytest.mark.parametrize("title", ["On Anger", "Favourite", "Book III", "Epictetus"])
def test_the_title_of_a_call_out_is_a_title_where_the_note_names_its_author(title: str) -> None:
    """It never beats the author that the note names."""
    text = f"---\nauthor: Seneca\n---\n> [!quote] {title}\n> No man is free.\n"
    assert credits_of(text) == [("No man is free.", "Seneca", title)]


def test_headings_name_authors_where_only_quotes_are_under_them() -> None:
    """A name, a work by a name, a work under a name; not a topic, and not a heading with other text under it."""
    text = """# My Favorite Quotes

## The Great Gatsby by F. Scott Example
> One.

## Sara Example
> Two.

> Three.
> — Ben Beta

## Marcus Aurelius

### Meditations
> Four.

## Courage
> Five.

## Ann Alpha
She was a friend of mine.

> Six.
"""
    assert credits_of(text) == [
        ("One.", "F. Scott Example", "The Great Gatsby"),
        ("Two.", "Sara Example", None),
        ("Three.", "Ben Beta", None),
        ("Four.", "Marcus Aurelius", "Meditations"),
        ("Five.", None, None),
        ("Six.", None, None),
    ]


def test_topics_as_headings_are_no_authors() -> None:
    """Where most headings above quotes are topics, one that could be a name is a topic, too."""
    text = "## Courage\n> One.\n\n## Rainy Days\n> Two.\n\n## Happiness\n> Three.\n"
    assert [quote.author for quote in quotes(text)] == [None, None, None]


def test_a_heading_below_a_quote_names_its_author() -> None:
    """One with nothing under it, or one below each quote."""
    below = '> One.\n#### Ann Alpha, "Essays", 1950\n'
    [quote] = quotes(below)
    assert (quote.author, quote.work, quote.year) == ("Ann Alpha", "Essays", 1950)
    assert [quote.author for quote in quotes("> One.\n#### Ann Alpha\n\n> Two.\n#### Ben Beta\n")] == [
        "Ann Alpha",
        "Ben Beta",
    ]


READWISE = """# Think Clearly

![rw-book-cover](https://example.org/cover.jpg)

## Metadata
- Author: [[Jane Example]]
- Full Title: Think Clearly: A Book
- Category: #books
- Document Tags: [[self help]] [[mind]]

## Highlights
{}

## New highlights added June 1, 2022 at 5:06 PM
{}

## Summary
- Not a highlight.
"""


@pytest.mark.parametrize(
    "first",
    [
        "- Clear. ([Location 37](https://readwise.io/x))\n    - Tags: [[self control]] [[favorite]] \n    - Note: mine",
        "> Clear. ([Location 37](https://readwise.io/x))\n    - Tags: [[self control]] [[favorite]]\n    - Note: mine",
        "> [!quote]\n> Clear. ([Location 37](https://readwise.io/x))\n>\n> [!note]\n> mine\n\n"
        "Tags: [[self control]] [[favorite]]",
        "Clear. ([Location 37](https://readwise.io/x)) ^rw1\n\n**Note:** mine\n\n**Tags:** #favorite\n\n---",
    ],
)
def test_highlights_of_readwise(first: str) -> None:
    """Its export and its plugins, with lists, block quotes, call-outs or paragraphs: text, place, note and tags."""
    second = f"{first[:2] if first[0] in '->' else ''}More. ([View Highlight](https://read.readwise.io/1))\n"
    found = quotes(READWISE.format(first, second))
    one, two = (found[0], found[1])
    assert (one.text, one.place, one.note) == ("Clear.", "Location 37", "mine")
    assert one.tags[:2] == ("self help", "mind")
    assert one.tags[-1] == "favorite"
    assert (two.text, two.place, two.note) == ("More.", None, None)
    assert {(quote.author, quote.work) for quote in (one, two)} == {("Jane Example", "Think Clearly: A Book")}


def test_highlights_of_readwise_mirror() -> None:
    """Paragraphs between lines, the number of the location in brackets, note and tags after it."""
    text = """---
title: Deep Work
author: [ Cal Example, Dan Example ]
---
# About
Title: [[Deep Work]]
Number of Highlights: ==2==

---
# Highlights

Clarity matters. ([123](https://readwise.io/x)) %% Color: yellow %% ^4711

Note: think about this

Tags: #focus #work

---

The second. ([130](https://readwise.io/x)) ^4712

---
"""
    one, two = quotes(text)
    assert one == Quote(
        "Clarity matters.",
        "Cal Example, Dan Example",
        "Deep Work",
        tags=("focus", "work"),
        source="-",
        line=12,
        note="think about this",
        place="location 123",
    )
    assert (two.text, two.note, two.place) == ("The second.", None, "location 130")


@pytest.mark.parametrize("heading", ["## Highlights\n", ""])
def test_highlights_of_obsidians_kindle_plugin(heading: str) -> None:
    """Paragraphs that end in a link to the book; a note after one, which the line of dashes makes a heading."""
    text = f"""# Walden
* Author: [Henry David Thoreau](https://www.amazon.com/x)
* ASIN: B00X

{heading}
Simplify, simplify. — location: [12](kindle://book?action=open&location=12) ^ref-123

---
The mass of men. — location: [14-15](kindle://book?action=open&location=14) ^ref-124

my note
---
"""
    one, two = quotes(text)
    assert (one.text, one.author, one.work, one.place, one.note) == (
        "Simplify, simplify.",
        "Henry David Thoreau",
        "Walden",
        "location 12",
        None,
    )
    assert (two.text, two.place, two.note) == ("The mass of men.", "location 14-15", "my note")


def test_highlights_of_obsidians_kobo_plugin() -> None:
    """The first heading is the book, those below it the chapters; a call-out is the note, a link the date."""
    text = """# Emma

## Chapter 1

> [!quote]
> Silly things.

> [!note]
> my own note

— [[2022-05-03]]

## A ball

> [!quote]
> One half of the world.

— [[2022-05-04]]
"""
    one, two = quotes(text)
    expected = ("Silly things.", "Emma", "Chapter 1", "my own note", "2022-05-03")
    assert (one.text, one.work, one.place, one.note, one.added) == expected
    assert (two.text, two.work, two.place, two.note, two.added) == (
        "One half of the world.",
        "Emma",
        "A ball",
        None,
        "2022-05-04",
    )


def test_highlights_of_koreader() -> None:
    """Title and author are headings, as are chapters and pages; after a line of dashes comes the note."""
    text = """# The Book
##### Ann Alpha, Ben Beta

## Chapter 1 LOVE
### Page 35 @ 01 March 2022 05:19 PM
*The scientists were surprised.*
### Page 40 @ 02 March 2022 05:19 PM
**Another one.**

---
a note of mine

[View in book](<file:///x.epub?pos=1>)
"""
    one, two = quotes(text)
    assert one == Quote(
        "The scientists were surprised.",
        "Ann Alpha, Ben Beta",
        "The Book",
        source="-",
        line=5,
        place="Chapter 1 LOVE, p. 35",
        added="2022-03-01T17:19:00",
    )
    assert (two.text, two.note) == ("Another one.", "a note of mine")


@pytest.mark.parametrize("name", ["-", "quotes.md"])
def test_lists_and_paragraphs_with_attributions_are_quotes(name: str) -> None:
    """Where there are no block quotes, items of lists and paragraphs that carry attributions are quotes."""
    text = """# Collected

1. "One." - Ann Alpha
2. Two.
   - Ben Beta
* Three. — Carl Gamma, *Work*

Four.
— Dora Delta

Five.

— Eve Epsilon
"""
    assert credits_of(text, name) == [
        ("One.", "Ann Alpha", None),
        ("Two.", "Ben Beta", None),
        ("Three.", "Carl Gamma", "Work"),
        ("Four.", "Dora Delta", None),
        ("Five.", "Eve Epsilon", None),
    ]


def test_a_list_is_one_of_quotes_where_the_file_says_so() -> None:
    """Its name or its heading does; in any other note, and beside code, items are no quotes."""
    assert [quote.text for quote in quotes("# Quotes\n\n- One.\n- Two.\n")] == ["One.", "Two."]
    assert [quote.text for quote in quotes("- One.\n- Two.\n", "my quotes.md")] == ["One.", "Two."]
    tagged = "---\ntags: [quotes]\n---\n**Seneca**\n\n- One.\n"
    assert credits_of(tagged) == [("One.", "Seneca", None)]
    assert quotes("# Shopping\n\n- bread\n- milk\n", "list.md") == []
    assert quotes("# Quotes\n\nA program.\n\n```\ncode\n```\n", "README.md") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("> Whose woods these are  \n> I think I know\n", "Whose woods these are\nI think I know"),
        ("> Whose woods these are\\\n> I think I know\n", "Whose woods these are\nI think I know"),
        ("> a line<br>and another\n", "a line\nand another"),
        (
            "> Some say the world will end in fire,\n> Some say in ice.\n>\n> From what I've\n> Tasted\n",
            "Some say the world will end in fire,\nSome say in ice.\n\nFrom what I've\nTasted",
        ),
        (
            "> This is prose that an editor has wrapped at about sixty\n> characters, as many people do.\n",
            "This is prose that an editor has wrapped at about sixty characters, as many people do.",
        ),
        ("> One paragraph.\n>\n> And another.\n", "One paragraph. And another."),
    ],
)
def test_verse_keeps_its_lines(text: str, expected: str) -> None:
    """Breaks that are meant are kept: hard ones, and those of lines that are plainly verse; wrapped prose is folded."""
    assert [quote.text for quote in quotes(text)] == [expected]


def test_headlines_and_verse_of_org() -> None:
    """A headline that names an author holds for the blocks under it, where there is nothing else; verse keeps lines."""
    text = """* Quotes
** Seneca :stoic:
:PROPERTIES:
:ID: 1
:END:
#+begin_quote
One.
#+end_quote
** Emily Dickinson
#+begin_verse
Hope is the thing with feathers
That perches in the soul
#+end_verse
** Courage
#+begin_quote
Two.
/Ann Alpha/
#+end_quote
** Ben Beta
Some text.
#+begin_quote
Three.
#+end_quote
"""
    assert credits_of(text, input_format="org") == [
        ("One.", "Seneca", None),
        ("Hope is the thing with feathers\nThat perches in the soul", "Emily Dickinson", None),
        ("Two.", "Ann Alpha", None),
        ("Three.", None, None),
    ]


@pytest.mark.parametrize(
    "top",
    [
        "a: " + "[" * 20_000,
        "a:\n" + "- " * 15_000,
        "a: &x 1\nb: *x\n",
        "? " * 10_000,
        "a: !!python/object:os.system x",
        "\t: x",
    ],
)
def test_front_matter_that_is_made_to_harm_names_nothing(top: str) -> None:
    """Deep nesting, aliases and tags of other programs are ignored, and the quotes of the note are read."""
    assert credits_of(f"---\n{top}\nauthor: [x\n---\n> Hi.\n")[0][0] == "Hi."
