"""Shell completion: what to offer while a command is typed, and in which form each shell needs it.

`--install-completion` installs the scripts of Typer, which call the program at each TAB. The answers are written here
because names come from quotes, and Typer's own answers would execute some of them: zsh would evaluate the text after a
backslash and a `$` or a quotation mark, and bash puts a name on the command line unquoted.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from quotefind.paths import LANCE, index_location, named_indexes
from quotefind.text import fold

VARIABLE = "_QUOTEFIND_COMPLETE"
# Control characters, and those that reverse or hide text: no real name has them, and a terminal would interpret them.
_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]"
)
_SAFE = re.compile(r"[\w%+,./@-]")
_SINGLE, _DOUBLE = "'", '"'


@dataclass(frozen=True, slots=True)
class _Typed:
    """A command line up to the cursor.

    Attributes:
        words: the words before the current one, without the name of the program.
        word: the current word as far as it was typed, without quotes.
        before: the part of the current word before `word`, such as --author= in --author=Emily.
        quote: the quotation mark that is open around it, or ''; None if it has quotation marks inside.
    """

    words: list[str]
    word: str
    before: str = ""
    quote: str | None = ""


def words_typed(variables: Mapping[str, str] = os.environ) -> list[str]:
    """Return the words of the command line that a shell is completing, split roughly."""
    return (variables.get("COMP_WORDS") or variables.get("_TYPER_COMPLETE_ARGS") or "").split()


def fix_scripts() -> None:
    """Fix the scripts that Typer installs."""
    from typer._completion_shared import _completion_scripts as scripts

    # zsh runs the script at the first completion of a command; Typer's script then only registers the function.
    if "funcstack" not in scripts["zsh"]:
        scripts["zsh"] += '\n[[ $funcstack[1] != _%(prog_name)s ]] || %(complete_func)s "$@"\n'
    # fish splits several lines into several words, and env would run the second.
    scripts["fish"] = scripts["fish"].replace("(commandline -cp)", "(commandline -cp | string collect)")


def answer(command: Any, shell: str, variables: Mapping[str, str] = os.environ) -> str | None:
    """Return the answer for Typer's script for `shell`, with its line ends; None for an unknown shell.

    `command` is the program, `variables` the environment, in which the script passes the command line.
    """
    if shell not in ("bash", "zsh", "fish"):
        return None
    offers: list[tuple[str, str]] = []
    typed = _Typed([], "")
    with suppress(Exception):  # whoever is typing a command must not see errors
        if shell == "bash":
            typed = _typed_in_bash(variables["COMP_WORDS"], int(variables["COMP_CWORD"]))
        else:
            typed = _typed_in_line(variables["_TYPER_COMPLETE_ARGS"], shell)
        offers = _offers(command, typed)
    if shell == "bash":
        return "".join(f"{word}\n" for word in _for_bash(offers, typed))
    if shell == "zsh":
        return f"{_for_zsh(offers, typed)}\n"
    if variables.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args" and not offers:
        raise SystemExit(1)  # makes fish offer files
    return "".join(f"{typed.before}{name}\t{about}\n" for name, about in offers)


def _offers(command: Any, typed: _Typed) -> list[tuple[str, str]]:
    """Return the possible completions of the current word with their help, the likeliest first."""
    from typer._completion_classes import BashComplete

    # Typer would drop names that differ in case or accents, so it gets no word; the callbacks find it in ctx.obj.
    about = BashComplete(command, {"obj": typed.word}, "quotefind", VARIABLE)
    items = about.get_completions(typed.words, typed.word if typed.word.startswith("-") else "")
    offers = [(str(item.value), " ".join((item.help or "").split())) for item in items]
    offers = [(name, _UNFIT.sub(" ", text)) for name, text in offers if name and not _UNFIT.search(name)]
    begin = [offer for offer in offers if offer[0].startswith(typed.word)]
    folded = fold(typed.word)
    if begin or not folded or "/" in typed.word or typed.word.startswith("-"):  # paths and options must match exactly
        return begin
    like = [(offer, f" {fold(offer[0])}") for offer in offers]
    begin = [offer for offer, name in like if name.startswith(f" {folded}")]
    return begin or [offer for offer, name in like if f" {folded}" in name]


def _typed_in_bash(words: str, place: int) -> _Typed:
    """Parse COMP_WORDS, joined by newlines, and COMP_CWORD; bash makes a lone `=` a word of its own."""
    raw = words.split("\n")[: place + 1]
    raw += [""] * (place + 1 - len(raw))
    before, last = raw[1:-1], raw[-1]
    if last == "=":
        before, last = [*before, last], ""
    kept = [word for at, word in enumerate(before) if word != "=" or not before[at - 1].startswith("--")]
    quote: str | None = last[:1] if last[:1] in (_SINGLE, _DOUBLE) else ""
    if re.search(r"(?<!\\)['\"]", last[1:]):
        quote = None
    return _Typed([_split(word)[-1] for word in kept], _split(last)[-1], "", quote)


def _typed_in_line(line: str, shell: str) -> _Typed:
    """Parse a command line up to the cursor."""
    *words, word = _split(line, escaped=_SINGLE + _DOUBLE if shell == "fish" else _DOUBLE)
    option, equals, value = word.partition("=")
    if equals and option.startswith("--"):
        return _Typed([*words[1:], option], value, f"{option}=")
    return _Typed(words[1:], word)


def _split(line: str, *, escaped: str = _DOUBLE) -> list[str]:
    """Return the words of `line` without their quotes; the last one is the current word, perhaps ''.

    Inside the quotation marks `escaped`, a backslash still escapes.
    """
    # The letter added at the end shows whether the last space ends a word or is quoted.
    lexer = shlex.shlex(f"{line}x", posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escapedquotes = True, "", escaped
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:  # a quote is still open
        words.append(lexer.token)
    return [*words[:-1], words[-1][:-1]]


def _for_bash(offers: Sequence[tuple[str, str]], typed: _Typed) -> list[str]:
    """Return the names escaped for bash, which inserts them as they are: each stays one word, and nothing is run."""
    names = _like_the_first([name for name, _ in offers], typed.word)
    if typed.quote is None:
        return []
    if typed.quote == _SINGLE:
        return [name.replace("'", r"'\''") for name in names]
    if typed.quote == _DOUBLE:  # which cannot hold an exclamation mark
        return [re.sub(r'(["$`\\])', r"\\\1", name) for name in names if "!" not in name]
    return ["".join(c if _SAFE.fullmatch(c) else f"\\{c}" for c in name) for name in names]


def _for_zsh(offers: Sequence[tuple[str, str]], typed: _Typed) -> str:
    """Return a command for zsh to evaluate; zsh quotes what it inserts by itself."""
    if not offers:
        return "_files"
    names = set(_like_the_first([name for name, _ in offers], typed.word))
    offers = [offer for offer in offers if offer[0] in names]
    words = _quoted(f"{typed.before}{name}" for name, _ in offers)
    if not any(about for _, about in offers):
        return f"compadd -U -V names -- {words}"
    shown = _quoted(f"{name}  -- {about}" if about else name for name, about in offers)
    return f"local -a shown; shown=({shown}); compadd -U -V names -l -d shown -- {words}"


def _quoted(words: Iterable[str]) -> str:
    return " ".join("'" + word.replace("'", r"'\''") + "'" for word in words)


def _like_the_first(names: Sequence[str], word: str) -> list[str]:
    """Return those of `names` that agree with the first one in as many characters as were typed.

    The shell replaces the word by what all names have in common, which must not be shorter than the word.
    """
    return [name for name in names if name[: len(word)] == names[0][: len(word)]] if len(names) > 1 else list(names)


def authors(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete an author of the index on the command line."""
    return _names(ctx, "authors", incomplete)


def works(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a work."""
    return _names(ctx, "works", incomplete)


def tags(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a tag."""
    return _names(ctx, "tags", incomplete)


def _names(ctx: typer.Context, kind: str, incomplete: str) -> list[str]:
    from quotefind.index.local.complete import names_in

    location = index_location(ctx.params.get("index"))
    # Remote storage is too slow to ask.
    return names_in(location, kind, incomplete or ctx.obj or "") if isinstance(location, Path) else []


def indexes() -> list[str]:
    """Offer the named indexes, then the indexes in the current directory; the shell completes other paths."""
    from quotefind.index.local.complete import FILE_NAME

    here = sorted([*(path.parent.name for path in Path().glob(f"*/{FILE_NAME}")), *map(str, Path().glob(f"*{LANCE}"))])
    return [*named_indexes(), *(f"./{name}" for name in here)]


def input_formats() -> list[str]:
    """Complete a source format."""
    from quotefind.corpus import FORMATS

    return list(FORMATS)


def pair_formats() -> list[str]:
    """Complete a format of a file of pairs."""
    from quotefind.corpus.pair_rows import FORMATS

    return list(FORMATS)


def devices() -> list[str]:
    """Complete a device."""
    return ["auto", "cpu", "cuda", "mps"]
