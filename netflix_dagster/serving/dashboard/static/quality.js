"use strict";
// Quality: what became of every delivery, what was refused and how it is mended, how rules fared, what is late.
(() => {
  const { h, ink, number, share, plural, day, minute, bytes, card, tiles, choice, tabs, plot, compact, address } = dashboard;
  const STATES = { standing: "good", accepted: "good", landed: "none", superseded: "none", held: "warn", refused: "bad", withdrawn: "none" };
  const MEANS = { standing: "every gate is passed; the tables hold it", accepted: "read, and not judged to the end yet", landed: "not read yet", held: "a gate holds it back", refused: "it could not be read", superseded: "a better file has replaced it", withdrawn: "somebody took it away" };
  const FAILS = { warn: ["counts", "warn"], drop: ["sets the row aside", "none"], fail: ["holds the delivery back", "bad"] };

  function render(state, [chunk]) {
    const feeds = chunk.freshness.map((f) => f.feed);
    const own = (row) => (!state.feed || row.feed === state.feed);
    const all = chunk.deliveries.filter(own);
    const standing = all.filter((d) => d.stands).length;
    const trouble = all.filter((d) => d.status === "refused" || d.status === "held");
    const refused = chunk.quarantine.reduce((sum, group) => sum + group.count, 0);
    const judged = chunk.rules.summary.length, broken = chunk.rules.summary.filter((rule) => rule.broken).length;
    const wrong = chunk.rules.conserved.reduce((sum, row) => sum + row.wrong, 0);
    const lead = !all.length ? "Nothing has been delivered yet"
      : trouble.length ? `${number(standing)} of ${plural(all.length, "delivery", "deliveries")} stand; ${plural(trouble.length, "waits", "wait")} to be mended`
      : `All ${plural(all.length, "delivery", "deliveries")} stand`;
    return [
      h("form", { class: "filters", "aria-label": "Filters", onsubmit: (e) => e.preventDefault() },
        choice("feed", "Feed", [["", "All"], ...feeds.map((f) => [f, f])], state.feed), choice("status", "Status", [["", "All"], ...[...new Set(chunk.deliveries.map((d) => d.status))].sort().map((s) => [s, s])], state.status)),
      h("p", { class: "lead" }, lead),
      tiles([
        { metric: "deliveries", label: "Deliveries that stand", value: standing, unit: "deliveries" }, { metric: "waiting", label: "Refused or held", value: trouble.length, unit: "deliveries" },
        { metric: "quarantined", label: "Rows and files refused", value: refused, unit: "in quarantine", href: address({ ...state, show: "quarantine" }) }, { metric: "rules_broken", label: "Rules broken by some row", value: broken, unit: `of ${judged}` },
        { metric: "conserved", label: "Rows lost between layers", value: wrong, unit: "rows" }]),
      h("div", { class: "cards" }, deliveries(all.filter((d) => !state.status || d.status === state.status), state), freshness(chunk.freshness.filter(own)), calendar(all), quarantine(chunk.quarantine, state), rules(chunk.rules, state), summary(chunk.rules.summary), conserved(chunk.rules.conserved)),
    ];
  }

  const badge = (text, kind) => h("span", { class: `badge ${kind ?? "none"}` }, text);

  function deliveries(list, state) {
    const rows = [...list].sort((a, b) => ((STATES[b.status] === "bad") - (STATES[a.status] === "bad")) || ((b.status === "held") - (a.status === "held")) || (a.date < b.date ? 1 : -1));
    const bad = rows.filter((row) => row.status === "refused" || row.status === "held");
    return card({ id: "deliveries", span: 12, open: true, rows, title: bad.length ? `${plural(bad.length, "delivery waits", "deliveries wait")} for a better file or a decision` : "No delivery waits for anything", note: "Every delivery: what has become of it and why. What waits comes first, then the newest.",
      columns: [{ key: "source", label: "Source" }, { key: "date", label: "Delivery", say: day }, { key: "status", label: "Status", say: (s) => h("span", { title: MEANS[s] }, badge(s, STATES[s])) }, { key: "records", label: "Records", kind: "number" }, { key: "bytes", label: "Size", kind: "number", say: bytes }, { key: "since", label: "Since", say: (t) => h("span", { class: "clock" }, minute(t)) }, { key: "why", label: "Why" }, { key: "command", label: "Look closer", say: (text) => h("code", null, text) }] });
  }

  function freshness(rows) {
    const late = rows.filter((row) => row.came && (Date.now() - Date.parse(row.came)) / 86400000 > row.expected_every_days);
    const silent = rows.filter((row) => !row.came);
    const title = silent.length === rows.length ? "No feed has brought anything yet" : late.length ? `${late.map((row) => row.feed).join(" and ")} ${late.length === 1 ? "is" : "are"} late` : silent.length ? `${silent.map((r) => r.feed).join(" and ")} ${silent.length === 1 ? "has" : "have"} brought nothing yet` : "Every feed is fresh";
    return card({ id: "freshness", title, note: "When each feed last brought a new content, and how long it may be silent", open: true, rows,
      columns: [{ key: "feed", label: "Feed" }, { key: "deliveries", label: "Deliveries", kind: "number" }, { key: "newest", label: "Newest date", say: (d) => (d ? day(d) : "–") }, { key: "came", label: "Last came", say: (t) => h("span", { class: "clock" }, minute(t)) }, { key: "expected_every_days", label: "Stale after", kind: "number", say: (d) => plural(d, "day") }] });
  }

  function calendar(list) {
    const rows = list.map((row) => ({ ...row, day: new Date(`${row.date.slice(0, 10)}T00:00:00Z`), state: STATES[row.status] === "bad" ? "refused" : row.status === "held" ? "held" : "stands or stood" })).sort((a, b) => (a.state === "refused") - (b.state === "refused"));
    const sources = [...new Set(rows.map((row) => row.source))].sort();
    const title = rows.length ? `${plural(sources.length, "source")} delivered between ${day(rows.reduce((a, b) => (a.date < b.date ? a : b)).date)} and ${day(rows.reduce((a, b) => (a.date > b.date ? a : b)).date)}` : "Nothing has been delivered";
    return card({ id: "calendar", title, note: "One mark a delivery, by its date", rows, key: [["stands or stood", ink.one], ["held", ink.four], ["refused", ink.two]],
      chart: plot((width) => ({ height: sources.length * 26 + 40, marginLeft: Math.min(140, width * 0.38), marginRight: 10, marginBottom: 30, x: { type: "utc", label: null, ticks: Math.floor(width / 130), grid: true }, y: { domain: sources, label: null, tickSize: 0 }, color: { domain: ["stands or stood", "held", "refused"], range: [ink.one, ink.four, ink.two] }, symbol: { domain: ["stands or stood", "held", "refused"], range: ["circle", "diamond", "times"] },
        marks: [Plot.dot(rows, { x: "day", y: "source", stroke: "state", fill: (d) => (d.state === "refused" ? "none" : "var(--c1)"), fillOpacity: 0.5, symbol: "state", r: 4, strokeWidth: 1.6, tip: true, title: (row) => `${row.source}, ${day(row.date)}\n${row.status}${row.why ? `: ${dashboard.clip(row.why, 120)}` : ""}` })] }), title),
      columns: [{ key: "source", label: "Source" }, { key: "date", label: "Delivery", say: day }, { key: "status", label: "Status" }] });
  }

  function quarantine(groups, state) {
    const total = groups.reduce((sum, group) => sum + group.count, 0);
    const rows = groups.flatMap((group) => group.rows.map((row) => ({ ...row, table: group.table, rule: group.rule, hint: group.hint, command: group.command })));
    const title = total ? `${dashboard.plural(total, "row or file is", "rows and files are")} refused, for ${plural(groups.length, "reason")}` : "Nothing is refused: the quarantine is empty";
    return card({ id: "quarantine", span: 12, rows, title, note: "By table and rule, the most first: why, how it is mended, and the command that takes the rows up again", empty: "Every row and file has passed.",
      chart: h("div", { class: "groups" }, groups.map((group) =>
        h("details", { class: "group" }, h("summary", null, h("b", null, number(group.count)), h("span", null, group.table), h("span", null, group.rule), h("span", { class: "why" }, group.reason)),
          h("div", { class: "data" }, h("dl", { class: "facts" }, h("dt", null, "Why"), h("dd", null, group.reason), h("dt", null, "To mend"), h("dd", null, group.hint), h("dt", null, "Then"), h("dd", null, h("code", { class: "command" }, group.command))),
            dashboard.table([{ key: "number", label: "#", kind: "number" }, { key: "delivery", label: "Delivery", say: day }, { key: "file", label: "File" }, { key: "record", label: "Record", kind: "number" }, { key: "line", label: "Line", kind: "number" }, { key: "row", label: "As delivered", say: (text) => h("code", { class: "cell", dir: "auto" }, text || "–") }], group.rows, `Refused by ${group.rule} of ${group.table}`),
            group.count > group.rows.length ? h("p", { class: "note" }, `${number(group.rows.length)} of ${number(group.count)} are shown.`) : null)))),
      columns: [{ key: "number", label: "Number", kind: "number" }, { key: "table", label: "Table" }, { key: "rule", label: "Rule" }, { key: "delivery", label: "Delivery" }, { key: "file", label: "File" }, { key: "record", label: "Record", kind: "number" }, { key: "reason", label: "Reason" }, { key: "hint", label: "To mend" }, { key: "command", label: "Command" }, { key: "row", label: "As delivered" }] });

  }

  function rules({ broken }, state) {
    const names = [...new Map(broken.map((row) => [`${row.table} ${row.rule}`, 0])).keys()];
    const chosen = names.includes(state.rule) ? state.rule : names.sort((a, b) => worst(broken, b) - worst(broken, a))[0];
    const rows = broken.filter((row) => `${row.table} ${row.rule}` === chosen).map((row) => ({ ...row, kept: 1 - row.share }));
    const worse = rows.reduce((a, b) => (b.share > (a?.share ?? -1) ? b : a), null);
    const title = worse ? `${chosen.split(" ")[1]} was broken most in the delivery of ${day(worse.delivery)}: ${share(worse.share)} of the rows` : "No rule about rows was ever broken";
    return card({ id: "rules", title, note: chosen ? `Share of the rows that break the rule ${chosen.split(" ")[1]} of ${chosen.split(" ")[0]}, delivery by delivery` : "Rules over deliveries", rows, empty: "Every row kept every rule.",
      tools: names.length ? choice("rule", "Rule", names.sort().map((name) => [name, name.replace(" ", ": ")]), chosen) : null,
      chart: plot((width) => ({ height: 220, marginLeft: 48, marginBottom: 34, x: { label: null, domain: rows.map((row) => row.delivery), tickFormat: day, padding: dashboard.apart(rows.length), ticks: [], tickSize: 0, ...(rows.length * 80 < width ? { ticks: rows.map((row) => row.delivery) } : {}) }, y: { label: null, grid: true, ticks: 4, zero: true, tickFormat: (t) => share(t) },
        marks: [Plot.barY(rows, { x: "delivery", y: "share", fill: ink.two, tip: true, title: (row) => `${day(row.delivery)}\n${number(row.broken)} of ${number(row.rows)} rows, ${share(row.share)}` }), Plot.ruleY([0])] }), title),
      columns: [{ key: "delivery", label: "Delivery", say: day }, { key: "rows", label: "Rows", kind: "number" }, { key: "broken", label: "Broke it", kind: "number" }, { key: "share", label: "Share", kind: "number", say: share }, { key: "message", label: "What the check says" }] });
  }

  const worst = (broken, name) => Math.max(0, ...broken.filter((row) => `${row.table} ${row.rule}` === name).map((row) => row.share));

  function summary(rows) {
    const kept = rows.filter((row) => !row.broken).length;
    return card({ id: "summary", title: rows.length ? `${number(kept)} of ${plural(rows.length, "rule")} were kept by every row` : "No rule has been judged yet", note: "Every rule of every table, in the newest build of each delivery; the most broken first", open: true, rows,
      columns: [{ key: "table", label: "Table" }, { key: "rule", label: "Rule" }, { key: "on_fail", label: "A broken row", say: (v) => badge(FAILS[v]?.[0] ?? v, FAILS[v]?.[1]) }, { key: "judged", label: "Judged", kind: "number" }, { key: "broken", label: "Broken rows", kind: "number" }, { key: "rows", label: "Of rows", kind: "number" }] });
  }

  function conserved(rows) {
    const wrong = rows.reduce((sum, row) => sum + row.wrong, 0);
    const title = !rows.length ? "No table has been counted yet" : wrong ? `${plural(wrong, "row")} cannot be accounted for` : `Not one of ${compact(rows.reduce((sum, row) => sum + row.rows, 0))} rows was lost or doubled on its way`;
    return card({ id: "conserved", title, span: 12, note: "What a table is given is kept, refused or counted as a copy; each delivery is proven", open: true, rows,
      columns: [{ key: "table", label: "Table" }, { key: "judged", label: "Deliveries proven", kind: "number" }, { key: "rows", label: "Rows", kind: "number" }, { key: "wrong", label: "Unaccounted for", kind: "number" }, { key: "message", label: "The newest proof" }] });
  }

  dashboard.pages.push({ name: "quality", label: "Quality", needs: ["quality"], render, nothing: "Nothing has been delivered yet" });
})();
