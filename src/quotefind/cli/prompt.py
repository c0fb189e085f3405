"""The prompt of `quotefind find`: the encoder stays loaded, and each line is answered at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import History
from prompt_toolkit.shortcuts import CompleteStyle

from quotefind import interrupts
from quotefind.cli import output, session
from quotefind.cli.options import OutputFormat
from quotefind.cli.prompt_commands import COMMANDS, Call, Query, described, number, parse
from quotefind.cli.query_stream import LONGEST_QUERY
from quotefind.errors import QuotefindError, UsageError
from quotefind.paths import history_file, make_private
from quotefind.private_files import open_private
from quotefind.records import Hit
from quotefind.refresh import SearchSession
from quotefind.search import FindOptions, find

_INVITATION = "what are you looking for? (:help shows commands)"
_NAMED = ("author", "work", "tag")


def open_prompt(search_session: SearchSession, options: FindOptions, style: OutputFormat) -> None:
    """Answer queries and commands until the user leaves.

    Args:
        search_session: the index and its encoder.
        options: the initial settings.
        style: the format of the hits.

    Raises:
        QuotefindError: the index or its model cannot be used.
    """
    if style is OutputFormat.trec:
        raise UsageError("--format trec works with many queries only: find - or --queries FILE.")
    _Prompt(search_session, options, style).run()


class _Prompt:
    """The last query with its hits, and the settings for the next one."""

    def __init__(self, search_session: SearchSession, options: FindOptions, style: OutputFormat) -> None:
        self._session = search_session
        self._options = options
        self._style = style
        self._last: tuple[str, FindOptions] | None = None  # the last query
        self._hits: list[Hit] = []  # all hits of it that were shown

    def run(self) -> None:
        """Read and answer lines until the end."""
        with session.answering(self._session) as (_, encoder):
            # An index or a model that cannot be used ends the program now, and the first answer needs no warm-up.
            encoder.encode_queries([_INVITATION])
        typing: PromptSession[str] = PromptSession(
            "quotefind> ",
            history=_PrivateHistory(history_file()),
            completer=_Completer(self._session),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            placeholder=[("fg:ansibrightblack", _INVITATION)],
            bottom_toolbar=lambda: output.printable(" · ".join(described(self._options))),
        )
        while True:
            try:
                with interrupts.wakeup_lent():
                    line = typing.prompt(handle_sigint=False)
                if not self._run_line(line):
                    break
            except KeyboardInterrupt:
                if interrupts.was_interrupted():
                    raise
                # Ctrl-C only clears the line.
            except EOFError:
                break
            except QuotefindError as error:
                session.warn(str(error))
        self._session.close()

    def _run_line(self, line: str) -> bool:
        """Answer the query or run the command in `line`; return whether to go on."""
        if len(line.encode(errors="replace")) > LONGEST_QUERY:
            raise UsageError(f"The query is longer than {LONGEST_QUERY:,} bytes.")
        parsed = parse(line)
        if isinstance(parsed, Query):
            self._ask(parsed.text, self._options)
        elif parsed is not None:
            if parsed.command.name == "quit":
                return False
            self._call(parsed)
        return True

    def _call(self, call: Call) -> None:
        if call.command.change is not None:
            self._options = call.command.change(self._options, call.argument)
        elif call.command.name == "like":
            liked = self._shown(number(call, otherwise=1))
            self._ask("", replace(self._options, like=liked.quote.id))
        elif call.command.name == "copy":
            session.copy(self._shown(number(call, otherwise=1)).quote)
        elif call.command.name == "more":
            self._show_more()
        else:
            output.show_facts([(f":{known.name} {known.argument}".rstrip(), known.help) for known in COMMANDS])

    def _ask(self, text: str, options: FindOptions) -> None:
        self._last, self._hits = (text, options), self._answer(text, options)
        self._show(self._hits)

    def _show_more(self) -> None:
        if self._last is None:
            raise UsageError("There is no query yet.")
        text, options = self._last
        known = {hit.quote.id for hit in self._hits}
        found = self._answer(text, replace(options, top=len(self._hits) + self._options.top))
        new = [hit for hit in found if hit.quote.id not in known][: self._options.top]
        new = [replace(hit, rank=rank) for rank, hit in enumerate(new, len(self._hits) + 1)]
        self._hits += new
        self._show(new)

    def _answer(self, text: str, options: FindOptions) -> list[Hit]:
        with session.answering(self._session) as (index, encoder):
            (hits,) = find(index, encoder, [text], options)
            session.warn_if_truncated(encoder, [text])
        return hits

    def _show(self, hits: Sequence[Hit]) -> None:
        where = self._options.where
        if not output.show_hits([[hits]], self._style, asked=where.tags if where.proposed else ()):
            session.nothing_found(filtered=bool(where) or self._options.min_score is not None)

    def _shown(self, rank: int) -> Hit:
        if not self._hits:
            raise UsageError("There are no hits yet. Type a query first.")
        if rank > len(self._hits):
            raise UsageError(f"There is no hit {rank}. The last one is {len(self._hits)}.")
        return self._hits[rank - 1]


class _PrivateHistory(History):
    """The history of the prompt in a private file, one line per entry; nothing is kept if the file cannot be used."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._usable = True

    def load_history_strings(self) -> Iterable[str]:
        """Return the lines of the file, the newest first."""
        lines: list[str] = []
        try:
            with os.fdopen(open_private(self._path, os.O_RDONLY), "rb") as file:
                lines = file.read().decode("utf-8", errors="replace").split("\n")
        except FileNotFoundError:
            pass
        except OSError as error:
            self._give_up(error)
        return [line for line in reversed(lines) if line]

    def store_string(self, string: str) -> None:
        """Append a line to the file."""
        if not self._usable:
            return
        try:
            make_private(self._path.parent)
            with os.fdopen(open_private(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab") as file:
                file.write(f"{' '.join(string.split())}\n".encode("utf-8", errors="replace"))
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._usable = False
        session.warn(f"the history is not saved: {self._path}: {error.strerror or error}")


class _Completer(Completer):
    """Completes commands, and the authors, works and tags that are their arguments."""

    def __init__(self, search_session: SearchSession) -> None:
        self._session = search_session

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002
        """Yield completions at the cursor."""
        before = document.text_before_cursor
        name, blank, argument = before.removeprefix(":").partition(" ")
        if not before.startswith(":"):
            return
        if not blank:
            for command in COMMANDS:
                if command.name.startswith(name):
                    typed = f"{command.name} " if command.argument else command.name
                    yield Completion(typed, -len(name), display=f":{command.name}")
        elif name in _NAMED:
            with suppress(QuotefindError):  # the next answer reports it
                for found in self._session.names(name, argument):
                    if output.printable(found) == found:
                        yield Completion(found, -len(argument))
