/**
 * Job disks: one line a disk, with its own bar, and what slows it.
 */

import { Bar, diskState } from "./bars.js";
import { NONE, percent } from "./format.js";
import { html, Said, State } from "./html.js";
import { isActive } from "./jobs.js";
import { amount } from "./words.js";

/** The states of disks that the bar shows; any other word of a sender is shown as it was told. */
const OURS = new Set(["pending", "running", "completed", "failed", "cancelled"]);
const SLOWED = { read: "reading the source", write: "writing the target", network: "the network" };

/** What slows the disks that run, as the end of a sentence; '' where nobody told. */
export function bottleneck(job) {
  if (!isActive(job)) return "";
  const by = new Map();
  for (const disk of job.disks) {
    if (!SLOWED[disk.bottleneck] || diskState(disk, job) !== "running") continue;
    by.set(disk.bottleneck, [...(by.get(disk.bottleneck) ?? []), disk.disk_index]);
  }
  const isOne = by.size === 1 && [...by.values()][0].length === job.disks.length;
  return [...by].map(([word, disks]) => SLOWED[word] + (isOne ? "" : ` (${named(disks)})`)).join(", ");
}

const named = (disks) => `${disks.length === 1 ? "disk" : "disks"} ${disks.slice(0, 8).join(", ")}${disks.length > 8 ? ", …" : ""}`;

/** Of a run whose hub kept no bytes of its disks, a replay knows only of some moments how far each of several was. */
const Unknown = ({ many, of }) => html`<p class="quiet" id="disks-unknown">
  How far ${many === of ? `its ${of} disks were` : `${many} of its ${of} disks ${many === 1 ? "was" : "were"}`} at this time is not kept: its hub kept the
  bytes of the whole job. A disk stands here before it begins, once it has ended, and while it runs alone.
</p>`;

/** The disks of a job; nothing where its sender never told them. */
export function DiskTable({ job, replay }) {
  const unknown = replay?.job_id === job.id ? replay.disks - job.disks.length : 0;
  const note = unknown > 0 && isActive(job) && html`<${Unknown} many=${unknown} of=${replay.disks} />`;
  if (job.disks.length === 0) return note && html`<section><h3>Disks</h3>${note}</section>`;
  const isTold = job.disks.some((disk) => SLOWED[disk.bottleneck]);
  return html`<section>
    <h3>Disks</h3>
    <table class="disk-table" aria-label="Disks">
      <thead>
        <tr>
          <th scope="col" class="index">Disk</th>
          <th scope="col" class="disk-state">State</th>
          <th scope="col">Progress</th>
          <th scope="col" class="right share">Percent</th>
          <th scope="col" class="right sizes">Copied</th>
          ${isTold && html`<th scope="col" class="slow">Slowed by</th>`}
        </tr>
      </thead>
      ${job.disks.map((disk) => html`<${DiskRow} key=${disk.disk_index} disk=${disk} job=${job} isTold=${isTold} />`)}
    </table>
    ${note}
  </section>`;
}

function DiskRow({ disk, job, isTold }) {
  const state = diskState(disk, job);
  const { done, of } = amount(disk);
  const isOwnWord = disk.status && !OURS.has(disk.status);
  return html`<tbody>
    <tr>
      <th scope="row">${disk.disk_index}</th>
      <td>
        <${State} state=${state} />
        ${isOwnWord && html`<${Said} as="small" text=${`told: ${disk.status}`} />`}
      </td>
      <td class="track"><${Bar} subject=${disk} state=${state} label="disk ${disk.disk_index}" /></td>
      <td class="right percent">${percent(disk.progress_percent)}</td>
      <td class="right copied">${done} ${of}</td>
      ${isTold && html`<td class="slowed ${SLOWED[disk.bottleneck] ? "" : "untold"}">${SLOWED[disk.bottleneck] ?? NONE}</td>`}
    </tr>
    ${disk.error_message &&
    html`<tr class="note"><td /><td colspan=${isTold ? 5 : 4}><bdi class="wrap">${disk.error_message}</bdi></td></tr>`}
  </tbody>`;
}
