/**
 * Filter bar: search and what else narrows the jobs down. All of it stands in the address, so it can be handed on.
 */

import { isNarrow, RANGES, STATES, widened } from "./filter.js";
import { html } from "./html.js";

/** `jobs` are all that are known, `set(change)` takes what makes the new one of it, `shown` of `all` are left. */
export function FilterBar({ query, jobs, set, shown, all }) {
  const change = (name) => (event) => set((asked) => ({ ...asked, [name]: event.target.value }));
  return html`<form class="filters" role="search" aria-label="Jobs" onSubmit=${(event) => event.preventDefault()}>
    <input
      type="search"
      id="search"
      aria-label="Search by machine or job id"
      placeholder="Search machine or job id ( / )"
      value=${query.q ?? ""}
      onInput=${change("q")}
      maxlength="200"
      autocomplete="off"
      spellcheck="false"
    />
    <${Choice} label="State" none="Any state" value=${query.status} of=${STATES} change=${change("status")} />
    <${Choice} label="Type" none="Any type" value=${query.type} of=${told(jobs, "job_type")} change=${change("type")} />
    <${Choice}
      label="Appliance"
      none="Any appliance"
      value=${query.appliance}
      of=${told(jobs, "appliance")}
      change=${change("appliance")}
    />
    <${Choice} label="Ended within" none="Ended at any time" value=${query.range} of=${Object.keys(RANGES)}
      words=${RANGE_WORDS} change=${change("range")} />
    ${isNarrow(query) &&
    html`<span class="quiet">${shown} of ${all} live jobs</span>
      <button type="button" onClick=${() => set(widened)}>Clear filters</button>`}
  </form>`;
}

const RANGE_WORDS = { "1h": "Ended within 1 h", "24h": "Ended within 24 h", "7d": "Ended within 7 days", "30d": "Ended within 30 days" };

/** The values that the jobs have, in order. */
function told(jobs, name) {
  const values = new Set();
  for (const job of jobs) if (job[name]) values.add(job[name]);
  return [...values].sort();
}

/** A value that is not among those to choose from (it came with an address) can be seen all the same. */
function Choice({ label, none, value = "", of, words = {}, change }) {
  const values = value === "" || of.includes(value) ? of : [value, ...of];
  return html`<select aria-label=${label} value=${value} onChange=${change}>
    <option value="">${none}</option>
    ${values.map((one) => html`<option key=${one} value=${one} selected=${one === value}>${words[one] ?? one}</option>`)}
  </select>`;
}
