/**
 * Overview: the page of all jobs. What needs attention stands first, then what runs, then what is over.
 */

import { count } from "./format.js";
import { Component, html } from "./html.js";
import { JobTable } from "./job-row.js";

/** Rows of a table until all are asked for: a night's jobs stay quick to paint. */
const ROWS_SHOWN = 100;

/** The hub's address, whatever path a proxy puts before it. */
const hub = new URL(".", document.baseURI).href.replace(/\/$/, "");

/** All tables of `groups` (see groups.js), or the next command where there is no job at all. */
export function Overview({ groups, now, feed }) {
  if (feed.freshAt === null) return null;
  if (feed.state === "live" && feed.jobs.sequence !== null && feed.jobs.byId.size === 0) return html`<${Empty} />`;
  const { attention, running, recent } = groups;
  return html`<div class="tables">
    <${Section} name="Needs attention" id="attention" jobs=${attention} now=${now} none="Nothing needs attention." />
    <${Section} name="Running" id="running" jobs=${running} now=${now} none="Nothing is running." />
    <${Section} name="Recent" id="recent" jobs=${recent} now=${now} none="Nothing has ended yet." ended />
  </div>`;
}

class Section extends Component {
  #showAll = () => this.setState({ all: true });

  render({ name, id, jobs, now, none, ended }, { all }) {
    const shown = all ? jobs : jobs.slice(0, ROWS_SHOWN);
    const more = jobs.length - shown.length;
    return html`<section id=${id} class=${jobs.length ? "" : "none"} aria-labelledby="${id}-name">
      <h2 id="${id}-name">${name}${jobs.length > 0 && html` <span class="count">${jobs.length}</span>`}</h2>
      ${jobs.length === 0 && html`<p class="quiet">${none}</p>`}
      ${jobs.length > 0 && html`<${JobTable} jobs=${shown} label=${name} now=${now} ended=${ended} />`}
      ${more > 0 && html`<button type="button" onClick=${this.#showAll}>Show ${count(more, "more job")}</button>`}
    </section>`;
  }
}

/** What to do next, exactly: the command with this hub's own address in it. */
const Empty = () => html`<section id="empty">
  <h2>No job yet</h2>
  <p>This hub has not heard of any job. On the machine that holds the disk, run:</p>
  <pre><code>clientd run --job-id backup-demo --disk SOURCE=TARGET --hub ${hub}</code></pre>
  <p class="quiet">It shows up here with its first update; nothing needs to be reloaded.</p>
</section>`;
