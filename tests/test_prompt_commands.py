"""What can be said at the prompt, and what each command makes of the settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotefind.cli.prompt_commands import COMMANDS, Call, Query, described, number, parse
from quotefind.errors import UsageError
from quotefind.index.filters import Filter
from quotefind.search import FindOptions

PLAIN = FindOptions()


def changed(line: str, options: FindOptions = PLAIN) -> FindOptions:
    """Return what the command in `line` makes of `options`."""
    call = parse(line)
    assert isinstance(call, Call)
    assert call.command.change is not None
    return call.command.change(options, call.argument)


def call(line: str) -> Call:
    """Return `line` as the call that it is."""
    said = parse(line)
    assert isinstance(said, Call)
    return said


@pytest.mark.parametrize(
    ("line", "text"),
    [("hope", "hope"), ("  hope \t so ", "hope so"), ("two\nlines", "two lines"), ("a :k 3", "a :k 3"), ("-", "-")],
)
def test_a_line_is_a_request(line: str, text: str) -> None:
    """What does not begin with a colon is asked as it stands, its white space folded."""
    assert parse(line) == Query(text)


@pytest.mark.parametrize("line", ["", "  ", "\t\n"])
def test_a_blank_line_says_nothing(line: str) -> None:
    """A blank line is neither a request nor a command."""
    assert parse(line) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (":k 10", replace(PLAIN, top=10)),
        ("  :k   10 ", replace(PLAIN, top=10)),
        (":author Emily  Dickinson", replace(PLAIN, where=Filter(authors=("Emily Dickinson",)))),
        (":work Poems: Third Series", replace(PLAIN, where=Filter(works=("Poems: Third Series",)))),
        (":tag love", replace(PLAIN, where=Filter(tags=("love",)))),
        (":max 80", replace(PLAIN, where=Filter(max_chars=80))),
        (":min 0.3", replace(PLAIN, min_score=0.3)),
        (":min -1", replace(PLAIN, min_score=-1.0)),
        (":not war and death", replace(PLAIN, unlike=("war and death",))),
        (":hybrid", replace(PLAIN, hybrid=True)),
        (":diverse", replace(PLAIN, diverse=True)),
        (":one-per-author", replace(PLAIN, one_per_author=True)),
    ],
)
def test_a_setting_changes_one_thing(line: str, expected: FindOptions) -> None:
    """Each setting changes what the option of its name changes, and nothing else."""
    assert changed(line) == expected


@pytest.mark.parametrize("name", ["author", "work", "tag", "max", "min", "not"])
def test_a_setting_with_nothing_behind_it_is_taken_away(name: str) -> None:
    """A condition whose value is left out is one no more."""
    there = changed(f":{name} 1")
    assert there != PLAIN
    assert changed(f":{name}", there) == PLAIN


@pytest.mark.parametrize("name", ["hybrid", "diverse", "one-per-author"])
def test_a_switch_is_turned_back(name: str) -> None:
    """What is switched on is switched off by the same command."""
    assert changed(f":{name}", changed(f":{name}")) == PLAIN


def test_proposed_tags_need_a_tag() -> None:
    """:proposed is refused without a tag, as the option is, and goes when the tag goes."""
    with pytest.raises(UsageError, match="Give a tag as well"):
        changed(":proposed")
    both = changed(":proposed", changed(":tag love"))
    assert both.where == Filter(tags=("love",), proposed=True)
    assert changed(":tag hope", both).where == Filter(tags=("hope",), proposed=True)
    assert changed(":tag", both) == PLAIN


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (":k", "whole number"),
        (":k 0", "whole number"),
        (":k -3", "whole number"),
        (":k ten", "whole number"),
        (":k 3.5", "whole number"),
        (":k ١٠", "whole number"),
        (":k 9999999999", "whole number"),
        (":max 0", "whole number"),
        (":min 1.5", "from -1 to 1"),
        (":min nan", "from -1 to 1"),
        (":min low", "from -1 to 1"),
        (":author —", "names nothing"),
        (":hybrid on", ":hybrid takes no argument"),
        (":quit now", ":quit takes no argument"),
    ],
)
def test_what_makes_no_sense_is_refused(line: str, says: str) -> None:
    """A value that a setting cannot have is an error which says what it needs."""
    with pytest.raises(UsageError, match=says):
        changed(line)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (":hlp", "Unknown command :hlp. Did you mean :help?"),
        (":q", "Unknown command :q. Did you mean :quit?"),
        (":m", "Did you mean :max or :min or :more?"),
        (":authors Keats", "Did you mean :author"),
        (":k10", "Did you mean :k?"),
        (":xyzzy", "Unknown command :xyzzy. :help lists all commands."),
        (":", "Unknown command :. :help lists all commands."),
    ],
)
def test_an_unknown_command_names_the_nearest(line: str, says: str) -> None:
    """A command that there is not is an error with those whose names are like it."""
    with pytest.raises(UsageError) as refused:
        parse(line)
    assert says in str(refused.value)


def test_numbers() -> None:
    """A command that takes a number of a hit takes 1 where that is left out, and no other word."""
    assert (number(call(":like 3"), otherwise=1), number(call(":copy"), otherwise=1)) == (3, 1)
    with pytest.raises(UsageError, match=":copy needs a whole number"):
        number(call(":copy all"), otherwise=1)


def test_settings_in_force_are_described() -> None:
    """What is in force is described in the words that set it."""
    assert described(PLAIN) == ["k 5"]
    options = FindOptions(
        top=3,
        min_score=0.25,
        where=Filter(("Ash", "Birch"), ("Poems",), ("love",), 80, proposed=True),
        unlike=("war",),
        diverse=True,
        one_per_author=True,
        hybrid=True,
    )
    assert described(options) == [
        "k 3",
        "author Ash or Birch",
        "work Poems",
        "tag love",
        "not war",
        "max 80",
        "min 0.25",
        "proposed",
        "hybrid",
        "diverse",
        "one-per-author",
    ]


def test_names_are_unique_and_lower_case() -> None:
    """Every command has a name of its own, and a line of help."""
    names = [command.name for command in COMMANDS]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() and command.help for name, command in zip(names, COMMANDS, strict=True))
