/**
 * Help: the keys of the page, on top of it until it is closed.
 */

import { html } from "./html.js";
import { KEYS } from "./keys.js";

/** The dialog; `openHelp` shows it. */
export const Help = () => html`<dialog id="help" aria-labelledby="help-name">
  <h2 id="help-name">Keys</h2>
  <dl>${KEYS.map(([key, does]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>
  <button type="button" onClick=${(event) => event.target.closest("dialog").close()}>Close</button>
</dialog>`;

export const openHelp = () => document.getElementById("help").showModal();
