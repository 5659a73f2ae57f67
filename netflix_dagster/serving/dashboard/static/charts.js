"use strict";
// Charts: one week's Top 10 with movement, a title's whole run, what weeks come to, reach on a map, restatements.
(() => {
  const { h, ink, number, share, plural, day, decode, card, tiles, choice, bars, plot, address, titleLink, go, compact } = dashboard;
  const CATEGORY_INK = ["var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)", "var(--c5)"];
  const RUN_WEEKS = 12, DAY = 86400000;
  let data = null;

  function open(chunk) {
    if (data?.chunk === chunk) return data;
    data = { chunk, weeks: chunk.weeks.week, world: dashboard.rows(chunk.world, "category", "key", "title", "season"), figures: new Map() };
    const { week, kpi, member, value } = chunk.figures;
    value.forEach((x, i) => data.figures.set(`${week[i]}|${kpi.values[kpi.codes[i]]}|${member.values[member.codes[i]]}`, x));
    data.categories = [...new Set(data.world.map((row) => row.category))].sort();
    return data;
  }

  const name = (row) => (row.season && row.season !== row.title ? (row.season.startsWith(row.title) ? row.season : `${row.title}: ${row.season}`) : row.title);
  const same = (a) => `${a.key}|${a.season ?? ""}`;
  const utc = (text) => new Date(`${text}T00:00:00Z`);

  async function render(state, [chunk]) {
    open(chunk);
    const { weeks, categories } = data;
    const at = weeks.indexOf(state.week);
    const country = (chunk.countries ?? []).find((c) => c.code === state.country);
    const has_world = new Set(data.world.map((row) => row.week));
    const listed = weeks.map((_, i) => i).filter((i) => (country ? chunk.weeks.has_countries[i] : has_world.has(i)));
    const w = at >= 0 && (country ? chunk.weeks.has_countries[at] : true) ? at : listed.at(-1) ?? weeks.length - 1;
    const category = categories.includes(state.category) ? state.category : categories.find((c) => c.startsWith("TV (English")) ?? categories[0];
    const local = country ? await countryRows(country.code, w) : null;
    const all = country ? local : data.world;
    const kinds = country ? [...new Set(local.map((row) => row.category))].sort() : categories;
    const chosen = kinds.includes(category) ? category : kinds.find((c) => category?.startsWith(c)) ?? kinds[0];
    const chart = all.filter((row) => row.week === w && row.category === chosen).sort((a, b) => a.rank - b.rank);
    const gold = (kpi, member, week = w) => data.figures.get(`${week}|${kpi}|${member}`) ?? null;
    const focus = chart.find((row) => same(row) === state.title) ?? chart[0];

    const filters = h("form", { class: "filters", "aria-label": "Filters", onsubmit: (e) => e.preventDefault() },
      choice("week", "Week that ends on", [...listed].reverse().map((i) => [weeks[i], day(weeks[i])]), weeks[w]),
      choice("category", "Chart", kinds.map((c) => [c, c]), chosen),
      chunk.countries?.length ? choice("country", "Where", [["", "The world"], ...chunk.countries.map((c) => [c.code, c.name ?? c.code])], country?.code, (code) => go({ country: code, title: undefined })) : null,
      h("div", { class: "tabs" },
        h("button", { type: "button", id: "earlier", disabled: listed.indexOf(w) <= 0, onclick: () => go({ week: weeks[listed[listed.indexOf(w) - 1]] }) }, "← Earlier"),
        h("button", { type: "button", id: "later", disabled: listed.indexOf(w) === listed.length - 1, onclick: () => go({ week: weeks[listed[listed.indexOf(w) + 1]] }) }, "Later →")));

    const leader = chart[0];
    const where = country ? country.name : "the world";
    const lead = !leader ? `There is no chart of ${where} for the week that ended on ${day(weeks[w])}`
      : `${dashboard.clip(name(leader), 60)} led ${chosen} in ${where}${leader.weeks > 1 ? `, in the Top 10 for the ${ordinal(leader.weeks)} week` : ", in its first week"}`;
    const before = (kpi, member, say) => { const v = gold(kpi, member, w - 1); return v === null ? null : `${say(v)} the week before`; };
    const kind = chosen?.startsWith("Films") ? "film" : "tv";
    const views = gold("views", chosen) !== null;
    const summary = country ? null : tiles([
      { metric: "hours", member: chosen, label: "Hours viewed", value: gold("hours", chosen), was: before("hours", chosen, compact) },
      views ? { metric: "views", member: chosen, label: "Views", value: gold("views", chosen), was: before("views", chosen, compact) } : null,
      { metric: "debuts", member: chosen, label: "Debuts", value: gold("debuts", chosen), was: before("debuts", chosen, number) },
      { metric: "retention", member: chosen, label: "Stayed from last week", value: gold("retention", chosen), was: before("retention", chosen, share) },
      { metric: "leader_share", member: chosen, label: "Hours of the leader", value: gold("leader_share", chosen), was: before("leader_share", chosen, share) },
      { metric: "concentration", member: chosen, label: "Concentration (0.1 even, 1 all on one)", value: gold("concentration", chosen) },
      { metric: "non_english_share", member: kind, label: `Non-English, of ${kind === "film" ? "films" : "shows"}`, value: gold("non_english_share", kind), was: before("non_english_share", kind, share) },
    ]);

    return [
      filters, h("p", { class: "lead", dir: "auto" }, lead), h("p", { class: "note" }, `Week of ${day(weeks[w])}, ${country ? "places by country; Netflix states no hours by country" : `ranked by ${chunk.weeks.ranked_by[w]}`}`), summary,
      h("div", { class: "cards" },
        topTen(chart, all, w, chosen, where), run(focus, all, chosen, country, w), bump(chart, all, w, chosen),
        reach(focus, w), ...(country ? [] : [series("hours", chosen, w), series("retention", chosen, w), languages(w), series("concentration", chosen, w)]), restatements(chunk.restatements)),
    ];
  }

  const ordinal = (n) => `${n}${n % 100 > 10 && n % 100 < 14 ? "th" : ["th", "st", "nd", "rd"][n % 10] ?? "th"}`;

  async function countryChunk(w) {
    const year = Number(data.weeks[w].slice(0, 4));
    if (!data.chunk.country_years?.includes(year)) return [];
    const chunk = await dashboard.load(`countries-${year}`);
    chunk.rows ??= dashboard.rows(chunk, "country", "category", "key", "title", "season");
    return chunk.rows;
  }

  async function countryRows(code, w) {
    const years = data.chunk.country_years ?? [];
    const chunks = await Promise.all(years.map((year) => dashboard.load(`countries-${year}`)));
    return chunks.flatMap((chunk) => (chunk.rows ??= dashboard.rows(chunk, "country", "category", "key", "title", "season"))).filter((row) => row.country === code);
  }

  function topTen(chart, all, w, category, where) {
    const last = new Map(all.filter((row) => row.week === w - 1 && row.category === category).map((row) => [same(row), row.rank]));
    const most = Math.max(1, ...chart.map((row) => row.hours ?? 0));
    const rows = chart.map((row) => ({ ...row, title_shown: name(row), was: last.get(same(row)) ?? null, move: last.has(same(row)) ? last.get(same(row)) - row.rank : null }));
    const fresh = rows.filter((row) => row.weeks === 1).length;
    const title = rows.length ? (fresh ? `${plural(fresh, "title is", "titles are")} new in this Top 10` : "No title is new in this Top 10") : "No chart";
    const moved = (_, row) => {
      if (row.move === null) return h("span", { class: "new" }, row.weeks === 1 ? "new" : "back");
      if (row.move === 0) return h("span", { class: "same" }, "–", h("span", { class: "unseen" }, "stays"));
      return h("span", { class: row.move > 0 ? "up" : "down" }, `${row.move > 0 ? "▲" : "▼"} ${Math.abs(row.move)}`, h("span", { class: "unseen" }, row.move > 0 ? "up" : "down"));
    };
    const hours = (value) => {
      const bar = h("div", { class: "meter" });
      bar.style.width = `${Math.round((value ?? 0) / most * 100)}%`;
      return h("div", null, value === null ? "–" : compact(value), bar);
    };
    const has_hours = rows.some((row) => row.hours);
    return card({ id: "top10", title, note: `The Top 10 of ${where}. A title shows its whole run.`, open: true, rows, figures: true, span: 6,
      columns: [{ key: "rank", label: "#", kind: "number" }, { key: "move", label: "Move", say: moved }, { key: "title_shown", label: "Title", link: (row) => address({ ...dashboard.state(), title: same(row) }) }, { key: "weeks", label: "Weeks", kind: "number" }, ...(has_hours ? [{ key: "hours", label: "Hours viewed", say: hours }] : [])] });
  }

  function run(focus, all, category, country, w) {
    if (!focus) return card({ id: "run", title: "A title's run", rows: [], empty: "Choose a week that has a chart." });
    const rows = all.filter((row) => row.category === category && same(row) === same(focus)).sort((a, b) => a.week - b.week).map((row) => ({ week: data.weeks[row.week], date: utc(data.weeks[row.week]), rank: row.rank, hours: row.hours ?? null, views: row.views ?? null }));
    const best = Math.min(...rows.map((row) => row.rank));
    const shown = dashboard.clip(name(focus), 60);
    const first = rows.filter((row) => row.rank === 1).length;
    const title = `${shown}: ${plural(rows.length, "week")} in the Top 10, ${first ? `${plural(first, "week")} at the top` : `best place ${best}`}`;
    const total = rows.reduce((sum, row) => sum + (row.hours ?? 0), 0);
    const chart = plot((width) => total ? {
      height: width > 480 ? 400 : 260, marginLeft: 50, marginBottom: 30, x: { label: null, type: "utc", ticks: Math.floor(width / 90), domain: [start(rows[0].date), end(rows)] }, y: { label: null, grid: true, ticks: 5, zero: true, tickFormat: (t) => compact(t) },
      marks: [
        Plot.rectY(rows, { x1: (row) => start(row.date), x2: (row) => +row.date + DAY, y: "hours", fill: ink.one, insetLeft: rows.length > 40 ? 0.5 : 1.5, title: (row) => `Week of ${day(row.week)}: place ${row.rank}\n${compact(row.hours)} hours`, tip: true }),
        Plot.text(rows.filter((row) => row.rank === 1), { x: (row) => +row.date - 2.5 * DAY, y: "hours", text: () => "①", dy: -8, fill: ink.text }),
        Plot.ruleY([0]),
      ],
    } : ranks(rows, width), title);
    return card({ id: "run", title, note: total ? `Hours viewed by week, ${compact(total)} in all${first ? "; ① marks weeks at the top" : ""}` : "Place by week", chart, rows, figures: true,
      tools: h("p", { class: "note" }, h("a", { href: `${address({ page: "title", chart: focus.key })}` }, "All that is known of the title")),
      columns: [{ key: "week", label: "Week", say: day }, { key: "rank", label: "Place", kind: "number" }, { key: "hours", label: "Hours", kind: "number" }, { key: "views", label: "Views", kind: "number" }] });
  }

  /** The Monday on which a week begins that ends on this day. */
  const start = (date) => +date - 6 * DAY;
  /** The end of a run, or of a quarter of a year if it was shorter. */
  const end = (rows) => Math.max(+rows.at(-1).date + DAY, start(rows[0].date) + 91 * DAY);
  const ranks = (rows, width) => ({
    height: width > 480 ? 400 : 260, marginLeft: 36, marginBottom: 30, x: { label: null, type: "utc", ticks: Math.floor(width / 90) }, y: { domain: [10, 1], label: null, ticks: 10, tickFormat: "d", grid: true },
    marks: [Plot.lineY(rows, { x: "date", y: "rank", stroke: ink.one, strokeWidth: 2 }), Plot.dot(rows, { x: "date", y: "rank", fill: ink.one, r: 4, tip: true, title: (row) => `Week of ${day(row.week)}\nplace ${row.rank}` })],
  });

  function bump(chart, all, w, category) {
    const names = new Map(chart.map((row) => [same(row), name(row)]));
    const rows = all.filter((row) => row.category === category && row.week <= w && row.week > w - RUN_WEEKS && names.has(same(row)))
      .map((row) => ({ title: names.get(same(row)), key: same(row), week: data.weeks[row.week], date: utc(data.weeks[row.week]), rank: row.rank, weeks: row.weeks })).sort((a, b) => a.date - b.date || a.rank - b.rank);
    const broken = new Map();  // a title that comes back begins a line of its own
    for (const row of rows) {
      const [last, part] = broken.get(row.key) ?? [null, 0];
      const next = last !== null && row.date - last > 8 * DAY ? part + 1 : part;
      broken.set(row.key, [row.date, next]);
      row.part = `${row.key}|${next}`;
    }
    const oldest = [...chart].sort((a, b) => (b.weeks ?? 0) - (a.weeks ?? 0))[0];
    const title = oldest ? `${dashboard.clip(name(oldest), 60)} has been here longest: ${plural(oldest.weeks ?? 0, "week")}` : "No chart";
    const picture = plot((width) => {
      const right = Math.min(190, width * 0.36), most = Math.floor(right / 6.7);
      return {
        height: 320, marginLeft: 28, marginRight: right, marginBottom: 30,
        x: { label: null, type: "utc", ticks: Math.max(2, Math.floor((width - right) / 90)), ...(new Set(rows.map((r) => r.week)).size < 2 ? { ticks: [] } : {}) }, y: { domain: [10, 1], ticks: 10, tickFormat: "d", label: null, tickSize: 0 },
        marks: [
          Plot.line(rows, { x: "date", y: "rank", z: "part", stroke: ink.one, strokeOpacity: 0.55, strokeWidth: 2, curve: "bump-x" }),
          Plot.dot(rows, { x: "date", y: "rank", fill: ink.one, stroke: "var(--paper)", r: 4.5, tip: true, title: (row) => `${dashboard.clip(row.title)}\nplace ${row.rank}, week of ${day(row.week)}` }),
          Plot.text(rows.filter((row) => row.week === data.weeks[w]), { x: "date", y: "rank", text: (row) => dashboard.clip(row.title, most), textAnchor: "start", dx: 10, fill: ink.text }),
        ],
      };
    }, title);
    return card({ id: "bump", title, note: `How this week's titles got here: their places in the last ${RUN_WEEKS} weeks`, chart: picture, rows,
      columns: [{ key: "title", label: "Title" }, { key: "week", label: "Week", say: day }, { key: "rank", label: "Place", kind: "number" }], figures: true });
  }

  function reach(focus, w) {
    const box = h("div", { class: "span-6 later" }, h("section", { class: "card" }, h("p", { class: "empty", role: "status" }, "Loading the map …")));
    const last = data.weeks.map((_, i) => i).filter((i) => data.chunk.weeks.has_countries[i]).at(-1);
    const fail = (text) => box.replaceWith(card({ id: "reach", title: "Reach by country", rows: [], empty: text }));
    if (!focus || !data.chunk.countries) { queueMicrotask(() => fail("No charts of countries have landed.")); return box; }
    if (!data.chunk.weeks.has_countries[w]) {
      queueMicrotask(() => fail(last === undefined ? "No charts of countries have landed." : h("span", null, "There are no charts of countries for this week; the newest are of ", h("a", { href: address({ ...dashboard.state(), week: data.weeks[last], title: undefined }) }, day(data.weeks[last])), ".")));
      return box;
    }
    Promise.all([dashboard.load("world"), countryChunk(w), need("topojson-client.min.js")]).then(([world, all]) => {
      const here = all.filter((row) => row.week === w && row.key === focus.key);
      const best = new Map();
      for (const row of here) if (!best.has(row.country) || best.get(row.country).rank > row.rank) best.set(row.country, row);
      const countries = data.chunk.countries;
      const rows = countries.map((c) => ({ country: c.name, code: c.code, shape: c.shape, rank: best.get(c.code)?.rank ?? null, weeks: best.get(c.code)?.weeks ?? null })).sort((a, b) => (a.rank ?? 99) - (b.rank ?? 99) || (a.country < b.country ? -1 : 1));
      const reached = rows.filter((row) => row.rank !== null);
      const top = reached.filter((row) => row.rank === 1).length;
      const shapes = topojson.feature(world, world.objects.countries).features.filter((f) => f.id !== "010");
      const by = new Map(rows.map((row) => [row.shape, row]));
      const drawn = new Set(shapes.map((f) => f.id));
      const small = reached.filter((row) => !drawn.has(row.shape)).map((row) => row.country);
      const colour = (rank) => (rank === undefined ? "var(--s0)" : rank === null ? "var(--s1)" : rank === 1 ? "var(--s5)" : rank <= 3 ? "var(--s4)" : rank <= 6 ? "var(--s3)" : "var(--s2)");
      const title = reached.length ? `${dashboard.clip(name(focus), 60)} reaches ${plural(reached.length, "country", "countries")}${top ? ` and leads in ${top}` : ""}` : `${dashboard.clip(name(focus), 60)} is in the Top 10 of no country this week`;
      const picture = plot((width) => ({
        width, height: Math.round(width * 0.5), margin: 0, projection: { type: "equal-earth", domain: { type: "MultiPoint", coordinates: [[-168, -56], [180, -56], [-168, 78], [180, 78]] } },
        marks: [Plot.geo(shapes, { fill: (f) => colour(by.get(f.id)?.rank), stroke: "var(--paper)", strokeWidth: 0.5, tip: true, title: (f) => { const row = by.get(f.id); return row ? `${row.country}\n${row.rank === null ? "not in the Top 10" : `place ${row.rank}`}` : `${f.properties.name}\nhas no chart`; } })],
      }), title);
      const made = card({ id: "reach", title, note: `Best place of the title in the Top 10 of each country, week of ${day(data.weeks[w])}${small.length ? `. Too small to be drawn: ${small.join(", ")}` : ""}`, chart: picture, rows, figures: true,
        key: [["1", colour(1)], ["2–3", colour(2)], ["4–6", colour(5)], ["7–10", colour(8)], ["not in it", colour(null)], ["no chart", colour(undefined)]],
        columns: [{ key: "country", label: "Country", link: (row) => address({ ...dashboard.state(), country: row.code }) }, { key: "rank", label: "Place", kind: "number" }, { key: "weeks", label: "Weeks", kind: "number" }] });
      box.replaceWith(made);
    }).catch((error) => fail(error.message));
    return box;
  }

  function need(file) {
    if (window.topojson) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const folder = document.querySelector('meta[name="dashboard-assets"]').content;
      document.head.append(h("script", { src: `${folder}/${file}`, onload: resolve, onerror: () => reject(new Error(`The file ${file} is missing.`)) }));
    });
  }

  /** One figure over the weeks, of one member, the chosen week marked. */
  function line({ id, title, note, rows, say, percent, plain, w, key, range, span = 6, figures = true }) {
    const chart = plot((width) => ({
      height: 230, marginLeft: 48, marginRight: 12, marginBottom: 30, x: { label: null, type: "utc", ticks: Math.floor(width / 90) },
      y: { label: null, grid: true, ticks: 5, zero: true, tickFormat: (t) => (percent ? `${Math.round(t * 100)}%` : plain ? String(+t.toFixed(2)) : compact(t)) },
      color: { domain: key?.map(([k]) => k), range },
      marks: [
        Plot.ruleX([utc(data.weeks[w])], { stroke: ink.quiet, strokeDasharray: "3 3" }),
        Plot.lineY(rows, { x: "date", y: "value", z: "member", stroke: key ? "member" : ink.one, strokeWidth: 1.7, tip: { format: false }, title: (row) => `Week of ${day(row.week)}\n${key ? `${row.member}: ` : ""}${say(row.value)}` }),
        Plot.ruleY([0]),
      ],
    }), title);
    return card({ id, title, note, chart, rows, span, key, figures,
      columns: [{ key: "week", label: "Week", say: day }, ...(key ? [{ key: "member", label: "Of" }] : []), { key: "value", label: note.split(",")[0], kind: "number", say }] });
  }

  const history = (kpi, member, label = member) => data.weeks.flatMap((week, i) => { const value = data.figures.get(`${i}|${kpi}|${member}`); return value === undefined ? [] : [{ week, date: utc(week), member: label, value }]; });
  const average = (rows) => rows.reduce((sum, row) => sum + row.value, 0) / rows.length;

  function series(kpi, category, w) {
    const rows = history(kpi, category);
    const peak = rows.reduce((a, b) => (b.value > (a?.value ?? -1) ? b : a), null);
    if (kpi === "concentration") {
      const now = rows.find((row) => row.week === data.weeks[w]), mean = rows.length && average(rows);
      return line({ id: kpi, title: !rows.length ? "No hours are stated" : !now ? "The week states no hours" : `Hours are ${now.value > mean * 1.05 ? "more" : now.value < mean * 0.95 ? "less" : "about as"} concentrated ${now.value > mean * 1.05 || now.value < mean * 0.95 ? "than" : "as"} in a usual week`, note: `Herfindahl index of the hours, ${category}: 0.1 evenly spread, 1 all on one`, rows, say: (v) => v.toFixed(3), w, plain: true });
    }
    const title = !rows.length ? (kpi === "hours" ? "No hours are stated" : "Retention needs two weeks") : kpi === "hours" ? `Hours peaked in the week of ${day(peak.week)}: ${compact(peak.value)}` : `${share(average(rows))} of a chart stay for the next week, on average`;
    return line({ id: kpi, title, note: kpi === "hours" ? `Hours viewed, ${category}, week by week` : `Share of last week's titles that stayed, ${category}`, rows, say: kpi === "hours" ? compact : share, percent: kpi !== "hours", w });
  }

  function languages(w) {
    const rows = [...history("non_english_share", "film", "Films"), ...history("non_english_share", "tv", "Shows")];
    const films = rows.filter((row) => row.member === "Films"), shows = rows.filter((row) => row.member === "Shows");
    const title = films.length && shows.length ? `Non-English titles take ${share(average(shows))} of the hours of shows, ${share(average(films))} of films` : "No language is stated";
    return line({ id: "languages", title, note: "Non-English share of the hours, of the titles in the charts", rows, say: share, percent: true, w, key: [["Films", ink.one], ["Shows", ink.two]], range: [ink.one, ink.two] });
  }

  const FIELDS = { country_name: "country", show_title: "title", season_title: "season", weekly_hours_viewed: "hours", weekly_views: "views", runtime: "length", cumulative_weeks_in_top_10: "weeks in the Top 10", is_staggered_launch: "staggered launch", episode_launch_details: "launch details" };

  /** Gold keeps what was said of any field as text; counts are read as numbers. */
  const counted = (value, row) => (/^\d+$/.test(value ?? "") && ["hours", "views"].includes(row.field) ? number(Number(value)) : value || "–");

  function restatements({ total, rows: columns, counts }) {
    const rows = total ? dashboard.rows(columns, "delivery", "scope", "week", "category", "field", "before", "now").map((row) => ({ ...row, field: FIELDS[row.field] ?? row.field, scope: row.scope === "global" ? "World" : row.scope })) : [];
    const deliveries = new Set(counts.map((c) => c.delivery)).size;
    return card({ id: "restatements", span: 12, open: true, rows, figures: true, title: total ? `${plural(deliveries, "delivery has", "deliveries have")} taken back ${plural(total, "field")} of earlier charts` : "No chart was restated",
      note: "What was said before and what is said now, the newest first", empty: "Every delivery repeats what those before it said.",
      columns: [{ key: "delivery", label: "Delivery", say: day }, { key: "scope", label: "Chart of" }, { key: "week", label: "Week", say: day }, { key: "category", label: "Category" }, { key: "rank", label: "#", kind: "number" }, { key: "field", label: "Field" }, { key: "before", label: "Was said", say: counted }, { key: "now", label: "Is said", say: counted }] });
  }

  dashboard.charts = { open };
  dashboard.pages.push({ name: "charts", label: "Charts", needs: ["charts"], render, nothing: "No weekly Top 10 has landed yet" });
})();
