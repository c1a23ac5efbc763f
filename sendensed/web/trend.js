/**
 * Trend: a small line of a few numbers, for a table's cell. A number that is not known breaks the line.
 */

import { html } from "./html.js";

const [WIDTH, HEIGHT] = [160, 18];

/** The line of `values` (numbers or null), the newest at the right; its top is the largest of them. */
export function Trend({ values, label }) {
  const known = values.filter((value) => typeof value === "number");
  if (known.length < 2) return html`<span class="soft">–</span>`;
  const most = Math.max(...known, 1e-9);
  const step = WIDTH / Math.max(values.length - 1, 1);
  let isBroken = true;
  const path = values
    .map((value, index) => {
      if (typeof value !== "number") {
        isBroken = true;
        return "";
      }
      const command = isBroken ? "M" : "L";
      isBroken = false;
      return `${command}${(index * step).toFixed(1)} ${(HEIGHT - 1.5 - (value / most) * (HEIGHT - 3)).toFixed(1)}`;
    })
    .join("");
  return html`<svg class="trend" viewBox="0 0 ${WIDTH} ${HEIGHT}" width=${WIDTH} height=${HEIGHT} role="img" aria-label=${label} focusable="false">
    <path d=${path} />
  </svg>`;
}
