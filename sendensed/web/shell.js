/**
 * Shell: the same from a terminal. Commands with this hub's address and any id in them, safe to be pasted.
 */

import { jobAddress } from "./api.js";
import { html } from "./html.js";
import { isActive } from "./jobs.js";

/** The hub's address, whatever path a proxy puts before it. */
export const HUB = new URL(".", document.baseURI).href.replace(/\/$/, "");

/** One word of a POSIX shell that means just this text. */
export function word(text) {
  if (/^[\w@%+=:,./][\w@%+=:,./-]*$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A name behind which no option is looked for. */
const name = (text) => (text.startsWith("-") ? `-- ${word(text)}` : word(text));

/** `sendensed ORDER`, of this hub. */
export const command = (order, of = "") => `sendensed ${order} --hub ${word(HUB)}${of && ` ${name(of)}`}`;

/** What reads an address of the hub as JSON. The shell itself writes the token: all may read what a process is called with. */
export const readCommand = (address) =>
  `printf 'Authorization: Bearer %s' "$SENDENSE_TOKEN" | curl -sS -H @- ${word(`${HUB}/${address}`)}`;

/** What shows and keeps one job, and follows and cancels one that is not over, as `[what, command]`. */
export const jobCommands = (job) => [
  ["show", command("job", job.id)],
  ...(isActive(job) ? [["follow", command("watch", job.id)], ["cancel", command("cancel", job.id)]] : []),
  ["keep", command("export", job.id)],
  ["as JSON", readCommand(jobAddress(job.id))],
];

/** One line: the same from a terminal. */
export const FromShell = ({ of }) => html`<p class="quiet from-shell">
  From a terminal: <code><bdi class="wrap">${of}</bdi></code>
</p>`;
