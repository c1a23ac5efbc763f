/**
 * Chart: a job's speed over its whole run. Gaps are drawn as gaps, hatched, with their cause; phases stand above.
 *
 * The time axis runs on with the hub's clock, so a job that fell silent shows a growing gap at the right.
 */

import { clock, duration, speed, when } from "./format.js";
import { html, Time } from "./html.js";
import { AXIS, binarySplits, colour, markers, Plot, timeLabels, timeSeries } from "./plot.js";
import { causeSentence, causeWord, columns } from "./timeline.js";

const HEIGHT = 220;
/** The least the time axis spans, in milliseconds: three points are not drawn across the whole page. */
const SHORTEST_SPAN = 120_000;
/** Pixels above the plot, for the phases. */
const STRIP = 18;
/** Gaps and phases that are listed in words; the newest. */
const LISTED = 12;

/** The chart of a `line` (see timeline.js); `now` is its right end while the job is `active`. */
export function Chart({ line, now, active }) {
  const { points } = line;
  const stamp = `${points.length} ${points.at(-1)?.at} ${line.gaps.length} ${active ? Math.floor(now / 1000) : ""}`;
  return html`<div class="chart-frame">
    <${Plot}
      make=${options}
      of=${{ line, now, active }}
      data=${columns(line)}
      span=${span({ line, now, active })}
      stamp=${stamp}
      label=${summary(line)}
      height=${HEIGHT}
    />
    ${points.length === 0 && html`<p class="quiet over">The hub has kept no sample of it yet.</p>`}
    <${InWords} line=${line} now=${now} />
  </div>`;
}

function options(current) {
  return {
    padding: [STRIP + 6, 20, 0, 0],
    cursor: { y: false, drag: { x: false, y: false } },
    legend: markers(["", "--running"]),
    scales: {
      x: { range: () => span(current()) },
      y: { range: (_plot, _least, most) => [0, Math.max((most ?? 0) * 1.1, 1024)] },
    },
    axes: [
      { ...AXIS, values: timeLabels, space: 80, size: 26 },
      { ...AXIS, values: (_, splits) => splits.map((rate) => speed(rate)), size: 84, splits: binarySplits },
    ],
    series: [
      timeSeries("Time", clock),
      {
        label: "Speed",
        stroke: () => colour("--running"),
        fill: () => colour("--running-soft"),
        width: 1.5,
        points: { show: (_plot, _series, from, to) => to - from < 40, filter: alone, size: 5 },
        value: (_, rate) => speed(rate),
      },
    ],
    hooks: {
      drawClear: [(plot) => drawGaps(plot, current().line.gaps)],
      draw: [(plot) => drawPhases(plot, current().line.phases)],
    },
  };
}

/** The points that no line leads to: between two gaps, or the first word after one. All, where all are shown. */
function alone(plot, series, isShown) {
  if (isShown) return null;
  const values = plot.data[series];
  const isKnown = (index) => values[index] !== null && values[index] !== undefined;
  return values.flatMap((_, index) => (isKnown(index) && !isKnown(index - 1) && !isKnown(index + 1) ? [index] : []));
}

function span({ line, now, active }) {
  const ends = [line.points.at(-1)?.at, line.gaps.at(-1)?.to].filter((at) => at !== undefined);
  const last = ends.length === 0 ? now : Math.max(...ends);
  const to = active ? Math.max(now, last) : last;
  return [Math.min(line.points[0]?.at ?? to, to - SHORTEST_SPAN) / 1000, to / 1000];
}

/** Where a stretch stands, in the canvas' pixels, cut to the plot. */
function place(plot, { from, to }) {
  const { left, width } = plot.bbox;
  const [start, end] = [from, to].map((at) => plot.valToPos(at / 1000, "x", true));
  return [Math.max(start, left), Math.min(end, left + width)];
}

function drawGaps(plot, gaps) {
  const { ctx, bbox } = plot;
  ctx.save();
  font(ctx);
  for (const gap of gaps) {
    const [left, right] = place(plot, gap);
    if (right <= left) continue;
    hatch(ctx, left, right, bbox);
    ctx.fillStyle = colour("--ink-soft");
    write(ctx, causeWord(gap.cause), right - left, (left + right) / 2, bbox.top + bbox.height / 2);
  }
  ctx.restore();
}

/** The word around a point: upright where the gap is too narrow, not at all where that is no use. */
function write(ctx, word, width, x, y) {
  ctx.save();
  ctx.translate(x, y);
  const isUpright = width < ctx.measureText(word).width + 8;
  if (isUpright) ctx.rotate(-Math.PI / 2);
  if (width > 14 * devicePixelRatio) ctx.fillText(word, 0, 0);
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

/** A strip above the plot: each phase from where it began, its name where there is room; a line down at each new attempt. */
function drawPhases(plot, phases) {
  const { ctx, bbox } = plot;
  const height = STRIP * devicePixelRatio;
  const top = bbox.top - height - 3 * devicePixelRatio;
  ctx.save();
  font(ctx);
  phases.forEach((phase, index) => {
    const [left, right] = place(plot, phase);
    if (right <= left) return;
    const isNewAttempt = index > 0 && phases[index - 1].attempt !== phase.attempt;
    ctx.fillStyle = colour(index % 2 ? "--line" : "--track");
    ctx.fillRect(left, top, right - left, height);
    ctx.fillStyle = colour("--ink-soft");
    ctx.fillRect(left, top, devicePixelRatio, isNewAttempt ? height + bbox.height : height);
    const name = isNewAttempt ? `attempt ${phase.attempt}: ${phase.name}` : phase.name;
    const text = fitted(ctx, name, right - left - 12 * devicePixelRatio);
    if (text) ctx.fillText(text, (left + right) / 2, top + height / 2);
  });
  ctx.restore();
}

function font(ctx) {
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
}

/** The text, or as much of it as there is room for; '' for less than three letters. */
function fitted(ctx, text, width) {
  if (ctx.measureText(text).width <= width) return text;
  for (let length = Math.min(text.length - 1, 40); length > 2; length -= 1) {
    const part = `${text.slice(0, length)}…`;
    if (ctx.measureText(part).width <= width) return part;
  }
  return "";
}

function summary({ points }) {
  if (points.length === 0) return "Speed: no sample yet";
  const fastest = Math.max(...points.map((point) => point.speed));
  return `Speed since ${clock(points[0].at)}: last ${speed(points.at(-1).speed)}, fastest ${speed(fastest)}`;
}

/** The gaps and phases of the chart in words, for who cannot see them and for narrow places. */
function InWords({ line: { gaps, phases }, now }) {
  if (phases.length === 0) return null;
  const stretch = ({ from, to }) => html`<${Time} at=${from} text=${when(from, now)} />, ${duration((to - from) / 1000)}`;
  return html`<div class="in-words">
    <div>
      <h4>Phases</h4>
      <ol>
        ${phases.slice(-LISTED).map(
          (phase) => html`<li key=${phase.from}>
            <bdi class="wrap">${phase.name || "not told"}</bdi>
            <span class="soft">${stretch(phase)}${phase.attempt > 1 && `, attempt ${phase.attempt}`}</span>
          </li>`,
        )}
      </ol>
    </div>
    <div id="gaps">
      <h4>Gaps</h4>
      ${gaps.length === 0 && html`<p class="quiet">None: the sender was heard all the time.</p>`}
      <ol>
        ${gaps.slice(-LISTED).map(
          (gap) => html`<li key=${gap.from}>${causeSentence(gap.cause)} <span class="soft">${stretch(gap)}</span></li>`,
        )}
      </ol>
    </div>
  </div>`;
}
