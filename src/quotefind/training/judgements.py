"""Judged queries: queries with the quotes of an index that answer them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from quotefind.errors import SourceError, UsageError
from quotefind.index.interface import Index
from quotefind.tagging import TEMPLATES
from quotefind.text import is_unicode, normalise

# A tag that more than this many quotes have, and more than a tenth of the collection, is too common to ask for.
_COMMON = 50
_ID = re.compile(r"[0-9a-fA-F]{6,16}")
_WHOLE_ID = re.compile(r"[0-9a-f]{16}")
# In TREC's own files <num> and <title> are not closed: a field ends at the next element.
_TOP = re.compile(r"<top(?:\s[^>]*)?>", re.IGNORECASE)
_FIELD = re.compile(r"<(num|title)>\s*(?:Number:|Topic:)?((?:[^<]|<(?![a-z/]))*)", re.IGNORECASE)
# trec_eval allocates memory for every grade up to the highest, so grades are limited.
_GRADE = re.compile(r"-?[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query whose answers are known.

    Attributes:
        id: its name in TREC files.
        text: the query.
        relevant: the grade, 1 or more, of each quote that answers it, by the quote's id.
        topic: what it asks for; queries for one topic are not independent of each other.
        group: the kind of query, or its template.
    """

    id: str
    text: str
    relevant: Mapping[str, int]
    topic: str
    group: str = ""


def from_tags(index: Index, *, templates: Sequence[str] = TEMPLATES, min_quotes: int = 8) -> list[JudgedQuery]:
    """Return queries for each tag that at least `min_quotes` quotes of `index` have; these quotes answer them.

    Tags that more than a tenth of the quotes (and more than 50) have are left out.

    Raises:
        UsageError: there is no template, one has no {} for the tag, or no tag has enough quotes.
    """
    if not templates:
        raise UsageError("There is no template for queries.")
    for template in templates:
        if "{}" not in template:
            raise UsageError(f'The template {template!r} has no {{}} for the tag, as in "quotes about {{}}".')
    most = max(_COMMON, index.count / 10)
    tags = {tag: ids for tag, ids in index.ids_by_tag().items() if min_quotes <= len(ids) <= most}
    if not tags:
        raise UsageError(
            f"No tag of this index has at least {min_quotes} quotes and at most {most:.0f}; see --min-quotes."
        )
    return [
        JudgedQuery(
            f"{number}.{way}",
            template.replace("{}", tag),
            dict.fromkeys(ids, 1),
            topic=tag,
            group=template,
        )
        for number, (tag, ids) in enumerate(sorted(tags.items()), 1)
        for way, template in enumerate(templates, 1)
    ]


def from_json_lines(path: Path, index: Index) -> list[JudgedQuery]:
    """Return the judged queries in a JSON Lines file, one object a line.

    An object has `query`, and `relevant` (ids or texts of quotes) or `quote` (one text, as in a file of pairs); lines
    with the same query are combined. In a file of pairs with a `split`, only held-out pairs count. `kind` groups the
    queries. `topic` says which of them ask for the same; without it, queries for the same `quote` do, because a quote
    that is hard to find is hard to find for all of them.

    Raises:
        SourceError: the file cannot be read, a line is not such an object, or a quote is not in `index`.
    """
    relevant: dict[str, dict[str, int]] = {}
    labels: dict[str, tuple[str, str]] = {}
    trained = 0
    for where, row in _objects(path):
        if row.get("split") in ("train", "training"):
            trained += 1
            continue
        query, answers = _judgement(row, where)
        ids = [name for answer in answers for name in _ids_of(answer, where, index)]
        topic = row.get("topic") or (query if "relevant" in row else ids[0])
        labels.setdefault(query, (str(topic), str(row.get("kind") or "")))
        relevant.setdefault(query, {}).update(dict.fromkeys(ids, 1))
    if not relevant:
        raise SourceError(f"{path}: no judged queries{', only pairs to train with' if trained else ''}.")
    return [
        JudgedQuery(str(number), query, ids, *labels[query]) for number, (query, ids) in enumerate(relevant.items(), 1)
    ]


def from_trec(topics: Path, qrels: Path, index: Index) -> list[JudgedQuery]:
    """Return the queries of `topics` that have an answer in `qrels`, both in the formats of trec_eval.

    Args:
        topics: lines of number, tab and text; or TREC's own <top> elements with <num> and <title>.
        qrels: lines of number, an ignored column, id of the quote, grade; a grade above 0 is relevant.
        index: the index with the quotes.

    Raises:
        SourceError: a file cannot be read, a line is wrong, an answer is not in `index`, or no topic has one.
    """
    grades: dict[str, dict[str, int]] = {}
    for number, line in _lines(qrels):
        where = f"{qrels}:{number}"
        cells = line.split()
        if len(cells) != 4 or not _GRADE.fullmatch(cells[3]):
            raise SourceError(f"{where}: expected four columns: topic, 0, id of the quote, grade (-9999 to 9999).")
        topic, _, name, grade = cells
        if int(grade) > 0 and not (_WHOLE_ID.fullmatch(name) and index.row_of(name) is not None):
            raise SourceError(f"{where}: no quote of this index has the id {name[:60]!r}.")
        if grades.setdefault(topic, {}).setdefault(name, int(grade)) != int(grade):
            raise SourceError(f"{where}: {name} already has another grade for topic {topic}.")
    judged: dict[str, JudgedQuery] = {}
    for where, topic, text in _topics(topics):
        if topic in judged:
            raise SourceError(f"{where}: topic {topic} occurs twice.")
        answers = {name: grade for name, grade in grades.get(topic, {}).items() if grade > 0}
        judged[topic] = JudgedQuery(topic, text, answers, topic=topic)
    answered = [query for query in judged.values() if query.relevant]
    if not answered:
        raise SourceError(f"{qrels}: has no answer to any topic in {topics}.")
    return answered


def _topics(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield for each topic its position in the file, its number and its text."""
    lines = _lines(path)
    if lines and lines[0][1].lstrip().startswith("<"):
        yield from _elements(path, lines)
        return
    for number, line in lines:
        topic, _, text = line.partition("\t")
        if not topic.strip() or not text.strip():
            raise SourceError(f"{path}:{number}: expected the number of a topic, a tab and its text.")
        yield f"{path}:{number}", topic.strip(), text.strip()


def _elements(path: Path, lines: list[tuple[int, str]]) -> Iterator[tuple[str, str, str]]:
    whole = "\n".join(line for _, line in lines)
    tops = list(_TOP.finditer(whole))
    if not tops:
        raise SourceError(f"{path}:{lines[0][0]}: expected <top> elements, or lines of number, tab and text.")
    for top, following in zip_longest(tops, tops[1:]):
        place = whole.count("\n", 0, top.start())
        fields: dict[str, str] = {}
        for name, value in _FIELD.findall(whole[top.end() : following.start() if following else None]):
            fields.setdefault(name.lower(), " ".join(value.split()))
        if not fields.get("num") or not fields.get("title"):
            raise SourceError(f"{path}:{lines[place][0]}: a <top> without <num> or <title>.")
        yield f"{path}:{lines[place][0]}", fields["num"], fields["title"]


def _judgement(row: dict[str, Any], where: str) -> tuple[str, list[str]]:
    """Return the query of an object and the ids or texts that answer it."""
    query = row.get("query")
    answers = row.get("relevant", row.get("quote"))
    if isinstance(answers, str):
        answers = [answers]
    if not isinstance(query, str) or not query.strip() or not isinstance(answers, list) or not answers:
        raise SourceError(f"{where}: expected an object with query and relevant (ids or texts), or query and quote.")
    for text in (query, *answers):
        if not isinstance(text, str) or not is_unicode(text):
            raise SourceError(f"{where}: {str(text)[:60]!r} is not a text.")
    return query, answers


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in _lines(path):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{path}:{number}: not JSON ({error}).") from error
        if not isinstance(value, dict):
            raise SourceError(f"{path}:{number}: expected an object.")
        yield f"{path}:{number}", value


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        raise SourceError(f"{path}:{number}: not valid UTF-8 ({error.reason}).") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
    return [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _ids_of(answer: str, where: str, index: Index) -> list[str]:
    """Return the ids of the quotes that `answer` names: by an id, the beginning of one, or a text."""
    row = index.row_of(answer) if _ID.fullmatch(answer) else None
    rows = [row] if row is not None else index.rows_with_text(normalise(answer))
    if not rows:
        raise SourceError(f"{where}: no quote of this index has the id or the text {answer[:60]!r}.")
    return [str(quote.id) for quote in index.quotes(rows)]
