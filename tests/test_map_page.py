"""The page of a map, in headless Chromium: what it shows, how it is used, that it runs and asks for nothing else."""

from __future__ import annotations

import io
import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from map_tools import TOPICS, make_map, plain_quotes
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Playwright, expect, sync_playwright

from quotefind.map.colours import DARK_PAPER, LIGHT, LIGHT_PAPER
from quotefind.map.page import draw_page
from quotefind.map.quote_map import QuoteMap
from quotefind.records import Quote

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
MANY = plain_quotes(1500)
# Takes a GPU that is emulated for a real one.
ANY_GPU = """
    const get = WebGLRenderingContext.prototype.getParameter;
    WebGLRenderingContext.prototype.getParameter = function (name) {
        return name === 0x9246 ? "a GPU" : get.call(this, name); // UNMASKED_RENDERER_WEBGL
    };
"""
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no browser: neither chromium, chromium-browser nor google-chrome is on PATH"
)


@dataclass
class Opened:
    """A page that was opened, and what it did: errors and warnings on its console, requests, dialogs."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def part(self, name: str) -> Locator:
        """Return the element with an id."""
        return self.page.locator(f"#{name}")

    def count(self) -> str:
        """Return what the page says of how many quotes are left."""
        return self.part("count").inner_text()

    def narrowed(self, text: str) -> None:
        """Wait until the page says that so many quotes are left."""
        expect(self.part("count")).to_have_text(text)

    def ring(self) -> tuple[float, float]:
        """Return the centre of the ring around the quote in hand, in pixels of the window."""
        box = self.part("ring").bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def picture(self) -> np.ndarray:
        """Return a screenshot of the map as (height, width, 3) uint8."""
        png = self.part("map").screenshot()
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


class Opener:
    """Opens maps in one browser and sees that none of them does what it must not."""

    def __init__(self, browser: Browser, directory: Path) -> None:
        """Open pages in `browser`, written into `directory`."""
        self.browser = browser
        self.directory = directory
        self.opened: list[Opened] = []

    def __call__(
        self, made: QuoteMap, size: dict[str, int] = WIDE, dark: bool = False, touch: bool = False, gpu: bool = False
    ) -> Opened:
        """Write a map as a page, open it, wait until it is drawn; with `gpu` it takes an emulated GPU for real."""
        path = self.directory / f"map-{len(self.opened)}.html"
        path.write_text(draw_page(made), encoding="utf-8")
        context = self.browser.new_context(
            viewport=size,  # type: ignore[arg-type]
            color_scheme="dark" if dark else "light",
            has_touch=touch,
        )
        opened = Opened(context.new_page())
        opened.page.set_default_timeout(10_000)
        if gpu:
            opened.page.add_init_script(ANY_GPU)
        self.opened.append(opened)
        # Drawn without a GPU, Chromium warns of what that costs.
        opened.page.on(
            "console",
            lambda message: (
                opened.said.append(message.text)
                if message.type in ("error", "warning") and "GL Driver Message" not in message.text
                else None
            ),
        )
        opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
        opened.page.on("dialog", lambda dialog: (opened.said.append(dialog.message), dialog.dismiss()))
        opened.page.on("request", lambda request: opened.asked.append(request.url))
        opened.page.goto(path.as_uri())
        opened.page.locator("#map[data-ready]").wait_for()
        return opened

    def end(self) -> None:
        """Close all pages; fail where one complained, or asked for anything but itself."""
        for at, opened in enumerate(self.opened):
            opened.page.context.close()
            assert opened.said == []
            assert opened.asked == [(self.directory / f"map-{at}.html").as_uri()]


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright, once for all tests here."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, once for all tests here."""
    with playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS) as launched:
        yield launched


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """A way to open maps; at the end no page may have complained or asked for anything."""
    opener = Opener(browser, tmp_path)
    yield opener
    opener.end()


@needs_chromium
def test_a_map_loads_by_itself(show: Opener) -> None:
    """The page says what it shows; nothing is on its console and nothing is requested, which `show` sees to."""
    opened = show(make_map(MANY, TOPICS, title="What I keep"))
    assert opened.page.title() == opened.part("title").inner_text() == "What I keep"
    assert opened.count() == "1,500 of 1,500 quotes"
    assert opened.part("query").is_hidden()
    assert opened.part("topic").locator("option").all_inner_texts() == [
        "All topics (5)",
        *(f"{label} (300)" for label in TOPICS),
    ]
    assert opened.part("more").inner_text() == "and 1,400 more: search or filter"
    assert sorted(opened.page.locator(".label").all_inner_texts()) == sorted(TOPICS)


@needs_chromium
def test_a_map_may_not_ask(show: Opener) -> None:
    """Even a script of the page itself could not load a picture, open a connection or run code from elsewhere."""
    opened = show(make_map(plain_quotes(5)))
    refused = opened.page.evaluate(
        """async () => {
            const refused = [];
            document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
            await fetch("https://example.org/").catch(() => {});
            new Image().src = "https://example.org/";
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            await new Promise((done) => setTimeout(done, 100));
            return [refused.sort(), window.ran === undefined];
        }"""
    )
    assert refused == [["connect-src", "img-src", "script-src-elem"], True]
    opened.said.clear()  # Chromium says of each that it was not let out
    del opened.asked[1:]


@needs_chromium
def test_hover_shows_the_quote(show: Opener) -> None:
    """Text, author, work, year and topic of the point below the mouse are on a card; away from points there is none."""
    opened = show(make_map([Quote("To be, or not to be.", "Shakespeare", "Hamlet", 1603), *plain_quotes(9)], TOPICS))
    opened.part("list").locator("button").first.focus()
    at = opened.ring()
    opened.page.keyboard.press("Escape")
    expect(opened.part("card")).to_be_hidden()
    opened.page.mouse.move(*at)
    expect(opened.part("card")).to_be_visible()
    assert opened.part("card-text").inner_text() == "To be, or not to be."
    assert opened.part("card-by").inner_text().split("\n") == ["Shakespeare", "Hamlet, 1603"]
    assert opened.part("card-topic").inner_text().strip() == TOPICS[0]
    assert opened.ring() == at
    opened.page.mouse.move(at[0] + 60, at[1])
    expect(opened.part("card")).to_be_hidden()
    expect(opened.part("ring")).to_be_hidden()


@needs_chromium
def test_keys_go_from_quote_to_quote(show: Opener) -> None:
    """Arrows go to the next quote in their direction, which is read out; Enter keeps the card, Escape lets it go."""
    quotes = [Quote(f"{name} quote", f"author {name}") for name in ("left", "middle", "right", "upper")]
    opened = show(make_map(quotes, positions=[(-1, 0), (0, 0), (1, 0), (0, 1)]))
    opened.part("map").focus()
    text = opened.part("card-text")
    for key, name in (
        ("ArrowUp", "middle"),  # the first key takes the one in the middle
        ("ArrowRight", "right"),
        ("ArrowRight", "right"),  # there is none further on
        ("ArrowLeft", "middle"),
        ("ArrowLeft", "left"),
        ("ArrowRight", "middle"),
        ("ArrowUp", "upper"),
        ("ArrowDown", "middle"),
    ):
        opened.page.keyboard.press(key)
        expect(text).to_have_text(f"{name} quote")
        expect(opened.part("announcer")).to_contain_text(f"{name} quote. author {name}")
    opened.page.keyboard.press("Enter")
    expect(opened.part("card")).to_be_focused()
    opened.page.mouse.move(*[at + 150 for at in opened.ring()])
    expect(text).to_have_text("middle quote")
    opened.page.keyboard.press("Escape")
    expect(opened.part("map")).to_be_focused()
    opened.page.keyboard.press("Escape")
    expect(opened.part("card")).to_be_hidden()


@needs_chromium
def test_the_tab_key_passes_every_control(show: Opener) -> None:
    """Tab goes through controls, tools, map, zoom and list in the order in which they are seen, and each shows it."""
    opened = show(make_map(plain_quotes(3), TOPICS[:2]))
    opened.page.evaluate("document.getElementById('reset').disabled = false")
    order = []
    for _ in range(13):
        opened.page.keyboard.press("Tab")
        order.append(opened.page.evaluate("document.activeElement.id || document.activeElement.parentElement.tagName"))
        assert opened.page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "2px"
    assert order == [
        *("search", "topic", "author", "reset", "panel-toggle", "theme", "help-toggle", "map"),
        *("zoom-in", "zoom-out", "zoom-all", "LI", "LI"),
    ]


@needs_chromium
def test_the_search_narrows(show: Opener) -> None:
    """All words have to occur in text, author and work together, whatever their case and accents; Reset ends it."""
    opened = show(make_map([*plain_quotes(60), Quote("Nichts ist süßer als ’s Vergnügen.", "Ł. Øre")], TOPICS))
    opened.page.keyboard.press("/")
    expect(opened.part("search")).to_be_focused()
    for typed, count in (
        ("LOVE", 12),
        ("love akerlund", 4),
        ("akerlund letters love", 2),
        ("  zoë   ÅKERLUND ", 20),
        ("susser", 1),
        ("'s vergnugen l. ore", 1),
        ("love war", 0),
        ("", 61),
    ):
        opened.part("search").fill(typed)
        opened.narrowed(f"{count} of 61 quotes")
        assert opened.part("map").get_attribute("data-lit") == str(count)
        assert opened.part("list").locator("button").count() == count
    opened.part("search").fill("nothing like it")
    expect(opened.part("panel-title")).to_have_text("No quote matches")
    assert opened.page.locator(".label:visible").count() == 0
    opened.part("reset").click()
    opened.narrowed("61 of 61 quotes")
    expect(opened.part("reset")).to_be_disabled()


@needs_chromium
def test_filters_narrow_together(show: Opener) -> None:
    """Topic, author and search all have to agree; a click on the name of a topic shows it alone, another click all."""
    opened = show(make_map(plain_quotes(60), TOPICS))
    opened.part("topic").select_option(label=f"{TOPICS[1]} (12)")
    opened.narrowed("12 of 60 quotes")
    assert opened.page.locator(".label:visible").all_inner_texts() == [TOPICS[1]]
    opened.part("author").fill("B. Brown")
    opened.narrowed("4 of 60 quotes")
    opened.part("search").fill("collected")
    opened.narrowed("2 of 60 quotes")
    assert all("Collected Letters" in text for text in opened.part("list").locator("button").all_inner_texts())
    opened.part("reset").click()
    opened.part("author").fill("åker")
    opened.narrowed("20 of 60 quotes")
    opened.part("author").fill("")
    opened.narrowed("60 of 60 quotes")
    name = opened.page.get_by_role("button", name=TOPICS[2])
    name.first.click()
    opened.narrowed("12 of 60 quotes")
    assert opened.part("topic").input_value() == "2"
    opened.page.locator(".label:visible").click()
    opened.narrowed("60 of 60 quotes")


@needs_chromium
def test_a_point_that_is_filtered_out_cannot_be_met(show: Opener) -> None:
    """A filter takes the card of a quote that it leaves out, and neither mouse nor keys come to that quote."""
    opened = show(make_map([Quote("gone"), Quote("left one"), Quote("left two")], positions=[(0, 0), (1, 1), (-1, 1)]))
    opened.part("list").locator("button").first.click()
    at = opened.ring()
    opened.part("search").fill("left")
    opened.narrowed("2 of 3 quotes")
    expect(opened.part("card")).to_be_hidden()
    opened.page.mouse.move(*at)
    opened.part("map").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft", "ArrowDown", "ArrowRight"):
        opened.page.keyboard.press(key)
        assert opened.part("card-text").inner_text().startswith("left")


@needs_chromium
def test_hits_of_a_query_are_marked(show: Opener) -> None:
    """The query stands above; its hits have a ring with their rank, and come first in the list with their scores."""
    opened = show(make_map(MANY, TOPICS, query="quotes about <hope>", hits=[700, 3, 41]))
    assert opened.part("query").inner_text() == "query: quotes about <hope>"
    assert opened.page.locator(".mark:not([hidden])").count() == 3
    assert sorted(opened.page.locator(".mark b:visible").all_inner_texts()) == ["1", "2", "3"]
    assert opened.part("list").locator(".score").all_inner_texts() == [
        "Hit 1, score 0.90",
        "Hit 2, score 0.85",
        "Hit 3, score 0.80",
    ]
    opened.part("map").focus()
    for rank in (1, 2, 3, 1):
        opened.page.keyboard.press("n")
        expect(opened.part("card-score")).to_contain_text(f"Hit {rank}")
    opened.page.keyboard.press("p")
    expect(opened.part("card-score")).to_contain_text("Hit 3, score 0.80")
    mark = opened.page.locator(".mark").nth(2).evaluate("element => element.getBoundingClientRect().toJSON()")
    assert opened.ring() == pytest.approx((mark["x"], mark["y"]), abs=1)
    opened.part("search").fill("number 41")
    opened.narrowed(f"{sum('41' in str(number) for number in range(1500))} of 1,500 quotes")
    assert opened.page.locator(".mark:not([hidden])").count() == 1


@needs_chromium
def test_the_list_leads_to_the_map(show: Opener) -> None:
    """What has the focus in the list has its card, and is brought into view; Up and Down go through the list."""
    opened = show(make_map(MANY, TOPICS))
    opened.part("map").focus()
    for _ in range(12):
        opened.page.keyboard.press("+")
    opened.part("search").fill("number 1")
    opened.page.keyboard.press("Enter")
    area = opened.part("map").bounding_box()
    assert area is not None
    for at in range(5):
        item = opened.part("list").locator("button").nth(at)
        expect(item).to_be_focused()
        assert item.get_attribute("aria-current") == "true"
        assert opened.part("card-text").inner_text() == item.locator(".text").inner_text()
        x, y = opened.ring()
        assert area["x"] < x < area["x"] + area["width"]
        assert area["y"] < y < area["y"] + area["height"]
        opened.page.keyboard.press("ArrowDown")


@needs_chromium
def test_the_theme_follows_the_system_and_can_be_changed(show: Opener) -> None:
    """Light or dark as the system has it; a button changes it, the points with it."""
    opened = show(make_map(MANY, TOPICS), dark=True)
    paper = "getComputedStyle(document.body).backgroundColor"

    def shade(colour: str) -> str:
        return f"rgb({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})"

    assert opened.page.evaluate(paper) == shade(DARK_PAPER)
    assert opened.picture().mean() < 80
    opened.page.get_by_role("button", name="Light colours").click()
    assert opened.page.evaluate(paper) == shade(LIGHT_PAPER)
    opened.page.wait_for_timeout(300)
    assert opened.picture().mean() > 200


@needs_chromium
def test_points_are_drawn_with_and_without_webgl(show: Opener) -> None:
    """By WebGL where there is a GPU, else on a canvas, the points are seen in the colours of their topics."""
    shares = {}
    for gpu, backend in ((True, "webgl"), (False, "canvas")):
        opened = show(make_map(MANY, TOPICS), gpu=gpu)
        assert opened.part("map").get_attribute("data-backend") == backend
        opened.page.evaluate("document.getElementById('labels').hidden = true")
        opened.page.wait_for_timeout(300)
        pixels = opened.picture().reshape(-1, 3).astype(int)
        shares[backend] = [
            (np.abs(pixels - [int(colour[at : at + 2], 16) for at in (1, 3, 5)]).max(axis=1) < 45).mean()
            for colour in LIGHT[: len(TOPICS)]
        ]
    assert min(shares["webgl"]) > 0.002
    assert shares["canvas"] == pytest.approx(shares["webgl"], rel=0.15)


def boxes(locator: Locator) -> list[tuple[float, float, float, float]]:
    """Return left, top, right and bottom of each element."""
    script = "all => all.map(one => one.getBoundingClientRect()).map(box => [box.left, box.top, box.right, box.bottom])"
    return [tuple(box) for box in locator.evaluate_all(script)]


def settled(page: Page, selector: str) -> list[tuple[float, float, float, float]]:
    """Return the boxes of what is selected once they stay where they are, however slowly the browser paints."""
    frames = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    before: list[tuple[float, float, float, float]] = []
    for _ in range(50):
        page.wait_for_timeout(150)
        page.evaluate(frames)
        now = boxes(page.locator(selector))
        if now == before:
            break
        before = now
    return before


@needs_chromium
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_names_do_not_collide(show: Opener, size: dict[str, int]) -> None:
    """However the map is zoomed and moved, no two names of topics or ranks of hits overlap, and none is cut off."""
    labels = [
        f"{first}, {second}" for first in ("love", "honesty", "a") for second in ("war", "sea", "misfortune", "age")
    ]
    positions = [(float(x), float(y)) for x, y in np.random.default_rng(1).normal(size=(len(MANY), 2))]
    opened = show(make_map(MANY, labels * 5, positions=positions, query="q", hits=range(0, 600, 60)), size)
    for keys in ("", "++", "++", "-", "0", "---"):
        opened.part("map").focus()
        for key in keys:
            opened.page.keyboard.press(key)
        opened.page.mouse.move(120, 300)
        opened.page.mouse.wheel(0, -40)
        shown = settled(opened.page, ".label:visible, .mark b:visible, #zoom")
        assert len(shown) > 2
        area = boxes(opened.part("map"))[0]
        names = boxes(opened.page.locator(".label:visible"))
        assert all(n[0] >= area[0] and n[1] >= area[1] and n[2] <= area[2] and n[3] <= area[3] for n in names)
        for a, b in itertools.combinations(shown, 2):
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


@needs_chromium
def test_what_fills_the_view_is_named(show: Opener) -> None:
    """Zoomed to where the place of its name is far outside, a topic is named all the same."""
    line = [(at / 100, (at % 7) / 20) for at in range(200)] + [(6.0, 0.1 * (at % 3)) for at in range(200)]
    opened = show(make_map(plain_quotes(400), ["the only topic"], positions=line))
    opened.part("list").locator("button").first.click()
    for _ in range(6):
        opened.part("zoom-in").click()
    name = opened.page.locator(".label")
    expect(name).to_be_visible()
    for _ in range(6):
        opened.part("zoom-out").click()
    opened.part("zoom-all").click()
    expect(name).to_be_visible()


@needs_chromium
def test_pan_and_zoom(show: Opener) -> None:
    """Dragging moves the map, the wheel zooms about the mouse, zero shows all again; a drag is no click."""
    opened = show(make_map(plain_quotes(40), TOPICS))
    opened.part("list").locator("button").first.focus()
    x, y = opened.ring()
    opened.page.mouse.move(x, y)
    opened.page.mouse.wheel(0, -200)
    opened.page.wait_for_timeout(100)
    assert opened.ring() == pytest.approx((x, y), abs=1.5)
    opened.page.mouse.move(x + 100, y + 90)
    opened.page.mouse.down()
    opened.page.mouse.move(x + 60, y + 50, steps=4)
    opened.page.mouse.up()
    opened.part("list").locator("button").first.focus()
    opened.page.wait_for_timeout(100)
    assert opened.ring() == pytest.approx((x - 40, y - 40), abs=3)
    # A name can be dragged too, and is not clicked by that.
    left, top, right, bottom = boxes(opened.page.locator(".label:visible"))[0]
    opened.page.mouse.move((left + right) / 2, (top + bottom) / 2)
    opened.page.mouse.down()
    opened.page.mouse.move((left + right) / 2 + 30, (top + bottom) / 2 - 30, steps=3)
    opened.page.mouse.up()
    opened.part("list").locator("button").first.focus()
    opened.page.wait_for_timeout(100)
    assert opened.ring() == pytest.approx((x - 10, y - 70), abs=4)
    assert opened.count() == "40 of 40 quotes"
    opened.part("zoom-all").click()
    opened.page.wait_for_timeout(100)
    opened.part("list").locator("button").nth(1).focus()
    opened.part("list").locator("button").first.focus()
    opened.page.wait_for_timeout(100)
    assert opened.ring() == pytest.approx((x, y), abs=1)


@needs_chromium
def test_fingers(show: Opener) -> None:
    """A tap shows the card below the map; two fingers that part zoom in; a close button lets the card go."""
    positions = [(-1, 0), (1, 0), (0, -0.5), (0, 0.5)]
    opened = show(make_map(plain_quotes(4), positions=positions, query="q", hits=[2, 3]), NARROW, touch=True)

    def apart() -> float:
        (_, lower, *_), (_, upper, *_) = boxes(opened.page.locator(".mark"))
        return lower - upper

    before = apart()
    left, top, *_ = boxes(opened.page.locator(".mark"))[0]
    opened.page.touchscreen.tap(left + 5, top)
    expect(opened.part("card-text")).to_have_text("The sea is what number 2 was about.")
    card = boxes(opened.part("card"))[0]
    assert card[0] >= 0
    assert card[2] <= 360
    assert 730 <= card[3] <= 740
    assert opened.ring()[1] < card[1]
    opened.part("card-close").tap()
    expect(opened.part("card")).to_be_hidden()
    session = opened.page.context.new_cdp_session(opened.page)
    for kind, reach in (("touchStart", 20), ("touchMove", 30), ("touchMove", 40), ("touchEnd", 0)):
        points = [{"x": 180 - reach, "y": 400, "id": 0}, {"x": 180 + reach, "y": 400, "id": 1}] if reach else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    opened.page.wait_for_timeout(150)
    assert apart() == pytest.approx(2 * before, rel=0.1)


@needs_chromium
def test_a_narrow_screen_holds_everything(show: Opener) -> None:
    """On 360 pixels nothing sticks out, with the controls and the list open too, and the map keeps room."""
    opened = show(
        make_map(MANY, TOPICS, query="words " * 20, hits=[1], title="A rather long title of a map " * 3), NARROW
    )
    for toggles in ((), ("controls-toggle",), ("panel-toggle",)):
        for toggle in toggles:
            opened.part(toggle).click()
        opened.page.wait_for_timeout(50)
        assert opened.page.evaluate("document.documentElement.scrollWidth") == 360
        assert opened.page.evaluate("document.documentElement.scrollHeight") == 740
        for left, top, right, bottom in boxes(opened.page.locator("button:visible, input:visible, select:visible, h1")):
            if top < 740:  # the rest of the list is reached by scrolling it
                assert left >= 0
                assert right <= 360
                assert right - left >= 24
                assert bottom - top >= 16
        map_box = boxes(opened.part("map"))[0]
        assert map_box[3] - map_box[1] >= 200
    opened.part("list").locator("button").first.click()
    expect(opened.part("panel")).to_be_hidden()
    expect(opened.part("card")).to_be_visible()


HOSTILE = [
    "</script><script>window.ran = 1</script>",
    "<!--<script>window.ran = 2",
    "<img src=x onerror='window.ran = 3'>",
    "javascript:window.ran=4",
    "{{template}} ${window.ran = 5} $data $policy $$ %(x)s {x} @x <%= x %>",
    "line\u2028separator\u2029paragraph",
    "nul\0bell\x07escape\x1b[31m delete\x7f next\x85",
    "\u202eoverridden\u202c isolated\u2066 \ufeff",
    "half \ud83d of a pair \udc00",
    "]]> &lt;b&gt; &amp; \" ' ` \\u003c \\",
    "ولد الحب أعمى",
    "שלום עולם",
    "知之为知之 👩‍👩‍👧 é\u0301",
    "long " * 2000,
]


@needs_chromium
def test_hostile_text_stays_text(show: Opener) -> None:
    """Whatever stands in texts, names, titles, topics and the query, it is shown letter by letter and runs nothing."""
    quotes = [Quote(text, author=f"{text} A", work=f"{text} W") for text in HOSTILE]
    opened = show(make_map(quotes, HOSTILE, query=HOSTILE[0], hits=[0, 1], title=HOSTILE[0] + HOSTILE[2]))

    def texts(selector: str) -> list[str]:
        return opened.page.eval_on_selector_all(selector, "all => all.map(one => escape(one.textContent))")

    def escaped(values: list[str]) -> list[str]:
        return opened.page.evaluate("all => all.map(escape)", values)

    halved = HOSTILE[8]
    whole = [text for text in HOSTILE if text != halved]  # what drives the browser cannot pass half a pair on
    assert [text for text in texts("#list .text") if "%uD83D" not in text or "%u200D" in text] == escaped(whole)
    assert "half%20%uD83D%20of%20a%20pair%20%uDC00" in texts("#list .text")
    assert set(escaped([f"{text} A" for text in whole])) <= set(texts("#list .author"))
    assert set(escaped([f"{text} W" for text in whole])) <= set(texts("#list .work"))
    assert set(escaped(whole)) <= set(texts(".label span"))
    assert texts("#query-text") == escaped(HOSTILE[:1])
    assert texts("#title") == escaped([HOSTILE[0] + HOSTILE[2]])
    for at in range(len(quotes)):
        opened.part("list").locator("button").nth(at).focus()
        assert texts("#card-text")[0] == texts("#list .text")[at]
        left, top, right, bottom = boxes(opened.part("card"))[0]
        assert 0 <= left < right <= 1280
        assert 0 <= top < bottom <= 800
    for typed in HOSTILE[:6]:
        opened.part("search").fill(typed)
        expect(opened.part("map")).to_have_attribute("data-lit", "1")
    assert opened.page.evaluate("window.ran") is None
    assert opened.page.locator("img, iframe, object, a").count() == 0


class Outline(HTMLParser):
    """Notes the elements of a document and their attributes, but for the policy."""

    def __init__(self, document: str) -> None:
        """Read a whole document."""
        super().__init__()
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, tuple(attrs)))


def test_a_collection_changes_no_element_of_the_document() -> None:
    """With hostile texts the document has the same elements with the same attributes as with harmless ones."""
    hostile = draw_page(make_map([Quote(text, text, text) for text in HOSTILE], HOSTILE, query=HOSTILE[0], hits=[0]))
    assert Outline(hostile).elements == Outline(draw_page(make_map([Quote("harmless")]))).elements
    assert hostile.encode("utf-8").decode("utf-8") == hostile


def test_a_map_is_always_the_same_document() -> None:
    """The same map gives the same document, letter by letter."""
    made = make_map(plain_quotes(30), TOPICS, query="q", hits=[3])
    assert draw_page(made) == draw_page(made)


def test_no_letter_of_the_data_can_end_its_element() -> None:
    """The data has neither <, > nor &, nor the separators that older scripts take for ends of lines."""
    page = draw_page(make_map([Quote("".join(HOSTILE))]))
    data = page.split('<script id="data" type="application/json">')[1].split("</script>")[0]
    assert len(data) > 10_000
    assert not set("<>&\u2028\u2029") & set(data)


@needs_chromium
@pytest.mark.parametrize("count", [0, 1, 2])
def test_very_small_maps(show: Opener, count: int) -> None:
    """A map of no quote, one or two without author, work and names of topics is a map too."""
    opened = show(make_map([Quote(f"quote {at}") for at in range(count)]))
    assert opened.count() == f"{count} of {count} quotes"
    opened.part("map").focus()
    for key in ("ArrowRight", "+", "ArrowLeft", "ArrowLeft", "0", "n", "Enter"):
        opened.page.keyboard.press(key)
    assert opened.part("card").is_visible() == (count > 0)
    assert opened.part("card-by").is_hidden()


@needs_chromium
def test_quotes_at_one_place_can_all_be_reached(show: Opener) -> None:
    """Of quotes at the very same position, arrows reach each, and so does one click after another."""
    opened = show(make_map([Quote(f"quote {at}") for at in range(4)], positions=[(0, 0)] * 3 + [(1, 0)]))
    opened.part("map").focus()
    text = opened.part("card-text")
    opened.part("list").locator("button").first.focus()
    at = opened.ring()
    opened.part("map").focus()
    for key, number in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2), ("ArrowLeft", 1)):
        opened.page.keyboard.press(key)
        expect(text).to_have_text(f"quote {number}")
    opened.page.keyboard.press("Escape")
    for number in (0, 1, 2, 0):
        opened.page.mouse.click(*at)
        expect(text).to_have_text(f"quote {number}")


@needs_chromium
def test_help_says_which_keys_there_are(show: Opener) -> None:
    """A button opens the help, which names the keys, and Escape closes it."""
    opened = show(make_map(plain_quotes(2)))
    opened.part("help-toggle").click()
    expect(opened.part("help")).to_contain_text("next and previous hit of the query")
    opened.page.keyboard.press("Escape")
    expect(opened.part("help")).to_be_hidden()


@needs_chromium
def test_many_quotes(show: Opener) -> None:
    """5,000 quotes with 60 topics are shown and searched."""
    opened = show(make_map(plain_quotes(5000), [f"topic, number, {at}" for at in range(60)]))
    assert opened.count() == "5,000 of 5,000 quotes"
    opened.part("search").fill("number 4321")
    opened.narrowed("1 of 5,000 quotes")
    opened.part("search").fill("")
    opened.narrowed("5,000 of 5,000 quotes")
    opened.part("map").focus()
    opened.page.keyboard.press("ArrowRight")
    expect(opened.part("card")).to_be_visible()
