// Connects the parts: the selected quote, the filters, the keys, the theme.

const element = (id) => document.getElementById(id);
const collection = new Collection(JSON.parse(element("data").textContent));
const map = element("map");
const narrow = matchMedia("(max-width: 760px)");
let typed = 0; // the timer of what was typed last
let lit = new Uint8Array(collection.count).fill(1);

const view = new View(map, collection.x, collection.y);
const overlay = new Overlay(view, collection, (topic) => {
  element("topic").value = element("topic").value === `${topic}` ? "-1" : `${topic}`;
  filter();
});
const card = new Card(map, view, collection);
const list = new List(collection, (i) => take(i, { bring: true }), choose);
const points = new Points(
  element("plot"),
  view,
  () => {
    overlay.draw();
    card.place();
  },
  () => overlay.settle(lit),
);
view.moved = () => points.follow();

/** Select quote `i`, or none if it is -1: show its card and its ring, and mark it in the list. */
function take(i, { keep = false, bring = false, say = false } = {}) {
  card.show(i, keep);
  if (bring && i >= 0) view.bringIn(i, narrow.matches ? card.element.offsetHeight : 0);
  overlay.encircle(i);
  list.mark(i);
  if (!say || i < 0) return;
  const parts = [collection.scoreOf(i), collection.texts[i], collection.author(i), collection.work(i)];
  element("announcer").textContent = parts.concat(collection.topicOf(i)?.label ?? "").filter(Boolean).join(". ");
}

/** Keep quote `i`, chosen in the list, selected; in a narrow window, close the list to show the map. */
function choose(i) {
  if (narrow.matches) toggle(element("panel-toggle"), "panel-open", false);
  take(i, { keep: true, bring: true });
  if (narrow.matches) map.focus();
}

/** Light the quotes that match the filters; the others become faint. */
function filter() {
  clearTimeout(typed);
  const [search, topic, author] = ["search", "topic", "author"].map((id) => element(id).value);
  lit = collection.matching({ search, topic: Number(topic), author });
  const listed = collection.listed(lit);
  const count = `${listed.length.toLocaleString("en")} of ${collection.count.toLocaleString("en")} quotes`;
  element("count").textContent = count;
  element("reset").disabled = !search && !author && topic === "-1";
  map.dataset.lit = listed.length;
  if (card.quote >= 0 && !lit[card.quote]) take(-1);
  const title = listed.some((i) => collection.rankOf.has(i)) ? "Hits first" : "Quotes";
  list.fill(listed, listed.length ? title : "No quote matches");
  list.mark(card.quote);
  overlay.light(lit);
  const places = [...lit.keys()];
  const [dim, bright] = [places.filter((i) => !lit[i]), places.filter((i) => lit[i])];
  const faint = collection.palettes.light.length; // the colour after those of the topics
  points.put(dim, bright, collection.x, collection.y, (i) => (lit[i] ? (collection.topicOf(i)?.colour ?? 0) : faint));
}

function fillControls() {
  document.title = collection.title;
  element("title").textContent = collection.title;
  element("query").hidden = collection.query === null;
  element("query-text").textContent = collection.query ?? "";
  const topics = collection.topics.map((topic, at) => new Option(`${topic.label} (${topic.size})`, at));
  element("topic").append(new Option(`All topics (${topics.length})`, -1), ...topics);
  const sizes = new Uint32Array(collection.authors.length);
  for (const author of collection.author_of) if (author >= 0) sizes[author]++;
  const byCount = [...sizes.keys()].sort((a, b) => sizes[b] - sizes[a]).slice(0, 2000);
  element("authors").append(...byCount.map((a) => new Option(`${sizes[a]}`, collection.authors[a])));
}

function reset() {
  element("search").value = "";
  element("author").value = "";
  element("topic").value = "-1";
  filter();
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const palette = collection.palettes[theme];
  palette.forEach((colour, at) => document.documentElement.style.setProperty(`--colour-${at}`, colour));
  const faint = getComputedStyle(document.documentElement).getPropertyValue("--faint").trim();
  points.paint(palette.concat(faint));
  element("theme").title = theme === "dark" ? "Light colours" : "Dark colours";
  element("theme").setAttribute("aria-label", element("theme").title);
}

function toggle(button, name, open) {
  button.setAttribute("aria-expanded", `${open}`);
  document.body.classList.toggle(name, open);
}

/** Go to the hit `step` ranks after the selected one. */
function goToHit(step) {
  const hits = collection.hits.map(([quote]) => quote).filter((i) => lit[i]);
  if (!hits.length) return;
  const at = hits.indexOf(card.quote);
  const next = at < 0 ? (step > 0 ? 0 : hits.length - 1) : (at + step + hits.length) % hits.length;
  take(hits[next], { bring: true, say: true });
}

const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function goByArrow(arrow, whole) {
  if (whole) {
    view.pan((-arrow[0] * view.width) / 5, (arrow[1] * view.height) / 5);
    return;
  }
  const { quote } = card;
  const next = quote < 0 ? view.nearest(view.width / 2, view.height / 2, Infinity, lit) : view.next(quote, arrow, lit);
  if (next >= 0) take(next, { bring: true, say: true });
}

function zoom(factor) {
  const { quote } = card;
  if (quote < 0) view.zoomBy(factor);
  else view.zoomBy(factor, ...view.toScreen(collection.x[quote], collection.y[quote]));
}

function release() {
  if (card.kept) {
    take(card.quote);
    map.focus();
  } else take(-1);
}

const KEYS = {
  Enter: () => {
    if (card.quote < 0) return;
    take(card.quote, { keep: true });
    card.element.focus({ preventScroll: true });
  },
  Escape: release,
  "+": () => zoom(1.5),
  "=": () => zoom(1.5),
  "-": () => zoom(1 / 1.5),
  0: () => view.showAll(),
  n: () => goToHit(1),
  p: () => goToHit(-1),
};

function onMapKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target !== map && event.key !== "Escape") return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (ARROWS[key]) goByArrow(ARROWS[key], event.shiftKey);
  else if (Object.hasOwn(KEYS, key)) KEYS[key]();
  else return;
  event.preventDefault();
}

function onAnyKey(event) {
  const typing = event.target.closest("input, select, dialog");
  if (event.key === "Escape" && !typing && !map.contains(event.target)) release();
  if (!["/", "?"].includes(event.key) || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (event.key === "?") {
    element("help").showModal();
    return;
  }
  toggle(element("controls-toggle"), "controls-open", true);
  element("search").select();
}

function onSearchKey(event) {
  if (event.key === "Enter") {
    filter();
    toggle(element("panel-toggle"), "panel-open", true);
    list.focusFirst();
  } else if (event.key === "Escape" && !element("search").value) map.focus();
  else return;
  event.preventDefault();
}

/** Return the quote that a click on quote `i` selects: if several are at one position, the one after the selected. */
function clicked(i) {
  const { x, y } = collection;
  if (i < 0 || !card.kept || x[i] !== x[card.quote] || y[i] !== y[card.quote]) return i;
  const same = [...lit.keys()].filter((j) => lit[j] && x[j] === x[i] && y[j] === y[i]);
  return same[(same.indexOf(card.quote) + 1) % same.length];
}

function listen() {
  const soon = () => {
    clearTimeout(typed);
    typed = setTimeout(filter, 120);
  };
  element("search").addEventListener("input", soon);
  element("author").addEventListener("input", soon);
  element("topic").addEventListener("change", filter);
  element("reset").addEventListener("click", reset);
  element("search").addEventListener("keydown", onSearchKey);
  element("theme").addEventListener("click", () =>
    setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
  );
  element("help-toggle").addEventListener("click", () => element("help").showModal());
  for (const [id, name] of [["controls-toggle", "controls-open"], ["panel-toggle", "panel-open"]]) {
    const button = element(id);
    button.addEventListener("click", () => toggle(button, name, button.getAttribute("aria-expanded") !== "true"));
  }
  element("zoom-in").addEventListener("click", () => zoom(1.5));
  element("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
  element("zoom-all").addEventListener("click", () => view.showAll());
  element("card-close").addEventListener("click", () => {
    take(-1);
    map.focus();
  });
  map.addEventListener("keydown", onMapKey);
  document.addEventListener("keydown", onAnyKey);
  new Pointer(
    map,
    view,
    (px, py, reach) => {
      if (card.kept) return;
      const i = view.nearest(px, py, reach, lit);
      if (i !== card.quote) take(i);
    },
    (px, py, reach) => take(clicked(view.nearest(px, py, reach, lit)), { keep: true, bring: narrow.matches }),
  );
  new ResizeObserver(() => {
    view.resize();
    overlay.measure();
    overlay.draw();
    card.place();
  }).observe(map);
}

async function start() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  toggle(element("panel-toggle"), "panel-open", !narrow.matches);
  fillControls();
  setTheme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  view.resize();
  listen();
  filter();
  map.dataset.backend = await points.show();
  map.dataset.ready = "true";
}

await start();
