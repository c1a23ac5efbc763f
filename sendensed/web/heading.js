/**
 * Heading: a column's name, which orders the table by it when it is clicked: up, down, and as it was before.
 */

import { html } from "./html.js";

const ORDERS = { asc: "ascending", desc: "descending" };

/** `query` is the address' own, with `sort` and `order`; `turn(column)` asks for another. Text alone unless it `sorts`. */
export function Heading({ column, text, query, turn, sorts = true, name = `${column}-column` }) {
  if (!sorts) return html`<th class=${name} scope="col" role="columnheader"><span>${text}</span></th>`;
  const order = query.sort === column ? (ORDERS[query.order] ?? "ascending") : null;
  return html`<th class=${name} scope="col" role="columnheader" aria-sort=${order}>
    <button type="button" class="heading ${order ?? ""}" onClick=${() => turn(column)}>${text}</button>
  </th>`;
}
