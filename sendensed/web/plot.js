/**
 * Plot: uPlot as a component, and what all charts share: colours of the theme, round numbers of bytes, times of the viewer.
 */

import { zone } from "./days.js";
import { clock, NONE, stamp, stampRange, when } from "./format.js";
import { Component, html } from "./html.js";
import UPlot from "./vendor/uplot.js";

const DAY = 86_400;

/** A colour of the style, by its name. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);

/** What an axis is drawn with. */
export const AXIS = {
  stroke: () => colour("--ink-soft"),
  grid: { stroke: () => colour("--line"), width: 1 },
  ticks: { show: false },
  font: "11px system-ui, sans-serif",
};

/** A legend whose marks have the style's colours by name, one a series: they turn with the theme by themselves. */
export const markers = (names) => ({
  markers: { stroke: (_plot, index) => `var(${names[index]})`, fill: () => "transparent", width: 2 },
});

/** Times below a chart: the date where a step is a day, seconds where it is less than a minute. */
export function timeLabels(_plot, splits, _axis, _space, step) {
  return splits.map((at) => {
    if (step >= DAY) return when(at * 1000, Infinity).replace(/ \d\d:\d\d$/, "").replace(/ \d{4}$/, "");
    return step >= 60 ? clock(at * 1000).slice(0, 5) : clock(at * 1000);
  });
}

/** The series of the times: `say` gives the words of a moment in the viewer's zone, and UTC stands beside them. */
export const timeSeries = (label, say) => ({
  label,
  value: (_plot, at) => (at === null ? NONE : `${say(at * 1000)} (${stamp(at * 1000)})`),
});

/** Round numbers of binary units: 0, 64 MiB, 128 MiB, and never more than five. */
export function binarySplits(_plot, _axis, least, most) {
  let step = 1024;
  while ((most - least) / step > 4) step *= 2;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
}

/**
 * One chart. `make(current)` gives uPlot's options once; `current()` is what `of` is at the time. It is drawn again when `data` or
 * `stamp` changed, and in the colours of another theme. Below it stands whose the times of its axis are; `span`, its ends in
 * seconds, says them in UTC there.
 */
export class Plot extends Component {
  #plot = null;
  #place = null;
  #watched = null;
  #looked = null;
  #theme = matchMedia("(prefers-color-scheme: dark)");
  #redraw = () => this.#plot?.redraw();

  componentDidMount() {
    const { make, data, height } = this.props;
    const size = () => ({ width: Math.max(this.#place.clientWidth, 100), height });
    this.#plot = new UPlot({ ...size(), ...make(() => this.props.of) }, data, this.#place);
    this.#watched = new ResizeObserver(() => this.#plot.setSize(size()));
    this.#watched.observe(this.#place);
    this.#theme.addEventListener("change", this.#redraw);
    this.#looked = new MutationObserver(this.#redraw);
    this.#looked.observe(document.documentElement, { attributes: true });
  }

  shouldComponentUpdate(next) {
    return next.stamp !== this.props.stamp || next.label !== this.props.label;
  }

  componentDidUpdate() {
    this.#plot.setData(this.props.data);
  }

  componentWillUnmount() {
    this.#theme.removeEventListener("change", this.#redraw);
    this.#looked.disconnect();
    this.#watched.disconnect();
    this.#plot.destroy();
  }

  render({ label, span: [from, to] }) {
    return html`
      <div class="chart" role="img" aria-label=${label} ref=${(node) => (this.#place = node)} />
      <p class="quiet times">Times in <span title=${stampRange(from * 1000, to * 1000)}>${zone()}</span></p>
    `;
  }
}
