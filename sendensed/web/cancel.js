/**
 * Cancel: asks a job's sender to stop, after asking back, and says what the hub answered.
 */

import { jobAddress, post, read } from "./api.js";
import { age, moment } from "./format.js";
import { Component, html, Time } from "./html.js";
import { isActive } from "./jobs.js";
import { machine } from "./words.js";

const MAY = new Set(["operate", "admin"]);

/** What the hub's answer means for the job. */
function told({ status, body }, role) {
  if (status === 202) return "The hub has noted it. The sender is told with its next answer, and the job ends when it says so.";
  if (status === 200) return "The job is cancelled.";
  if (status === 401) return "Not cancelled: this session is over; sign in again.";
  if (status === 403) return `Not cancelled: ${refused(role)}`;
  if (status === 0) return "No answer: whether the hub heard it is unknown. Asking again does no harm.";
  return `Not cancelled: ${body?.error?.message ?? `the hub answered ${status}`}.`;
}

function refused(role) {
  const mine = role ? `this session may only ${role}` : "this session may not";
  return `${mine}; to cancel jobs takes a token of the role operate or admin. On the hub: sendensed token create NAME --role operate`;
}

/** The button, the question behind it, and the answer. Nothing for a job that is over. */
export class Cancel extends Component {
  state = { step: "idle", answer: "", role: null };
  #button = null;
  #keep = null;

  componentDidMount() {
    read("api/v1/session").then(({ body }) => this.setState({ role: body?.role ?? null }));
  }

  #ask = () => this.setState({ step: "asking", answer: "" }, () => this.#keep?.focus());
  #leave = () => this.setState({ step: "idle" }, () => this.#button?.focus());
  #send = async () => {
    this.setState({ step: "sending" });
    const answer = await post(`${jobAddress(this.props.job.id)}/cancel`);
    this.setState({ step: "idle", answer: told(answer, this.state.role) }, () => this.#button?.focus());
  };

  render({ job, now }, { step, answer, role }) {
    const asked = moment(job.cancel_requested_at ?? null);
    if (!isActive(job)) return answer && html`<p class="cancel-answer" role="status">${answer}</p>`;
    const mayNot = role !== null && !MAY.has(role);
    const button = (node) => (this.#button = node);
    return html`<div class="cancel">
      ${asked !== null &&
      html`<p class="quiet">An operator asked it to stop <${Time} at=${asked} text=${age(asked, now)} />; its sender has not said yet that it did.</p>`}
      ${step === "idle" &&
      html`<button type="button" class="danger" ref=${button} disabled=${mayNot} onClick=${this.#ask}>
        ${asked === null ? "Cancel this job" : "Ask again"}
      </button>`}
      ${step !== "idle" &&
      html`<div class="question" role="group" aria-label="Cancel this job?" onKeyDown=${(event) => event.key === "Escape" && this.#leave()}>
        <span>Cancel <bdi>${machine(job)}</bdi>? What has been copied stays where it is; what a later run makes of it is up to its sender.</span>
        <button type="button" class="danger" disabled=${step === "sending"} onClick=${this.#send}>
          ${step === "sending" ? "Asking the hub" : "Yes, cancel it"}
        </button>
        <button type="button" ref=${(node) => (this.#keep = node)} onClick=${this.#leave}>No, let it run</button>
      </div>`}
      ${mayNot && html`<p class="quiet">Cancelling is not for this session: ${refused(role)}</p>`}
      ${answer && html`<p class="cancel-answer" role="status">${answer}</p>`}
    </div>`;
  }
}
