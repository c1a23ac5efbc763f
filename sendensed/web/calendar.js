/**
 * Calendar: machines by days, and how each day's runs ended. A day without a run is as plain to see as one that failed.
 *
 * The days stand in the address (`from`, `to`), so that a page can be sent to somebody. Arrow keys walk over the runs.
 */

import { Answer, Shown } from "./answer.js";
import { begin, between, day, dayText, plus, span, weekday, zone } from "./days.js";
import { Component, html, Symbol } from "./html.js";
import { isActive } from "./jobs.js";
import { Pager, Search } from "./paging.js";
import { address, jobLink, machineLink } from "./router.js";
import { FromShell, HUB, readCommand } from "./shell.js";

const EVERY = 60_000;
const LIMIT = 60;
/** Days that can be asked for with one click; the hub gives two months at the most. */
const SPANS = [14, 31, 62];
const LETTERS = ["S", "M", "T", "W", "T", "F", "S"];
const STATES = ["completed", "failed", "cancelled", "active"];

export class CalendarPage extends Component {
  #answer = new Answer(() => this.setState({}));
  #isForeign = false;

  componentDidMount() {
    this.#ask();
  }

  componentDidUpdate() {
    this.#ask();
  }

  #ask() {
    const { route, feed, now } = this.props;
    const { q = "", cursor = "" } = route.query;
    // A hub that does not know the viewer's zone says so; its days then are UTC, and the page says that.
    if (this.#answer.status === 400 && /^zone/.test(this.#answer.said)) this.#isForeign = true;
    const asked = new URLSearchParams({ limit: String(LIMIT), q, cursor, zone: this.#isForeign ? "UTC" : zone() });
    for (const name of ["from", "to"]) if (day(route.query[name])) asked.set(name, route.query[name]);
    const states = [...feed.jobs.byId.values()].reduce((sum, job) => sum + 1 + 1_000 * Number(isActive(job)), 0);
    this.#answer.want(`api/v1/calendar?${asked}`, now, { every: EVERY, key: `${feed.state} ${states}` });
  }

  render({ route, now, go }) {
    const { q = "" } = route.query;
    const search = (text) => go({ page: "calendar", query: { ...route.query, q: text, cursor: "" } }, { replace: true });
    return html`<section id="calendar" class="page">
      <div class="page-head">
        <h2>Calendar</h2>
        <${Search} text=${q} label="Find a machine" set=${search} />
      </div>
      <${Shown} answer=${this.#answer} name="the calendar" now=${now}>
        ${(body) => html`
          <${Range} body=${body} route=${route} />
          ${body.machines.length === 0 && html`<${None} route=${route} />`}
          ${body.machines.length > 0 && html`<${Grid} body=${body} />`}
          <${Legend} body=${body} isForeign=${this.#isForeign} />
          <${Pager} route=${route} next=${body.next} what="machines" first="From the first name" />
        `}
      <//>
      <${FromShell} of=${readCommand(`api/v1/calendar?zone=${zone()}`)} />
    </section>`;
  }
}

/** The days shown, and links to others. */
function Range({ body: { first_day: first, last_day: last, today }, route }) {
  const days = between(first, last) + 1;
  const to = (from, until) => address({ ...route, query: { ...route.query, from, to: until } });
  const ahead = plus(last, days) > today ? today : plus(last, days);
  return html`<nav class="range" aria-label="Days">
    <a href=${to(plus(first, -days), plus(last, -days))}>Earlier</a>
    <strong>${dayText(first)} to ${dayText(last)}</strong>
    ${last < today && html`<a href=${to(plus(ahead, 1 - days), ahead)}>Later</a>`}
    <span class="spans">
      ${SPANS.map((length) => {
        const isShown = length === days;
        return html`<a key=${length} href=${to(plus(last, 1 - length), last)} aria-current=${isShown ? "true" : null}>${length} days</a>`;
      })}
      ${last !== today && html`<a href=${to("", "")}>Today</a>`}
    </span>
  </nav>`;
}

/** How a day went: its newest run's state, and whether a run failed that day though another one came after. */
export function outcome(told) {
  if (told === undefined) return { state: null, isMixed: false };
  return { state: told.last_status, isMixed: told.failed > 0 && told.last_status !== "failed" };
}

/** `web-01, Tue, 24 Nov: 2 runs: 1 completed, 1 failed; the last one completed`. */
function sentence(machine, date, told) {
  const parts = STATES.filter((state) => told[state] > 0).map((state) => `${told[state]} ${state}`);
  return `${machine}, ${dayText(date)}: ${parts.join(", ")}; the last one ${told.last_status}`;
}

class Grid extends Component {
  state = { row: 0, column: 0 };
  #place = null;

  /** The newest days are what is asked for: they stand in sight where there is not room for all. */
  componentDidMount() {
    this.#place.scrollLeft = this.#place.scrollWidth;
  }

  shouldComponentUpdate(next, state) {
    return next.body !== this.props.body || state !== this.state;
  }

  #keyed = (event) => {
    const moves = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    const move = moves[event.key];
    const cell = event.target.closest("td[data-row]");
    if (!move || !cell) return;
    const [row, column] = [Number(cell.dataset.row), Number(cell.dataset.column)];
    const links = [...event.currentTarget.querySelectorAll("td[data-row] a")];
    const found = nearest(links, row, column, move);
    if (!found) return;
    event.preventDefault();
    this.setState({ row: found.row, column: found.column });
    found.link.focus();
  };

  render({ body }, at) {
    const { first_day: first, last_day: last, today, machines } = body;
    const days = span(first, last);
    const isDense = days.length > 31;
    const stop = tabStop(body, at);
    return html`<div class="scroll" ref=${(node) => (this.#place = node)}>
      <table class="grid ${isDense ? "dense" : ""}" aria-label="Machines by days" onKeyDown=${this.#keyed}>
        <thead>
          <tr>
            <th scope="col" class="machine">Machine</th>
            ${days.map(
              (date) => html`<th key=${date} scope="col" class=${dayClass(date, today)} title=${dayText(date)} aria-label=${dayText(date)}>
                <span class="letter">${LETTERS[weekday(date)]}</span>${Number(date.slice(8))}
              </th>`,
            )}
          </tr>
        </thead>
        <tbody>
          ${machines.map((machine, row) => {
            const told = new Map(machine.days.map((one) => [one.day, one]));
            return html`<tr key=${machine.name}>
              <th scope="row" class="machine">
                <a class="cut" data-row href=${machineLink(machine.name)} title=${machine.name}><bdi>${machine.name}</bdi></a>
              </th>
              ${days.map((date, column) => {
                const one = told.get(date);
                const isStop = row === stop?.row && column === stop.column;
                return html`<td key=${date} class=${dayClass(date, today)} data-row=${row} data-column=${column}>
                  <${Cell} name=${machine.name} date=${date} told=${one} today=${today} isStop=${isStop} />
                </td>`;
              })}
            </tr>`;
          })}
        </tbody>
      </table>
    </div>`;
  }
}

/** The one run that Tab comes to: the one that was walked to, else the first there is; null without any. */
function tabStop({ first_day: first, machines }, at) {
  const runs = machines.flatMap(({ days: told }, row) => told.map((one) => ({ row, column: between(first, one.day) })));
  return runs.find((one) => one.row === at.row && one.column === at.column) ?? runs[0] ?? null;
}

/** The link nearest in the direction of the arrow: in its own row, or in the next row that has one, as near as can be. */
function nearest(links, row, column, [down, right]) {
  const found = links
    .map((link) => ({ link, row: Number(link.parentElement.dataset.row), column: Number(link.parentElement.dataset.column) }))
    .filter((one) => (down ? (one.row - row) * down > 0 : one.row === row && (one.column - column) * right > 0));
  const far = (one) => 1_000 * Math.abs(one.row - row) + Math.abs(one.column - column);
  return found.sort((a, b) => far(a) - far(b))[0];
}

function dayClass(date, today) {
  const isFree = weekday(date) === 0 || weekday(date) === 6;
  return [isFree ? "free" : "", weekday(date) === 1 ? "week" : "", date === today ? "today" : ""].join(" ").trim();
}

function Cell({ name, date, told, today, isStop }) {
  if (told === undefined) {
    return date > today ? null : html`<span class="no-run" title=${`${name}, ${dayText(date)}: no run`}>·<span class="unseen">no run</span></span>`;
  }
  const { state, isMixed } = outcome(told);
  const runs = told.completed + told.failed + told.cancelled + told.active;
  const days = { from: begin(date), to: begin(plus(date, 1)) };
  const href = runs === 1 ? jobLink(told.last_id) : address({ page: "machine", id: name, query: days });
  const text = sentence(name, date, told);
  return html`<a class="outcome ${state} ${isMixed ? "mixed" : ""}" href=${href} title=${text} tabindex=${isStop ? 0 : -1}>
    <${Symbol} state=${state} />
    ${runs > 1 && html`<span class="runs" aria-hidden="true">${runs}</span>`}
    ${isMixed && html`<span class="mark" aria-hidden="true">!</span>`}
    <span class="unseen">${text}</span>
  </a>`;
}

const Legend = ({ body, isForeign }) => html`<p class="legend quiet">
  ${["completed", "failed", "cancelled", "running", "stalled"].map(
    (state) => html`<span key=${state} class="state ${state}"><${Symbol} state=${state} />${state}</span>`,
  )}
  <span><span class="mark">!</span> a run failed that day, a later one did not</span>
  <span>· no run</span>
  <span>a number: so many runs, the symbol is the last one's</span>
  <span>Days begin at midnight${isForeign ? " UTC: this hub does not know your zone" : ` in ${body.zone}`}.</span>
</p>`;

function None({ route }) {
  const { q = "", cursor = "" } = route.query;
  if (q || cursor) return html`<p class="quiet">No machine there. <a href="#/calendar">All machines</a></p>`;
  return html`<div class="nothing">
    <p>No machine yet: no job has told the name of one. A job names its machine with <code>--vm-name</code>:</p>
    <pre><code>clientd run --job-id backup-demo --vm-name web-01 --disk SOURCE=TARGET --hub ${HUB}</code></pre>
  </div>`;
}
