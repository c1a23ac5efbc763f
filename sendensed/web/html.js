/**
 * Html: markup as tagged templates, and the small parts that every view uses.
 *
 * Ids, names and messages may hold anything. They reach the page as text nodes and attribute values only, each
 * in a `bdi` of its own, so that neither a tag nor a right-to-left override can change what stands around it.
 */

import { stamp, when } from "./format.js";
import { Component, h, render } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export const html = htm.bind(h);
export { Component, render };

/** The words of others, cut with an ellipsis where there is no room; whole in the title. */
export const Said = ({ text, as = "span", title = text }) =>
  html`<${as} class="cut" title=${title}><bdi>${text}</bdi></${as}>`;

const SHAPES = {
  pending: "M6 2.5a3.5 3.5 0 1 1 0 7a3.5 3.5 0 0 1 0-7z",
  running: "M3 1.5 10 6 3 10.5z",
  stalled: "M3 2h2v8H3zM7 2h2v8H7z",
  completed: "M1.6 6.6 3 5.2l2 2 4.1-4.6 1.5 1.3L5.1 10z",
  failed: "M2.9 1.5 6 4.6 9.1 1.5l1.4 1.4L7.4 6l3.1 3.1-1.4 1.4L6 7.4l-3.1 3.1-1.4-1.4L4.6 6 1.5 2.9z",
  cancelled: "M1.5 5h9v2h-9z",
  unfinished: "M1.5 5h9v2h-9z",
};

/** A state's symbol; nothing for a word that is not one of the states. */
export function Symbol({ state }) {
  if (!Object.hasOwn(SHAPES, state)) return null;
  return html`<svg class="symbol" viewBox="0 0 12 12" aria-hidden="true" focusable="false">
    <path class=${state === "pending" ? "outline" : "solid"} d=${SHAPES[state]} />
  </svg>`;
}

/** A state as a word with its symbol, so that colour never stands alone. */
export const State = ({ state }) =>
  html`<span class="state ${state}"><${Symbol} state=${state} />${state}</span>`;

/**
 * A moment (milliseconds; null is a dash) in the viewer's zone, with UTC where a pointer rests on it: `02:14:07`, or the date
 * where it is over a day from `now`. `text` says it in other words.
 */
export const Time = ({ at, now, text = when(at, now) }) =>
  html`<time datetime=${at === null ? null : new Date(at).toISOString()} title=${stamp(at)}>${text}</time>`;

/** A sentence (see sentence.js), its moments as `Time`. */
export const Sentence = ({ of }) => of.map((part) => (typeof part === "string" ? part : html`<${Time} ...${part} />`));
