/**
 * Estimate: when a job will be done, how sure that is, and what was said before. Words only; no DOM.
 */

import { clock, count, daytime, duration } from "./format.js";
import { finish, timeLeft } from "./words.js";

/** `done 05:52 (in 1 h 12 min), between 05:40 and 06:10`, or why there is no estimate, as a sentence (see sentence.js). */
export function finishTold(job, now) {
  const found = finish(job);
  if (found.at === null) return [`time left: ${timeLeft(job).text}`];
  const isSoon = found.at - now < 600_000;
  const short = (at) => ({ at, text: isSoon ? clock(at) : daytime(at, now) });
  const range = found.low === found.high ? [] : [", between ", short(found.low), " and ", short(found.high)];
  return ["done ", short(found.at), ` (in ${duration((found.at - now) / 1000)})`, ...range];
}

/** `usually within 12 %, by the last 23 runs of this machine`; '' where nothing is known of it. */
export function accuracyText(accuracy) {
  if (!accuracy) return "";
  const of = accuracy.of === "machine" ? "of this machine" : "of all machines";
  return `usually within ${Math.ceil(accuracy.within_percent)} %, by the last ${count(accuracy.runs, "run")} ${of}`;
}

/** What was said at 25, 50 and 75 % and what came of it, a sentence each. */
export function predictionTexts(predictions) {
  return predictions.map((one) => {
    const range = `${duration(one.low_seconds)} to ${duration(one.high_seconds)}`;
    const said = `At ${one.percent} % the hub said ${duration(one.predicted_seconds)} more (${range})`;
    if (one.actual_seconds === null) return said;
    return `${said}; it took ${duration(one.actual_seconds)}`;
  });
}
