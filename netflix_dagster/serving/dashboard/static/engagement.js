"use strict";
// Engagement: hours of each half-year, how they concentrate, what weeks in the charts have to do with them.
(() => {
  const { h, ink, number, share, plural, day, card, tiles, choice, bars, plot, compact, address } = dashboard;
  const KINDS = { all: "All", film: "Films", tv: "Shows", any: "Not told apart" };

  function render(state, [chunk]) {
    const periods = chunk.periods.map((p) => p.period);
    const period = periods.includes(state.period) ? state.period : periods.at(-1);
    const kinds = ["all", ...new Set(chunk.kinds.filter((k) => k.period === period).map((k) => k.kind))];
    const kind = kinds.includes(state.kind) ? state.kind : "all";
    const matches = (row) => row.period === period && (kind === "all" || row.kind === kind);
    const own = chunk.kinds.filter(matches);
    const hours = own.reduce((sum, row) => sum + (row.hours ?? 0), 0), titles = own.reduce((sum, row) => sum + row.titles, 0);
    const about = chunk.periods.find((p) => p.period === period);
    const earlier = periods[periods.indexOf(period) - 1];
    const was = earlier ? chunk.kinds.filter((row) => row.period === earlier && (kind === "all" || row.kind === kind)).reduce((sum, row) => sum + (row.hours ?? 0), 0) : null;
    const half = (p) => `${p.endsWith("1") ? "first" : "second"} half of ${p.slice(0, 4)}`;
    const curve = dashboard.rows(chunk.curve).filter((row) => row.period === period && row.kind === kind);
    const list = dashboard.rows(chunk.titles).filter(matches);
    const lead = `${dashboard.words(hours)} hours were watched in the ${half(period)}${was ? `, ${share(Math.abs(hours - was) / was)} ${hours < was ? "fewer" : "more"} than in the half-year before` : ""}`;
    const tenth = curve.find((row) => row.step >= 10);
    return [
      h("form", { class: "filters", "aria-label": "Filters", onsubmit: (e) => e.preventDefault() },
        choice("period", "Half-year", periods.map((p) => [p, `${p.slice(0, 4)}, ${half(p).split(" ")[0]} half`]).reverse(), period),
        choice("kind", "Kind", kinds.map((k) => [k === "all" ? "" : k, KINDS[k] ?? k]), kind === "all" ? "" : kind)),
      h("p", { class: "lead" }, lead), h("p", { class: "note" }, `${day(about.start)} to ${day(about.end)}; hours as Netflix states them, rounded to 100,000. A season is a title of its own.`),
      tiles([
        { metric: "engagement_hours", member: `${period}|${kind}`, label: "Hours viewed", value: hours, unit: "hours" }, { metric: "engagement_titles", member: `${period}|${kind}`, label: "Titles watched", value: titles, unit: "titles" },
        { metric: "engagement_mean", label: "Hours a title, mean", value: titles ? hours / titles : null, unit: "hours" },
        { metric: "engagement_top", label: "Hours of the top 10% of titles", value: tenth?.share ?? null, unit: "share" },
      ]),
      h("div", { class: "cards" }, top(list, half(period)), concentration(curve, tenth), scatter(list), released(dashboard.rows(chunk.released).filter(matches), period)),
    ];
  }

  function top(list, when) {
    const rows = [...list].sort((a, b) => b.hours - a.hours).map((row) => ({ ...row, name: row.title, value: row.hours }));
    const shown = [];
    for (const row of rows) { if (shown.length === 15) break; if (!shown.some((r) => r.name === row.name)) shown.push(row); }
    const title = rows.length ? `${dashboard.clip(rows[0].title, 60)} was watched most: ${compact(rows[0].hours)} hours` : "Nothing was watched";
    return card({ id: "most", title, note: `Shows with all their seasons, and films, of the ${when}`, rows, figures: true, chart: bars(shown, { label: "hours", say: compact, about: title }),
      columns: [{ key: "title", label: "Title", link: (row) => address({ page: "title", chart: row.key }) }, { key: "kind", label: "Kind", say: (k) => KINDS[k] ?? k }, { key: "hours", label: "Hours", kind: "number" }, { key: "weeks", label: "Weeks in the Top 10", kind: "number" }, { key: "released", label: "On Netflix since", say: (d) => (d ? day(d) : "–") }] });
  }

  function concentration(curve, tenth) {
    const rows = curve.length ? [{ step: 0, titles: 0, share: 0 }, ...curve] : [];
    const title = tenth ? `A tenth of the titles holds ${share(tenth.share)} of the hours` : "Too few titles for a curve";
    const chart = plot((width) => ({
      height: 390, marginLeft: 48, marginBottom: 38, x: { label: "share of the titles, the most watched first", labelAnchor: "center", labelArrow: "none", tickFormat: (t) => `${t}%`, ticks: 5 },
      y: { label: null, grid: true, domain: [0, 1], tickFormat: (t) => `${Math.round(t * 100)}%`, ticks: 5 },
      marks: [
        Plot.line([[0, 0], [100, 1]], { stroke: ink.quiet, strokeDasharray: "4 4" }),
        Plot.text([[98, 0.46]], { text: ["if all were watched alike"], fill: "var(--soft)", textAnchor: "end" }),
        Plot.areaY(rows, { x: "step", y: "share", fill: ink.one, fillOpacity: 0.14 }), Plot.lineY(rows, { x: "step", y: "share", stroke: ink.one, strokeWidth: 2 }),
        Plot.tip(rows, Plot.pointerX({ x: "step", y: "share", title: (row) => `${row.step}% of the titles (${number(row.titles)})\n${share(row.share)} of the hours` })),
      ],
    }), title);
    return card({ id: "concentration", title, note: "Hours that the most watched titles hold together", chart, rows, figures: true,
      columns: [{ key: "step", label: "Share of titles", kind: "number", say: (v) => `${v}%` }, { key: "titles", label: "Titles", kind: "number" }, { key: "share", label: "Share of hours", kind: "number", say: share }] });
  }

  function scatter(list) {
    const rows = list.filter((row) => row.weeks > 0 && row.hours > 0).sort((a, b) => b.hours - a.hours);
    const long = rows.filter((row) => row.weeks >= 8), brief = rows.filter((row) => row.weeks <= 2);
    const middle = (of) => of[of.length >> 1]?.hours;
    const title = long.length && brief.length ? `Eight weeks in the charts go with ${number(middle(long) / middle(brief))} times the hours of one or two` : rows.length ? `${plural(rows.length, "title")} of the report were in a Top 10 meanwhile` : "No title of this report was in a chart meanwhile";
    const chart = plot((width) => ({
      height: 360, marginLeft: 52, marginTop: 14, marginBottom: 38, x: { label: "weeks in the Top 10 of the world", labelAnchor: "center", labelArrow: "none", domain: [0.4, Math.max(...rows.map((row) => row.weeks)) + 0.6], ticks: d3.range(1, Math.max(...rows.map((row) => row.weeks)) + 1, Math.ceil(Math.max(...rows.map((row) => row.weeks)) / (width / 34))), tickFormat: "d" }, y: { type: "log", label: null, grid: true, ticks: [1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10].filter((t) => t >= rows.at(-1).hours / 3 && t <= rows[0].hours * 3), tickFormat: (t) => compact(t) },
      color: { domain: ["film", "tv", "any"], range: [ink.two, ink.one, ink.three] },
      marks: [Plot.dot(rows, { x: (row) => row.weeks + jitter(row.key) * 0.6, y: "hours", fill: "kind", fillOpacity: 0.55, r: 3.4, tip: true, title: (row) => `${dashboard.clip(row.title)}\n${compact(row.hours)} hours, ${plural(row.weeks, "week")} in the Top 10${row.best ? `, best place ${row.best}` : ""}` })],
    }), title);
    return card({ id: "weeks", title, note: "Hours of the half-year (logarithmic) by weeks in a Top 10 of the world meanwhile", chart, rows, figures: true, key: [["Films", ink.two], ["Shows", ink.one]],
      columns: [{ key: "title", label: "Title", link: (row) => address({ page: "title", chart: row.key }) }, { key: "weeks", label: "Weeks", kind: "number" }, { key: "best", label: "Best place", kind: "number" }, { key: "hours", label: "Hours", kind: "number" }] });
  }

  /** The same little shift for the same title, so that points do not hide each other and pictures do not differ. */
  function jitter(key) {
    let hash = 0;
    for (const c of key) hash = (hash * 31 + c.codePointAt(0)) % 1009;
    return hash / 1009 - 0.5;
  }

  function released(all, period) {
    const by = new Map();
    for (const row of all) { const year = row.year ?? null; const old = by.get(year) ?? { year, titles: 0, hours: 0 }; by.set(year, { year, titles: old.titles + row.titles, hours: old.hours + (row.hours ?? 0) }); }
    const rows = [...by.values()].sort((a, b) => (b.year ?? 0) - (a.year ?? 0)).map((row) => ({ ...row, name: row.year === null ? "Licensed or not stated" : String(row.year), value: row.hours }));
    const total = rows.reduce((sum, row) => sum + row.hours, 0);
    const dated = rows.filter((row) => row.year !== null);
    const newest = dated.filter((row) => row.year === Number(period.slice(0, 4))).reduce((sum, row) => sum + row.hours, 0);
    const title = total ? `${share(newest / total)} of the hours go to titles that Netflix released in the same year` : "No hours are stated";
    return card({ id: "released", title, note: "Hours by the year of the first day on Netflix; licensed titles state none", rows, figures: true, chart: bars([...dated.slice(0, 12), ...rows.filter((row) => row.year === null)], { label: "hours", say: compact, about: title, fill: ink.three }),
      columns: [{ key: "name", label: "Year" }, { key: "titles", label: "Titles", kind: "number" }, { key: "hours", label: "Hours", kind: "number" }] });
  }

  dashboard.pages.push({ name: "engagement", label: "Engagement", needs: ["engagement"], render, nothing: "No engagement report has landed yet" });
})();
