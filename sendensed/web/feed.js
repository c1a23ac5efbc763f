/**
 * Feed: the live feed's websocket, and whether what it brought is still true.
 *
 *     connecting ──first fresh frame──▶ live ◀──first fresh frame── lost
 *          └── refused ─────────────▶ lost ◀── closed, silent, bye ──┘ (from live)
 *
 * A fresh frame is a snapshot, changes or a tick; an open socket alone proves nothing. The feed resumes from
 * its last position, and comes back by a jittered, growing delay. It has no timer of its own: `look()` is to
 * be called a few times a second. All times are milliseconds of the clock given.
 */

import { moment } from "./format.js";
import { Jobs } from "./jobs.js";

/** Heartbeats without a frame after which the feed counts as lost, though its socket looks open. */
export const SILENT_BEATS = 2.5;
/** How long a hub may take from the first byte of a connection to the first fresh frame. */
export const CONNECT_DEADLINE = 10_000;
/** The first delay before trying again, and the longest. */
export const SHORTEST_DELAY = 1_000;
export const LONGEST_DELAY = 15_000;

/** Milliseconds before the next try after `failures` in a row: half of a doubling delay, half by chance. */
export function delay(failures, chance) {
  const longest = Math.min(SHORTEST_DELAY * 2 ** Math.max(failures - 1, 0), LONGEST_DELAY);
  return longest / 2 + (chance * longest) / 2;
}

/** The feed's address beside the page's, resuming after `sequence` where that is not null. */
export function feedAddress(page, sequence) {
  const url = new URL("api/v1/feed", page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  if (sequence !== null) url.searchParams.set("since", String(sequence));
  return url.href;
}

export class Feed {
  state = "connecting";
  /** When the state began. */
  since;
  /** Why the feed is lost: `refused`, `closed`, `silent` or `bye`. */
  reason = null;
  /** When it is tried again; null while it is being tried. */
  retryAt = null;
  /** When the last fresh frame came; null before the first. */
  freshAt = null;
  /** Whether the hub reaches its database, by its last tick. */
  ready = true;
  /** What the hubs call people for, by the last tick: `{kind, since, raised_by, detail}`. */
  alarms = [];
  /** Snapshots that came: after each one, what it left out may be asked for. */
  snapshots = 0;
  hub = null;
  heartbeat = 5_000;
  jobs = new Jobs();
  /** Changes of state not yet told aloud, `{job, was}`; the page takes them out. */
  news = [];

  #page;
  #clock;
  #changed;
  #open;
  #random;
  #socket = null;
  #openedAt = 0;
  #failures = 0;
  #isForeign = false;

  /** `page` is the page's address, `changed` is called after each change of anything above. */
  constructor(page, clock, changed, open = (address) => new WebSocket(address), random = Math.random) {
    this.#page = page;
    this.#clock = clock;
    this.#changed = changed;
    this.#open = open;
    this.#random = random;
    this.since = clock.now();
  }

  /** Opens a connection at once, whatever was planned. */
  connect() {
    this.#drop();
    this.#openedAt = this.#clock.now();
    this.retryAt = null;
    this.#isForeign = false;
    const socket = this.#open(feedAddress(this.#page, this.jobs.sequence));
    this.#socket = socket;
    socket.onmessage = (message) => this.#read(message.data);
    socket.onclose = () => this.#lose(this.state === "connecting" ? "refused" : "closed");
    this.#changed();
  }

  /** Does what is due: tries again, or gives up a connection that is silent. */
  look() {
    const now = this.#clock.now();
    if (this.#socket === null) {
      if (this.retryAt !== null && now >= this.retryAt) this.connect();
    } else if (this.state === "live") {
      if (now - this.freshAt > SILENT_BEATS * this.heartbeat) this.#lose("silent");
    } else if (now - this.#openedAt > CONNECT_DEADLINE) {
      this.#lose(this.freshAt === null ? "refused" : "silent");
    }
  }

  #read(text) {
    const frame = JSON.parse(text);
    if (frame.type === "hello") {
      this.heartbeat = frame.heartbeat * 1000;
      this.#isForeign = this.hub !== null && this.hub !== frame.hub && this.jobs.sequence !== null;
      this.hub = frame.hub;
    } else if (frame.type === "bye") {
      this.#lose("bye", frame.after * 1000 * (1 + this.#random()));
    } else if (frame.type === "resync") {
      this.jobs.sequence = null;
      this.#isForeign = false;
    } else if (this.#isForeign && frame.type !== "snapshot") {
      // Another hub took the position of the one before for its own: what it leaves out is unknown.
      this.jobs.sequence = null;
      this.connect();
    } else if (frame.type === "snapshot") {
      const isFirst = this.freshAt === null;
      this.snapshots += 1;
      const news = this.jobs.snapshot(frame);
      this.#freshen(isFirst ? [] : news);
    } else if (frame.type === "changes") {
      this.#freshen(this.jobs.changes(frame));
    } else if (frame.type === "tick") {
      this.#clock.setHub(moment(frame.time) ?? this.#clock.hubNow());
      this.ready = frame.ready;
      this.alarms = frame.alarms ?? [];
      this.#freshen([]);
    }
  }

  #freshen(news) {
    this.freshAt = this.#clock.now();
    this.news.push(...news);
    if (this.state !== "live") {
      this.state = "live";
      this.since = this.freshAt;
      this.reason = null;
      this.#failures = 0;
    }
    this.#changed();
  }

  #lose(reason, wait = null) {
    this.#drop();
    const now = this.#clock.now();
    if (this.state !== "lost") {
      this.state = "lost";
      this.since = reason === "silent" ? this.freshAt : now;
      this.reason = reason;
      this.jobs.traces.breakOff();
    }
    this.#failures += 1;
    this.retryAt = now + (wait ?? delay(this.#failures, this.#random()));
    this.#changed();
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }
}
