/**
 * History: the speeds of jobs before the page was opened, asked of the hub for the jobs that are on the screen.
 *
 * Each is asked for once, a few at a time; what has left the screen before its turn is not asked for.
 */

import { jobAddress, read } from "./api.js";
import { moment } from "./format.js";

/** Questions at the same time. */
const AT_ONCE = 2;
/** Milliseconds that jobs have to stay on the screen before they are asked for: nobody reads what flies by. */
const REST = 400;
/** About so many points over a whole run. */
const POINTS = 300;

export class History {
  #traces;
  #wanted = [];
  #asked = new Set();
  #asking = 0;
  #since = 0;
  #shown = "";

  /** `traces` are given what comes. */
  constructor(traces) {
    this.#traces = traces;
  }

  /** Says which jobs are on the screen at the moment `at`, a few times a second. */
  see(jobs, at) {
    const shown = `${jobs[0]?.id}\n${jobs.at(-1)?.id}`;
    if (shown !== this.#shown) this.#since = at;
    this.#shown = shown;
    if (at - this.#since < REST) return;
    this.#wanted = jobs.filter((job) => job.started_at !== null && !this.#asked.has(keyOf(job)));
    this.#ask();
  }

  async #ask() {
    while (this.#asking < AT_ONCE && this.#wanted.length > 0) {
      const job = this.#wanted.shift();
      this.#asked.add(keyOf(job));
      this.#asking += 1;
      read(`${jobAddress(job.id)}/samples?points=${POINTS}`).then(({ body }) => {
        this.#asking -= 1;
        if (body?.samples) this.#traces.precede(job.id, pointsOf(body));
        this.#ask();
      });
    }
  }
}

const keyOf = (job) => `${job.id}\n${job.attempt}`;

/** Samples and gaps as points of a trace, in order of time. */
function pointsOf({ samples, gaps }) {
  const told = samples.map((sample) => ({
    at: moment(sample.at),
    speed: sample.transfer_speed_bps,
    bytes: sample.bytes_transferred,
    cause: null,
  }));
  const holes = gaps.map((gap) => ({ at: moment(gap.start) + 1, speed: null, bytes: 0, cause: gap.cause }));
  return [...told, ...holes].sort((a, b) => a.at - b.at);
}
