/**
 * Job row: one job as a line of a table. It is painted anew only when the job, or a second of its age, changed.
 */

import { Bar, Disks } from "./bars.js";
import { age, moment, percent, stamp, when } from "./format.js";
import { Component, html, jobLink, Said, State } from "./html.js";
import { isActive } from "./jobs.js";
import { amount, closedBy, machine, pace, timeLeft, took, totalKind, trouble } from "./words.js";

/** The columns, shared by all tables so that they stand under each other: class, heading, heading once ended. */
const COLUMNS = [
  ["state-column", "State"],
  ["machine-column", "Machine"],
  ["type-column", "Type"],
  ["phase-column", "Phase"],
  ["progress-column", "Progress"],
  ["percent-column", ""],
  ["bytes-column", "Copied"],
  ["speed-column", "Speed", "Last speed"],
  ["left-column", "Time left", "Took"],
  ["heard-column", "Last heard", "Ended"],
];

/** A table of jobs. `ended` names the columns for jobs that are over; `now` is the hub's time. */
export const JobTable = ({ jobs, label, now, ended = false }) => html`<table aria-label=${label}>
  <thead>
    <tr>
      ${COLUMNS.map(
        ([column, heading, after = heading]) =>
          html`<th class=${column} scope="col">${(ended && after) || heading || html`<span class="unseen">Percent</span>`}</th>`,
      )}
    </tr>
  </thead>
  ${jobs.map((job) => html`<${JobRow} key=${job.id} job=${job} second=${isActive(job) ? Math.floor(now / 1000) : dayOf(now)} now=${now} />`)}
</table>`;

/** An ended job's row says a time of day, and tomorrow a date: looking once a minute is enough. */
const dayOf = (now) => Math.floor(now / 60_000);

class JobRow extends Component {
  shouldComponentUpdate(next) {
    return next.job !== this.props.job || next.second !== this.props.second;
  }

  render({ job, now }) {
    const { done, of } = amount(job);
    const note = trouble(job, now);
    return html`<tbody class="job ${job.status}" onClick=${(event) => open(event, job)}>
      <tr>
        <td class="state-column"><${State} state=${job.status} /></td>
        <th class="machine-column" scope="row">
          <a class="cut" href=${jobLink(job.id)} title=${`${machine(job)}\n${job.id}`}><bdi>${machine(job)}</bdi></a>
          ${job.vm_name && html`<${Said} as="small" text=${job.id} />`}
        </th>
        <td class="type-column">
          ${job.job_type}${job.backup_type && html`<${Said} as="small" text=${job.backup_type} />`}
        </td>
        <td class="phase-column">
          ${job.status !== "completed" && html`<${Said} text=${job.current_phase} />`}
          ${job.attempt > 1 && html`<small class="attempt">attempt ${job.attempt}</small>`}
        </td>
        <td class="progress-column">
          <${Bar} subject=${job} state=${job.status} label=${machine(job)} />
          <${Disks} job=${job} />
        </td>
        <td class="percent-column">${percent(job.progress_percent)}</td>
        <td class="bytes-column">${done}<small>${of} ${totalKind(job)}</small></td>
        <td class="speed-column">${pace(job)}</td>
        ${isActive(job) ? activeTimes(job, now) : endedTimes(job, now)}
      </tr>
      ${note && html`<tr class="note"><td /><td colspan="9"><${Note} job=${job} text=${note} /></td></tr>`}
    </tbody>`;
  }
}

function activeTimes(job, now) {
  const left = timeLeft(job);
  const heard = moment(job.last_telemetry_at);
  return [
    html`<td class="left-column ${left.isNumber ? "" : "reason"}">${left.text}</td>`,
    html`<td class="heard-column" title=${stamp(heard)}>${heard === null ? "never" : age(heard, now)}</td>`,
  ];
}

function endedTimes(job, now) {
  const ended = moment(job.completed_at);
  return [
    html`<td class="left-column">${took(job, now)}</td>`,
    html`<td class="heard-column" title=${stamp(ended)}>${when(ended, now)}</td>`,
  ];
}

function Note({ job, text }) {
  const judged = job.closed_by && job.closed_by !== "sender" ? `Closed by ${closedBy(job)}: ` : "";
  return html`<span class="clamp" title=${text}>${judged}<bdi>${text}</bdi></span>`;
}

/** A click anywhere in the row opens the job, but for one that ends a selection of text or hits the link. */
function open(event, job) {
  if (event.target.closest("a") || String(getSelection()) !== "") return;
  location.hash = jobLink(job.id);
}
