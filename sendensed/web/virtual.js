/**
 * Virtual: which rows of a long table are painted: those on the screen and some around them. Pure.
 */

/** Up to so many rows all are painted, so that a browser's own search and print find them. */
export const PAINT_ALL = 200;
/** Pixels above and below the screen that are painted too: a flick of the wheel meets rows, not paper. */
const MARGIN = 600;

/**
 * `{from, to, above, below}`: the rows painted, `to` not included, and the height of those left out. `heights` are all rows',
 * `top` is where the first one begins against the screen's upper edge, `screen` its height.
 */
export function visible(heights, top, screen) {
  const [begin, end] = [-MARGIN - top, screen + MARGIN - top];
  let at = 0;
  let from = 0;
  while (from < heights.length && at + heights[from] < begin) at += heights[from++];
  const above = at;
  let to = from;
  while (to < heights.length && at < end) at += heights[to++];
  let below = 0;
  for (let index = to; index < heights.length; index += 1) below += heights[index];
  return { from, to, above, below };
}
