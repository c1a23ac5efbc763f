/**
 * App: the root of the page. Frames are applied in memory as they come, and painted once a screen frame.
 *
 *     websocket ─▶ Feed ─▶ Jobs ─┐
 *     a look every 500 ms ───────┼─▶ paint() ─▶ requestAnimationFrame ─▶ draw()
 *     address, theme, health ────┘
 */

import { Account } from "./account.js";
import { read } from "./api.js";
import { Clock } from "./clock.js";
import { Feed } from "./feed.js";
import { moment } from "./format.js";
import { FAILED_SHOWN, firstLine, group, title } from "./groups.js";
import { Help, openHelp } from "./help.js";
import { html, render, Sentence, Time } from "./html.js";
import { showIcon } from "./icon.js";
import { listen } from "./keys.js";
import { Navigation } from "./navigation.js";
import { Notices, OpenMode, Replayed } from "./notices.js";
import { PAGES } from "./pages.js";
import { address, parse } from "./router.js";
import { announcement } from "./words.js";

/** Milliseconds between two looks at what is due; ages count on by it. */
const LOOK_EVERY = 500;
/** A window that is not seen gets no animation frames; its title is still kept true. */
const UNSEEN_PAINT_AFTER = 1_000;
/** After a painting the window rests for so many times as long as it took, so that it stays quick for its user. */
const REST = 3;

const root = document.getElementById("app");
const spoken = document.getElementById("spoken");
const icon = document.querySelector("link[rel=icon]");

const time = new Clock();
const feed = new Feed(document.baseURI, time, changed);
let health = null;
let healthOf = "";
let session = null;
let recalledAfter = 0;
let isPainting = false;
let restsUntil = 0;

function changed() {
  // What the health says may differ for each connection, and when the hub loses or finds its database.
  const of = `${feed.state} ${feed.ready}`;
  if (of !== healthOf && feed.state === "live") {
    read("api/v1/health").then(({ body }) => {
      health = body ?? health;
      paint();
    });
  }
  // A refused websocket does not say why: a session that is over is found by asking.
  if (of !== healthOf && feed.state === "lost" && health?.open !== true) {
    read("api/v1/session").then(({ status }) => status === 401 && location.replace("login"));
  }
  healthOf = of;
  if (feed.snapshots !== recalledAfter) {
    recalledAfter = feed.snapshots;
    recall();
  }
  paint();
}

/** Asks for the failures of the last day that more than a feed's worth of good ends may have pushed off it. */
async function recall() {
  const { body } = await read("api/v1/jobs?status=failed&sort=completed&order=desc&limit=1000");
  const since = time.hubNow() - FAILED_SHOWN;
  const failed = (body?.jobs ?? []).filter((job) => moment(job.completed_at) > since);
  feed.jobs.recall(failed.reverse());
  paint();
}

/** Asks for one painting of whatever has changed until then. */
function paint() {
  if (isPainting) return;
  isPainting = true;
  const wait = document.hidden ? UNSEEN_PAINT_AFTER : restsUntil - performance.now();
  if (wait <= 0) requestAnimationFrame(draw);
  else setTimeout(() => (document.hidden ? draw() : requestAnimationFrame(draw)), wait);
}

function draw() {
  isPainting = false;
  const began = performance.now();
  const now = time.hubNow();
  const groups = group(feed.jobs.byId.values(), now);
  speak(feed.news.splice(0));
  document.title = (health?.replay ? "Replay: " : "") + title(groups, feed.state === "lost");
  showIcon(icon, groups.counts);
  render(html`<${App} groups=${groups} now=${now} route=${parse(location.hash)} />`, root);
  const ended = performance.now();
  restsUntil = ended + REST * (ended - began);
}

/** Tells changes of state to screen readers, politely. */
function speak(news) {
  const text = announcement(news);
  if (text) spoken.textContent = text;
}

/** Shows another route: as a step of its own in the history, or in the place of this one. */
function go(route, { replace = false } = {}) {
  if (!replace) location.hash = address(route);
  else {
    history.replaceState(null, "", address(route));
    paint();
  }
}

const theme = () => document.documentElement.dataset.theme;

function turn() {
  window.turnTheme();
  paint();
}

/** The page's search field; from another page, on the jobs' page. */
function search() {
  draw(); // the address may have changed just now
  if (document.getElementById("search") === null) {
    go({ page: "overview" });
    draw();
  }
  document.getElementById("search")?.select();
}

function App({ groups, now, route }) {
  const isStale = feed.state === "lost";
  const isKnown = feed.freshAt !== null;
  const { component: Page } = PAGES[route.page] ?? PAGES.overview;
  return html`
    <header class=${health?.replay ? "of-replay" : ""}>
      <${Replayed} replay=${health?.replay} now=${now} />
      <div class="first-line">
        <a class="name" href="#/">Sendense</a>
        <h1 id="summary">${isKnown ? html`<${Sentence} of=${firstLine(groups, now)} />` : "Connecting to the hub"}</h1>
        <${Pulse} now=${now} />
      </div>
      <div class="second-line">
        <${Navigation} page=${route.page} />
        <${OpenMode} health=${health} />
        <${Account} session=${session} />
        <span class="tools">
          <button type="button" class="plain keys" onClick=${openHelp} title="Keys ( ? )">Keys</button>
          <button type="button" class="plain" onClick=${turn} title="Dark or light ( t )">
            ${theme() === "dark" ? "Light" : "Dark"}
          </button>
        </span>
      </div>
      <${Notices} feed=${feed} clock=${time} health=${health} retry=${() => feed.connect()} />
    </header>
    <main class=${isStale ? "stale" : ""}>
      <${Page}
        key=${`${route.page} ${route.id}`}
        route=${route}
        feed=${feed}
        groups=${groups}
        now=${now}
        health=${health}
        go=${go}
      />
    </main>
    ${health && html`<${Foot} health=${health} />`}
    <${Help} />
  `;
}

const Foot = ({ health }) => html`<footer>
  hub <bdi>${health.hub}</bdi>, version <bdi>${health.version}</bdi>, database <bdi>${health.database}</bdi>
</footer>`;

/** Whether what stands here is live, and the hub's clock that ages are counted by. */
const Pulse = ({ now }) => html`<span class="pulse ${feed.state} ${health?.replay ? "of-replay" : ""}">
  <span class="word">${feed.state === "live" && health?.replay ? "replay" : feed.state}</span>
  ${feed.freshAt !== null && html`<${Time} at=${now} now=${now} />`}
</span>`;

root.textContent = "";
listen({ "/": search, "?": openHelp, g: () => go({ page: "overview" }), t: turn });
read("api/v1/session").then(({ body }) => {
  session = body;
  paint();
});
feed.connect();
setInterval(() => {
  feed.look();
  paint();
}, LOOK_EVERY);
addEventListener("hashchange", () => {
  scrollTo(0, 0);
  paint();
});
document.addEventListener("visibilitychange", () => {
  // An animation frame asked for before the window was hidden comes only when it is seen again.
  isPainting = false;
  feed.look();
  paint();
});
addEventListener("online", () => {
  if (feed.state === "lost") feed.connect();
});
