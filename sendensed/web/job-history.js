/**
 * Job history: what happened to a job, newest first: when, what, who said so, on what evidence, and where it stood then.
 */

import { bytes, count, moment, percent } from "./format.js";
import { Component, html, State, Time } from "./html.js";
import { voice } from "./words.js";

/** Rows shown until all are asked for. */
const SHOWN = 40;

const KINDS = {
  attempt: "new attempt",
  phase: "phase",
  disk: "disk",
  cancel: "asked to cancel",
  alarm: "attention",
};

/** The events of a job (`schemas.job.EventView`), in the order the hub gave them. */
export class History extends Component {
  #all = () => this.setState({ all: true });

  render({ events, now }, { all }) {
    const newestFirst = events
      .map((event, index) => ({ event, index }))
      .sort((a, b) => moment(b.event.at) - moment(a.event.at) || b.index - a.index);
    const shown = all ? newestFirst : newestFirst.slice(0, SHOWN);
    const more = newestFirst.length - shown.length;
    return html`
      <table class="event-table" aria-label="History">
        <thead>
          <tr>
            <th scope="col" class="event-time">Time</th>
            <th scope="col" class="event-kind">What</th>
            <th scope="col" class="event-voice">Said by</th>
            <th scope="col">Evidence</th>
            <th scope="col" class="right event-place">At</th>
          </tr>
        </thead>
        <tbody>
          ${shown.map(({ event, index }) => html`<${Row} key=${index} event=${event} now=${now} />`)}
        </tbody>
      </table>
      ${more > 0 && html`<button type="button" onClick=${this.#all}>Show ${count(more, "older event")}</button>`}
    `;
  }
}

const Row = ({ event, now }) => html`<tr>
  <td class="time"><${Time} at=${moment(event.at)} now=${now} /></td>
  <td>${event.kind === "state" ? html`<${State} state=${event.status} />` : (KINDS[event.kind] ?? html`<bdi>${event.kind}</bdi>`)}</td>
  <td>${voice(event.said_by)}</td>
  <td>
    <bdi class="wrap">${event.detail}</bdi>
    <small class="narrow">${voice(event.said_by)}, at ${percent(event.progress_percent)}, ${position(event)}</small>
  </td>
  <td class="right place">${percent(event.progress_percent)} <span class="soft">${position(event)}</span></td>
</tr>`;

function position(event) {
  const attempt = event.attempt > 1 ? `, attempt ${event.attempt}` : "";
  const sequence = event.sequence === null ? "" : `, update ${event.sequence}`;
  return `${bytes(event.bytes_transferred)}${attempt}${sequence}`;
}
