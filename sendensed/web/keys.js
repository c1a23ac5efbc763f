/**
 * Keys: the page without a mouse. Rows are links with `data-row`, on whatever page.
 *
 *     j k      next and previous row      Enter   opens it (a link's own key)
 *     /        search                     ?       these keys
 *     g        all jobs                   t       dark or light
 */

/** What each key does, for the page that tells of them. */
export const KEYS = [
  ["j", "next row"],
  ["k", "previous row"],
  ["Enter", "open the row"],
  ["/", "search"],
  ["g", "all jobs"],
  ["t", "dark or light"],
  ["?", "these keys"],
];

/** Address of the row last reached, to go on from where it is now. */
let last = null;

/** Listens until the window closes. `actions` has a function for each key but `j`, `k` and Enter. */
export function listen(actions) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    const act = { j: () => step(1), k: () => step(-1), ...actions }[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  });
}

const isWriting = (target) => target.closest?.("input, select, textarea") !== null;

function step(by) {
  const rows = [...document.querySelectorAll("main a[data-row]")];
  const focused = rows.indexOf(document.activeElement);
  const from = focused >= 0 ? focused : rows.findIndex((row) => row.getAttribute("href") === last);
  const next = from >= 0 ? rows[from + by] : rows.find(isOnScreen);
  if (next === undefined) return;
  last = next.getAttribute("href");
  next.focus({ preventScroll: true });
  next.closest("tbody, tr, li")?.scrollIntoView({ block: "nearest" });
}

const isOnScreen = (row) => row.getBoundingClientRect().bottom > 0;
