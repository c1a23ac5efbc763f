/**
 * Table: jobs in columns that can be ordered by. Of a long table only what is near the screen is painted.
 */

import { Component, html } from "./html.js";
import { isSort } from "./filter.js";
import { History } from "./history.js";
import { ageOf, COLUMNS, hasNote, JobRow } from "./job-row.js";
import { PAINT_ALL, visible } from "./virtual.js";

/** Heights in pixels until they have been measured. */
const ROW = 46;
const NOTE = 22;

/**
 * `ended` names the columns for jobs that are over; `now` is the hub's time; `traces` hold their speeds; `query` has the order,
 * `turn(column)` asks for another.
 */
export class JobTable extends Component {
  #table = null;
  #history = new History(this.props.traces);
  #row = ROW;
  #note = NOTE;
  #top = 0;
  #look = () => this.#measure() && this.setState({});

  componentDidMount() {
    addEventListener("scroll", this.#look, { passive: true });
    addEventListener("resize", this.#look);
    this.#look();
  }

  componentDidUpdate() {
    this.#look();
  }

  componentWillUnmount() {
    removeEventListener("scroll", this.#look);
    removeEventListener("resize", this.#look);
  }

  /** Looks where the table stands; returns whether other rows than those painted have to be. */
  #measure() {
    const { jobs } = this.props;
    if (jobs.length <= PAINT_ALL) return false;
    const before = this.#window(jobs);
    this.#row = this.#table.querySelector("tbody.job > tr:first-child")?.getBoundingClientRect().height || ROW;
    this.#note = this.#table.querySelector("tbody.job > .note")?.getBoundingClientRect().height || NOTE;
    this.#top = this.#table.tHead.getBoundingClientRect().bottom;
    const after = this.#window(jobs);
    return before.from !== after.from || before.to !== after.to;
  }

  #window(jobs) {
    if (jobs.length <= PAINT_ALL) return { from: 0, to: jobs.length, above: 0, below: 0 };
    const heights = jobs.map((job) => (hasNote(job) ? this.#row + this.#note : this.#row));
    return visible(heights, this.#top, innerHeight);
  }

  render({ jobs, label, now, ended = false, traces, query, turn }) {
    const { from, to, above, below } = this.#window(jobs);
    const painted = jobs.slice(from, to);
    if (!ended) this.#history.see(painted, now);
    return html`<table class=${jobs.length > PAINT_ALL ? "long" : ""} aria-label=${label} aria-rowcount=${jobs.length + 1} ref=${(node) => (this.#table = node)}>
      <thead>
        <tr aria-rowindex="1">
          ${COLUMNS.map(
            ([column, heading, after = heading]) =>
              html`<${Heading} column=${column} text=${ended ? after : heading} query=${query} turn=${turn} />`,
          )}
        </tr>
      </thead>
      ${above > 0 && html`<${Left} key=" above" height=${above} />`}
      ${painted.map(
        (job, index) => html`<${JobRow}
          key=${job.id}
          job=${job}
          index=${from + index}
          now=${now}
          second=${ageOf(job, now)}
          ended=${ended}
          trace=${traces.of(job.id)}
        />`,
      )}
      ${below > 0 && html`<${Left} key=" below" height=${below} />`}
    </table>`;
  }
}

const ORDERS = { asc: "ascending", desc: "descending" };

function Heading({ column, text, query, turn }) {
  if (!isSort(column)) return html`<th class="${column}-column" scope="col"><span>${text}</span></th>`;
  const order = query.sort === column ? (ORDERS[query.order] ?? "ascending") : null;
  return html`<th class="${column}-column" scope="col" aria-sort=${order}>
    <button type="button" class="heading ${order ?? ""}" onClick=${() => turn(column)}>${text}</button>
  </th>`;
}

/** The place of rows that are not painted. */
const Left = ({ height }) => html`<tbody class="unpainted" aria-hidden="true">
  <tr><td colspan="11" style=${{ height: `${height}px` }} /></tr>
</tbody>`;
