/**
 * Appliances: who sends, whether they are heard, and what is worrying about them, said in words.
 */

import { Answer, Shown } from "./answer.js";
import { newestVersion, skewText, worries } from "./fleet-words.js";
import { age, count, duration, moment, NONE } from "./format.js";
import { Component, html, Said, Symbol, Time } from "./html.js";
import { command, FromShell, HUB } from "./shell.js";

/** The hubs write down what they heard of appliances every 10 s. */
const EVERY = 10_000;

export class AppliancesPage extends Component {
  #answer = new Answer(() => this.setState({}));

  componentDidMount() {
    this.#ask();
  }

  componentDidUpdate() {
    this.#ask();
  }

  #ask() {
    this.#answer.want("api/v1/appliances", this.props.now, { every: EVERY, key: this.props.feed.state });
  }

  render({ now }) {
    return html`<section id="appliances" class="page">
      <h2>Appliances</h2>
      <${Shown} answer=${this.#answer} name="the appliances" now=${now}>
        ${({ appliances }) => (appliances.length === 0 ? html`<${None} />` : html`<${Table} appliances=${appliances} now=${now} />`)}
      <//>
      <${FromShell} of=${command("appliances")} />
    </section>`;
  }
}

const None = () => html`<div class="nothing">
  <p>No appliance has been heard of yet. Make a token for one here, at the hub:</p>
  <pre><code>sendensed token create NAME --role push</code></pre>
  <p>and start the daemon there with it; it shows up with its first update:</p>
  <pre><code>clientd serve --hub ${HUB} --token-file FILE</code></pre>
</div>`;

function Table({ appliances, now }) {
  const newest = newestVersion(appliances.map((one) => one.version));
  const found = appliances.map((appliance) => ({ appliance, worries: worries(appliance, newest, now) }));
  const troubled = found.filter((one) => one.worries.length > 0).length;
  return html`
    <p class=${troubled ? "worry" : "quiet"} id="appliances-summary">
      ${troubled ? `${troubled} of ${count(appliances.length, "appliance")} ${troubled === 1 ? "needs" : "need"} a look.` : `${count(appliances.length, "appliance")}, nothing is worrying.`}
    </p>
    <table class="fleet appliances-table cards" aria-label="Appliances">
      <thead>
        <tr>
          <th scope="col">Appliance</th>
          <th scope="col" class="version">Version</th>
          <th scope="col" class="right age">Last heard</th>
          <th scope="col" class="right skew">Clock</th>
          <th scope="col" class="right spool">Waited in its spool</th>
          <th scope="col" class="right tries">Active jobs</th>
          <th scope="col" class="worries">What is worrying</th>
        </tr>
      </thead>
      <tbody>
        ${found.map((one) => html`<${Row} key=${one.appliance.name} ...${one} now=${now} />`)}
      </tbody>
    </table>
  `;
}

function Row({ appliance, worries: found, now }) {
  const heard = moment(appliance.last_heard_at);
  return html`<tr>
    <th scope="row"><${Said} text=${appliance.name} /></th>
    <td class="top"><${Said} text=${appliance.version || NONE} /></td>
    <td class="right" data-label="Last heard"><${Time} at=${heard} now=${now} text=${age(heard, now)} /></td>
    <td class="right" data-label="Clock">${skewText(appliance.clock_skew_seconds)}</td>
    <td class="right" data-label="Waited in its spool">${spool(appliance)}</td>
    <td class="right" data-label="Active jobs">${appliance.active}</td>
    <td class="whole" data-label="What is worrying">
      ${found.length === 0 && html`<span class="state completed"><${Symbol} state="completed" />nothing</span>`}
      ${found.length > 0 && html`<ul class="worries">
        ${found.map((text) => html`<li key=${text} class="worry"><${Symbol} state="stalled" /><bdi class="wrap">${text}</bdi></li>`)}
      </ul>`}
    </td>
  </tr>`;
}

function spool({ spool_depth: depth, spool_age_seconds: oldest }) {
  return depth === 0 ? "nothing" : `${count(depth, "job")}, up to ${duration(oldest)}`;
}
