/**
 * Notices: what makes the numbers below less than the whole truth, said at once and in words.
 */

import { clock, duration, moment } from "./format.js";
import { html, Time } from "./html.js";

const LOST = {
  refused: "No live feed: the hub does not answer",
  closed: "Live feed lost",
  silent: "Live feed lost",
  bye: "Live feed lost: the hub is stopping",
};

const ALARMS = { mass_silence: "Many jobs fell silent together" };

/** All notices that hold now. */
export const Notices = ({ feed, clock: time, health, retry }) => html`
  ${feed.state === "lost" && html`<${FeedLost} feed=${feed} time=${time} retry=${retry} />`}
  ${feed.state === "live" && !feed.ready && html`<${NotReady} health=${health} />`}
  ${feed.alarms.map((alarm) => html`<${Alarm} key=${alarm.kind} alarm=${alarm} now=${time.hubNow()} />`)}
`;

function FeedLost({ feed, time, retry }) {
  const ago = duration((time.now() - feed.since) / 1000);
  const freshAt = feed.freshAt === null ? null : time.hubAt(feed.freshAt);
  const asOf = freshAt !== null && html`; numbers are as of <${Time} at=${freshAt} text=${clock(freshAt)} />`;
  return html`<div class="notice lost" id="feed-lost">
    <strong>${feed.freshAt === null ? LOST.refused : `${LOST[feed.reason]} ${ago} ago`}</strong>
    <span>${asOf}; ${nextTry(feed, time)}.</span>
    ${feed.retryAt !== null && html`<button type="button" onClick=${retry}>Try now</button>`}
  </div>`;
}

function nextTry(feed, time) {
  if (feed.retryAt === null) return "trying again now";
  return `trying again in ${Math.max(Math.ceil((feed.retryAt - time.now()) / 1000), 1)} s`;
}

function NotReady({ health }) {
  const reasons = health?.ready === false && health.reasons?.length ? ` (${health.reasons.join("; ")})` : "";
  return html`<div class="notice not-ready" id="not-ready">
    <strong>The hub cannot reach its database</strong>
    <span>${reasons}. Jobs are not judged meanwhile; senders keep their newest numbers and try again.</span>
  </div>`;
}

const Alarm = ({ alarm, now }) => html`<div class="notice alarm">
  <strong><bdi>${ALARMS[alarm.kind] ?? alarm.kind}</bdi> since <${Time} at=${moment(alarm.since)} now=${now} /></strong>:${" "}
  <bdi>${alarm.detail}</bdi> <span class="quiet">(raised by hub <bdi>${alarm.raised_by}</bdi>)</span>
</div>`;

/** Said on every page of a replay, before all else: it looks just as the live page did. */
export function Replayed({ replay, now }) {
  if (!replay) return null;
  const isOver = now >= moment(replay.end_at);
  const pace = replay.speed === 1 ? "in its own time" : `${replay.speed} times as fast`;
  return html`<p class="replayed" id="replayed">
    <strong>Replay of <bdi class="wrap">${replay.job_id}</bdi> — not live.</strong>${" "}
    What hub <bdi>${replay.hub}</bdi> showed, ${isOver ? "at its end: it stands still" : `going by ${pace}`}. Nothing here can be changed.
  </p>`;
}

/** Said for as long as it is true, where else stands who is signed in: whoever can reach this page can do everything. */
export const OpenMode = ({ health }) =>
  health?.open && !health.replay ? html`<span class="open-mode" id="open-mode">open mode: no sign-in, loopback only</span>` : null;
