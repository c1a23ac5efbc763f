/**
 * Table: jobs in columns that can be ordered by. Of a long table only what is near the screen is painted, and of what is painted
 * only what is on the screen follows every change.
 */

import { Component, html } from "./html.js";
import { isSort } from "./filter.js";
import { Heading } from "./heading.js";
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
  /** Heights as they are, where all rows are painted: on a narrow screen they differ. */
  #heights = [];
  /** The rows of the last painting, and which of them follow. */
  #shown = null;
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

  /** Looks where the table stands; returns whether other rows have to be painted, or to follow, than those that are and do. */
  #measure() {
    this.#note = this.#heightOf(".note") || NOTE;
    this.#row = this.#heightOf("tbody.job:not(.noted)") || ROW;
    this.#top = this.#table.getBoundingClientRect().top + this.#table.tHead.offsetHeight;
    const { jobs } = this.props;
    this.#heights = jobs.length <= PAINT_ALL ? Array.from(this.#table.tBodies, (body) => body.offsetHeight) : [];
    const [before, after] = [this.#shown, this.#window(jobs)];
    const isAs = (one, other) => one.from === other.from && one.to === other.to;
    return !isAs(before.painted, after.painted) || !isAs(before.seen, after.seen);
  }

  #heightOf(selector) {
    return this.#table.querySelector(selector)?.getBoundingClientRect().height;
  }

  #window(jobs) {
    const heights = jobs.map((job, index) => this.#heights[index] ?? (hasNote(job) ? this.#row + this.#note : this.#row));
    const all = { from: 0, to: jobs.length, above: 0, below: 0 };
    const painted = jobs.length <= PAINT_ALL ? all : visible(heights, this.#top, innerHeight);
    return { painted, seen: visible(heights, this.#top, innerHeight, 0) };
  }

  render({ jobs, label, now, ended = false, traces, query, turn }) {
    this.#shown = this.#window(jobs);
    const { painted, seen } = this.#shown;
    const rows = jobs.slice(painted.from, painted.to);
    if (!ended) this.#history.see(rows, now);
    return html`<table class="jobs ${jobs.length > PAINT_ALL ? "long" : ""}" role="table" aria-label=${label} aria-rowcount=${jobs.length + 1} ref=${(node) => (this.#table = node)}>
      <thead role="rowgroup">
        <tr role="row" aria-rowindex="1">
          ${COLUMNS.map(
            ([column, heading, after = heading]) =>
              html`<${Heading} column=${column} text=${ended ? after : heading} query=${query} turn=${turn} sorts=${isSort(column, ended)} />`,
          )}
        </tr>
      </thead>
      ${painted.above > 0 && html`<${Left} key=" above" height=${painted.above} />`}
      ${rows.map(
        (job, index) => html`<${JobRow}
          key=${job.id}
          job=${job}
          index=${painted.from + index}
          isSeen=${painted.from + index >= seen.from && painted.from + index < seen.to}
          now=${now}
          second=${ageOf(job, now)}
          ended=${ended}
          trace=${traces.of(job.id)}
        />`,
      )}
      ${painted.below > 0 && html`<${Left} key=" below" height=${painted.below} />`}
    </table>`;
  }
}

/** The place of rows that are not painted. */
const Left = ({ height }) => html`<tbody aria-hidden="true" style=${{ height: `${height}px` }} />`;
