/**
 * Pages: every page by the name that the router gives it. A page that stands here is linked and shown; nothing else is
 * needed for a new one.
 *
 * Each component gets `route` (see router.js), `feed`, `now` (the hub's time), `health` (null until it is known), `go(route)`,
 * and `groups` (see groups.js). `label` is its link in the header; `under` names the page whose link it belongs to.
 */

import { AppliancesPage } from "./appliances.js";
import { CalendarPage } from "./calendar.js";
import { HubPage } from "./hub-page.js";
import { JobPage } from "./job-page.js";
import { MachinePage } from "./machine-page.js";
import { MachinesPage } from "./machines.js";
import { Overview } from "./overview.js";

export const PAGES = {
  overview: { component: Overview, label: "Jobs" },
  job: { component: JobPage, under: "overview" },
  machines: { component: MachinesPage, label: "Machines" },
  machine: { component: MachinePage, under: "machines" },
  calendar: { component: CalendarPage, label: "Calendar" },
  appliances: { component: AppliancesPage, label: "Appliances" },
  hub: { component: HubPage, label: "Hub" },
};
