/**
 * Answer: what the hub answered at one address, kept for a page: the last good body, and whether it still is new.
 *
 * It has no timer of its own: `want()` is called with each painting, and asks again when that is due. A read that
 * failed keeps what was there, says why it is old, and is tried again soon.
 */

import { read } from "./api.js";
import { clock, duration } from "./format.js";
import { html, Time } from "./html.js";

/** Milliseconds until a read that failed is tried again. */
const AGAIN = 5_000;

export class Answer {
  /** The last good body; null before the first. */
  body = null;
  /** The HTTP status of the last answer: 0 where none came, null before the first. */
  status = null;
  /** The hub's time when `body` came. */
  readAt = null;
  /** What the hub said of its refusal; '' where it said nothing. */
  said = "";

  #changed;
  #read;
  #wanted = null;
  #askedAt = null;
  #number = 0;
  #isAsking = false;

  /** `changed` is called after each answer; `ask(address)` gets one, as `read` does. */
  constructor(changed, ask = read) {
    this.#changed = changed;
    this.#read = ask;
  }

  /** Whether what stands here is not what the hub would answer now: the last read failed. */
  get isOld() {
    return this.status !== null && !this.#isGood;
  }

  /**
   * Sees to it that the answer of `address` is here, asked at once for a new address or `key`, and again `every` so many
   * milliseconds. `now` is the hub's time.
   */
  want(address, now, { every = Infinity, key = "" } = {}) {
    const wanted = `${address}\n${key}`;
    const isNew = wanted !== this.#wanted;
    const waited = Math.abs(now - (this.#askedAt ?? now));
    const isDue = !this.#isAsking && waited >= (this.isOld ? Math.min(AGAIN, every) : every);
    if (isNew || isDue) this.#ask(address, wanted, now);
  }

  /** Lets the next `want` ask again, whatever is due. */
  forget() {
    this.#wanted = null;
  }

  /** Takes the answer of the address's place: 404 is one, where there is nothing to keep. */
  async #ask(address, wanted, now) {
    this.#wanted = wanted;
    this.#askedAt = now;
    this.#isAsking = true;
    const number = (this.#number += 1);
    const { status, body } = await this.#read(address);
    if (number !== this.#number) return;
    this.#isAsking = false;
    this.status = status;
    this.said = body?.error?.message ?? "";
    if (this.#isGood && body !== null) {
      this.body = body;
      this.readAt = now;
    }
    this.#changed();
  }

  /** 503 is how a hub that is not ready tells its health: a good answer where it is no refusal. */
  get #isGood() {
    return this.status === 200 || (this.status === 503 && this.said === "");
  }
}

/** Why the last read of an answer brought nothing, as a sentence. */
export function failure({ status, said }) {
  if (status === 401) return "This session is over; sign in again.";
  if (status === 0) return "The hub does not answer.";
  return said ? `The hub says: ${said}` : `The hub answered ${status}.`;
}

/**
 * What `answer` holds, by `children(body)`; greyed, with the reason above it, where it is old; the reason alone where there is
 * nothing. `name` says what it is: "the machines".
 */
export function Shown({ answer, name, now, children }) {
  const { body, status } = answer;
  if (body === null && status === null) return html`<p class="quiet waiting">Asking the hub for ${name}.</p>`;
  if (body === null) return html`<p class="notice old-answer">${failure(answer)} <${SignIn} answer=${answer} /></p>`;
  return html`
    ${answer.isOld &&
    html`<p class="notice old-answer">
      <strong>Old: ${name} as of <${Time} at=${answer.readAt} text=${clock(answer.readAt)} /></strong>, ${duration((now - answer.readAt) / 1000)} ago.${" "}
      ${failure(answer)} It is asked again every few seconds. <${SignIn} answer=${answer} />
    </p>`}
    <div class=${answer.isOld ? "old" : ""}>${children(body)}</div>
  `;
}

const SignIn = ({ answer }) => answer.status === 401 && html`<a href="login">Sign in</a>`;
