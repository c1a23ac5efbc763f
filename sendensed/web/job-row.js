/**
 * Job row: one job as a line of a table. It is painted anew only when the job or its age changed, and a viewer sees it.
 */

import { Bar, Disks } from "./bars.js";
import { age, clock, daytime, duration, moment, NONE, percent, speed, stamp, stampRange } from "./format.js";
import { Component, html, Said, Sentence, State, Time } from "./html.js";
import { isActive } from "./jobs.js";
import { jobLink } from "./router.js";
import { plain } from "./sentence.js";
import { mean, Spark } from "./spark.js";
import { amount, copyLeft, finish, machine, pace, phaseStep, timeLeft, took, totalKind, trouble, verdict, verification } from "./words.js";

/** The columns, shared by all tables so that they stand in line: name, heading, heading once ended. */
export const COLUMNS = [
  ["state", "State"],
  ["machine", "Machine"],
  ["type", "Type"],
  ["phase", "Phase"],
  ["progress", "Progress"],
  ["percent", "Percent"],
  ["bytes", "Copied"],
  ["speed", "Speed, 10 min", "Last speed"],
  ["left", "Finish", "Took"],
  ["heard", "Heard, moved", "Ended"],
  ["appliance", "Appliance"],
];
/** Under two minutes the seconds count. */
const SOON = 120_000;

/** Changes when the row of an unchanged job must be painted: an ended one gets a date for its time. */
export const ageOf = (job, now) => Math.floor(now / (isActive(job) ? 1_000 : 60_000));

/** Whether a row has a second line of its own, which says why it needs attention. */
export const hasNote = (job) => job.status === "stalled" || job.not_moving || Boolean(job.error_message);

/**
 * `index` is the row's place among all of its table, from 0. A row that `isSeen` follows its job; one near the screen is painted
 * when its age changes, and at the latest when it comes onto the screen.
 */
export class JobRow extends Component {
  #job = null;

  shouldComponentUpdate(next) {
    if (next.second !== this.props.second || next.index !== this.props.index) return true;
    return next.job !== this.#job && (next.isSeen || !isActive(next.job));
  }

  render({ job, now, ended, trace, index }) {
    this.#job = job;
    const { done, of } = amount(job);
    const again = verification(job);
    const note = hasNote(job) ? trouble(job, now) : null;
    return html`<tbody class="job ${job.status} ${note && "noted"}" role="rowgroup" onClick=${(event) => open(event, job)}>
      <tr role="row" aria-rowindex=${index + 2}>
        <td role="cell" class="state-column"><${State} state=${job.status} /></td>
        <th class="machine-column" scope="row" role="rowheader">
          <a class="cut" data-row href=${jobLink(job.id)} title=${`${machine(job)}\n${job.id}`}>
            <bdi>${machine(job)}</bdi>
          </a>
          ${job.vm_name && html`<${Said} as="small" text=${job.id} />`}
        </th>
        <td role="cell" class="type-column">
          ${job.job_type}${job.backup_type && html`<${Said} as="small" text=${job.backup_type} />`}
        </td>
        <td role="cell" class="phase-column">
          ${job.status !== "completed" &&
          html`<${Said} text=${job.current_phase} /><small>${phaseStep(job)}</small>`}
        </td>
        <td role="cell" class="progress-column">
          <${Bar} subject=${job} state=${job.status} label=${machine(job)} />
          <${Disks} job=${job} />
        </td>
        <td role="cell" class="percent-column">${percent(job.progress_percent)}</td>
        <td role="cell" class="bytes-column">
          ${again ? `verified ${again.done}` : done}<small>${again ? again.of : html`${of} <span class="kind">${totalKind(job)}</span>`}</small>
        </td>
        ${isActive(job) ? activeCells(job, trace, now) : endedCells(job, now, ended)}
        <td role="cell" class="appliance-column">
          ${job.appliance ? html`<${Said} text=${job.appliance} />` : NONE}
          ${job.attempt > 1 && html`<small class="attempt">attempt ${job.attempt}</small>`}
        </td>
      </tr>
      ${note && html`<tr role="row" class="note"><td role="cell" aria-colspan=${COLUMNS.length}><${Note} job=${job} note=${note} /></td></tr>`}
    </tbody>`;
  }
}

function activeCells(job, trace, now) {
  const usual = mean(trace, now);
  return [
    html`<td role="cell" class="speed-column">
      <${Spark} trace=${trace} now=${now} />
      <span>${pace(job)}<small>${usual !== null && job.status === "running" && !verification(job) && `mean ${speed(usual)}`}</small></span>
    </td>`,
    html`<${Finish} job=${job} now=${now} />`,
    html`<td role="cell" class="heard-column">
      <span title=${stamp(moment(job.last_telemetry_at))}>${since(job.last_telemetry_at, now)}</span>
      <small title=${stamp(moment(job.last_moved_at))}>${job.last_moved_at && `moved ${since(job.last_moved_at, now)}`}</small>
    </td>`,
  ];
}

function since(time, now) {
  const at = moment(time);
  return at === null ? "never" : age(at, now);
}

/** When it ends as a clock, how long that is, and between when and when four of five end; or why nobody knows. */
function Finish({ job, now }) {
  const { at, low, high } = finish(job);
  const copy = copyLeft(job);
  if (copy !== null) return html`<td role="cell" class="left-column reason">${duration(copy)}<small>+ verification</small></td>`;
  if (at === null) return html`<td role="cell" class="left-column reason">${timeLeft(job).text}</td>`;
  const isSoon = at - now < SOON;
  const shown = (moment) => (isSoon ? clock(moment) : daytime(moment, now));
  const range = low === high ? "" : `${shown(low)} to ${shown(high)}`;
  return html`<td role="cell" class="left-column" title=${range && `four of five end within ${range} (${stampRange(low, high)})`}>
    <${Time} at=${at} now=${now} text=${shown(at)} />
    <small>${isSoon ? `${duration(Math.max(at - now, 0) / 1000)} left` : range}</small>
  </td>`;
}

/** Under the headings of active jobs, each value says itself what it is. */
function endedCells(job, now, isHeaded) {
  const at = moment(job.completed_at);
  return [
    html`<td role="cell" class="speed-column">${isHeaded ? pace(job) : NONE}</td>`,
    html`<td role="cell" class="left-column">${isHeaded ? "" : "took "}${took(job, now)}</td>`,
    html`<td role="cell" class="heard-column">${isHeaded ? "" : "ended "}<${Time} at=${at} now=${now} /></td>`,
  ];
}

const Note = ({ job, note }) => html`<span class="cut" title=${plain(note)}>${verdict(job)}<bdi><${Sentence} of=${note} /></bdi></span>`;

/** A click anywhere in the row opens the job, but for one that ends a selection of text or hits the link. */
function open(event, job) {
  if (event.target.closest("a") || String(getSelection()) !== "") return;
  location.hash = jobLink(job.id);
}
