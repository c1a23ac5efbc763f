/**
 * Paging: a box to search by and links from page to page, both kept in the address, so that it can be sent to somebody.
 */

import { Component, html } from "./html.js";
import { address } from "./router.js";

/** Milliseconds after the last key until it is searched. */
const PAUSE = 250;

/** The box; `set(text)` is called when whoever types there pauses, with Enter at once. */
export class Search extends Component {
  #timer = null;
  #box = null;

  #typed = (event) => {
    const text = event.target.value;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.props.set(text), PAUSE);
  };
  #sent = (event) => {
    event.preventDefault();
    clearTimeout(this.#timer);
    this.props.set(event.target.elements.q.value);
  };

  /** Another address came by a link: what it asks for stands in the box, unless somebody writes there. */
  componentDidUpdate(before) {
    if (before.text !== this.props.text && document.activeElement !== this.#box) this.#box.value = this.props.text;
  }

  componentWillUnmount() {
    clearTimeout(this.#timer);
  }

  render({ text, label }) {
    return html`<form class="search" role="search" onSubmit=${this.#sent}>
      <input type="search" id="search" name="q" aria-label=${label} placeholder=${label} maxlength="200" autocomplete="off" spellcheck="false"
        defaultValue=${text} ref=${(node) => (this.#box = node)} onInput=${this.#typed} />
    </form>`;
  }
}

/** Links to the first page and to the next, of an address that pages by `cursor`. */
export function Pager({ route, next, what, first }) {
  const { cursor = "" } = route.query;
  if (!next && !cursor) return null;
  const to = (value) => address({ ...route, query: { ...route.query, cursor: value } });
  return html`<nav class="pager" aria-label=${`Pages of ${what}`}>
    ${cursor && html`<a href=${to("")}>${first}</a>`}
    ${next && html`<a href=${to(next)} rel="next">More ${what}</a>`}
  </nav>`;
}
