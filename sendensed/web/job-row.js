/**
 * Job row: one job as a line of a table. It is painted anew only when the job or its age changed.
 */

import { Bar, Disks } from "./bars.js";
import { age, moment, NONE, percent, stamp } from "./format.js";
import { Component, html, Said, State, Time } from "./html.js";
import { isActive } from "./jobs.js";
import { jobLink } from "./router.js";
import { amount, machine, pace, timeLeft, took, totalKind, trouble, verdict } from "./words.js";

/** The columns, shared by all tables so that they stand in line: class, heading, heading once ended. */
const COLUMNS = [
  ["state-column", "State"],
  ["machine-column", "Machine"],
  ["type-column", "Type"],
  ["phase-column", "Phase"],
  ["progress-column", "Progress"],
  ["percent-column", "Percent"],
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
          html`<th class=${column} scope="col"><span>${ended ? after : heading}</span></th>`,
      )}
    </tr>
  </thead>
  ${jobs.map(
    (job) =>
      html`<${JobRow} key=${job.id} job=${job} now=${now} second=${ageOf(job, now)} ended=${ended} />`,
  )}
</table>`;

/** Changes when the row of an unchanged job must be painted: an ended one gets a date for its time. */
const ageOf = (job, now) => Math.floor(now / (isActive(job) ? 1_000 : 60_000));

class JobRow extends Component {
  shouldComponentUpdate(next) {
    return next.job !== this.props.job || next.second !== this.props.second;
  }

  render({ job, now, ended }) {
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
        <td class="speed-column">${isActive(job) || ended ? pace(job) : NONE}</td>
        ${isActive(job) ? activeTimes(job, now) : endedTimes(job, now, ended)}
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

/** Under the headings of active jobs, each value says itself what it is. */
function endedTimes(job, now, isHeaded) {
  const at = moment(job.completed_at);
  return [
    html`<td class="left-column">${isHeaded ? "" : "took "}${took(job, now)}</td>`,
    html`<td class="heard-column">${isHeaded ? "" : "ended "}<${Time} at=${at} now=${now} /></td>`,
  ];
}

const Note = ({ job, text }) => html`<span class="clamp" title=${text}>${verdict(job)}<bdi>${text}</bdi></span>`;

/** A click anywhere in the row opens the job, but for one that ends a selection of text or hits the link. */
function open(event, job) {
  if (event.target.closest("a") || String(getSelection()) !== "") return;
  location.hash = jobLink(job.id);
}
