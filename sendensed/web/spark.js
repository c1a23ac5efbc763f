/**
 * Spark: the last ten minutes of a job's speed as a line of its own, and their mean. Gaps stay gaps.
 */

import { html } from "./html.js";

/** Milliseconds that the line spans, up to the hub's time. */
export const SPAN = 600_000;
const [WIDTH, HEIGHT] = [64, 16];
/** Milliseconds over which a mean says more than the speed itself. */
const SHORTEST_MEAN = 10_000;

/** The points of a trace within the span before `now`. */
const recent = (trace, now) => trace.filter((point) => point.at >= now - SPAN);

/** The mean of the bytes that came within the span; null where too little is known. */
export function mean(trace, now) {
  const points = recent(trace, now).filter((point) => point.speed !== null);
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last.at - first.at < SHORTEST_MEAN || last.bytes < first.bytes) return null;
  return ((last.bytes - first.bytes) * 1000) / (last.at - first.at);
}

/** The line as an SVG path: one stretch between two gaps, the fastest point on top. Pure. */
export function path(trace, now) {
  const points = recent(trace, now);
  const fastest = Math.max(...points.map((point) => point.speed ?? 0), 1);
  let isDown = false;
  const steps = [];
  for (const { at, speed } of points) {
    if (speed === null) {
      isDown = false;
      continue;
    }
    const x = ((at - now + SPAN) / SPAN) * WIDTH;
    const y = HEIGHT - 1 - (speed / fastest) * (HEIGHT - 2);
    steps.push(`${isDown ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`);
    isDown = true;
  }
  return steps.join("");
}

/** The line; its numbers stand beside it as text. */
export const Spark = ({ trace, now }) => html`<svg
  class="spark"
  viewBox="0 0 ${WIDTH} ${HEIGHT}"
  width=${WIDTH}
  height=${HEIGHT}
  aria-hidden="true"
  focusable="false"
>
  <path d=${path(trace, now)} />
</svg>`;
