/**
 * Job page: one job at its own address, with disks, chart, events and ids.
 *
 * The job's numbers come from the live feed; its events, and a job that the feed no longer holds, over HTTP.
 * The events are read again whenever the state, the phase, the attempt or a disk's state changed.
 */

import { jobAddress, read } from "./api.js";
import { Bar } from "./bars.js";
import { Chart } from "./chart.js";
import { DiskTable, Events } from "./job-tables.js";
import { age, moment, percent, stamp } from "./format.js";
import { Component, html, Said, State } from "./html.js";
import { isActive, isNewer } from "./jobs.js";
import { amount, closedBy, machine, pace, timeLeft, took, totalKind, trouble, verdict } from "./words.js";

export class JobPage extends Component {
  state = { detail: null, status: null };
  #asked = null;

  componentDidMount() {
    this.#ask();
  }

  componentDidUpdate() {
    this.#ask();
  }

  #ask() {
    const { route, feed } = this.props;
    const { id } = route;
    const asked = `${id}\n${feed.state}\n${signature(feed.jobs.byId.get(id))}`;
    if (asked === this.#asked) return;
    this.#asked = asked;
    read(jobAddress(id)).then(({ status, body }) => {
      if (asked !== this.#asked) return;
      this.setState({ status, detail: status === 200 ? body : this.state.detail });
    });
  }

  render({ route, feed, now }, { detail, status }) {
    const { id } = route;
    const job = newest(feed.jobs.byId.get(id), detail?.job);
    return html`<article id="job">
      <p class="back"><a href="#/">All jobs</a></p>
      ${job === undefined && html`<p class="quiet">${missing(status)} <${Said} text=${id} /></p>`}
      ${job !== undefined &&
      html`<${Job} job=${job} trace=${feed.jobs.traces.of(id)} now=${now} live=${feed.state === "live"} />`}
      ${job !== undefined && html`<${Events} events=${detail?.events} status=${status} />`}
    </article>`;
  }
}

function missing(status) {
  if (status === null) return "Asking the hub for";
  if (status === 404) return "The hub knows no job with this id:";
  return "The hub does not answer for";
}

function newest(live, asked) {
  if (live === undefined || asked === undefined) return live ?? asked;
  return isNewer(live, asked) ? live : asked;
}

function signature(job) {
  if (job === undefined) return "";
  return [job.status, job.current_phase, job.attempt, ...job.disks.map((disk) => disk.status)].join("\n");
}

function Job({ job, trace, now, live }) {
  const { done, of } = amount(job);
  const note = trouble(job, now);
  return html`
    <h2><${State} state=${job.status} /> <bdi class="wrap">${machine(job)}</bdi></h2>
    ${note && html`<p class="verdict ${job.status}">${verdict(job)}<bdi>${note}</bdi></p>`}
    <div class="headline">
      <span class="big">${percent(job.progress_percent)}</span>
      <span>${done} ${of} ${totalKind(job)}</span>
      <span>${pace(job)}${isActive(job) ? "" : " at the end"}</span>
      <span>${isActive(job) ? leftText(job) : `took ${took(job, now)}`}</span>
    </div>
    <${Bar} subject=${job} state=${job.status} label=${machine(job)} />
    <${DiskTable} job=${job} />
    <section>
      <h3>Speed since this page was opened</h3>
      <${Chart} trace=${trace} now=${now} active=${isActive(job)} live=${live} />
    </section>
    <${Facts} job=${job} now=${now} />
  `;
}

function leftText(job) {
  const left = timeLeft(job);
  return left.isNumber ? `${left.text} left` : `time left: ${left.text}`;
}

function Facts({ job, now }) {
  const facts = [
    ["Job id", html`<bdi class="wrap">${job.id}</bdi>`],
    ["Type", [job.job_type, job.backup_type].filter(Boolean).join(", ")],
    ["Phase", html`<bdi class="wrap">${job.current_phase}</bdi>`],
    ["Attempt", String(job.attempt)],
    ["Sender", html`<bdi class="wrap">${job.sender || "not told"}</bdi>`],
    ["Created", since(job.created_at, now)],
    ["Started", since(job.started_at, now)],
    ["Last heard", since(job.last_telemetry_at, now)],
    ["Last moved", since(job.last_moved_at, now)],
    ["Ended", since(job.completed_at, now)],
    ["Closed by", closedBy(job) || "nobody yet"],
    ["Position", `sequence ${job.sequence ?? "not told"}, revision ${job.revision}`],
  ];
  return html`<section>
    <h3>Facts</h3>
    <dl>${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    <p><a href=${jobAddress(job.id)}>Raw JSON</a></p>
  </section>`;
}

function since(time, now) {
  const at = moment(time);
  return at === null ? "not yet" : `${stamp(at)} (${age(at, now)})`;
}
