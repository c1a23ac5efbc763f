/**
 * Overview: the page of all jobs. What needs attention stands first, then what runs, then what is over.
 */

import { Archive } from "./archive.js";
import { FilterBar } from "./filter-bar.js";
import { isNarrow, isSort, sorted, wants, widened } from "./filter.js";
import { Component, html } from "./html.js";
import { turned } from "./order.js";
import { parse } from "./router.js";
import { Steady } from "./steady.js";
import { JobTable } from "./table.js";

/** The hub's address, whatever path a proxy puts before it. */
const hub = new URL(".", document.baseURI).href.replace(/\/$/, "");

/** All tables of `groups` (see groups.js), or the next command where there is no job at all. */
export class Overview extends Component {
  #archive = new Archive(() => this.setState({}));
  #orders = { attention: new Steady(), running: new Steady(), recent: new Steady() };

  componentWillUnmount() {
    this.#archive.close();
  }

  render({ route, groups, now, feed, health, go }) {
    if (feed.freshAt === null) return null;
    const { query } = route;
    const isNew = feed.jobs.sequence !== null && feed.jobs.byId.size === 0;
    if (isNew && feed.state === "live" && !isNarrow(query)) return html`<${Empty} isOpen=${health?.open !== false} />`;
    const narrow = isNarrow(query);
    this.#archive.turnTo(query, narrow);
    const tables = this.#tables(query, groups, feed, now);
    const shown = tables.attention.length + tables.running.length + tables.live;
    // Two changes may come between two paintings, so each starts from the address and not from what is painted.
    const set = (change) => go({ ...route, query: change(parse(location.hash).query) }, { replace: true });
    const shared = {
      now,
      query,
      traces: feed.jobs.traces,
      turn: (column) => set((asked) => turned(asked, column)),
    };
    const none = (text) => (narrow ? "None of these match the filters." : text);
    return html`<div class="tables">
      <${FilterBar} query=${query} jobs=${[...feed.jobs.byId.values()]} set=${set} shown=${shown} all=${feed.jobs.byId.size} />
      <${Section} ...${shared} name="Needs attention" id="attention" jobs=${tables.attention}
        none=${none("Nothing needs attention.")} />
      <${Section} ...${shared} name="Running" id="running" jobs=${tables.running} none=${none("Nothing is running.")} />
      <${Section} ...${shared} name="Recent" id="recent" jobs=${tables.recent} none=${none("Nothing has ended yet.")} ended>
        <${Older} archive=${this.#archive} />
      <//>
      ${narrow && shown === 0 && tables.recent.length === 0 && this.#archive.state === "done" &&
      html`<p id="no-match" class="quiet">
        No job matches. <button type="button" onClick=${() => set(widened)}>Show all jobs</button>
      </p>`}
    </div>`;
  }

  /** The three tables as asked for, and how many rows of the last are live ones. */
  #tables(query, groups, feed, now) {
    const asked = (job) => wants(query, job, now);
    const older = this.#archive.jobs.filter((job) => !feed.jobs.byId.has(job.id));
    const lists = {
      attention: groups.attention.filter(asked),
      running: groups.running.filter(asked),
      recent: groups.recent.filter(asked),
    };
    const live = lists.recent.length;
    lists.recent = [...lists.recent, ...older.filter(asked)];
    const key = JSON.stringify([query, older.length]);
    for (const name of Object.keys(lists)) {
      const ended = name === "recent";
      const sort = (jobs) => sorted(query, jobs, ended);
      if (isSort(query.sort, ended)) lists[name] = this.#orders[name].order(key, lists[name], now, sort);
    }
    return { ...lists, live };
  }
}

const Section = ({ name, id, jobs, none, children, ...shared }) => html`<section
  id=${id}
  class=${jobs.length ? "" : "none"}
  aria-labelledby="${id}-name"
>
  <h2 id="${id}-name">${name}${jobs.length > 0 && html` <span class="count">${jobs.length}</span>`}</h2>
  ${jobs.length === 0 && html`<p class="quiet">${none}</p>`}
  ${jobs.length > 0 && html`<${JobTable} ...${shared} jobs=${jobs} label=${name} />`}
  ${children}
</section>`;

/** The way to jobs that ended before those of the live feed. */
function Older({ archive }) {
  if (archive.state === "done") return archive.jobs.length > 0 && html`<p class="quiet older">There are no older ones.</p>`;
  if (archive.state === "asking") return html`<p class="quiet older">Asking the hub for older ones.</p>`;
  return html`<p class="older">
    ${archive.state === "away" && html`<span class="quiet">The hub does not answer. </span>`}
    <button type="button" onClick=${() => archive.more()}>Show older jobs</button>
  </p>`;
}

/** What to do next, exactly: the command with this hub's own address in it. */
const Empty = ({ isOpen }) => html`<section id="empty">
  <h2>No job yet</h2>
  <p>This hub has not heard of any job. ${!isOpen && "On the hub, make a token for the machine that sends:"}</p>
  ${!isOpen && html`<pre><code>sendensed token create NAME --role push --output NAME.token</code></pre>`}
  <p>On the machine that holds the disk, run:</p>
  <pre><code>clientd run --job-id backup-demo --disk SOURCE=TARGET --hub ${hub}${!isOpen && " --token-file NAME.token"}</code></pre>
  <p class="quiet">It shows up here with its first update; nothing needs to be reloaded.</p>
</section>`;
