"""How smoothly the page of a map moves: the times between frames while it is dragged and zoomed, in headless Chromium.

Maps of 1,500 and of 50,000 quotes (the fortunes, with numbers behind them) in 60 topics, whose positions are drawn at
random, stand in a window of 1280 x 800. The mouse drags the map, then the wheel zooms in and out again, step by step;
the page notes when each frame begins (requestAnimationFrame). All is drawn by the processor: on a canvas, which the
page chooses where there is no GPU, and by WebGL, made to believe in one, which SwiftShader, a part of Chromium,
emulates. With a real GPU that is much quicker.

Beside: the time until the map is drawn after the page was opened, and until a search has narrowed it.

To reach: a median of 17 ms (60 frames a second), and 95 of 100 frames in 50 ms.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

import measure
import synthetic

_COUNTS = (1_500, 50_000)
_TOPICS = 60
_STEPS = 120
_BACKENDS = ("canvas", "webgl")
_BELIEVE = """
    const get = WebGLRenderingContext.prototype.getParameter;
    WebGLRenderingContext.prototype.getParameter = function (name) {
        return name === 0x9246 ? "a GPU" : get.call(this, name); // UNMASKED_RENDERER_WEBGL
    };
"""
_RECORD = """() => {
    window.frames_seen = [];
    const see = (at) => { window.frames_seen.push(at); window.seeing = requestAnimationFrame(see); };
    window.seeing = requestAnimationFrame(see);
}"""
_RECORDED = "() => { cancelAnimationFrame(window.seeing); return window.frames_seen; }"


def write_map(source: str, page: str) -> int:
    """Write the quotes of a JSON Lines file as the page of a map; return its size in bytes."""
    import numpy as np

    from quotefind.map.page import draw_page
    from quotefind.map.quote_map import QuoteMap
    from quotefind.records import Quote
    from quotefind.topics.topic import Topic

    lines = Path(source).read_text(encoding="utf-8").splitlines()
    quotes = tuple(Quote(row["text"], row.get("author")) for row in map(json.loads, lines))
    rng = np.random.default_rng(0)
    topic_of = rng.choice(_TOPICS, size=len(quotes), p=rng.dirichlet(np.full(_TOPICS, 2.0)))
    centres = rng.normal(size=(_TOPICS, 2))
    positions = centres[topic_of] + rng.normal(0, 0.15, (len(quotes), 2))
    sizes = np.bincount(topic_of, minlength=_TOPICS)
    topics = tuple(Topic(at + 1, ("some", "words", f"here {at}"), int(sizes[at]), (), ()) for at in range(_TOPICS))
    none = np.zeros(0)
    made = QuoteMap(
        f"{len(quotes):,} quotes",
        quotes,
        positions.astype(np.float32),
        topics,
        topic_of,
        None,
        none.astype(np.int64),
        none,
    )
    document = draw_page(made).encode("utf-8")
    Path(page).write_bytes(document)
    return len(document)


def frame_times(page: Any, move: Any) -> list[float]:
    """Return the milliseconds between the frames while `move` runs."""
    page.evaluate(_RECORD)
    move()
    seen = page.evaluate(_RECORDED)
    return [after - before for before, after in pairwise(seen)]


def measure_page(path: str, backend: str) -> dict[str, Any]:
    """Open a page, move it and search in it; return milliseconds."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("There is no Chromium on the PATH.")
    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=arguments) as browser,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        if backend == "webgl":
            page.add_init_script(_BELIEVE)
        started = time.perf_counter()
        page.goto(Path(path).as_uri())
        page.locator("#map[data-ready]").wait_for()
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        opened = time.perf_counter() - started
        if page.locator("#map").get_attribute("data-backend") != backend:
            sys.exit(f"This Chromium does not draw with {backend}.")
        page.wait_for_timeout(2000)  # the page folds its texts for the search

        def drag() -> None:
            page.mouse.move(480, 420)
            page.mouse.down()
            for step in range(_STEPS):
                page.mouse.move(480 + 2 * (step % 60), 420 + step)
            page.mouse.up()

        def turn() -> None:
            page.mouse.move(480, 420)
            for step in range(_STEPS):
                page.mouse.wheel(0, -40 if step < _STEPS // 2 else 40)

        frames = {"drag": frame_times(page, drag), "zoom": frame_times(page, turn)}
        searched = page.evaluate(
            """async () => {
                const search = document.getElementById("search"), map = document.getElementById("map");
                const before = performance.now(), lit = map.dataset.lit;
                search.value = "never mind";
                search.dispatchEvent(new Event("input"));
                while (map.dataset.lit === lit) await new Promise(requestAnimationFrame);
                return performance.now() - before - 120; // it waits so long for the next letter
            }"""
        )
    return {"opened": 1000 * opened, "searched": searched, **frames}


def main() -> None:
    """Measure and print the table."""
    given = measure.options(__doc__ or "", quotes_help="instead of 50,000")
    rows = []
    with TemporaryDirectory(prefix="quotefind-benchmark-") as directory:
        for count in [given.quotes] if given.smallest else [_COUNTS[0], given.quotes or _COUNTS[1]]:
            source, page = f"{directory}/{count}.jsonl", f"{directory}/{count}.html"
            measure.in_own_process(synthetic.write_numbered, path=source, count=count)
            size, _ = measure.in_own_process(write_map, source=source, page=page)
            for backend in _BACKENDS:
                measure.say(f"{count:,} quotes, {backend}")
                runs = [measure.in_own_process(measure_page, path=page, backend=backend)[0] for _ in range(given.runs)]
                row = [f"{count:,}", f"{size / 1e6:.1f} MB", backend, f"{median(r['opened'] for r in runs):,.0f} ms"]
                for kind in ("drag", "zoom"):
                    times = [frame for run in runs for frame in run[kind]]
                    row += [f"{median(times):.0f} ms", f"{quantiles(times, n=20)[-1]:.0f} ms"]
                rows.append([*row, f"{median(r['searched'] for r in runs):,.0f} ms"])
    measure.print_table(
        "The page of a map",
        ["quotes", "page", "drawn by", "open", "drag", "95 %", "zoom", "95 %", "search"],
        rows,
        ["drag, zoom: the median time between frames, and the time that 95 of 100 keep."],
    )


if __name__ == "__main__":
    main()
