/**
 * Chart: a job's speed as seen since the page was opened. Gaps are drawn as gaps, hatched, with their cause.
 *
 * The time axis runs on with the hub's clock, so a job that fell silent shows a growing gap at the right.
 */

import { clock, speed } from "./format.js";
import { Component, html } from "./html.js";
import { LONGEST_STRETCH } from "./traces.js";
import UPlot from "./vendor/uplot.js";

const HEIGHT = 180;
/** The least the time axis spans, in milliseconds: three points are not drawn across the whole page. */
const SHORTEST_SPAN = 120_000;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);

export class Chart extends Component {
  #plot = null;
  #place = null;
  #observer = null;
  #theme = matchMedia("(prefers-color-scheme: dark)");
  #redraw = () => this.#plot?.redraw();

  componentDidMount() {
    this.#plot = new UPlot(this.#options(), columns(this.props), this.#place);
    const fit = () => this.#plot.setSize({ width: this.#place.clientWidth, height: HEIGHT });
    this.#observer = new ResizeObserver(fit);
    this.#observer.observe(this.#place);
    this.#theme.addEventListener("change", this.#redraw);
  }

  componentDidUpdate() {
    this.#plot.setData(columns(this.props));
  }

  componentWillUnmount() {
    this.#theme.removeEventListener("change", this.#redraw);
    this.#observer.disconnect();
    this.#plot.destroy();
  }

  render({ trace }) {
    const points = trace.filter((point) => point.speed !== null);
    return html`<div class="chart-frame">
      <div class="chart" role="img" aria-label=${summary(points)} ref=${(node) => (this.#place = node)} />
      ${points.length === 0 && html`<p class="quiet over">No telemetry has come since this page was opened.</p>`}
    </div>`;
  }

  #options() {
    const axis = {
      stroke: () => colour("--ink-soft"),
      grid: { stroke: () => colour("--line"), width: 1 },
      ticks: { show: false },
    };
    return {
      width: this.#place.clientWidth,
      height: HEIGHT,
      cursor: { y: false, drag: { x: false, y: false } },
      scales: {
        x: { range: () => span(this.props) },
        y: { range: (_plot, _least, most) => [0, Math.max(most * 1.15, 1024)] },
      },
      axes: [
        { ...axis, values: (_, splits) => splits.map((at) => clock(at * 1000)), space: 90, size: 26 },
        { ...axis, values: (_, splits) => splits.map((rate) => speed(rate)), size: 90, splits: binarySplits },
      ],
      series: [
        { label: "Time", value: (_, at) => (at === null ? "–" : clock(at * 1000)) },
        {
          label: "Speed",
          stroke: () => colour("--running"),
          fill: () => colour("--running-soft"),
          width: 1.5,
          points: { show: (plot, _, from, to) => to - from < 60 },
          value: (_, rate) => speed(rate),
        },
      ],
      hooks: { drawClear: [(plot) => drawGaps(plot, this.props)] },
    };
  }
}

/** The points as uPlot wants them: seconds, and bytes per second with null in a gap. */
function columns({ trace }) {
  return [trace.map((point) => point.at / 1000), trace.map((point) => point.speed)];
}

function span({ trace, now, active }) {
  const last = trace.at(-1)?.at ?? now;
  const to = active ? Math.max(now, last) : last;
  return [Math.min(trace[0]?.at ?? to, to - SHORTEST_SPAN) / 1000, to / 1000];
}

/** Round numbers of binary units: 0, 64 MiB/s, 128 MiB/s, and never more than five. */
function binarySplits(_plot, _axis, least, most) {
  let step = 1024;
  while ((most - least) / step > 4) step *= 2;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
}

/** `[from, to, cause]` of each gap, the growing one at the right included. Milliseconds. */
export function gaps({ trace, now, active, live }) {
  const found = [];
  trace.forEach((point, index) => {
    const next = trace[index + 1];
    if (point.speed === null && next !== undefined) found.push([point.at, next.at, point.cause]);
  });
  const last = trace.at(-1);
  const isSilent = active && last !== undefined && now - last.at > LONGEST_STRETCH;
  if (isSilent) found.push([last.at, now, live ? "no telemetry" : "no live feed"]);
  return found;
}

function drawGaps(plot, props) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const [from, to, cause] of gaps(props)) {
    const [left, right] = [from, to].map((at) => plot.valToPos(at / 1000, "x", true));
    hatch(ctx, left, right, bbox);
    ctx.fillStyle = colour("--ink-soft");
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    const hasRoom = right - left > ctx.measureText(cause).width + 8;
    if (hasRoom) ctx.fillText(cause, (left + right) / 2, bbox.top + bbox.height / 2);
  }
  ctx.restore();
}

function hatch(ctx, left, right, bbox) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, right - left, bbox.height);
  ctx.clip();
  ctx.beginPath();
  for (let x = left - bbox.height; x < right; x += 8 * devicePixelRatio) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.strokeStyle = colour("--hatch");
  ctx.lineWidth = devicePixelRatio;
  ctx.stroke();
  ctx.restore();
}

function summary(points) {
  if (points.length === 0) return "Speed: no telemetry since this page was opened";
  const fastest = Math.max(...points.map((point) => point.speed));
  return `Speed since ${clock(points[0].at)}: now ${speed(points.at(-1).speed)}, fastest ${speed(fastest)}`;
}
