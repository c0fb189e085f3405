// The visible part of the plane: its centre, and its scale in pixels per unit.

const NEAREST = 400; // the largest magnification, relative to the whole map
const FARTHEST = 0.6;

class View {
  /** Show the points (x, y) in `element`; the callback `moved` is called whenever the view changes. */
  constructor(element, x, y) {
    this.element = element;
    this.x = x;
    this.y = y;
    this.moved = () => {};
    const span = (numbers) => {
      let low = Infinity;
      let high = -Infinity;
      for (const number of numbers) {
        low = Math.min(low, number);
        high = Math.max(high, number);
      }
      return low <= high ? [low, high] : [0, 0];
    };
    [this.left, this.right] = span(x);
    [this.bottom, this.top] = span(y);
    this.measure();
    this.showAll();
  }

  /** Read the size of the element again. */
  measure() {
    this.width = Math.max(1, this.element.clientWidth);
    this.height = Math.max(1, this.element.clientHeight);
    const margin = Math.min(48, this.width / 12, this.height / 12);
    // A single point, or a line of points, is shown as if it were one unit wide.
    const wide = this.right - this.left || 1;
    const high = this.top - this.bottom || 1;
    this.whole = Math.min((this.width - 2 * margin) / wide, (this.height - 2 * margin) / high);
  }

  showAll() {
    this.place((this.left + this.right) / 2, (this.bottom + this.top) / 2, this.whole);
  }

  /** Keep the centre and the magnification after the element changed its size. */
  resize() {
    const larger = this.scale / this.whole;
    this.measure();
    this.place(this.cx, this.cy, this.whole * larger);
  }

  place(cx, cy, scale) {
    this.scale = Math.min(this.whole * NEAREST, Math.max(this.whole * FARTHEST, scale));
    this.cx = Math.min(this.right, Math.max(this.left, cx));
    this.cy = Math.min(this.top, Math.max(this.bottom, cy));
    this.moved();
  }

  /** The magnification, relative to the whole map. */
  get zoom() {
    return this.scale / this.whole;
  }

  /** Return the position of a point of the plane in pixels from the upper left corner of the element. */
  toScreen(x, y) {
    return [this.width / 2 + (x - this.cx) * this.scale, this.height / 2 - (y - this.cy) * this.scale];
  }

  /** Move the view by this many pixels. */
  pan(dx, dy) {
    this.place(this.cx - dx / this.scale, this.cy + dy / this.scale, this.scale);
  }

  /** Magnify by `factor` around a pixel that stays where it is. */
  zoomBy(factor, px = this.width / 2, py = this.height / 2) {
    const before = this.scale;
    const scale = Math.min(this.whole * NEAREST, Math.max(this.whole * FARTHEST, before * factor));
    const shift = 1 / before - 1 / scale;
    this.place(this.cx + (px - this.width / 2) * shift, this.cy - (py - this.height / 2) * shift, scale);
  }

  /** Move as little as needed to show point `i` well inside, above the lowest `covered` pixels. */
  bringIn(i, covered) {
    const [px, py] = this.toScreen(this.x[i], this.y[i]);
    const margin = Math.min(40, this.width / 5, this.height / 20);
    const inside = (p, size) => Math.min(size - margin, Math.max(margin, p)) - p;
    const [dx, dy] = [inside(px, this.width), inside(py, this.height - covered)];
    if (dx || dy) this.pan(dx, dy);
  }

  /** Return the lit point nearest to a pixel, at most `reach` pixels away; -1 if there is none. */
  nearest(px, py, reach, lit) {
    const x = this.cx + (px - this.width / 2) / this.scale;
    const y = this.cy - (py - this.height / 2) / this.scale;
    let best = (reach / this.scale) ** 2;
    let found = -1;
    for (let i = 0; i < this.x.length; i++) {
      const dx = this.x[i] - x;
      const dy = this.y[i] - y;
      const distance = dx * dx + dy * dy;
      if (lit[i] && (distance < best || (distance === best && found < 0))) {
        best = distance;
        found = i;
      }
    }
    return found;
  }

  /**
   * Return the next lit point from point `i` in a direction, (1, 0) being right and (0, 1) up: the nearest one in a
   * cone of 45 degrees to each side, where sideways distance counts twice. Of points at one position, the later one
   * counts as right and above. Return -1 if there is none.
   */
  next(i, [right, up], lit) {
    let best = Infinity;
    let found = -1;
    const onward = right + up > 0;
    for (let j = 0; j < this.x.length; j++) {
      if (!lit[j] || j === i) continue;
      const dx = this.x[j] - this.x[i];
      const dy = this.y[j] - this.y[i];
      let cost;
      if (dx === 0 && dy === 0) {
        if (j > i !== onward) continue;
        cost = -1 / (1 + Math.abs(j - i));
      } else {
        const ahead = dx * right + dy * up;
        const aside = Math.abs(dx * up + dy * right);
        if (ahead < aside || ahead <= 0) continue;
        cost = ahead + 2 * aside;
      }
      if (cost < best || (cost === best && !onward)) {
        best = cost;
        found = j;
      }
    }
    return found;
  }
}
