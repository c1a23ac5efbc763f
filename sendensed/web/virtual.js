/**
 * Virtual: which rows of a long table are painted: those on the screen and some around them. Pure.
 */

/** Up to so many rows all are painted, so that a browser's own search and print find them. */
export const PAINT_ALL = 200;
/** Pixels above and below the screen that are painted too: a flick of the wheel meets rows, not paper. */
const MARGIN = 600;
/** Rows come and go by so many, since a frame that brings one costs about as much as one that brings some. */
const STEP = 4;

/**
 * `{from, to, above, below}`: the rows painted, `to` not included, and the height of those left out. `heights` are all rows',
 * `top` is where the first one begins against the screen's upper edge, `screen` its height. With a `margin` of 0: the rows seen.
 */
export function visible(heights, top, screen, margin = MARGIN) {
  const [begin, end] = [-margin - top, screen + margin - top];
  let at = 0;
  let from = 0;
  while (from < heights.length && at + heights[from] < begin) at += heights[from++];
  while (from % STEP !== 0) at -= heights[--from];
  const above = at;
  let to = from;
  while (to < heights.length && (at < end || to % STEP !== 0)) at += heights[to++];
  let below = 0;
  for (let index = to; index < heights.length; index += 1) below += heights[index];
  return { from, to, above, below };
}
