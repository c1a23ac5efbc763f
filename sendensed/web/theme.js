/**
 * Theme: dark or light as the system says, or as the viewer has chosen. No module: it runs before anything is painted.
 */
"use strict";

(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // a browser may forbid it
    }
  }

  function apply() {
    document.documentElement.dataset.theme = chosen() ?? (system.matches ? "dark" : "light");
  }

  /** Turns to the other one; the choice of what the system says anyway is forgotten, so that it is followed again. */
  window.turnTheme = () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try {
      if ((next === "dark") === system.matches) localStorage.removeItem("theme");
      else localStorage.setItem("theme", next);
    } catch {
      document.documentElement.dataset.theme = next; // for as long as the page is open
      return;
    }
    apply();
  };

  system.addEventListener("change", apply);
  addEventListener("storage", apply); // another window of ours has chosen
  apply();
})();
