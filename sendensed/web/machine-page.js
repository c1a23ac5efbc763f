/**
 * Machine page: one machine: how its runs went, how large they were, what runs now, and all of them page by page.
 */

import { Answer, Shown } from "./answer.js";
import { Bar, Disks } from "./bars.js";
import { finishTold } from "./estimate.js";
import { averageSpeed, successText } from "./fleet-words.js";
import { age, bytes, count, duration, moment, NONE, percent } from "./format.js";
import { Component, html, Said, Sentence, State, Time } from "./html.js";
import { isActive } from "./jobs.js";
import { Pager } from "./paging.js";
import { address, jobLink } from "./router.js";
import { command, FromShell, HUB } from "./shell.js";
import { Sizes } from "./sizes.js";
import { amount, pace, took, totalKind, trouble, verdict } from "./words.js";

const LIMIT = 50;
/** Runs of the days that a reader came for from the calendar. */
const CHOSEN_LIMIT = 200;
const EVERY = 60_000;

export class MachinePage extends Component {
  #detail = new Answer(() => this.setState({}));
  #chosen = new Answer(() => this.setState({}));

  componentDidMount() {
    this.#ask();
  }

  componentDidUpdate() {
    this.#ask();
  }

  #ask() {
    const { route, now, feed } = this.props;
    const { cursor = "", from, to } = route.query;
    const key = `${feed.state} ${signature(this.#live())}`;
    const asked = new URLSearchParams({ limit: String(LIMIT), cursor });
    this.#detail.want(`${machineAddress(route.id)}?${asked}`, now, { key, every: EVERY });
    if (!from && !to) return;
    const days = new URLSearchParams({ machine: route.id, limit: String(CHOSEN_LIMIT) });
    if (from) days.set("from", from);
    if (to) days.set("to", to);
    this.#chosen.want(`api/v1/jobs?${days}`, now, { key, every: EVERY });
  }

  /** The machine's jobs that the feed knows. */
  #live() {
    return [...this.props.feed.jobs.byId.values()].filter((job) => job.vm_name === this.props.route.id);
  }

  render({ route, feed, now }) {
    const isMissing = this.#detail.body === null && this.#detail.status === 404;
    const active = this.#live().filter(isActive);
    const { from, to } = route.query;
    return html`<article id="machine" class="page">
      <p class="back"><a href="#/machines">All machines</a></p>
      <h2><bdi class="wrap">${route.id}</bdi></h2>
      ${isMissing && html`<${Missing} name=${route.id} />`}
      ${!isMissing &&
      html`<${Shown} answer=${this.#detail} name="this machine" now=${now}>
        ${(detail) => html`
          <${Figures} machine=${detail.machine} now=${now} />
          ${(from || to) && html`<${Chosen} answer=${this.#chosen} route=${route} now=${now} />`}
          <${Running} jobs=${feed.freshAt === null ? detail.active : active} now=${now} />
          <${Sizes} runs=${detail.runs} now=${now} />
          <section id="runs">
            <h3>History</h3>
            <${Runs} runs=${detail.runs} label="History" now=${now} />
            <${Pager} route=${route} next=${detail.next} what="older runs" first="The newest runs" />
          </section>
        `}
      <//>`}
      ${!isMissing && html`<${FromShell} of=${command("machine", route.id)} />`}
    </article>`;
  }
}

const machineAddress = (name) => `api/v1/machines/${encodeURIComponent(name)}`;

/** Changes whenever a run of the machine began or ended. */
const signature = (jobs) => jobs.map((job) => `${job.id} ${job.status} ${job.attempt}`).sort().join("\n");

const Missing = ({ name }) => html`<div class="nothing">
  <p>No job has come from a machine of this name: <${Said} text=${name} /></p>
  <p>The first one makes this page. On the machine that holds its disk, run:</p>
  <pre><code>clientd run --job-id backup-demo --vm-name NAME --disk SOURCE=TARGET --hub ${HUB}</code></pre>
</div>`;

function Figures({ machine, now }) {
  const good = moment(machine.last_success_at);
  const within = machine.within_percent;
  const figures = [
    ["Success", successText(machine), `${count(machine.failed, "failed run", "failed runs")}, ${machine.cancelled} cancelled`],
    ["Last good run", good === null ? "never" : html`<${Time} at=${good} now=${now} text=${age(good, now)} />`, good === null ? "none has completed" : `of ${bytes(machine.last_bytes)}`],
    ["Mean size", bytes(machine.mean_bytes), "of completed runs"],
    ["Mean duration", duration(machine.mean_seconds), "of completed runs"],
    ["Estimates", within === null ? NONE : `within ${Math.ceil(within)} %`, within === null ? "too few completed runs yet" : "four of five, of completed runs"],
  ];
  return html`<dl class="figures">
    ${figures.map(
      ([name, value, of]) => html`<div key=${name}><dt>${name}</dt><dd class="big">${value}</dd><dd class="soft">${of}</dd></div>`,
    )}
  </dl>
  <p class="quiet">Of its newest ${count(machine.runs, "run")}.</p>`;
}

function Running({ jobs, now }) {
  return html`<section id="running-now" class=${jobs.length ? "" : "none"}>
    <h3>Running now</h3>
    ${jobs.length === 0 && html`<p class="quiet">Nothing of this machine runs.</p>`}
    ${jobs.map((job) => html`<${Live} key=${job.id} job=${job} now=${now} />`)}
  </section>`;
}

/** One active job, as the feed tells it. */
function Live({ job, now }) {
  const { done, of } = amount(job);
  const note = trouble(job, now);
  return html`<div class="live-job">
    <div class="live-line">
      <${State} state=${job.status} />
      <a class="strong wrap" data-row href=${jobLink(job.id)}><bdi>${job.id}</bdi></a>
      <bdi class="soft wrap">${job.current_phase}</bdi>
      <span class="big">${percent(job.progress_percent)}</span>
      <span>${done} ${of} ${totalKind(job)}</span>
      <span>${pace(job)}</span>
      <span><${Sentence} of=${finishTold(job, now)} /></span>
    </div>
    <${Bar} subject=${job} state=${job.status} label=${job.id} />
    <${Disks} job=${job} />
    ${note && html`<p class="worry"><bdi class="wrap"><${Sentence} of=${note} /></bdi></p>`}
  </div>`;
}

/** The runs of the days in the address, for whoever comes from the calendar. */
function Chosen({ answer, route, now }) {
  const [from, to] = [moment(route.query.from ?? null), moment(route.query.to ?? null)];
  const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric" });
  const told = (at) => html`<${Time} at=${at} text=${day.format(at)} />`;
  const name = from === null ? html`before ${to === null ? "?" : told(to)}` : html`of ${told(from)}`;
  return html`<section id="chosen">
    <h3>Runs ${name} <a href=${address({ page: "machine", id: route.id })}>All runs</a></h3>
    <${Shown} answer=${answer} name="these runs" now=${now}>
      ${({ jobs }) =>
        jobs.length === 0
          ? html`<p class="quiet">No run was created then.</p>`
          : html`<${Runs} runs=${jobs} label="Runs of that time" now=${now} />`}
    <//>
  </section>`;
}

const Runs = ({ runs, label, now }) => html`<table class="fleet runs-table cards" aria-label=${label}>
  <thead>
    <tr>
      <th scope="col" class="state-of">State</th>
      <th scope="col" class="when">Created</th>
      <th scope="col">Job</th>
      <th scope="col" class="kind less">Type</th>
      <th scope="col" class="right size">Size</th>
      <th scope="col" class="right span">Took</th>
      <th scope="col" class="right size less">Average</th>
      <th scope="col" class="right tries">Attempt</th>
    </tr>
  </thead>
  ${runs.map((job) => html`<${Run} key=${job.id} job=${job} now=${now} />`)}
</table>`;

const Run = ({ job, now }) => html`<tbody class=${job.status}>
  <tr>
    <td class="top"><${State} state=${job.status} /></td>
    <td data-label="Created"><${Time} at=${moment(job.created_at)} now=${now} /></td>
    <th scope="row"><a class="cut" data-row href=${jobLink(job.id)} title=${job.id}><bdi>${job.id}</bdi></a></th>
    <td class="less" data-label="Type"><${Said} text=${[job.job_type, job.backup_type].filter(Boolean).join(", ")} /></td>
    <td class="right" data-label="Size">${bytes(job.bytes_transferred)}</td>
    <td class="right" data-label="Took">${took(job, now)}</td>
    <td class="right less" data-label="Average">${averageSpeed(job)}</td>
    <td class="right" data-label="Attempt">${job.attempt}</td>
  </tr>
  ${job.error_message &&
  html`<tr class="note"><td /><td class="whole" colspan="5"><span class="clamp">${verdict(job)}<bdi>${job.error_message}</bdi></span></td></tr>`}
</tbody>`;
