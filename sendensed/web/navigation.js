/**
 * Navigation: the header's links to the pages there are.
 */

import { html } from "./html.js";
import { PAGES } from "./pages.js";
import { address } from "./router.js";

/** One link a page; `page` is the one shown. */
export const Navigation = ({ page }) => html`<nav aria-label="Pages">
  ${Object.entries(PAGES)
    .filter(([, { label }]) => label)
    .map(([name, { label }]) => html`<a key=${name} href=${address({ page: name })} aria-current=${current(name, page)}>${label}</a>`)}
</nav>`;

function current(name, page) {
  if (name === page) return "page";
  return PAGES[page]?.under === name ? "true" : null;
}
