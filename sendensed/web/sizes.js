/**
 * Sizes: how large the runs of a machine were over time, a bar each; what did not complete is drawn hollow.
 */

import { bytes, clock, count, moment, when } from "./format.js";
import { html } from "./html.js";
import { AXIS, binarySplits, colour, markers, Plot, timeLabels, timeSeries } from "./plot.js";
import { isActive } from "./jobs.js";
import UPlot from "./vendor/uplot.js";

const HEIGHT = 170;
/** Seconds that the axis reaches over its first and last bar, at the least. */
const MARGIN = 43_200;

/** The chart of `runs`, newest first, as the hub gives them. Nothing without a run that ended. */
export function Sizes({ runs, now }) {
  const ended = runs.filter((job) => !isActive(job)).reverse();
  if (ended.length === 0) return null;
  const data = [
    ended.map((job) => moment(job.created_at) / 1000),
    ended.map((job) => (job.status === "completed" ? job.bytes_transferred : null)),
    ended.map((job) => (job.status === "completed" ? null : job.bytes_transferred)),
  ];
  const last = ended.at(-1);
  const label = `Sizes of ${count(ended.length, "run")} since ${when(moment(ended[0].created_at), now)}; the last one ${last.status} with ${bytes(last.bytes_transferred)}`;
  return html`<section id="sizes">
    <h3>Sizes <span class="legend"><span class="key completed" />completed <span class="key failed" />failed or cancelled</span></h3>
    <div class="chart-frame">
      <${Plot} make=${options} of=${ended} data=${data} span=${span(ended)} stamp=${ended.map((job) => job.id + job.status).join()} label=${label} height=${HEIGHT} />
    </div>
  </section>`;
}

function options(current) {
  const bars = UPlot.paths.bars({ size: [0.7, 18, 6], align: 0 });
  const shared = { paths: bars, points: { show: false }, value: (_, size) => bytes(size) };
  return {
    padding: [10, 12, 0, 0],
    cursor: { y: false, drag: { x: false, y: false } },
    legend: markers(["", "--completed", "--failed"]),
    scales: {
      x: { range: () => span(current()) },
      y: { range: (_plot, _least, most) => [0, Math.max((most ?? 0) * 1.1, 1024)] },
    },
    axes: [
      { ...AXIS, values: timeLabels, space: 80, size: 26, grid: { show: false } },
      { ...AXIS, values: (_, splits) => splits.map((size) => bytes(size)), size: 84, splits: binarySplits },
    ],
    series: [
      timeSeries("Created", (at) => `${when(at, 0)}${clock(at).slice(5)}`),
      { ...shared, label: "Completed", stroke: () => colour("--completed"), fill: () => colour("--completed"), width: 1 },
      { ...shared, label: "Not completed", stroke: () => colour("--failed"), fill: "transparent", width: 1.5 },
    ],
  };
}

function span(runs) {
  const [from, to] = [runs[0], runs.at(-1)].map((job) => moment(job.created_at) / 1000);
  const margin = Math.max((to - from) * 0.02, MARGIN);
  return [from - margin, to + margin];
}
