// Mouse, touch and wheel on the map.

const STILL = 6; // pixels that a pointer may move between down and up, and still be a click
const REACH = { mouse: 14, pen: 18, touch: 26 }; // pixels around a point in which it is met

class Pointer {
  /** Move `view` with a pointer; `over(px, py, reach)` and `click(px, py, reach)` are called when it hovers or clicks. */
  constructor(map, view, over, click) {
    this.map = map;
    this.view = view;
    this.over = over;
    this.click = click;
    this.down = new Map();
    this.moved = 0;
    map.addEventListener("pointerdown", (event) => this.press(event));
    map.addEventListener("pointermove", (event) => this.drag(event));
    map.addEventListener("pointerup", (event) => this.release(event, true));
    map.addEventListener("pointercancel", (event) => this.release(event, false));
    map.addEventListener("pointerleave", (event) => {
      if (this.moved < STILL) this.down.delete(event.pointerId);
      if (!this.down.size) this.over(0, 0, 0);
    });
    map.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  /** Return the position of an event on the map, in pixels. */
  at(event) {
    const box = this.map.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  press(event) {
    if (event.button > 0 || event.target.closest("button:not(.label), #card")) return;
    if (!this.down.size) this.moved = 0;
    this.down.set(event.pointerId, this.at(event));
  }

  drag(event) {
    const now = this.at(event);
    const before = this.down.get(event.pointerId);
    if (!before) {
      const onOther = event.target.closest("button:not(.label), #card.kept"); // names stand over quotes
      if (event.pointerType === "mouse") this.over(...now, onOther ? 0 : REACH.mouse);
      return;
    }
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    if (this.moved < STILL && this.down.size === 1) {
      this.moved = Math.max(this.moved, Math.hypot(dx, dy));
      if (this.moved < STILL) return; // `before` stays where the pointer came down
    }
    const other = [...this.down].find(([id]) => id !== event.pointerId)?.[1];
    this.down.set(event.pointerId, now);
    this.map.setPointerCapture(event.pointerId); // only now, so that a name that is clicked has its click
    this.map.classList.add("dragged");
    if (!other) {
      this.view.pan(dx, dy);
      return;
    }
    this.moved = STILL;
    const apart = ([px, py]) => Math.max(20, Math.hypot(px - other[0], py - other[1]));
    this.view.pan(dx / 2, dy / 2);
    this.view.zoomBy(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  release(event, meant) {
    if (!this.down.delete(event.pointerId) || this.down.size) return;
    this.map.classList.remove("dragged");
    if (!meant || this.moved >= STILL || event.target.closest(".label")) return;
    this.click(...this.at(event), REACH[event.pointerType] ?? REACH.touch);
  }

  wheel(event) {
    if (event.target.closest("#card.kept")) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const speed = event.ctrlKey ? 0.01 : 0.0016; // a pinch on a touchpad comes as a wheel with Ctrl
    const turn = Math.max(-240, Math.min(240, event.deltaY * lines));
    this.view.zoomBy(Math.exp(-turn * speed), ...this.at(event));
  }
}
