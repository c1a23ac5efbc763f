/**
 * Login: changes the code of a one-time link, or a token, for a session.
 *
 * The code stands in the fragment, which no browser sends anywhere; it leaves the address bar and the history at
 * once. What the hub gives back is a cookie that no script can read.
 */

/** How long an answer may take, in milliseconds. */
const DEADLINE = 10_000;

const form = document.getElementById("form");
const field = document.getElementById("token");
const said = document.getElementById("said");

function say(text, isRefused = false) {
  said.textContent = text;
  said.className = isRefused ? "refused" : "";
}

async function signIn(token) {
  say("Signing in");
  try {
    const answer = await fetch("api/v1/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
      signal: AbortSignal.timeout(DEADLINE),
    });
    if (answer.ok) location.replace("./");
    else say((await answer.json()).error.message, true);
  } catch {
    say("The hub does not answer; try again.", true);
  }
}

/** Signs in with the code of the address, where it has one. */
function takeCode() {
  const code = location.hash.slice(1);
  if (!code) return;
  history.replaceState(null, "", location.pathname);
  signIn(code);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(field.value.trim());
});
addEventListener("hashchange", takeCode);
takeCode();
