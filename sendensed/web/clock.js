/**
 * Clock: time that never goes back and counts on while the computer sleeps; and from it the hub's own time.
 *
 * Ages are counted by the hub's clock: what stands on the page is right even where this computer's clock is
 * wrong. Between two ticks of the hub the time is carried on from here. All in milliseconds.
 */

/** A leap of the wall clock by more than this against the monotonic one means that the computer slept. */
const LEAP = 5_000;

export class Clock {
  #monotonic;
  #wall;
  #last;
  #slept = 0;
  #hub = null;

  constructor(monotonic = () => performance.now(), wall = () => Date.now()) {
    this.#monotonic = monotonic;
    this.#wall = wall;
    this.#last = { monotonic: monotonic(), wall: wall() };
  }

  /** Milliseconds on a clock of the page's own, sleep included. */
  now() {
    const present = { monotonic: this.#monotonic(), wall: this.#wall() };
    const leap = present.wall - this.#last.wall - (present.monotonic - this.#last.monotonic);
    if (leap > LEAP) this.#slept += leap;
    this.#last = present;
    return present.monotonic + this.#slept;
  }

  /** Sets the hub's time (milliseconds since 1970) as of now. */
  setHub(time) {
    this.#hub = { time, at: this.now() };
  }

  /** The hub's time at the moment `at` of this clock; this computer's own until the hub has told. */
  hubAt(at) {
    return this.#hub === null ? this.#wall() + (at - this.now()) : this.#hub.time + (at - this.#hub.at);
  }

  /** The hub's time now. */
  hubNow() {
    return this.hubAt(this.now());
  }
}
