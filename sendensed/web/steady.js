/**
 * Steady: an order by numbers that change all the time, which still lets rows be read and clicked. Pure.
 */

/** Milliseconds that rows keep their places; what comes meanwhile stands last. */
export const STEADY_FOR = 5_000;

export class Steady {
  #key = null;
  #at = 0;
  #places = new Map();

  /** The jobs as `sort` orders them; under the same `key` by its last outcome until that is old. */
  order(key, jobs, now, sort) {
    if (key !== this.#key || !(now - this.#at < STEADY_FOR)) {
      const ordered = sort(jobs);
      this.#key = key;
      this.#at = now;
      this.#places = new Map(ordered.map((job, index) => [job.id, index]));
      return ordered;
    }
    const place = (job) => this.#places.get(job.id) ?? Infinity;
    return [...jobs].sort((a, b) => (place(a) < place(b) ? -1 : Number(place(a) > place(b))));
  }
}
