"""What can be said at the prompt: a request, or a command that begins with a colon."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from quotefind.errors import UsageError
from quotefind.search import FindOptions

_NUMBER = re.compile("[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the prompt.

    Attributes:
        name: what stands behind the colon.
        argument: what may stand behind that, as help shows it; empty for nothing.
        help: what it does.
        change: for a setting, what it makes of the options, given its argument; None for what the prompt does itself.
    """

    name: str
    argument: str
    help: str
    change: Callable[[FindOptions, str], FindOptions] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A line that asks for quotes."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A line that calls a command."""

    command: Command
    argument: str


def parse(line: str) -> Request | Call | None:
    """Return what `line` says; None where it says nothing.

    Raises:
        UsageError: there is no such command, or it takes no argument.
    """
    text = " ".join(line.split())
    if not text.startswith(":"):
        return Request(text) if text else None
    name, _, argument = text[1:].partition(" ")
    command = _BY_NAME.get(name)
    if command is None:
        raise UsageError(f"There is no command :{name}. {_nearest(name)}")
    if argument and not command.argument:
        raise UsageError(f":{name} takes nothing behind it.")
    return Call(command, argument)


def number(call: Call, *, otherwise: int | None = None) -> int:
    """Return the whole number, at least 1, that stands behind a command; `otherwise` where nothing does.

    Raises:
        UsageError: it is no such number, or is missing.
    """
    if not call.argument and otherwise is not None:
        return otherwise
    return _number(call.command.name, call.argument)


def described(options: FindOptions) -> list[str]:
    """Return the settings that are in force, each in the words of its command."""
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
        raise UsageError(f":{name} needs a whole number from 1 on, as in :{name} 3")
    return int(argument)


def _score(argument: str) -> float | None:
    if not argument:
        return None
    try:
        score = float(argument)
    except ValueError:
        score = float("nan")
    if not -1 <= score <= 1:
        raise UsageError(":min needs a score from -1 to 1, as in :min 0.3; nothing behind it takes it away.")
    return score


def _names(argument: str) -> tuple[str, ...]:
    return (argument,) if argument else ()


def _tag(options: FindOptions, argument: str) -> FindOptions:
    proposed = options.where.proposed and bool(argument)  # which would do nothing without a tag
    return replace(options, where=replace(options.where, tags=_names(argument), proposed=proposed))


def _max_chars(options: FindOptions, argument: str) -> FindOptions:
    return replace(options, where=replace(options.where, max_chars=_number("max", argument) if argument else None))


COMMANDS = (
    Command("k", "N", "show N hits", lambda options, said: replace(options, top=_number("k", said))),
    Command(
        "author",
        "NAME",
        "only quotes by NAME; without a name, by anybody",
        lambda options, said: replace(options, where=replace(options.where, authors=_names(said))),
    ),
    Command(
        "work",
        "TITLE",
        "only quotes from TITLE; without one, from any",
        lambda options, said: replace(options, where=replace(options.where, works=_names(said))),
    ),
    Command("tag", "THEME", "only quotes with this tag; without one, with any", _tag),
    Command(
        "proposed",
        "",
        "let :tag match proposed tags too, or not any more",
        lambda options, _: replace(options, where=replace(options.where, proposed=not options.where.proposed)),
    ),
    Command("max", "N", "only quotes of at most N characters; without a number, of any length", _max_chars),
    Command(
        "min",
        "S",
        "leave out what scores lower than S; without a score, nothing",
        lambda options, said: replace(options, min_score=_score(said)),
    ),
    Command(
        "not",
        "TEXT",
        "away from what this means; without a text, no more",
        lambda options, said: replace(options, unlike=_names(said)),
    ),
    Command(
        "hybrid",
        "",
        "rank by shared words too, or not any more",
        lambda options, _: replace(options, hybrid=not options.hybrid),
    ),
    Command(
        "diverse",
        "",
        "prefer hits that differ, or not any more",
        lambda options, _: replace(options, diverse=not options.diverse),
    ),
    Command(
        "one-per-author",
        "",
        "of each author the best hit only, or all again",
        lambda options, _: replace(options, one_per_author=not options.one_per_author),
    ),
    Command("like", "N", "more like hit N"),
    Command("copy", "N", "put hit N on the clipboard"),
    Command("more", "", "the next hits"),
    Command("help", "", "these lines"),
    Command("quit", "", "leave, as Ctrl-D does"),
)
_BY_NAME = {command.name: command for command in COMMANDS}


def _nearest(name: str) -> str:
    started = [known for known in _BY_NAME if name and known.startswith(name)]
    near = list(dict.fromkeys([*started, *difflib.get_close_matches(name, _BY_NAME, n=3, cutoff=0.5)]))[:3]
    return f"Did you mean {' or '.join(f':{known}' for known in near)}?" if near else ":help shows all."
