/**
 * Account: who is signed in, and the way out. An open hub has neither.
 */

import { html } from "./html.js";

/** `session` is the hub's word on the session; null until it is known. */
export const Account = ({ session }) =>
  session?.name
    ? html`<span class="account">signed in as <bdi>${session.name}</bdi> (${session.role})${" "}
        <button type="button" onClick=${signOut}>Sign out</button>
      </span>`
    : null;

async function signOut() {
  await fetch("api/v1/logout", { method: "POST", signal: AbortSignal.timeout(10_000) }).catch(() => null);
  location.replace("login");
}
