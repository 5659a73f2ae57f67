"use strict";
// The pages, one at a time: which one the address names, its navigation, its theme.
(() => {
  const { h, state, address, load, has, about } = dashboard;
  const main = document.getElementById("main");
  let shown = null;
  let turn = 0;

  function navigation(current) {
    document.getElementById("nav").replaceChildren(
      h("ul", null, dashboard.pages.map((page) =>
        h("li", null, h("a", { href: address({ page: page.name }), "aria-current": page.name === current ? "page" : null }, page.label)))));
    document.querySelector("#nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  async function render() {
    const now = state();
    const mine = ++turn;
    const page = dashboard.pages.find((one) => one.name === now.page) ?? dashboard.pages[0];
    const fresh = shown !== page.name;
    document.title = `${page.label} · Netflix lakehouse`;
    navigation(page.name);
    if (fresh) main.replaceChildren(h("h1", { class: "unseen" }, page.label), h("p", { class: "empty", role: "status" }, "Loading …"));
    try {
      const missing = page.needs.filter((name) => !has(name));
      const content = missing.length ? empty(page) : await page.render(now, await Promise.all(page.needs.map(load)));
      if (mine !== turn) return;
      const focus = document.activeElement?.id;
      main.replaceChildren(h("h1", { class: "unseen" }, page.label), ...content);
      dashboard.settle();
      shown = page.name;
      const wanted = now.show && document.getElementById(now.show);
      if (wanted) wanted.scrollIntoView({ block: "start", behavior: "instant" });
      else if (fresh) scrollTo({ top: 0, behavior: "instant" });
      if (fresh) { dashboard.announce(`${page.label} is shown`); }
      else if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
      document.documentElement.dataset.ready = `${page.name}-${turn}`;
    } catch (error) {
      if (mine !== turn) return;
      main.replaceChildren(h("h1", { class: "unseen" }, page.label), h("p", { class: "empty", role: "alert" }, error.message));
      document.documentElement.dataset.ready = "failed";
      throw error;
    }
  }

  /** What stands where a feed has not landed yet. */
  const empty = (page) => [
    h("div", { class: "empty big" },
      h("h2", null, page.nothing),
      h("p", null, "This page shows what gold holds. It fills itself when a delivery has passed every gate."),
      h("p", null, h("code", null, "netflix-dagster land FILE --source NAME"), " and ", h("code", null, "netflix-dagster run"))),
  ];

  // Light, dark, or as the system has it.
  const button = document.getElementById("theme");
  const THEMES = ["auto", "light", "dark"];
  const kept = () => { try { return localStorage.getItem("theme") ?? "auto"; } catch { return "auto"; } };
  function dress(theme) {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" }[theme];
  }
  let theme = kept();
  dress(theme);
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    try { localStorage.setItem("theme", theme); } catch { /* a browser that keeps nothing */ }
    dress(theme);
  });

  document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
  document.getElementById("foot").append(
    h("details", null, h("summary", null, "Which versions of the tables this is made from"), h("p", null,
      Object.entries(about().versions).map(([name, version]) => `${name} ${version}`).join(", ") || "There are no tables yet.")),
    h("p", null, "Shapes of countries: Natural Earth, public domain. Drawn with Observable Plot and D3."));
  addEventListener("hashchange", render);
  render();
})();
