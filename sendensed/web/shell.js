/**
 * Shell: the same from a terminal. Commands with this hub's address and any id in them, safe to be pasted.
 */

import { jobAddress } from "./api.js";

/** The hub's address, whatever path a proxy puts before it. */
export const HUB = new URL(".", document.baseURI).href.replace(/\/$/, "");

/** One word of a POSIX shell that means just this text. */
export function word(text) {
  if (/^[\w@%+=:,./][\w@%+=:,./-]*$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** An option before which no id counts as another one. */
const id = (text) => (text.startsWith("-") ? `-- ${word(text)}` : word(text));

const curl = (address, method = "") =>
  `curl -sS ${method}-H "Authorization: Bearer $SENDENSE_TOKEN" ${word(`${HUB}/${address}`)}`;

/** What shows, follows and cancels one job, as `{what, command}`. */
export function jobCommands(job) {
  const shown = { what: "show", command: `sendensed job --hub ${word(HUB)} ${id(job.id)}` };
  return [
    shown,
    { what: "follow", command: `sendensed watch --hub ${word(HUB)} ${id(job.id)}` },
    { what: "cancel", command: `sendensed cancel --hub ${word(HUB)} ${id(job.id)}` },
    { what: "as JSON", command: curl(jobAddress(job.id)) },
  ];
}

/** What reads an address of the hub. */
export const readCommand = (address) => curl(address);
