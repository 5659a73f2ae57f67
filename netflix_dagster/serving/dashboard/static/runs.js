"use strict";
// Runs: how long runs and tables take, how many deliveries are taken up a day.
(() => {
  const { h, ink, number, plural, day, minute, seconds, card, tiles, choice, bars, plot, compact } = dashboard;

  function render(state, [chunk]) {
    const feeds = [...new Set(chunk.runs.map((run) => run.feed))].sort();
    const runs = chunk.runs.filter((run) => !state.feed || run.feed === state.feed);
    const ended = runs.filter((run) => run.seconds !== null);
    const total = ended.reduce((sum, run) => sum + run.seconds, 0), dates = ended.reduce((sum, run) => sum + run.dates, 0);
    const failed = runs.filter((run) => run.outcome === "failed" || run.outcome === "did not end");
    const lead = !runs.length ? "Nothing has been built yet" : failed.length ? `${plural(failed.length, "build has", "builds have")} failed or not ended, of ${number(runs.length)}` : `${plural(runs.length, "build")}, and none has failed`;
    return [
      feeds.length > 1 ? h("form", { class: "filters", "aria-label": "Filters", onsubmit: (e) => e.preventDefault() }, choice("feed", "Feed", [["", "All"], ...feeds.map((f) => [f, f])], state.feed)) : null,
      h("p", { class: "lead" }, lead),
      tiles([{ metric: "builds", label: "Builds", value: runs.length, unit: "builds" }, { metric: "delivery_dates", label: "Delivery dates built", value: dates, unit: "dates" }, { metric: "seconds", label: "Time at work", value: Math.round(total), unit: "seconds" }, { metric: "seconds_per_date", label: "Seconds a delivery date", value: dates ? total / dates : null, unit: "seconds" }]),
      h("div", { class: "cards clock" }, tables(chunk.tables), days(chunk.days), history(runs, chunk.total)),
    ].filter(Boolean);
  }

  function tables(list) {
    const newest = new Map();
    for (const row of list) if (!newest.has(row.table) || newest.get(row.table).at < row.at) newest.set(row.table, row);
    const rows = [...newest.values()].map((row) => ({ ...row, name: row.table, value: row.seconds })).sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1));
    const sum = rows.reduce((s, row) => s + row.value, 0);
    const title = rows.length ? `${rows[0].name} takes longest: ${seconds(rows[0].value)} of ${seconds(sum)}` : "Dagster has not told of any table yet";
    return card({ id: "tables", title, note: "Seconds of the newest build of each table", rows, empty: "The seconds of tables are in Dagster's history. They show once the asset serving.dashboard is built there.",
      chart: bars(rows.slice(0, 16), { label: "seconds", say: (v) => seconds(v), about: title }), columns: [{ key: "name", label: "Table" }, { key: "value", label: "Seconds", kind: "number", say: (v) => String(v) }, { key: "rows", label: "Rows since", kind: "number" }, { key: "at", label: "Built", say: minute }] });
  }

  const OUTCOMES = [["accepted", ink.one], ["held", ink.four], ["refused", ink.two]];

  function days(list) {
    const rows = list.map((row) => ({ ...row, name: day(row.day) }));
    const most = rows.length ? rows.reduce((a, b) => (b.deliveries > a.deliveries ? b : a)) : null;
    const title = most ? `Most deliveries were taken up on ${most.name}: ${number(most.deliveries)}` : "No delivery has been taken up yet";
    return card({ id: "days", title, note: "Deliveries taken up a day, and what came of it", rows, key: OUTCOMES,
      chart: plot((width) => ({ height: 300, marginLeft: 44, marginBottom: 34, x: { label: null, domain: [...new Set(rows.map((row) => row.name))], padding: dashboard.apart(new Set(rows.map((row) => row.name)).size), tickSize: 0, ...(rows.length * 60 > width ? { ticks: [] } : {}) }, y: { label: null, grid: true, ticks: 5 }, color: { domain: OUTCOMES.map(([k]) => k), range: OUTCOMES.map(([, c]) => c) },
        marks: [Plot.barY(rows, { x: "name", y: "deliveries", fill: "status", tip: true, title: (row) => `${row.name}\n${number(row.deliveries)} ${row.status}` }), Plot.ruleY([0])] }), title),
      columns: [{ key: "name", label: "Day" }, { key: "status", label: "What came of it" }, { key: "deliveries", label: "Deliveries", kind: "number" }] });
  }

  function history(runs, total) {
    const rows = [...runs].reverse();
    const slow = rows.filter((row) => row.seconds !== null).reduce((a, b) => (b.seconds > (a?.seconds ?? -1) ? b : a), null);
    return card({ id: "history", span: 12, open: true, rows, title: slow ? `The longest build took ${seconds(slow.seconds)} for ${plural(slow.dates, "delivery date")} of ${slow.feed}` : "No build has ended yet", note: `Every build of a feed, the newest first${total > runs.length ? `; the newest ${number(runs.length)} of ${number(total)}` : ""}`,
      columns: [{ key: "begun", label: "Begun", say: minute }, { key: "feed", label: "Feed" }, { key: "dates", label: "Delivery dates", kind: "number" }, { key: "first", label: "From", say: day }, { key: "last", label: "To", say: day }, { key: "seconds", label: "Took", kind: "number", say: seconds }, { key: "outcome", label: "Outcome", say: (v) => h("span", { class: `badge ${v === "built" ? "good" : v === "held" ? "warn" : "bad"}` }, v) }, { key: "run", label: "Run", say: (v) => h("code", null, v.slice(0, 8)) }] });
  }

  dashboard.pages.push({ name: "runs", label: "Runs", needs: ["runs"], render, nothing: "Nothing has been built yet" });
})();
