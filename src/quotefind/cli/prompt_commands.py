"""What can be typed at the prompt: a query, or a command that begins with a colon."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from quotefind.errors import UsageError
from quotefind.search import FindOptions
from quotefind.text import is_blank

_NUMBER = re.compile("[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the prompt.

    Attributes:
        name: the word after the colon.
        argument: its argument as the help shows it; empty if it takes none.
        help: what it does.
        change: for a setting, a function from the options and the argument to new options; None for other commands.
    """

    name: str
    argument: str
    help: str
    change: Callable[[FindOptions, str], FindOptions] | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A line that asks for quotes."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A line that calls a command."""

    command: Command
    argument: str


def parse(line: str) -> Query | Call | None:
    """Return the query or the command in `line`; None if it is blank.

    Raises:
        UsageError: there is no such command, or it takes no argument.
    """
    text = " ".join(line.split())
    if not text.startswith(":"):
        return None if is_blank(text) else Query(text)
    name, _, argument = text[1:].partition(" ")
    command = _BY_NAME.get(name)
    if command is None:
        raise UsageError(f"Unknown command :{name}. {_nearest(name)}")
    if argument and not command.argument:
        raise UsageError(f":{name} takes no argument.")
    return Call(command, argument)


def number(call: Call, *, otherwise: int | None = None) -> int:
    """Return the argument of a command as a whole number, at least 1; `otherwise` if there is no argument.

    Raises:
        UsageError: the argument is no such number, or is missing.
    """
    if not call.argument and otherwise is not None:
        return otherwise
    return _number(call.command.name, call.argument)


def described(options: FindOptions) -> list[str]:
    """Return the current settings, each in the words of its command."""
    where = options.where
    named = (("author", where.authors), ("work", where.works), ("tag", where.tags), ("not", options.unlike))
    flags = (
        ("proposed", where.proposed),
        ("hybrid", options.hybrid),
        ("diverse", options.diverse),
        ("one-per-author", options.one_per_author),
    )
    return [
        f"k {options.top}",
        *(f"{name} {' or '.join(names)}" for name, names in named if names),
        *([f"max {where.max_chars}"] if where.max_chars is not None else []),
        *([f"min {options.min_score:g}"] if options.min_score is not None else []),
        *(name for name, there in flags if there),
    ]


def _number(name: str, argument: str) -> int:
    if not _NUMBER.fullmatch(argument) or not int(argument):
        raise UsageError(f":{name} needs a whole number of at least 1, for example :{name} 3")
    return int(argument)


def _score(argument: str) -> float | None:
    if not argument:
        return None
    try:
        score = float(argument)
    except ValueError:
        score = float("nan")
    if not -1 <= score <= 1:
        raise UsageError(":min needs a score from -1 to 1, for example :min 0.3. :min alone clears it.")
    return score


def _names(argument: str) -> tuple[str, ...]:
    return (argument,) if argument else ()


def _tag(options: FindOptions, argument: str) -> FindOptions:
    proposed = options.where.proposed and bool(argument)  # it has no effect without a tag
    return replace(options, where=replace(options.where, tags=_names(argument), proposed=proposed))


def _max_chars(options: FindOptions, argument: str) -> FindOptions:
    return replace(options, where=replace(options.where, max_chars=_number("max", argument) if argument else None))


COMMANDS = (
    Command("k", "N", "show N hits", lambda options, argument: replace(options, top=_number("k", argument))),
    Command(
        "author",
        "NAME",
        "only quotes by NAME; without NAME, by anyone",
        lambda options, argument: replace(options, where=replace(options.where, authors=_names(argument))),
    ),
    Command(
        "work",
        "TITLE",
        "only quotes from TITLE; without TITLE, from any work",
        lambda options, argument: replace(options, where=replace(options.where, works=_names(argument))),
    ),
    Command("tag", "TAG", "only quotes with this tag; without TAG, all quotes", _tag),
    Command(
        "proposed",
        "",
        "let :tag match proposed tags as well (on/off)",
        lambda options, _: replace(options, where=replace(options.where, proposed=not options.where.proposed)),
    ),
    Command("max", "N", "only quotes of at most N characters; without N, of any length", _max_chars),
    Command(
        "min",
        "S",
        "leave out everything that scores below S; without S, nothing",
        lambda options, argument: replace(options, min_score=_score(argument)),
    ),
    Command(
        "not",
        "TEXT",
        "steer away from the meaning of TEXT; without TEXT, from nothing",
        lambda options, argument: replace(options, unlike=_names(argument)),
    ),
    Command(
        "hybrid",
        "",
        "rank by shared words as well (on/off)",
        lambda options, _: replace(options, hybrid=not options.hybrid),
    ),
    Command(
        "diverse",
        "",
        "prefer hits that differ from each other (on/off)",
        lambda options, _: replace(options, diverse=not options.diverse),
    ),
    Command(
        "one-per-author",
        "",
        "only the best hit of each author (on/off)",
        lambda options, _: replace(options, one_per_author=not options.one_per_author),
    ),
    Command("like", "N", "show more quotes like hit N"),
    Command("copy", "N", "copy hit N to the clipboard"),
    Command("more", "", "show the next hits"),
    Command("help", "", "show this help"),
    Command("quit", "", "leave (or press Ctrl-D)"),
)
_BY_NAME = {command.name: command for command in COMMANDS}


def _nearest(name: str) -> str:
    started = [known for known in _BY_NAME if name and known.startswith(name)]
    near = list(dict.fromkeys([*started, *difflib.get_close_matches(name, _BY_NAME, n=3, cutoff=0.5)]))[:3]
    return f"Did you mean {' or '.join(f':{known}' for known in near)}?" if near else ":help lists all commands."
