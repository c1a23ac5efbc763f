/**
 * Hub page: whether the hub can do its work, why not, and what it measures of itself.
 */

import { Answer, Shown } from "./answer.js";
import { figureRows } from "./fleet-words.js";
import { duration, moment } from "./format.js";
import { Component, html, Said, Symbol, Time } from "./html.js";
import { FromShell, readCommand } from "./shell.js";
import { Trend } from "./trend.js";

const EVERY = 5_000;
/** Readings kept for the small charts: ten minutes. */
const KEPT = 120;

export class HubPage extends Component {
  #readings = [];
  #answer = new Answer(() => {
    const { body, readAt } = this.#answer;
    if (body !== null && readAt !== this.#readings.at(-1)?.at) this.#readings.push({ at: readAt, figures: body.figures });
    this.#readings.splice(0, this.#readings.length - KEPT);
    this.setState({});
  });

  componentDidMount() {
    this.#ask();
  }

  componentDidUpdate() {
    this.#ask();
  }

  #ask() {
    const { feed, now } = this.props;
    this.#answer.want("api/v1/health", now, { every: EVERY, key: `${feed.state} ${feed.ready}` });
  }

  render({ now }) {
    return html`<section id="hub" class="page">
      <h2>Hub</h2>
      <${Shown} answer=${this.#answer} name="the hub's figures" now=${now}>
        ${(health) => html`
          <${Readiness} health=${health} />
          <${Figures} health=${health} readings=${this.#readings} />
          <${Identity} health=${health} now=${now} />
        `}
      <//>
      <${FromShell} of=${readCommand("api/v1/health")} />
      <p class="quiet">
        For Prometheus: <a href="metrics">metrics</a>. For programs: <a href="openapi.json">openapi.json</a>, ${" "}
        <a href="asyncapi.json">asyncapi.json</a>.
      </p>
    </section>`;
  }
}

/** Ready or not, in one line, with every reason and what will soon go wrong. */
function Readiness({ health }) {
  const { ready, reasons, warnings = [], open } = health;
  return html`
    <p class="readiness ${ready ? "ready" : "not"}" id="readiness">
      <span class="state ${ready ? "completed" : "failed"}"><${Symbol} state=${ready ? "completed" : "failed"} />${ready ? "Ready" : "Not ready"}</span>
      ${ready ? html`<span>It takes telemetry and serves readers.</span>` : html`<bdi class="wrap">${reasons.join("; ")}</bdi>`}
    </p>
    ${!ready &&
    html`<p class="quiet">
      Jobs are not judged meanwhile, and senders keep their newest numbers. On the hub's machine: <code>journalctl -u sendensed -n 50</code>,
      and for the database <code>systemctl status postgresql</code>, where it has one of its own.
    </p>`}
    ${warnings.map((text) => html`<p key=${text} class="worry"><${Symbol} state="stalled" /> <bdi class="wrap">${text}</bdi></p>`)}
    ${open && html`<p class="worry"><${Symbol} state="stalled" /> Open mode: whoever reaches this address may read, send and cancel.</p>`}
  `;
}

const Figures = ({ health, readings }) => html`<table class="fleet figures-table" aria-label="The hub's figures">
  <thead>
    <tr>
      <th scope="col" class="figure">Figure</th>
      <th scope="col" class="right value">Now</th>
      <th scope="col" class="trend-column">Since this page was opened</th>
      <th scope="col">What it is</th>
    </tr>
  </thead>
  <tbody>
    ${figureRows(health.figures).map(
      ({ key, name, value, meaning, worry }) => html`<tr key=${key} class=${worry ? "worried" : ""}>
        <th scope="row">${name}</th>
        <td class="right value">${value}</td>
        <td><${Trend} values=${readings.map((one) => one.figures[key])} label=${`${name} since this page was opened`} /></td>
        <td><span class="soft">${meaning}</span>${worry && html`<span class="worry"><${Symbol} state="stalled" /> ${worry}</span>`}</td>
      </tr>`,
    )}
  </tbody>
</table>`;

function Identity({ health, now }) {
  const facts = [
    ["Hub", html`<${Said} text=${health.hub} />${health.workers > 1 && `, one of ${health.workers} workers; the figures are of all`}`],
    ["Version", html`<${Said} text=${health.version} />`],
    ["Database", html`<${Said} text=${health.database || "told to readers only"} />`],
    ["Up for", duration(health.figures.uptime_seconds)],
    ["Its clock", html`<${Time} at=${moment(health.time)} now=${now} />`],
  ];
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
