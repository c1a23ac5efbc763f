/**
 * Job tables: the disks and the history of one job.
 */

import { Bar, diskState } from "./bars.js";
import { moment, percent, stamp } from "./format.js";
import { html, Said, State } from "./html.js";
import { amount, voice } from "./words.js";

/** One line a disk: its own bar, bytes, state and error. */
export function DiskTable({ job }) {
  if (job.disks.length === 0) return null;
  return html`<section>
    <h3>Disks</h3>
    <table class="disk-table" aria-label="Disks">
      <thead>
        <tr><th scope="col">Disk</th><th scope="col">State</th><th scope="col">Progress</th>
          <th scope="col" class="right">Percent</th><th scope="col" class="right">Copied</th></tr>
      </thead>
      ${job.disks.map((disk) => html`<${DiskRow} key=${disk.disk_index} disk=${disk} job=${job} />`)}
    </table>
  </section>`;
}

function DiskRow({ disk, job }) {
  const state = diskState(disk, job);
  const { done, of } = amount(disk);
  const isOwnWord = disk.status && disk.status !== state;
  return html`<tbody>
    <tr>
      <th scope="row">${disk.disk_index}</th>
      <td>
        <${State} state=${state} />
        ${isOwnWord && html`<${Said} as="small" text=${`told: ${disk.status}`} />`}
      </td>
      <td><${Bar} subject=${disk} state=${state} label="disk ${disk.disk_index}" /></td>
      <td class="right">${percent(disk.progress_percent)}</td>
      <td class="right">${done} ${of}</td>
    </tr>
    ${disk.error_message &&
    html`<tr class="note"><td /><td colspan="4"><bdi class="wrap">${disk.error_message}</bdi></td></tr>`}
  </tbody>`;
}

/** The history, newest first: when, what, who said so, and on what evidence. */
export function Events({ events, status }) {
  if (events === undefined) {
    const said = status === null ? "Asking the hub." : "The hub does not answer.";
    return html`<section><h3>History</h3><p class="quiet">${said}</p></section>`;
  }
  const newestFirst = [...events].sort((a, b) => moment(b.at) - moment(a.at));
  return html`<section id="events">
    <h3>History</h3>
    <table class="event-table" aria-label="History">
      <thead>
        <tr><th scope="col">Time</th><th scope="col">What</th><th scope="col">Said by</th>
          <th scope="col">Evidence</th><th scope="col" class="right">Position</th></tr>
      </thead>
      <tbody>
        ${newestFirst.map(
          (event, index) => html`<tr key=${index}>
            <td class="time">${stamp(moment(event.at))}</td>
            <td>${event.kind === "state" ? html`<${State} state=${event.status} />` : event.kind}</td>
            <td>${voice(event.said_by)}</td>
            <td><bdi class="wrap">${event.detail}</bdi></td>
            <td class="right">${percent(event.progress_percent)}<small>${position(event)}</small></td>
          </tr>`,
        )}
      </tbody>
    </table>
  </section>`;
}

function position(event) {
  const sequence = event.sequence === null ? "" : `, update ${event.sequence}`;
  return `${amount({ ...event, total_bytes: 0 }).done}, attempt ${event.attempt}${sequence}`;
}
