// The card of the selected quote, and the list of the quotes that match. All text is inserted as text.

const LISTED = 100;

class Card {
  constructor(map, view, collection) {
    this.map = map;
    this.view = view;
    this.collection = collection;
    this.element = document.getElementById("card");
    this.quote = -1;
    this.kept = false;
  }

  part(name) {
    return document.getElementById(`card-${name}`);
  }

  /** Show quote `i`, or nothing if it is -1; a card that is kept stays until the reader closes it. */
  show(i, kept = false) {
    this.quote = i;
    this.kept = kept && i >= 0;
    this.element.hidden = i < 0;
    this.element.classList.toggle("kept", this.kept);
    this.map.dataset.quote = i;
    if (i < 0) return;
    const { collection } = this;
    this.part("text").textContent = collection.texts[i];
    this.part("author").textContent = collection.author(i);
    this.part("work").textContent = collection.work(i);
    const details = [collection.place(i), collection.year(i)].filter(Boolean).join(", ");
    this.part("year").textContent = `${collection.work(i) && details && ", "}${details}`;
    this.part("by").hidden = !(collection.author(i) || collection.work(i) || details);
    const topic = collection.topicOf(i);
    this.part("topic").hidden = !topic;
    if (topic) {
      this.part("topic").querySelector("i").replaceWith(chip(topic.colour));
      this.part("topic").querySelector("span").textContent = topic.label;
    }
    this.part("score").textContent = collection.scoreOf(i);
    this.element.scrollTop = 0;
    this.place();
  }

  /** Put the card beside its point, inside the map; in a narrow window, the style docks it at the bottom. */
  place() {
    if (this.quote < 0) return;
    const { width, height } = this.view;
    const [px, py] = this.view.toScreen(this.collection.x[this.quote], this.collection.y[this.quote]);
    const wide = this.element.offsetWidth;
    const high = this.element.offsetHeight;
    const left = px + 20 + wide < width ? px + 20 : px - 20 - wide;
    const inside = (start, size, room) => Math.max(8, Math.min(room - size - 8, start));
    this.element.style.left = `${inside(left, wide, width)}px`;
    this.element.style.top = `${inside(py - 24, high, height)}px`;
  }
}

class List {
  /** List quotes; `looked` is called with the focused quote, `chosen` with the clicked one. */
  constructor(collection, looked, chosen) {
    this.collection = collection;
    this.element = document.getElementById("list");
    const quoteOf = (event) => event.target.closest("button")?.dataset.quote;
    this.element.addEventListener("focusin", (event) => looked(Number(quoteOf(event))));
    this.element.addEventListener("click", (event) => {
      const quote = quoteOf(event);
      if (quote !== undefined) chosen(Number(quote));
    });
    this.element.addEventListener("keydown", (event) => {
      const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
      const item = step && event.target.closest("li")?.[step];
      if (!item) return;
      event.preventDefault();
      item.firstElementChild.focus();
    });
  }

  /** List these quotes. */
  fill(quotes, title) {
    document.getElementById("panel-title").textContent = title;
    this.element.replaceChildren(...quotes.slice(0, LISTED).map((i) => this.item(i)));
    this.element.scrollTop = 0;
    const more = document.getElementById("more");
    const left = quotes.length - LISTED;
    more.hidden = left <= 0;
    more.textContent = `and ${left.toLocaleString("en")} more: search or filter`;
  }

  item(i) {
    const { collection } = this;
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.quote = i;
    const part = (className, text) => {
      if (!text) return;
      const element = document.createElement("span");
      element.className = className;
      element.dir = "auto";
      element.textContent = text;
      button.append(element);
    };
    part("score", collection.scoreOf(i));
    part("text", collection.texts[i]);
    part("author", collection.author(i));
    part("work", [collection.work(i), collection.place(i), collection.year(i)].filter(Boolean).join(", "));
    const topic = collection.topicOf(i);
    if (topic) {
      part("topic", topic.label);
      button.lastElementChild.prepend(chip(topic.colour));
    }
    const item = document.createElement("li");
    item.append(button);
    return item;
  }

  /** Mark quote `i` as the selected one, if it is listed. */
  mark(i) {
    this.element.querySelector("[aria-current]")?.removeAttribute("aria-current");
    this.element.querySelector(`[data-quote="${i}"]`)?.setAttribute("aria-current", "true");
  }

  focusFirst() {
    this.element.querySelector("button")?.focus();
  }
}
