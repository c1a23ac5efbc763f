/**
 * Machines: all that were ever backed up, with how their runs went: by name a page at a time, or by any column; found by a part of the name.
 */

import { Answer, Shown } from "./answer.js";
import { Bar } from "./bars.js";
import { machineWorry, successText } from "./fleet-words.js";
import { age, bytes, duration, moment, NONE, percent } from "./format.js";
import { Heading } from "./heading.js";
import { Component, html, Symbol, Time } from "./html.js";
import { isActive } from "./jobs.js";
import { arranged, isOrder, MOST, readAll } from "./machine-order.js";
import { turned } from "./order.js";
import { Pager, Search } from "./paging.js";
import { jobLink, machineLink } from "./router.js";
import { command, FromShell, HUB } from "./shell.js";

const LIMIT = 100;
const EVERY = 30_000;
/** The same where all of them are read. */
const ALL_EVERY = 120_000;

/** The newest active job of each machine, by its name. */
function running(feed) {
  const found = new Map();
  for (const job of feed.jobs.byId.values()) {
    if (!isActive(job) || !job.vm_name) continue;
    const known = found.get(job.vm_name);
    if (known === undefined || moment(known.created_at) < moment(job.created_at)) found.set(job.vm_name, job);
  }
  return found;
}

export class MachinesPage extends Component {
  #page = new Answer(() => this.setState({}));
  #all = new Answer(() => this.setState({}), readAll);

  componentDidMount() {
    this.#ask();
  }

  componentDidUpdate() {
    this.#ask();
  }

  #ask() {
    const { route, feed, now } = this.props;
    const { q = "", cursor = "", sort } = route.query;
    const ended = [...feed.jobs.byId.values()].filter((job) => !isActive(job)).length;
    if (isOrder(sort)) {
      if (feed.state === "connecting") return; // all pages are not read twice for what changes at once
      this.#all.want(`api/v1/machines?${new URLSearchParams({ q })}`, now, { every: ALL_EVERY, key: feed.state });
    } else {
      const asked = new URLSearchParams({ limit: String(LIMIT), q, cursor });
      this.#page.want(`api/v1/machines?${asked}`, now, { every: EVERY, key: `${feed.state} ${ended}` });
    }
  }

  render({ route, feed, now, go }) {
    const { q = "", cursor = "", sort, order } = route.query;
    const active = running(feed);
    const turn = (column) => go({ page: "machines", query: { ...turned(route.query, column), cursor: "" } }, { replace: true });
    return html`<section id="machines" class="page">
      <div class="page-head">
        <h2>Machines</h2>
        <${Search} key="search" text=${q} label="Find a machine" set=${(text) => go({ page: "machines", query: { q: text, sort, order } }, { replace: true })} />
      </div>
      <${Shown} answer=${isOrder(sort) ? this.#all : this.#page} name="the machines" now=${now}>
        ${({ machines, next }) =>
          machines.length === 0
            ? html`<${None} q=${q} isLater=${cursor !== ""} />`
            : html`
                <${Table} machines=${arranged(route.query, machines, active)} active=${active} now=${now} query=${route.query} turn=${turn} />
                ${!isOrder(sort) && html`<${Pager} route=${route} next=${next} what="machines" first="From the first name" />`}
                ${isOrder(sort) && next && html`<${More} />`}
              `}
      <//>
      <${FromShell} of=${command("machines")} />
    </section>`;
  }
}

function None({ q, isLater }) {
  if (isLater) return html`<p class="quiet">No machine comes after that one. <a href="#/machines">From the first name</a></p>`;
  if (q) return html`<p class="quiet">No machine has <bdi class="wrap">${q}</bdi> in its name. <a href="#/machines">All machines</a></p>`;
  return html`<div class="nothing">
    <p>No machine yet: no job has told the name of one. A job names its machine with <code>--vm-name</code>:</p>
    <pre><code>clientd run --job-id backup-demo --vm-name web-01 --disk SOURCE=TARGET --hub ${HUB}</code></pre>
  </div>`;
}

/** Said where the order is of a part of them. */
const More = () => html`<p class="quiet" id="more-machines">
  There are more: these are the first ${MOST.toLocaleString("en")} by name. A part of the name finds others; <code>sendensed machines --sort-by</code> orders all.
</p>`;

/** Name, heading and class of each column. */
const COLUMNS = [
  ["machine", "Machine", ""],
  ["now", "Now", "now"],
  ["good", "Last good run", "right age"],
  ["last", "Last run", "right age"],
  ["success", "Success", "right rate"],
  ["size", "Last size", "right size"],
  ["mean", "Mean size", "right size less mean"],
  ["took", "Mean duration", "right span"],
  ["within", "Estimates", "right within less"],
];

const Table = ({ machines, active, now, query, turn }) => html`<table class="fleet machines-table cards" aria-label="Machines">
  <thead>
    <tr>
      ${COLUMNS.map(([column, text, name]) => html`<${Heading} key=${column} column=${column} text=${text} name=${name} query=${query} turn=${turn} />`)}
    </tr>
  </thead>
  <tbody>
    ${machines.map((machine) => html`<${Row} key=${machine.name} machine=${machine} job=${active.get(machine.name)} now=${now} />`)}
  </tbody>
</table>`;

function Row({ machine, job, now }) {
  const [good, last] = [moment(machine.last_success_at), moment(machine.last_run_at)];
  const worry = machineWorry(machine, now);
  return html`<tr>
    <th scope="row"><a class="cut strong" data-row href=${machineLink(machine.name)} title=${machine.name}><bdi>${machine.name}</bdi></a></th>
    <td class="now top">${job ? html`<${Now} job=${job} />` : html`<span class="soft">${NONE}</span>`}</td>
    <td class="right ${worry ? "worry" : ""}" data-label="Last good run">
      ${worry && html`<${Symbol} state="failed" />${" "}`}
      ${good === null ? (worry || NONE) : html`<${Time} at=${good} now=${now} text=${age(good, now)} />`}
    </td>
    <td class="right" data-label="Last run"><${Time} at=${last} now=${now} text=${age(last, now)} /></td>
    <td class="right" data-label="Success">${successText(machine)}</td>
    <td class="right" data-label="Last size">${bytes(machine.last_bytes)}</td>
    <td class="right less mean" data-label="Mean size">${bytes(machine.mean_bytes)}</td>
    <td class="right" data-label="Mean duration">${duration(machine.mean_seconds)}</td>
    <td class="right less" data-label="Estimates">${machine.within_percent === null ? NONE : `within ${Math.ceil(machine.within_percent)} %`}</td>
  </tr>`;
}

/** The job that runs now, as far as it is. */
const Now = ({ job }) => html`<a class="now-link" href=${jobLink(job.id)} title=${job.id}>
  <span class="state ${job.status}"><${Symbol} state=${job.status} /><span class="unseen">${job.status}</span></span>
  <${Bar} subject=${job} state=${job.status} label=${job.vm_name} />
  <span>${percent(job.progress_percent)}</span>
</a>`;
