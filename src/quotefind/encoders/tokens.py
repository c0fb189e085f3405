"""A prepared tokenizer, which opens at once for a few texts.

To parse a vocabulary of 30,000 words takes longer than to encode a query. WordPiece looks up nothing but substrings of
the words of a text, so for a few short texts a tokenizer with these alone gives the same tokens.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models

TOKENIZER = "tokenizer.json"
# The tokenizer with the vocabulary of its added tokens, and all words of its vocabulary, sorted, each with its number.
_SMALL, _WORDS = "tokenizer-small.json", "words.txt"
# Characters of texts that count as few.
_FEW = 300


def save_tokenizer(tokenizer: Tokenizer, directory: Path) -> None:
    """Write `tokenizer`, without truncation and padding, to `directory`; BERT's also in parts for few texts."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(directory / TOKENIZER), pretty=False)
    parts: dict[str, Any] = json.loads(tokenizer.to_str())
    vocabulary: dict[str, int] = parts["model"].get("vocab", {})
    if (
        parts["model"]["type"] == "WordPiece"
        and (parts["normalizer"] or {}).get("type") == "BertNormalizer"
        and (parts["pre_tokenizer"] or {}).get("type") == "BertPreTokenizer"
        and not any(set("\t\n\r") & set(word) for word in vocabulary)
    ):
        lines = sorted(f"{word}\t{number}" for word, number in vocabulary.items())
        (directory / _WORDS).write_text("\n".join(lines), encoding="utf-8", newline="\n")
        kept = {token["content"] for token in parts["added_tokens"]} | {parts["model"]["unk_token"]}
        parts["model"]["vocab"] = {word: number for word, number in vocabulary.items() if word in kept}
        (directory / _SMALL).write_text(json.dumps(parts), encoding="utf-8")


class PreparedTokenizer:
    """The tokenizer that `save_tokenizer` wrote; each part is read when it is first needed."""

    def __init__(self, directory: Path) -> None:
        """Open the tokenizer in `directory`."""
        self._directory = directory
        self._small = (directory / _SMALL).is_file()

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, uncut, its special tokens included."""
        few = self._small and "_whole" not in self.__dict__ and sum(map(len, texts)) <= _FEW
        tokenizer = self._for_few(texts) if few else self._whole
        return [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]

    @cached_property
    def _whole(self) -> Tokenizer:
        return Tokenizer.from_file(str(self._directory / TOKENIZER))

    @cached_property
    def _words(self) -> list[str]:
        return (self._directory / _WORDS).read_text(encoding="utf-8").split("\n")

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._words))

    def _for_few(self, texts: Sequence[str]) -> Tokenizer:
        """Return a tokenizer that knows all words of the vocabulary that can occur in `texts`."""
        text = (self._directory / _SMALL).read_text(encoding="utf-8")
        parts: dict[str, Any] = json.loads(text)["model"]
        tokenizer: Any = Tokenizer.from_str(text)
        vocabulary: dict[str, int] = parts["vocab"]
        prefix = parts["continuing_subword_prefix"]
        for text in texts:
            normal = tokenizer.normalizer.normalize_str(text)
            for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal):
                for start in range(len(word)):
                    for end in range(start + 1, min(len(word), start + self._longest) + 1):
                        part = word[start:end]
                        self._add(part, vocabulary)  # an added token may end before it
                        self._add(prefix + part, vocabulary)
        tokenizer.model = models.WordPiece(
            vocabulary,
            unk_token=parts["unk_token"],
            max_input_chars_per_word=parts["max_input_chars_per_word"],
            continuing_subword_prefix=prefix,
        )
        return tokenizer  # type: ignore[no-any-return]

    def _add(self, word: str, vocabulary: dict[str, int]) -> None:
        """Add `word` to `vocabulary` with its number, if there is such a word."""
        key = f"{word}\t"
        at = bisect_left(self._words, key)
        if at < len(self._words) and self._words[at].startswith(key):
            vocabulary[word] = int(self._words[at][len(key) :])
