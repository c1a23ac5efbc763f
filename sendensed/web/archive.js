/**
 * Archive: finished jobs that the feed no longer holds, read from the hub page by page as the viewer asks for more.
 *
 * What is asked for starts anew with each other query; answers that come late for an older one are thrown away.
 */

import { read } from "./api.js";
import { moment } from "./format.js";
import { finishedAddress, RANGES } from "./filter.js";

/** Milliseconds that a text must rest before it is looked for: nobody wants the answers to its beginnings. */
const REST = 300;

export class Archive {
  /** All that came, in the hub's order. */
  jobs = [];
  /** `idle`, `asking`, `done` (there are no more) or `away` (the hub did not answer). */
  state = "idle";

  #query = {};
  #key = "";
  #next = null;
  #changed;
  #timer = null;

  /** `changed` is called after each change of anything above. */
  constructor(changed) {
    this.#changed = changed;
  }

  /** Makes `query` the one asked for; `eager` asks at once for the first page, without a click. */
  turnTo(query, eager) {
    const key = JSON.stringify(query);
    if (key === this.#key) return;
    clearTimeout(this.#timer);
    this.#key = key;
    this.#query = query;
    this.#next = null;
    this.jobs = [];
    this.state = finishedAddress(query) === null ? "done" : "idle";
    if (eager && this.state === "idle") this.#timer = setTimeout(() => this.more(), REST);
  }

  /** Asks for the next page, and goes on where the hub has found nothing yet of what is looked for. */
  async more() {
    clearTimeout(this.#timer);
    if (this.state === "asking" || this.state === "done") return;
    const key = this.#key;
    this.state = "asking";
    this.#changed();
    let found = [];
    do {
      const { status, body } = await read(finishedAddress(this.#query, this.#next));
      if (key !== this.#key) return;
      if (status !== 200) {
        this.state = "away";
        break;
      }
      found = body.jobs;
      this.jobs = [...this.jobs, ...found];
      this.#next = body.next;
      this.state = body.next === null || this.#isBeyondRange(found.at(-1)) ? "done" : "asking";
    } while (found.length === 0 && this.state === "asking");
    if (this.state === "asking") this.state = "idle";
    this.#changed();
  }

  /** Forgets what it was asked for. */
  close() {
    clearTimeout(this.#timer);
    this.#key = "";
  }

  /** Whether all further pages end before the range begins; known only where they are in the order of their ends. */
  #isBeyondRange(last) {
    const span = RANGES[this.#query.range];
    const isByEnd = !this.#query.sort || (this.#query.sort === "heard" && this.#query.order === "desc");
    return span !== undefined && isByEnd && last !== undefined && Date.now() - moment(last.completed_at) > span;
  }
}
