"use strict";
// Title: search any title, and see its versions, its runs in the charts, its reach, its reports.
(() => {
  const { h, ink, number, plural, day, decode, card, tiles, plot, bars, compact, address, go } = dashboard;
  const MOST_RESULTS = 12;
  let index = null;

  const fold = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();

  function open(chunk) {
    if (index?.chunk === chunk) return index;
    const types = decode(chunk.type);
    index = { chunk, place: new Map(chunk.key.map((key, i) => [key, i])), folded: chunk.title.map((t) => fold(t ?? "").slice(0, 300)), types };
    return index;
  }

  /** Titles that hold every word; those that begin with the text first, then the most watched. */
  function search(text) {
    const words = fold(text).split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const whole = words.join(" ");
    const found = [];
    index.folded.forEach((title, i) => { if (words.every((word) => title.includes(word))) found.push(i); });
    const { hours, weeks } = index.chunk;
    const score = (i) => (index.folded[i] === whole ? 2 : index.folded[i].startsWith(whole) ? 1 : 0);
    return found.sort((a, b) => score(b) - score(a) || hours[b] - hours[a] || weeks[b] - weeks[a] || a - b);
  }

  const TABLE = (() => Array.from({ length: 256 }, (_, n) => { for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1; return n >>> 0; }))();
  function bucket(key, buckets) {
    let crc = 0xffffffff;
    for (const byte of new TextEncoder().encode(key)) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
    return ((crc ^ 0xffffffff) >>> 0) % buckets;
  }

  function describe(i) {
    const { chunk, types } = index;
    const parts = [types[i] ?? "in charts or reports only", chunk.year[i], chunk.inferred[i] ? "not in the catalogue" : chunk.current[i] ? null : "has left"];
    return parts.filter(Boolean).join(" · ");
  }

  async function render(state, [chunk]) {
    open(chunk);
    const results = h("ul", { class: "results", hidden: true });
    const status = h("p", { class: "note", role: "status" });
    const show = (text) => {
      const found = search(text);
      results.hidden = !found.length;
      results.replaceChildren(...found.slice(0, MOST_RESULTS).map((i) => h("li", null, h("a", { href: address({ page: "title", key: chunk.key[i] }) }, h("span", { class: "cell", dir: "auto" }, chunk.title[i] ?? chunk.key[i]), h("small", null, describe(i))))));
      status.textContent = text.trim() ? (found.length ? `${plural(found.length, "title")}${found.length > MOST_RESULTS ? `, the first ${MOST_RESULTS} are shown` : ""}` : "No title holds these words.") : "";
    };
    const input = h("input", { type: "search", id: "search", autocomplete: "off", maxlength: 200, value: state.q ?? "", placeholder: "Stranger Things", oninput: (e) => show(e.target.value), onchange: (e) => { const next = address({ page: "title", q: e.target.value, key: state.key }); history.replaceState(null, "", next); } });
    const form = h("form", { class: "search", role: "search", onsubmit: (e) => { e.preventDefault(); results.querySelector("a")?.click(); } }, h("label", { for: "search", class: "note" }, `Search ${plural(chunk.key.length, "title")} that the catalogue, charts or reports name`), input, results);
    if (state.q) show(state.q);
    let key = state.key;
    if (!key && state.chart) key = await named(state.chart);
    const i = index.place.get(key);
    if (i === undefined) {
      if (key) status.textContent = "There is no such title (any more).";
      return [form, status, ...(key || state.q ? [] : [suggestions(chunk)])];
    }
    const details = await dashboard.load(`title-${bucket(key, chunk.buckets)}`);
    return [form, status, ...detail(i, details[key] ?? {})];
  }

  /** The title that charts and reports know by this name. */
  async function named(chart) {
    const direct = `inferred|${chart}`;
    if (index.place.has(direct)) return direct;
    const [kind, ...rest] = chart.split("|");
    const text = rest.join("|");
    for (const i of search(text).filter((n) => !index.chunk.inferred[n]).slice(0, 40)) {
      const details = await dashboard.load(`title-${bucket(index.chunk.key[i], index.chunk.buckets)}`);
      if (details[index.chunk.key[i]]?.names?.some((entry) => entry.name === chart)) return index.chunk.key[i];
    }
    const first = search(text)[0];
    return first === undefined ? null : index.chunk.key[first];
  }

  function suggestions(chunk) {
    const rows = chunk.key.map((key, i) => ({ key, name: chunk.title[i], value: chunk.weeks[i], hours: chunk.hours[i], about: describe(i) })).filter((row) => row.value || row.hours).sort((a, b) => b.value - a.value || b.hours - a.hours).slice(0, 20);
    return h("div", { class: "cards" }, card({ id: "longest", span: 12, open: true, rows, title: rows.length ? `${dashboard.clip(rows[0].name ?? "", 60)} has been in the charts of the world longest` : "No title was in a chart yet", note: "A beginning: the titles with the most weeks in a Top 10 of the world", empty: "Search for a title of the catalogue.",
      columns: [{ key: "name", label: "Title", link: (row) => address({ page: "title", key: row.key }) }, { key: "about", label: "What it is" }, { key: "value", label: "Weeks in the Top 10", kind: "number" }, { key: "hours", label: "Hours in reports", kind: "number", say: (hours) => (hours ? compact(hours) : "–") }] }));
  }

  function detail(i, found) {
    const { chunk } = index;
    const title = chunk.title[i] ?? chunk.key[i];
    const versions = found.versions ?? [];
    const now = versions.at(-1);
    const runs = found.runs ?? [], reports = found.reports ?? [], reach = found.reach ?? [];
    const weeks = new Set(runs.map((row) => row.week)).size;
    const facts = now ? { Type: now.type, Released: now.year, Added: now.added ? day(now.added) : null, Rating: now.rating, Length: now.minutes ? plural(now.minutes, "minute") : now.seasons ? plural(now.seasons, "season") : null,
      Genres: found.genres?.[0].said, Countries: found.countries?.[0].said, Directors: found.directors?.[0].said, Cast: found.cast?.[0].said, Synopsis: now.description, Number: `${now.show_id} in the release of ${day(now.show_id_release)}`,
      "In charts as": found.names?.map((n) => `${n.name} (${n.method}, ${Math.round(n.confidence * 100)}% sure)`).join(", ") } : { "In charts as": found.names?.map((n) => n.name).join(", ") };
    return [
      h("p", { class: "lead", dir: "auto" }, h("span", { class: "cell", id: "the-title" }, title)), h("p", { class: "note" }, describe(i)),
      tiles([
        { metric: "weeks", label: "Weeks in a Top 10 of the world", value: weeks, unit: "weeks" }, { metric: "country_reach", label: "Countries that charted it", value: reach.length, unit: "countries" },
        { metric: "engagement_hours", label: "Hours in reports", value: reports.reduce((sum, row) => sum + (row.hours ?? 0), 0), unit: "hours" }, { metric: "versions", label: "Versions in the catalogue", value: versions.length, unit: "versions" }]),
      h("div", { class: "cards" },
        h("section", { class: "card span-6", id: "facts", "aria-labelledby": "facts-title" }, h("div", { class: "head" }, h("h2", { id: "facts-title" }, now ? "As the catalogue has it" : "The catalogue does not have it")),
          h("dl", { class: "facts" }, Object.entries(facts).filter(([, value]) => value).map(([name, value]) => [h("dt", null, name), h("dd", { dir: "auto", tabindex: String(value).length > 300 ? "0" : null }, String(value))]))),
        run(runs), history(versions), told(reports), countries(reach)),
    ];
  }

  function run(runs) {
    const rows = runs.map((row) => ({ ...row, date: new Date(`${row.week}T00:00:00Z`) }));
    const best = rows.length ? Math.min(...rows.map((row) => row.rank)) : null;
    const weeks = new Set(rows.map((row) => row.week)).size;
    const heading = rows.length ? `${plural(weeks, "week")} in a Top 10 of the world, best place ${best}` : "It was in no Top 10 of the world";
    const key = [...new Set(rows.map((row) => row.category))];
    const hues = [ink.one, ink.two, ink.three, ink.four];
    return card({ id: "runs", title: heading, note: "Place by week; a season is a line of its own", rows, figures: true, empty: "No weekly chart that has landed names it.", key: key.map((c, k) => [c, hues[k % 4]]),
      chart: plot((width) => ({ height: 300, marginLeft: 30, marginBottom: 30, x: { type: "utc", label: null, ticks: Math.floor(width / 90), ...(weeks < 2 ? { ticks: [] } : {}) }, y: { domain: [10, 1], label: null, ticks: 10, tickFormat: "d", grid: true }, color: { domain: key, range: hues },
        marks: [Plot.line(rows, { x: "date", y: "rank", z: (row) => `${row.category}|${row.season}`, stroke: "category", strokeOpacity: 0.35, sort: "date" }), Plot.dot(rows, { x: "date", y: "rank", fill: "category", r: 4, tip: true, title: (row) => `${row.season ? `${dashboard.clip(row.season)}\n` : ""}place ${row.rank}, week of ${day(row.week)}${row.hours ? `\n${compact(row.hours)} hours` : ""}` })] }), heading),
      columns: [{ key: "week", label: "Week", say: day }, { key: "category", label: "Chart" }, { key: "season", label: "Season" }, { key: "rank", label: "Place", kind: "number" }, { key: "hours", label: "Hours", kind: "number" }, { key: "views", label: "Views", kind: "number" }] });
  }

  function history(versions) {
    const rows = versions.map((row) => ({ ...row, until: row.past }));
    return card({ id: "versions", title: rows.length > 1 ? `It has changed ${plural(rows.length - 1, "time")}` : rows.length ? "It has never changed" : "No release of the catalogue has it", span: 12, open: true, rows, figures: true, empty: "Only charts or reports name it.",
      note: "Every version that releases of the catalogue have stated",
      columns: [{ key: "first", label: "From the release of", say: day }, { key: "until", label: "Until", say: (d) => (d ? day(d) : "now") }, { key: "title", label: "Title" }, { key: "rating", label: "Rating" }, { key: "added", label: "Added", say: (d) => (d ? day(d) : "–") }, { key: "minutes", label: "Minutes", kind: "number" }, { key: "seasons", label: "Seasons", kind: "number" }, { key: "changed", label: "What changed" }] });
  }

  function told(reports) {
    const total = new Map();
    for (const row of reports) total.set(row.period, (total.get(row.period) ?? 0) + (row.hours ?? 0));
    return card({ id: "reports", title: reports.length ? `${compact(reports.reduce((s, r) => s + (r.hours ?? 0), 0))} hours in ${plural(total.size, "half-year")}` : "No report names it", note: "As the engagement reports state it, season by season", open: true, rows: reports, figures: true, empty: "Reports list titles that were watched for 50,000 hours or more.",
      columns: [{ key: "period", label: "Half-year" }, { key: "said", label: "As reported" }, { key: "hours", label: "Hours", kind: "number" }, { key: "views", label: "Views", kind: "number" }, { key: "released", label: "On Netflix since", say: (d) => (d ? day(d) : "–") }] });
  }

  function countries(reach) {
    const rows = reach.map((row) => ({ ...row, value: row.weeks }));
    const first = rows.filter((row) => row.best === 1).length;
    return card({ id: "countries", title: rows.length ? `${plural(rows.length, "country", "countries")} had it in a Top 10${first ? `, ${first} at the top` : ""}` : "No country had it in a Top 10", note: "Weeks in the Top 10 of each country, the most first", rows, figures: true, empty: "No chart of a country that has landed names it.",
      chart: bars(rows.slice(0, 12), { label: "weeks", about: "Weeks by country", fill: ink.three }), columns: [{ key: "name", label: "Country" }, { key: "weeks", label: "Weeks", kind: "number" }, { key: "best", label: "Best place", kind: "number" }] });
  }

  dashboard.pages.push({ name: "title", label: "Title", needs: ["titles"], render, nothing: "No title is known yet" });
})();
