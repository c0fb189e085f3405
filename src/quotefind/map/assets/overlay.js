// Drawn above the points: the names of the topics, the marks of the hits, the ring around the selected quote.

const GAP = 4; // pixels between two boxes
const MANY = 6; // as many points of a topic in view ask for its name

/** Whether two boxes [left, top, right, bottom] come closer than GAP. */
function collide(a, b) {
  return a[0] < b[2] + GAP && b[0] < a[2] + GAP && a[1] < b[3] + GAP && b[1] < a[3] + GAP;
}

class Overlay {
  /** Draw above `view`; `chosen` is called with the position of the topic whose name was clicked. */
  constructor(view, collection, chosen) {
    this.view = view;
    this.collection = collection;
    this.ring = document.getElementById("ring");
    this.ringed = -1;
    this.largest = Math.max(...collection.topics.map((topic) => topic.size));
    this.names = collection.topics.map((topic, at) => this.name(topic, at, chosen));
    this.marks = collection.hits.map(([quote], at) => this.mark(quote, at + 1));
    document.getElementById("labels").append(...this.names.map((name) => name.element));
    document.getElementById("marks").append(...this.marks.map((mark) => mark.element));
  }

  name(topic, at, chosen) {
    const element = document.createElement("button");
    element.type = "button";
    element.tabIndex = -1; // by keyboard, the list of topics above the map does the same
    element.className = "label";
    element.title = "Show this topic alone";
    const text = document.createElement("span");
    text.dir = "auto";
    text.textContent = topic.label;
    element.append(chip(topic.colour), text);
    element.style.fontSize = `${12 + 4 * Math.sqrt(topic.size / this.largest)}px`;
    element.addEventListener("click", () => chosen(at));
    return { element, x: topic.x, y: topic.y, home: topic, lit: true };
  }

  mark(quote, rank) {
    const element = document.createElement("div");
    element.className = "mark";
    const number = document.createElement("b");
    number.textContent = rank;
    element.append(number);
    return { element, number, quote, lit: true };
  }

  /** Show only the names of topics with lit quotes, and the marks of lit hits. */
  light(lit) {
    const left = new Uint32Array(this.names.length);
    lit.forEach((on, i) => (left[this.collection.topic_of[i]] += on));
    this.names.forEach((name, at) => (name.lit = left[at] > 0));
    this.marks.forEach((mark) => (mark.lit = lit[mark.quote] === 1));
    this.draw();
  }

  /** Measure the names again after the fonts or the available room changed. */
  measure() {
    for (const { element } of this.names) element.hidden = false;
    for (const name of this.names) name.size = [name.element.offsetWidth, name.element.offsetHeight];
    const area = this.view.element.getBoundingClientRect();
    const zoom = document.getElementById("zoom").getBoundingClientRect();
    this.taken = [[zoom.left - area.left, zoom.top - area.top, zoom.right - area.left, zoom.bottom - area.top]];
  }

  /** Move everything to its position in the current view. */
  draw() {
    if (!this.taken) this.measure();
    const taken = this.taken.slice();
    this.drawMarks(taken);
    for (const name of this.names) {
      const box = name.lit ? this.roomFor(name, taken) : null;
      name.element.hidden = !box;
      if (!box) continue;
      taken.push(box);
      move(name.element, box[0], box[1]);
    }
    this.drawRing();
  }

  /**
   * Name the topics that fill the view: if a topic's own position is outside, but at least MANY of its points are
   * inside, its name goes to the point nearest to their mean.
   */
  settle(lit) {
    const { collection, view } = this;
    const inside = (x, y) => {
      const [px, py] = view.toScreen(x, y);
      return px >= 0 && py >= 0 && px <= view.width && py <= view.height;
    };
    const seen = this.names.map(() => []);
    for (let i = 0; i < collection.count; i++) {
      if (lit[i] && inside(collection.x[i], collection.y[i])) seen[collection.topic_of[i]].push(i);
    }
    this.names.forEach((name, at) => {
      const stays = inside(name.home.x, name.home.y) || seen[at].length < MANY;
      [name.x, name.y] = stays ? [name.home.x, name.home.y] : this.middle(seen[at]);
    });
    this.draw();
  }

  /** Return the position of the quote nearest to the mean of some quotes. */
  middle(quotes) {
    const { x, y } = this.collection;
    const mean = (numbers) => quotes.reduce((sum, i) => sum + numbers[i], 0) / quotes.length;
    const [mx, my] = [mean(x), mean(y)];
    const away = (i) => (x[i] - mx) ** 2 + (y[i] - my) ** 2;
    const nearest = quotes.reduce((best, i) => (away(i) < away(best) ? i : best));
    return [x[nearest], y[nearest]];
  }

  /** Return a free box for a name, as near as possible to its position; null if there is none. */
  roomFor({ x, y, size: [wide, high] }, taken) {
    const { width, height } = this.view;
    const [px, py] = this.view.toScreen(x, y);
    if (px < 0 || py < 0 || px > width || py > height || wide + 2 * GAP > width) return null;
    for (const [across, down] of SHIFTS) {
      const left = Math.min(width - wide - GAP, Math.max(GAP, px + (across - 0.5) * wide));
      const top = Math.min(height - high - GAP, Math.max(GAP, py + (down - 0.5) * high));
      const box = [left, top, left + wide, top + high];
      if (!taken.some((other) => collide(box, other))) return box;
    }
    return null;
  }

  /** Draw the ring of each hit, and its rank beside it if there is room. */
  drawMarks(taken) {
    const rings = [];
    const { width, height } = this.view;
    for (const mark of this.marks) {
      const [px, py] = this.view.toScreen(this.collection.x[mark.quote], this.collection.y[mark.quote]);
      mark.at = mark.lit && px > -20 && py > -20 && px < width + 20 && py < height + 20 ? [px, py] : null;
      mark.element.hidden = !mark.at;
      if (!mark.at) continue;
      move(mark.element, px, py);
      rings.push([px - 7, py - 7, px + 7, py + 7]);
    }
    for (const { at, number } of this.marks) {
      if (!at) continue;
      const wide = 10 + 7 * number.textContent.length;
      const spot = SPOTS.find(([across, down]) => {
        const [left, top] = [at[0] + across * (9 + wide / 2) - wide / 2, at[1] + down * 17 - 8];
        const box = [left + GAP, top + GAP, left + wide - GAP, top + 16 - GAP];
        if (taken.some((other) => collide(box, other)) || rings.some((other) => collide(box, other))) return false;
        taken.push([left, top, left + wide, top + 16]);
        number.style.width = `${wide}px`;
        move(number, left - at[0], top - at[1]);
        return true;
      });
      number.hidden = !spot;
    }
    taken.push(...rings);
  }

  /** Put the ring around quote `i`, or around none if it is -1. */
  encircle(i) {
    this.ringed = i;
    this.drawRing();
  }

  drawRing() {
    this.ring.hidden = this.ringed < 0;
    if (this.ringed < 0) return;
    move(this.ring, ...this.view.toScreen(this.collection.x[this.ringed], this.collection.y[this.ringed]));
  }
}

// Where a name may go, in its own widths to the side and its own heights above (-1) or below its position: near it, but
// not on it. And where a rank may go, from the ring of its hit.
const SHIFTS = [
  [0, -0.9], [0, 0.9], [-0.25, -0.9], [0.25, -0.9], [-0.25, 0.9], [0.25, 0.9], [0, -1.4], [0, 1.4], [-0.25, -1.4],
  [0.25, -1.4], [-0.25, 1.4], [0.25, 1.4],
];
const AROUND = [[0.8, -0.8], [-0.8, -0.8], [0.8, 0.8], [-0.8, 0.8], [1, 0], [-1, 0], [0, -1], [0, 1]];
const SPOTS = AROUND.concat(AROUND.map(([across, down]) => [2 * across, 2 * down]));

function move(element, px, py) {
  element.style.transform = `translate(${px.toFixed(1)}px, ${py.toFixed(1)}px)`;
}

/** Return a dot in colour number `colour` of the palette. */
function chip(colour) {
  const element = document.createElement("i");
  element.className = "chip";
  element.style.background = `var(--colour-${colour})`;
  return element;
}
