/**
 * Job page: one job at its own address, with everything the hub knows of it.
 *
 * Its numbers come from the live feed. Its history, its estimates and the samples of its chart are read over HTTP: again
 * whenever the state, the phase, the attempt or a disk's state changed, and the chart once a minute, for its gaps.
 */

import { Answer, failure, Shown } from "./answer.js";
import { jobAddress } from "./api.js";
import { Bar } from "./bars.js";
import { Cancel } from "./cancel.js";
import { Chart } from "./chart.js";
import { accuracyText, finishTold, predictionTexts } from "./estimate.js";
import { age, moment, percent, when } from "./format.js";
import { Component, html, Said, Sentence, State, Time } from "./html.js";
import { bottleneck, DiskTable } from "./job-disks.js";
import { History } from "./job-history.js";
import { isActive, isNewer } from "./jobs.js";
import { machineLink } from "./router.js";
import { jobCommands } from "./shell.js";
import { timeline } from "./timeline.js";
import { amount, closedBy, machine, pace, took, totalKind, trouble, verdict, verification } from "./words.js";

const POINTS = 600;
/** Milliseconds between two readings of an active job's samples. */
const SAMPLES_EVERY = 60_000;

export class JobPage extends Component {
  #detail = new Answer(() => this.setState({}));
  #samples = new Answer(() => this.setState({}));

  componentDidMount() {
    this.#ask();
  }

  componentDidUpdate() {
    this.#ask();
  }

  #ask() {
    const { route, feed, now } = this.props;
    const live = feed.jobs.byId.get(route.id);
    const address = jobAddress(route.id);
    const key = `${feed.state} ${signature(live)}`;
    this.#detail.want(address, now, { key });
    const job = newest(live, this.#detail.body?.job);
    const every = job !== undefined && isActive(job) ? SAMPLES_EVERY : Infinity;
    if (job === undefined) return;
    this.#samples.want(`${address}/samples?points=${POINTS}`, now, { key, every });
  }

  render({ route, feed, now, health }) {
    const job = newest(feed.jobs.byId.get(route.id), this.#detail.body?.job);
    return html`<article id="job">
      <p class="back"><a href="#/">All jobs</a></p>
      ${job === undefined && html`<p class="quiet">${missing(this.#detail)} <${Said} text=${route.id} /></p>`}
      ${job !== undefined &&
      html`<${Job} job=${job} now=${now} feed=${feed} health=${health} detail=${this.#detail} samples=${this.#samples} />`}
    </article>`;
  }
}

function missing(detail) {
  if (detail.status === null) return "Asking the hub for";
  if (detail.status === 404) return "The hub knows no job with this id:";
  return `${failure(detail)} It was asked for`;
}

function newest(live, asked) {
  if (live === undefined || asked === undefined) return live ?? asked;
  return isNewer(live, asked) ? live : asked;
}

/** Changes whenever something happened that is a row of the history, be it undone by the time it is seen, or an estimate is put down. */
function signature(job) {
  if (job === undefined) return "";
  const quarter = Math.floor((job.progress_percent ?? 0) / 25);
  const said = [job.status, job.current_phase, job.attempt, quarter, job.cancel_requested_at, job.not_moving];
  return [job.created_at, job.event_count, ...said, ...job.disks.map((disk) => disk.status)].join("\n");
}

function Job({ job, now, feed, health, detail, samples }) {
  const line = timeline({
    job,
    kept: samples.body,
    events: detail.body?.events,
    trace: feed.jobs.traces.of(job.id),
    now,
    live: feed.state === "live",
  });
  return html`
    <${Head} job=${job} now=${now} accuracy=${detail.body?.accuracy} isReplay=${Boolean(health?.replay)} />
    <${DiskTable} job=${job} replay=${health?.replay} />
    <section>
      <h3>Speed</h3>
      <${Shown} answer=${samples} name="the chart" now=${now}>
        ${() => html`<${Chart} line=${line} now=${now} active=${isActive(job)} />`}
      <//>
    </section>
    <section id="events">
      <h3>History</h3>
      <${Shown} answer=${detail} name="the history" now=${now}>
        ${(body) => html`<${History} events=${body.events} now=${now} />`}
      <//>
    </section>
    <${Predictions} detail=${detail.body} />
    <${Facts} job=${job} now=${now} />
    <${Commands} job=${job} />
  `;
}

function Head({ job, now, accuracy, isReplay }) {
  const { done, of } = amount(job);
  const again = verification(job);
  const note = trouble(job, now);
  const slow = bottleneck(job);
  const usual = accuracyText(accuracy);
  const active = isActive(job);
  return html`
    <div class="job-head">
      <h2>
        <${State} state=${job.status} />
        ${job.vm_name && html`<a class="wrap" href=${machineLink(job.vm_name)}><bdi>${job.vm_name}</bdi></a>`}
        ${!job.vm_name && html`<bdi class="wrap">${job.id}</bdi>`}
      </h2>
      <span class="soft kind"><bdi class="wrap">${[job.job_type, job.backup_type].filter(Boolean).join(", ")}</bdi></span>
      ${!isReplay && html`<${Cancel} job=${job} now=${now} />`}
    </div>
    ${note && html`<p class="verdict ${job.status}">${verdict(job)}<bdi><${Sentence} of=${note} /></bdi></p>`}
    <div class="headline">
      <span class="big">${percent(job.progress_percent)}</span>
      <span>${done} ${of} ${totalKind(job)}</span>
      ${again && html`<span id="verified">verified ${again.done} ${again.of}</span>`}
      <span>${pace(job)}${active ? "" : " at the end"}</span>
      <span>${active ? html`<${Sentence} of=${finishTold(job, now)} />` : `took ${took(job, now)}`}</span>
      ${active && usual && html`<span class="soft">${usual}</span>`}
      ${slow && html`<span id="bottleneck">slowed by ${slow}</span>`}
    </div>
    <${Bar} subject=${job} state=${job.status} label=${machine(job)} />
  `;
}

/** What was foretold and what came, for whoever wants to know whether to trust the estimate. */
function Predictions({ detail }) {
  const texts = predictionTexts(detail?.predictions ?? []);
  if (texts.length === 0) return null;
  const usual = accuracyText(detail.accuracy);
  return html`<section id="predictions">
    <h3>Estimates</h3>
    <ul>${texts.map((text) => html`<li key=${text}>${text}</li>`)}</ul>
    ${usual && html`<p class="quiet">Four of five are ${usual}.</p>`}
  </section>`;
}

function Facts({ job, now }) {
  const facts = [
    ["Job id", html`<bdi class="wrap">${job.id}</bdi>`],
    ["Type", html`<bdi class="wrap">${[job.job_type, job.backup_type].filter(Boolean).join(", ")}</bdi>`],
    ["Phase", html`<bdi class="wrap">${job.current_phase}</bdi>`],
    ["Attempt", String(job.attempt)],
    ["Appliance", job.appliance ? html`<a href="#/appliances"><bdi class="wrap">${job.appliance}</bdi></a>` : "not told"],
    ["Sender", html`<bdi class="wrap">${job.sender || "not told"}</bdi>`],
    ["Created", since(job.created_at, now)],
    ["Started", since(job.started_at, now)],
    ["Last heard", since(job.last_telemetry_at, now)],
    ["Last moved", since(job.last_moved_at, now)],
    ["Ended", since(job.completed_at, now)],
    ["Closed by", closedBy(job) || "nobody yet"],
    ["Heard by", job.heard_by ? html`hub <bdi class="wrap">${job.heard_by}</bdi>` : "no hub yet"],
    ["Position", `sequence ${job.sequence ?? "not told"}, revision ${job.revision}`],
  ];
  return html`<section>
    <h3>Facts</h3>
    <dl>${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    <p>
      <a href=${jobAddress(job.id)}>Raw JSON</a>${" · "}
      <a href=${`${jobAddress(job.id)}/samples?points=${POINTS}`}>Samples as JSON</a>
    </p>
  </section>`;
}

function since(time, now) {
  const at = moment(time);
  if (at === null) return "not yet";
  return html`<${Time} at=${at} now=${now} text=${`${when(at, now)} (${age(at, now)})`} />`;
}

function Commands({ job }) {
  return html`<section id="commands">
    <h3>The same from a terminal</h3>
    <dl class="commands">
      ${jobCommands(job).map(
        ([what, command]) =>
          html`<div key=${what}><dt>${what}</dt><dd><code><bdi class="wrap">${command}</bdi></code></dd></div>`,
      )}
    </dl>
  </section>`;
}
