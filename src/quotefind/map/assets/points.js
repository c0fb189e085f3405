// The points, drawn by Bokeh with WebGL, or on a canvas if there is no WebGL.

const SAMPLE = 4000; // points drawn while the map moves, if all of them are too slow
const SLOW_FRAME = 34; // milliseconds: two frames of a screen with 60 Hz
const REST = 180; // milliseconds without a move after which all points are drawn

/** Whether there is WebGL on a GPU; if the processor emulates one, a canvas is faster. */
function drawsFast() {
  const gl = document.createElement("canvas").getContext("webgl", { failIfMajorPerformanceCaveat: true });
  if (!gl) return false;
  // Chromium emulates without that caveat, and names what it draws with only when asked like this.
  const named = gl.getParameter(gl.RENDERER);
  const info = named === "WebKit WebGL" ? gl.getExtension("WEBGL_debug_renderer_info") : null;
  const drawnBy = info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : named;
  return !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(drawnBy);
}

class Points {
  /**
   * Draw into `element`; `painted` is called after each painting, so that what lies above moves together with it, and
   * `rested` when the view has come to rest.
   */
  constructor(element, view, painted, rested) {
    this.element = element;
    this.view = view;
    this.painted = painted;
    this.rested = rested;
    this.slowFrames = 0;
    this.rest = 0;
    this.ranges = { x: new Bokeh.Range1d(), y: new Bokeh.Range1d() };
    this.colours = new Bokeh.LinearColorMapper();
    this.plot = new Bokeh.Plot({
      x_range: this.ranges.x,
      y_range: this.ranges.y,
      output_backend: drawsFast() ? "webgl" : "canvas",
      sizing_mode: "stretch_both",
      toolbar_location: null,
      title: null,
      min_border: 0,
      outline_line_color: null,
      background_fill_color: null,
      border_fill_color: null,
      lod_threshold: null, // Bokeh's own sample is grey
    });
    this.all = this.layer();
    this.sample = this.layer();
    this.sample.renderer.visible = false;
  }

  /** Add a layer of points to the plot. */
  layer() {
    const source = new Bokeh.ColumnDataSource({ data: { x: [], y: [], colour: [] } });
    const glyph = new Bokeh.Scatter({
      x: { field: "x" },
      y: { field: "y" },
      marker: "circle",
      fill_color: { field: "colour", transform: this.colours },
      fill_alpha: 0.85,
      line_color: null,
    });
    const renderer = new Bokeh.GlyphRenderer({
      data_source: source,
      glyph,
      nonselection_glyph: null,
      selection_glyph: null,
      muted_glyph: null,
    });
    this.plot.renderers = this.plot.renderers.concat(renderer);
    return { source, glyph, renderer };
  }

  async show() {
    this.follow();
    const shown = await Bokeh.Plotting.show(this.plot, this.element);
    shown.repainted.connect(this.painted);
    const backend = shown.canvas_view.webgl ? "webgl" : "canvas";
    if (backend === "canvas" && this.count > 3 * SAMPLE) this.slowFrames = 3; // there is no need to try
    return backend;
  }

  /** Paint colour number k with the k-th of these colours from now on. */
  paint(colours) {
    this.colours.setv({ palette: colours, low: -0.5, high: colours.length - 0.5 });
  }

  /** Show the points with these positions in `x` and `y`: the faint ones, and above them the lit ones. */
  put(faint, lit, x, y, colourOf) {
    const columns = (places) => ({
      x: Float64Array.from(places, (i) => x[i]),
      y: Float64Array.from(places, (i) => y[i]),
      colour: Float64Array.from(places, colourOf),
    });
    const some = (places, most) => {
      const step = Math.ceil(places.length / most);
      return step > 1 ? places.filter((_, at) => at % step === 0) : places;
    };
    this.count = faint.length + lit.length;
    this.all.source.data = columns(faint.concat(lit));
    const sample = this.count > SAMPLE ? some(faint, SAMPLE / 2).concat(some(lit, SAMPLE)) : [];
    this.sample.source.data = columns(sample);
    this.fit();
  }

  /** Set the size of the points by their number and the zoom. */
  fit() {
    const { width, height, zoom } = this.view;
    const room = Math.sqrt((width * height) / Math.max(1, this.count));
    const size = Math.min(11, Math.max(2.8, 0.42 * room * Math.sqrt(zoom)));
    if (Math.abs(size - this.size) < 0.2) return;
    this.size = size;
    this.all.glyph.size = { value: size };
    this.sample.glyph.size = { value: size + 0.6 };
  }

  /** Show the current view; while it changes quickly, only as many points as can be drawn in time. */
  follow() {
    const { cx, cy, scale, width, height } = this.view;
    this.ranges.x.setv({ start: cx - width / 2 / scale, end: cx + width / 2 / scale });
    this.ranges.y.setv({ start: cy - height / 2 / scale, end: cy + height / 2 / scale });
    if (this.count > SAMPLE) {
      if (this.slowFrames < 3) this.watch();
      else this.thin(true);
    }
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      this.thin(false);
      this.fit();
      this.rested();
    }, REST);
  }

  thin(sampled) {
    if (this.sample.renderer.visible === sampled) return;
    this.sample.renderer.visible = sampled;
    this.all.renderer.visible = !sampled;
  }

  /** Count the consecutive frames that took too long. */
  watch() {
    if (this.watching) return;
    this.watching = true;
    requestAnimationFrame((first) => {
      requestAnimationFrame((second) => {
        this.watching = false;
        this.slowFrames = second - first > SLOW_FRAME ? this.slowFrames + 1 : 0;
      });
    });
  }
}
