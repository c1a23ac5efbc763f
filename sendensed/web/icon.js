/**
 * Icon: the window's icon with the number of failures, so that a tab among many tells it. Pure but for `showIcon`.
 */

const BOARD = '<rect width="32" height="32" rx="7" fill="#1d5fa8"/><path d="M6 7h16v3.4H6zm0 5.8h11v3.4H6zm0 5.8h7V22H6z" fill="#fff"/>';
const MOST = 99;

/** The icon as SVG; without failures an exclamation mark tells of stalled jobs. */
export function icon({ failed, stalled }) {
  const text = failed > 0 ? (failed > MOST ? "99+" : String(failed)) : stalled > 0 ? "!" : "";
  const fill = failed > 0 ? "#b71c1c" : "#8a5000";
  const size = [0, 17, 14, 11][text.length];
  const badge = `<circle cx="21.5" cy="21.5" r="10.5" fill="${fill}" stroke="#fff" stroke-width="1.6"/>
    <text x="21.5" y="${21.5 + size * 0.36}" font-family="sans-serif" font-weight="700" font-size="${size}" text-anchor="middle"
      fill="#fff">${text}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${BOARD}${text && badge}</svg>`;
}

/** Shows it on `link`, the page's link to its icon, if it is another than before. */
export function showIcon(link, counts) {
  const address = `data:image/svg+xml,${encodeURIComponent(icon(counts))}`;
  if (link.href !== address) link.href = address;
}
