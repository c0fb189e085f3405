"""Judged queries: requests with the quotes of an index that answer them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quotefind.errors import SourceError, UsageError
from quotefind.index.reader import Index
from quotefind.text import normalise

# The ways of asking of the model card that this program started from, and the bare theme.
TEMPLATES = (
    "{}",
    "quotes about {}",
    "I need a quote about the importance of {}.",
    "Searching for a quote that captures the essence of {}.",
)
# A theme that more than a tenth of a collection carries, and at least so many quotes, says nothing about any of them.
_COMMON = 50
_ID = re.compile(r"[0-9a-fA-F]{6,16}")
_SGML_TOPIC = re.compile(r"<top>(.*?)</top>", re.DOTALL | re.IGNORECASE)
_SGML_FIELD = re.compile(r"<(num|title)>\s*(?:Number:|Topic:)?\s*([^<]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A request whose answers are known.

    Attributes:
        id: its name in TREC files.
        text: the request.
        relevant: the grade, 1 or more, of each quote that answers it, by the quote's id.
        topic: what it asks for; requests for one topic are not independent of each other.
        group: the way or the kind of asking.
    """

    id: str
    text: str
    relevant: Mapping[str, int]
    topic: str
    group: str = ""


def from_tags(index: Index, *, templates: Sequence[str] = TEMPLATES, min_quotes: int = 8) -> list[JudgedQuery]:
    """Return requests for each theme that at least `min_quotes` quotes of `index` carry, which are what answers it.

    Themes that more than a tenth of the quotes (and more than 50) carry are left out.

    Raises:
        UsageError: a template has no place for the theme, or no theme has enough quotes.
    """
    for template in templates:
        if "{}" not in template:
            raise UsageError(f'The template {template!r} has no {{}} for the theme, as in "quotes about {{}}".')
    most = max(_COMMON, index.count / 10)
    themes = {theme: ids for theme, ids in index.ids_by_tag().items() if min_quotes <= len(ids) <= most}
    if not themes:
        raise UsageError(
            f"No theme of this index is carried by at least {min_quotes} quotes and by at most {most:.0f} of them; "
            "--min-quotes sets the least."
        )
    return [
        JudgedQuery(
            f"{number}.{way}",
            template.replace("{}", theme),
            dict.fromkeys(ids, 1),
            topic=theme,
            group=template,
        )
        for number, (theme, ids) in enumerate(sorted(themes.items()), 1)
        for way, template in enumerate(templates, 1)
    ]


def from_json_lines(path: Path, index: Index) -> list[JudgedQuery]:
    """Return the judged queries in a JSON Lines file, one object a line.

    An object has `query`, and `relevant` (ids or texts of quotes) or `quote` (one text, as in a file of pairs); lines
    with the same query are put together. Of a file of pairs with a `split`, what is not held out is passed over;
    `kind` groups the queries.

    Raises:
        SourceError: the file cannot be read, a line is no such object, or a quote is not in `index`.
    """
    relevant: dict[str, dict[str, int]] = {}
    kinds: dict[str, str] = {}
    for where, row in _objects(path):
        if row.get("split") in ("train", "training"):
            continue
        query = row.get("query")
        answers = row.get("relevant", row.get("quote"))
        if isinstance(answers, str):
            answers = [answers]
        if not isinstance(query, str) or not query.strip() or not isinstance(answers, list) or not answers:
            raise SourceError(
                f"{where}: expected an object with query and relevant (ids or texts), or query and quote."
            )
        kinds.setdefault(query, str(row.get("kind") or ""))
        for answer in answers:
            ids = _ids_of(answer, index) if isinstance(answer, str) else []
            if not ids:
                raise SourceError(f"{where}: no quote of this index has the id or the text {str(answer)[:60]!r}.")
            relevant.setdefault(query, {}).update(dict.fromkeys(ids, 1))
    if not relevant:
        raise SourceError(f"{path}: no judged queries.")
    return [
        JudgedQuery(str(number), query, ids, topic=query, group=kinds[query])
        for number, (query, ids) in enumerate(relevant.items(), 1)
    ]


def from_trec(topics: Path, qrels: Path) -> list[JudgedQuery]:
    """Return the queries of `topics` that `qrels` judges; both as trec_eval and its relatives read them.

    Args:
        topics: a line each with number, tab and text; or TREC's own <top> elements with <num> and <title>.
        qrels: lines of number, an ignored column, id of the quote, grade; a grade above 0 is relevant.

    Raises:
        SourceError: a file cannot be read, a line is wrong, or no topic is judged.
    """
    grades: dict[str, dict[str, int]] = {}
    for number, line in _lines(qrels):
        cells = line.split()
        if len(cells) != 4 or not re.fullmatch(r"-?\d+", cells[3]):
            raise SourceError(f"{qrels}:{number}: expected four columns: topic, 0, id of the quote, grade.")
        if int(cells[3]) > 0:
            grades.setdefault(cells[0], {})[cells[2]] = int(cells[3])
    judged = [
        JudgedQuery(topic, text, grades[topic], topic=topic) for topic, text in _topics(topics) if topic in grades
    ]
    if not judged:
        raise SourceError(f"{qrels}: judges none of the topics in {topics}.")
    return judged


def _topics(path: Path) -> Iterator[tuple[str, str]]:
    lines = list(_lines(path))
    whole = "\n".join(line for _, line in lines)
    if "<top>" in whole.lower():
        for element in _SGML_TOPIC.findall(whole):
            fields = {name.lower(): " ".join(value.split()) for name, value in _SGML_FIELD.findall(element)}
            if not fields.get("num") or not fields.get("title"):
                raise SourceError(f"{path}: a <top> without <num> or <title>.")
            yield fields["num"], fields["title"]
        return
    for number, line in lines:
        topic, tab, text = line.partition("\t")
        if not tab or not text.strip():
            raise SourceError(f"{path}:{number}: expected the number of a topic, a tab and its text.")
        yield topic.strip(), text.strip()


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in _lines(path):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{path}:{number}: not JSON ({error}).") from error
        if not isinstance(value, dict):
            raise SourceError(f"{path}:{number}: expected an object.")
        yield f"{path}:{number}", value


def _lines(path: Path) -> Iterable[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not valid UTF-8: {error.reason}.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
    return [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _ids_of(answer: str, index: Index) -> list[str]:
    row = index.row_of(answer) if _ID.fullmatch(answer) else None
    rows = [row] if row is not None else index.rows_with_text(normalise(answer))
    return [str(quote.id) for quote in index.quotes(rows)]
