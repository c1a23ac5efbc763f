/**
 * Bars: how far a job and each of its disks are, for eyes and for screen readers.
 *
 * A bar without a known share is hatched, not empty: nobody knows is not the same as nothing done.
 */

import { percent, wholePercent } from "./format.js";
import { html, Symbol } from "./html.js";
import { progressText } from "./words.js";

const ENDS = new Set(["completed", "failed", "cancelled"]);
/** Disks with a bar of their own under a job's; the others are counted, and stand on the job's page. */
const MOST_DISKS = 24;
/** Most disks that have room for a whole label, and for a percent alone. */
const LABELLED = 4;
const NUMBERED = 8;

/** One bar of a job or disk; `state` colours it, `label` names it aloud. */
export function Bar({ subject, state, label }) {
  const share = subject.progress_percent;
  const isKnown = share !== null;
  return html`<div
    class="bar ${state} ${isKnown ? "" : "unknown"}"
    role="progressbar"
    aria-label=${label}
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${isKnown ? Math.floor(share * 10) / 10 : null}
    aria-valuetext=${progressText(subject, state)}
    style=${{ "--share": `${isKnown ? share : 0}%` }}
  />`;
}

/**
 * A disk's state as it is drawn. Its own end stands; else it is as its job is, and `unfinished` where the job
 * has ended without it. Other words of a sender are free text, and shown as such on the job's page.
 */
export function diskState(disk, job) {
  if (ENDS.has(disk.status)) return disk.status;
  if (ENDS.has(job.status)) return "unfinished";
  return job.status === "running" && disk.status === "pending" ? "pending" : job.status;
}

/** The thin bars of a job's disks, side by side. */
export function Disks({ job }) {
  const of = job.disks.length;
  if (of < 2) return null;
  const shown = job.disks.slice(0, MOST_DISKS);
  const more = of - shown.length;
  return html`<div class="disks">
    ${shown.map((disk) => html`<${Disk} key=${disk.disk_index} disk=${disk} job=${job} of=${of} />`)}
    ${more > 0 && html`<span class="more">+${more}</span>`}
  </div>`;
}

function Disk({ disk, job, of }) {
  const state = diskState(disk, job);
  const name = `disk ${disk.disk_index}`;
  const title = `${name}: ${progressText(disk, state)}`;
  return html`<div class="disk ${state}" title=${title}>
    <${Bar} subject=${disk} state=${state} label=${name} />
    ${of <= LABELLED && html`<span class="label">
      <${Symbol} state=${state} /><span class="word">disk ${" "}</span><span class="index">${disk.disk_index}: ${" "}</span>
      <span class="exact">${percent(disk.progress_percent)}</span><span class="whole">${wholePercent(disk.progress_percent)}</span>
    </span>`}
    ${of > LABELLED && of <= NUMBERED && html`<span class="label">${wholePercent(disk.progress_percent)}</span>`}
  </div>`;
}
