"""Indexing with a warm model, against `SentenceTransformer.encode` on the same texts.

Contestants, in turn, each in a process of its own and measured inside it, when the model is loaded and has encoded
some texts:

- index: `IndexWriter.update`, what the command `quotefind index` calls, from a JSON Lines file to a committed index. It
  reads and checks the file, encodes, counts tokens and writes matrix, database and full-text table;
- `SentenceTransformer.encode` with its defaults (batches of 32) on the list of the same texts. It only encodes.

To reach: at least 1.6 times its rate.

How much of the machine that uses: the multiply-adds that the texts need, counted as below, over the time, as a share of
the fastest multiplication of two large float32 matrices by NumPy or torch in the same run. One text of L tokens (cut
where the model cuts, special tokens counted, padding not) needs

    layers * (L * (4 d d + 2 d f) + 2 L L d)    multiply-adds:

per token and layer d*d each for query, key, value and output, d*f up and f*d down in the feed-forward part (f = 4 d
here), and L*d each for the attention scores and for the weighted sum of values. The operations are those of Vaswani et
al., "Attention Is All You Need" (2017), sections 3.2 and 3.3, the counting that of Kaplan et al., "Scaling Laws for
Neural Language Models" (2020), section 2.1, for attention in both directions. Embeddings, normalisations, softmax,
GELU and pooling are not counted.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import measure
import synthetic

_WARM_UP_TEXTS = 64
_SIDE = 2048
_MULTIPLICATIONS = 10


def index_quotes(source: str) -> dict[str, float]:
    """Index the file `source` with a warm encoder; return the quotes added, the seconds and the rate of encoding."""
    from quotefind import Source, open_encoder, open_to_write

    encoder = open_encoder("all-MiniLM-L6-v2", device="cpu")
    encoder.encode_quotes(_texts(source)[:_WARM_UP_TEXTS])
    with TemporaryDirectory(prefix="quotefind-benchmark-") as directory:
        started = time.perf_counter()
        with open_to_write(Path(directory) / "index", lambda _model, _fingerprint: encoder) as writer:
            summary = writer.update([Source(source)])
        return {"count": summary.added, "seconds": time.perf_counter() - started, "encoding_rate": summary.rate}


def encode_with_peer(source: str, weights: str) -> dict[str, float]:
    """Encode the texts in `source` with sentence-transformers; return how many and the seconds."""
    from sentence_transformers import SentenceTransformer

    texts = _texts(source)
    model = SentenceTransformer(weights, device="cpu")
    model.encode(texts[:_WARM_UP_TEXTS])
    started = time.perf_counter()
    vectors = model.encode(texts)
    return {"count": len(vectors), "seconds": time.perf_counter() - started}


def multiply_peak() -> float:
    """Return the multiply-adds in a second of the fastest product of two large float32 matrices."""
    import numpy as np
    import torch

    left, right = np.random.default_rng(0).standard_normal((2, _SIDE, _SIDE), dtype=np.float32)
    fastest = min(
        _timed(multiply)
        for multiply in (lambda: left @ right, lambda: torch.from_numpy(left) @ torch.from_numpy(right))
        for _ in range(_MULTIPLICATIONS)
    )
    return _SIDE**3 / fastest


def count_work(source: str, weights: str) -> dict[str, int]:
    """Return the tokens of the texts in `source` and the multiply-adds that the model needs for them."""
    from quotefind import open_encoder

    encoder = open_encoder("all-MiniLM-L6-v2", device="cpu")
    shape = json.loads((Path(weights) / "config.json").read_text(encoding="utf-8"))
    layers, d, f = shape["num_hidden_layers"], shape["hidden_size"], shape["intermediate_size"]
    lengths = [min(length, encoder.max_tokens) for length in encoder.count_tokens(_texts(source))]
    work = sum(layers * (n * (4 * d * d + 2 * d * f) + 2 * n * n * d) for n in lengths)
    return {"tokens": sum(lengths), "multiply_adds": work}


def _timed(call: Any) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _texts(source: str) -> list[str]:
    with Path(source).open(encoding="utf-8") as stream:
        return [json.loads(line)["text"] for line in stream]


def main() -> None:
    """Measure and print the table."""
    given = measure.options(__doc__ or "", quotes=3000)
    weights = measure.weights_directory()
    measure.fortunes_folder()
    with measure.home_directory(given.home) as home:
        source = home / f"fortunes-{given.quotes}.jsonl"
        measure.in_own_process(synthetic.write_fortunes, path=source, count=given.quotes)
        measure.say("preparing the model, the first time")
        measure.in_own_process(synthetic.prepare_model)
        work, _ = measure.in_own_process(count_work, source=source, weights=weights)
        results = measure.rounds(
            {
                "index": lambda: measure.in_own_process(index_quotes, source=source)[0],
                "encode": lambda: measure.in_own_process(encode_with_peer, source=source, weights=weights)[0],
                "multiply": lambda: measure.in_own_process(multiply_peak)[0],
            },
            given.runs,
        )
    peak = median(results["multiply"])
    count = int(results["encode"][0]["count"])
    if results["index"][0]["count"] != count:
        raise SystemExit(f"index took {results['index'][0]['count']} of {count} texts; they have to be the same.")
    ours, peer = (median(result["seconds"] for result in results[name]) for name in ("index", "encode"))
    encoding = count / median(result["encoding_rate"] for result in results["index"])
    rows = [
        [
            name,
            measure.seconds(time_taken),
            f"{count / time_taken:.0f}/s",
            measure.times(peer / time_taken),
            f"{work['multiply_adds'] / time_taken / peak:.0%}",
        ]
        for name, time_taken in (
            ("`quotefind index`", ours),
            ("of that, encoding", encoding),
            ("`SentenceTransformer.encode`", peer),
        )
    ]
    measure.print_table(
        f"Encode: {count:,} fortunes with a warm model",
        ["", "time", "quotes", "rate / encode", "share of peak"],
        rows,
        [
            f"Medians of {given.runs} runs in turn, each in a process of its own, without loading the model; "
            f"index {measure.spread([result['seconds'] for result in results['index']])}, "
            f"encode {measure.spread([result['seconds'] for result in results['encode']])}.",
            f"The texts have {work['tokens']:,} tokens, {work['tokens'] / count:.0f} each, and need "
            f"{work['multiply_adds'] / 1e9:,.0f} billion multiply-adds; two matrices of {_SIDE} x {_SIDE} float32 are "
            f"multiplied here at {peak / 1e9:.0f} billion a second.",
        ],
    )


if __name__ == "__main__":
    main()
