"use strict";
// Catalogue: what is in it, what came and went, from every version of every title, cut by any filter.
(() => {
  const { h, ink, number, share, plural, signed, day, month, decode, card, tiles, choice, tabs, bars, plot, address, titleLink, go } = dashboard;
  const UNKNOWN = "(not stated)";
  const FILTERS = ["type", "genre", "country", "rating"];
  const MOST_BARS = 12;
  let data = null;

  /** The chunk, its columns decoded once. */
  function open(chunk) {
    if (data?.chunk === chunk) return data;
    const v = chunk.versions;
    const type = decode(v.type), rating = decode(v.rating);
    data = {
      chunk, releases: chunk.releases, type, rating, count: v.title_key.length, v,
      figures: new Map(), changes: dashboard.rows(chunk.changes, "change", "changed"),
    };
    const { release, kpi, member, value } = chunk.figures;
    value.forEach((x, i) => data.figures.set(`${release[i]}|${kpi.values[kpi.codes[i]]}|${member.values[member.codes[i]]}`, x));
    return data;
  }

  const keeps = (state) => {
    const { v, type, rating } = data;
    const genre = v.genres.values.indexOf(state.genre), country = v.countries.values.indexOf(state.country);
    return (i) =>
      (!state.type || type[i] === state.type) &&
      (!state.rating || (rating[i] ?? UNKNOWN) === state.rating) &&
      (!state.genre || v.genres.codes[i].includes(genre)) &&
      (!state.country || v.countries.codes[i].includes(country));
  };

  const inRelease = (i, r) => data.v.first[i] <= r && (data.v.past[i] === null || data.v.past[i] > r);

  function titlesOf(r, keep) {
    const found = [];
    for (let i = 0; i < data.count; i++) if (inRelease(i, r) && keep(i)) found.push(i);
    return found;
  }

  function count(list, members) {
    const found = new Map();
    for (const i of list) for (const member of members(i)) found.set(member, (found.get(member) ?? 0) + 1);
    return [...found].map(([name, value]) => ({ name, value })).sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1));
  }

  const median = (values) => {
    if (!values.length) return null;
    const sorted = Float64Array.from(values).sort();
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  };
  const yearOf = (i) => (data.v.added[i] ? Number(data.v.added[i].slice(0, 4)) : null);
  const lag = (i) => (yearOf(i) === null || data.v.year[i] === null ? null : yearOf(i) - data.v.year[i]);

  /** What the titles of one release come to, as gold computes it, for whatever the filters leave. */
  function measure(list) {
    const v = data.v;
    const lengths = list.map((i) => v.minutes[i]).filter((x) => x !== null);
    const seasons = list.map((i) => v.seasons[i]).filter((x) => x !== null);
    const placed = list.filter((i) => v.countries.codes[i].length);
    const shared = placed.filter((i) => v.countries.codes[i].length > 1).length;
    return {
      titles: list.length, movie_minutes_median: median(lengths), show_seasons_mean: seasons.length ? seasons.reduce((a, b) => a + b, 0) / seasons.length : null,
      co_productions: shared, co_production_share: placed.length ? shared / placed.length : null,
    };
  }

  function render(state, [chunk]) {
    const { releases, v, type, rating } = open(chunk);
    const last = releases.length - 1;
    const asked = releases.indexOf(state.release);
    const r = asked < 0 ? last : asked;
    const keep = keeps(state);
    const filtered = FILTERS.some((name) => state[name]);
    const now = titlesOf(r, keep);
    const before = r ? titlesOf(r - 1, keep) : null;
    const gold = (kpi, member = "all") => data.figures.get(`${r}|${kpi}|${member}`) ?? null;
    const computed = measure(now);
    const figure = (kpi) => (filtered ? computed[kpi] : gold(kpi));
    const moved = data.changes.filter((c) => c.release === r && keep(c.version));
    const of = (change) => moved.filter((c) => c.change === change);
    const scope = [state.type, state.genre, state.country && `from ${state.country}`, state.rating].filter(Boolean).join(", ");
    const what = scope ? `titles (${scope})` : "titles";
    const open_list = (change) => ({ ...state, change, show: "changes" });

    const grown = before?.length ? (now.length - before.length) / before.length : null;
    const lead = !now.length ? `No ${what} in the release of ${day(releases[r])}`
      : before === null ? `The first release known, of ${day(releases[r])}, holds ${number(now.length)} ${what}`
      : now.length === before.length ? `The catalogue stood still at ${number(now.length)} ${what} in the release of ${day(releases[r])}`
      : `The catalogue ${now.length > before.length ? "grew" : "shrank"} ${grown === null ? "" : `by ${share(Math.abs(grown))} `}to ${number(now.length)} ${what} between ${day(releases[r - 1])} and ${day(releases[r])}`;

    const options = (name, values) => [["", "All"], ...values.map((value) => [value, value])];
    const known = (column) => [...new Set(column.map((value) => value ?? UNKNOWN))].sort();
    const filters = h("form", { class: "filters", "aria-label": "Filters", onsubmit: (e) => e.preventDefault() },
      choice("release", "Release", releases.map((d, i) => [d, `${day(d)}${i === last ? " (newest)" : ""}`]).reverse(), releases[r]),
      choice("type", "Type", options("type", known(type)), state.type),
      choice("genre", "Genre", options("genre", v.genres.values), state.genre),
      choice("country", "Country", options("country", v.countries.values), state.country),
      choice("rating", "Rating", options("rating", known(rating)), state.rating),
      filtered || asked >= 0 && r !== last ? h("button", { type: "button", id: "clear", onclick: () => { location.hash = address({ page: "catalogue" }); } }, "Clear filters") : null);

    const changeTile = (change, label) => {
      const n = filtered ? of(change).length : gold("titles_by_change", change) ?? (r ? 0 : null);
      return { metric: "changed_titles", member: change, label, value: n, unit: "titles", href: r ? address(open_list(change)) : undefined, was: r ? `since ${day(releases[r - 1])}` : "no release before" };
    };
    const summary = tiles([
      { metric: "titles", label: "In the catalogue", value: figure("titles"), was: before === null ? null : `${signed(now.length - before.length)} since ${day(releases[r - 1])}` },
      changeTile("added", "Arrived"), changeTile("removed", "Left"), changeTile("changed", "Changed"),
      { metric: "movie_minutes_median", label: "Movie length, median", value: figure("movie_minutes_median") },
      { metric: "show_seasons_mean", label: "Seasons a show, mean", value: figure("show_seasons_mean") },
      { metric: "co_production_share", label: "Co-productions", value: figure("co_production_share"), was: plural(figure("co_productions") ?? 0, "title") },
    ]);

    return [
      filters,
      h("p", { class: "lead" }, lead), summary,
      h("div", { class: "cards" },
        growth(r, keep), movement(keep), changes(state, r, moved), added(now, r), mix("genre", "Genres", now, v.genres), mix("country", "Countries", now, v.countries),
        ratings(now), lags(now), lengths(now), seasons(now), people(state, now), pairs(now)),
    ];
  }

  /** Names of releases as long as there is room for, or none. */
  const fitting = (width, n) => ((width - 60) / n < 46 ? { ticks: [] } : { tickFormat: (t) => ((width - 60) / n < 86 ? t.replace(/^\d+ (\w+) \d\d/, "$1 ’") : t) });

  function growth(r, keep) {
    const rows = data.releases.flatMap((release, k) => {
      const list = titlesOf(k, keep);
      const movies = list.filter((i) => data.type[i] === "Movie").length;
      return [{ release: day(release), order: k, kind: "Movies", titles: movies }, { release: day(release), order: k, kind: "Shows", titles: list.length - movies }];
    });
    const total = (k) => rows[2 * k].titles + rows[2 * k + 1].titles;
    const end = data.releases.length - 1;
    const title = end === 0 ? `One release is known, with ${number(total(0))} titles`
      : total(end) > total(0) ? `${plural(total(end) - total(0), "title")} more than in the first release`
      : total(end) < total(0) ? `${plural(total(0) - total(end), "title")} fewer than in the first release` : "As many titles as in the first release";
    const chart = plot((width) => ({
      height: 240, marginLeft: 48, marginBottom: 34,
      x: { label: null, domain: rows.filter((_, i) => i % 2 === 0).map((row) => row.release), padding: dashboard.apart(data.releases.length), tickSize: 0, ...fitting(width, data.releases.length) },
      y: { label: null, grid: true, ticks: 5, tickFormat: (t) => dashboard.compact(t) },
      color: { domain: ["Movies", "Shows"], range: [ink.one, ink.two] },
      marks: [
        Plot.barY(rows, { x: "release", y: "titles", fill: "kind", order: ["Movies", "Shows"], tip: true, title: (row) => `${row.release}\n${plural(row.titles, row.kind.slice(0, -1).toLowerCase())}` }),
        Plot.ruleY([0]),
      ],
    }), title);
    return card({ id: "growth", title, note: "Titles in each release of the catalogue", chart, key: [["Movies", ink.one], ["Shows", ink.two]], figures: true,
      columns: [{ key: "release", label: "Release" }, { key: "kind", label: "Type" }, { key: "titles", label: "Titles", kind: "number" }], rows });
  }

  function movement(keep) {
    const rows = data.releases.slice(1).flatMap((release, k) => {
      const own = data.changes.filter((c) => c.release === k + 1 && keep(c.version));
      const n = (change) => own.filter((c) => c.change === change).length;
      return [{ release: day(release), change: "Arrived", titles: n("added"), signed: n("added") }, { release: day(release), change: "Left", titles: n("removed"), signed: -n("removed") }];
    });
    const [arrived, left] = rows.slice(-2);
    const title = !rows.length ? "What arrives and leaves shows with the second release"
      : left.titles === 0 && arrived.titles === 0 ? "Nothing arrived or left with the newest release"
      : `${plural(arrived.titles, "title")} arrived and ${number(left.titles)} left with the newest release`;
    const chart = plot((width) => ({
      height: 240, marginLeft: 52, marginBottom: 34,
      x: { label: null, domain: data.releases.slice(1).map(day), padding: dashboard.apart(data.releases.length - 1), tickSize: 0, ...fitting(width, data.releases.length - 1) },
      y: { label: null, grid: true, ticks: 5, tickFormat: (t) => dashboard.compact(Math.abs(t)) },
      color: { domain: ["Arrived", "Left"], range: [ink.one, ink.two] },
      marks: [Plot.barY(rows, { x: "release", y: "signed", fill: "change", tip: true, title: (row) => `${row.release}\n${plural(row.titles, "title")} ${row.change.toLowerCase()}` }), Plot.ruleY([0])],
    }), title);
    return card({ id: "movement", title, note: "Titles that each release has and the one before lacks, and the other way round", chart, key: [["Arrived", ink.one], ["Left", ink.two]], figures: true,
      columns: [{ key: "release", label: "Release" }, { key: "change", label: "Change" }, { key: "titles", label: "Titles", kind: "number" }], rows, empty: "One release alone says nothing of what came and went." });
  }

  function added(list, r) {
    const by = new Map();
    for (const i of list) if (data.v.added[i]) { const m = data.v.added[i].slice(0, 7); by.set(m, (by.get(m) ?? 0) + 1); }
    const months = [...by.keys()].sort();
    const rows = [];
    if (months.length) {
      let [y, m] = months[0].split("-").map(Number);
      for (let at = months[0]; at <= months.at(-1); at = `${y}-${String(m).padStart(2, "0")}`) {
        rows.push({ month: at, date: new Date(Date.UTC(y, m - 1, 1)), titles: by.get(at) ?? 0 });
        if (++m > 12) { m = 1; y++; }
      }
    }
    // Whole years only: the last month that a release can know all of is the one before its own.
    const release = data.releases[r];
    const whole = release.slice(5, 7) === "12" && Number(release.slice(8, 10)) >= 31 ? Number(release.slice(0, 4)) : Number(release.slice(0, 4)) - 1;
    const inYear = (y) => rows.filter((row) => row.month.startsWith(`${y}-`)).reduce((sum, row) => sum + row.titles, 0);
    const [now, then] = [inYear(whole), inYear(whole - 1)];
    const title = !rows.length ? "No title says when it was added"
      : !now || !then ? `Most titles of a month were added in ${month(rows.reduce((a, b) => (b.titles > a.titles ? b : a)).month)}`
      : now < then ? `Arrivals slowed in ${whole}: ${plural(now, "title")}, ${share((then - now) / then)} fewer than in ${whole - 1}`
      : now > then ? `Arrivals grew in ${whole}: ${plural(now, "title")}, ${share((now - then) / then)} more than in ${whole - 1}`
      : `As many titles arrived in ${whole} as in ${whole - 1}: ${number(now)}`;
    const chart = plot((width) => ({
      height: 240, marginLeft: 44, marginBottom: 30,
      x: { label: null, type: "utc", ticks: Math.floor(width / 90) },
      y: { label: null, grid: true, ticks: 5, zero: true },
      marks: [
        Plot.areaY(rows, { x: "date", y: "titles", fill: ink.one, fillOpacity: 0.16 }),
        Plot.lineY(rows, { x: "date", y: "titles", stroke: ink.one, strokeWidth: 1.6 }),
        Plot.ruleX(rows, Plot.pointerX({ x: "date", stroke: ink.quiet })),
        Plot.tip(rows, Plot.pointerX({ x: "date", y: "titles", title: (row) => `${month(row.month)}\n${plural(row.titles, "title")}` })),
        Plot.ruleY([0]),
      ],
    }), title);
    return card({ id: "added", title, note: `Titles of the release of ${day(release)} by the month in which they were added`, chart, span: 12, figures: true,
      columns: [{ key: "month", label: "Month added" }, { key: "titles", label: "Titles", kind: "number" }], rows });
  }

  function mix(name, noun, list, members) {
    const rows = count(list, (i) => members.codes[i].map((code) => members.values[code])).map((row) => ({ ...row, share: row.value / list.length }));
    const first = rows[0];
    const title = !first ? `No ${name} is stated` : name === "genre" ? `${dashboard.clip(first.name, 40)} lists ${share(first.share)} of the titles` : `${dashboard.clip(first.name, 40)} takes part in ${share(first.share)} of the titles`;
    return card({ id: name === "genre" ? "genres" : "countries", title, note: `${noun} by titles, the ${Math.min(MOST_BARS, rows.length)} largest of ${rows.length}; a title can be in several. Press a bar to filter.`, figures: true,
      chart: bars(rows.slice(0, MOST_BARS), { label: "titles", what: title, about: title, fill: name === "genre" ? ink.one : ink.three, onPick: (row) => go({ [name]: row.name }) }),
      columns: [{ key: "name", label: noun }, { key: "value", label: "Titles", kind: "number" }, { key: "share", label: "Share", kind: "number", say: share }], rows });
  }

  function ratings(list) {
    const rows = count(list, (i) => [data.rating[i] ?? UNKNOWN]).map((row) => ({ ...row, share: row.value / list.length }));
    const title = rows.length ? `${share(rows[0].share)} of the titles are rated ${rows[0].name}` : "No rating is stated";
    return card({ id: "ratings", title, note: "Maturity ratings by titles. Press a bar to filter.", span: 3, figures: true,
      chart: bars(rows.slice(0, 10), { label: "titles", about: title, fill: ink.four, onPick: (row) => go({ rating: row.name }) }),
      columns: [{ key: "name", label: "Rating" }, { key: "value", label: "Titles", kind: "number" }, { key: "share", label: "Share", kind: "number", say: share }], rows });
  }

  function histogram({ id, title, note, rows, x, unit, fill, columns, figures }) {
    const chart = plot((width) => ({
      height: 264, marginLeft: 46, marginBottom: 36,
      x: { label: unit, labelAnchor: "center", labelArrow: "none", ticks: Math.floor(width / 60) },
      y: { label: null, grid: true, ticks: 5, tickFormat: (t) => dashboard.compact(t) },
      marks: [Plot.rectY(rows, { x1: "from", x2: "to", y: "titles", fill, inset: 0.5, tip: true, title: (row) => `${row[x]}\n${plural(row.titles, "title")}` }), Plot.ruleY([0])],
    }), title);
    return card({ id, title, note, chart, span: 3, columns, rows, figures });
  }

  function lags(list) {
    const found = list.map((i) => [lag(i), data.type[i]]).filter(([years]) => years !== null);
    const middle = (kind) => median(found.filter(([, type]) => type === kind).map(([years]) => years));
    const movies = middle("Movie"), shows = middle("TV Show");
    const rows = Array.from({ length: 27 }, (_, k) => k - 1).map((years) => ({
      lag: years < 0 ? "before its release" : years === 25 ? "25 years and more" : plural(years, "year"), from: years, to: years + 1,
      titles: found.filter(([y]) => (years < 0 ? y < 0 : years === 25 ? y >= 25 : y === years)).length,
    }));
    const title = movies === null && shows === null ? "No title says when it was added"
      : movies === null || shows === null ? `Half of the ${movies === null ? "shows" : "movies"} arrive within ${plural(movies ?? shows, "year")} of their release`
      : `Half of the movies arrive within ${plural(movies, "year")}, half of the shows ${shows === 0 ? "in the year of their release" : `within ${plural(shows, "year")}`}`;
    return histogram({ id: "lags", title, note: "Years from a title's release anywhere to its addition", rows: found.length ? rows : [], x: "lag", unit: "years", fill: ink.three, figures: true,
      columns: [{ key: "lag", label: "Lag" }, { key: "titles", label: "Titles", kind: "number" }] });
  }

  function lengths(list) {
    const minutes = list.map((i) => data.v.minutes[i]).filter((x) => x !== null);
    const middle = median(minutes);
    const longest = list.filter((i) => data.v.minutes[i] !== null).sort((a, b) => data.v.minutes[b] - data.v.minutes[a])[0];
    const rows = Array.from({ length: 25 }, (_, k) => k * 10).map((from) => ({ length: from === 240 ? "240 minutes and more" : `${from} to ${from + 9} minutes`, from, to: from + 10, titles: minutes.filter((m) => (from === 240 ? m >= 240 : m >= from && m < from + 10)).length }));
    const title = minutes.length ? `Half of the movies last no longer than ${number(middle)} minutes` : "No movie states its length";
    return histogram({ id: "lengths", title, note: longest === undefined ? "Length of movies" : `The longest: ${dashboard.clip(data.v.title[longest] ?? "–", 60)}, ${number(data.v.minutes[longest])} minutes`, rows: minutes.length ? rows : [], x: "length", unit: "minutes", fill: ink.one, figures: true,
      columns: [{ key: "length", label: "Length" }, { key: "titles", label: "Movies", kind: "number" }] });
  }

  function seasons(list) {
    const shows = list.filter((i) => data.v.seasons[i] !== null);
    const rows = count(shows, (i) => [data.v.seasons[i]]).sort((a, b) => a.name - b.name).map((row) => ({ ...row, name: plural(row.name, "season"), share: row.value / shows.length }));
    const once = shows.filter((i) => data.v.seasons[i] === 1).length;
    const title = shows.length ? `${share(once / shows.length)} of the shows have one season only` : "No show states its seasons";
    return card({ id: "seasons", title, note: "Shows by their number of seasons", span: 3, figures: true, chart: bars(rows.slice(0, 10), { label: "shows", about: title, fill: ink.two }),
      columns: [{ key: "name", label: "Seasons" }, { key: "value", label: "Shows", kind: "number" }, { key: "share", label: "Share", kind: "number", say: share }], rows });
  }

  function people(state, list) {
    const role = state.people === "directors" ? "directors" : "cast";
    const box = h("div", { class: "span-6 later" }, h("section", { class: "card" }, h("p", { class: "empty", role: "status" }, "Loading the names …")));
    dashboard.load("people").then((chunk) => {
      const credits = chunk[role];
      if (!credits) return box.remove();
      const rows = count(list, (i) => credits.codes[i]).map((row) => ({ name: credits.values[row.name], value: row.value })).sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1)).slice(0, 100);
      const title = rows.length ? `${dashboard.clip(rows[0].name, 40)} ${role === "cast" ? "appears in" : "directed"} ${plural(rows[0].value, "title")}, ${rows[0].value > (rows[1]?.value ?? 0) ? "more than anyone" : `and nobody ${role === "cast" ? "in " : ""}more`}` : "Nobody is named";
      box.replaceWith(card({ id: "people", title, note: `Who ${role === "cast" ? "is in the cast of" : "directed"} the most titles`, figures: true, tools: tabs("people", "Whom to show", [["cast", "Cast"], ["directors", "Directors"]], role),
        chart: bars(rows.slice(0, MOST_BARS), { label: "titles", about: title, fill: ink.two }), columns: [{ key: "name", label: "Name" }, { key: "value", label: "Titles", kind: "number" }], rows }));
    }).catch((error) => box.replaceChildren(h("p", { class: "empty", role: "alert" }, error.message)));
    return box;
  }

  function pairs(list) {
    const { codes, values } = data.v.countries;
    const rows = count(list, (i) => {
      const own = codes[i].map((code) => values[code]).sort();
      return own.flatMap((a, k) => own.slice(k + 1).map((b) => `${a} & ${b}`));
    }).slice(0, 100);
    const title = rows.length ? `${dashboard.clip(rows[0].name, 60)} produce together most often` : "No title names two countries";
    return card({ id: "pairs", title, note: "Pairs of countries by the titles that they produced together", figures: true, chart: bars(rows.slice(0, MOST_BARS), { label: "titles", about: title, fill: ink.three }),
      columns: [{ key: "name", label: "Countries" }, { key: "value", label: "Titles", kind: "number" }], rows });
  }

  const WORDS = { added: ["Arrived", "arrived"], removed: ["Left", "left"], changed: ["Changed", "changed"] };

  function changes(state, r, moved) {
    const change = WORDS[state.change] ? state.change : moved.some((c) => c.change === "removed") ? "removed" : "added";
    const own = moved.filter((c) => c.change === change);
    const v = data.v;
    const rows = own.map((c) => ({ title: v.title[c.version], type: data.type[c.version], year: v.year[c.version], rating: data.rating[c.version], what: change === "changed" ? c.changed : c.returns ? "had left before" : "", key: v.title_key[c.version] }))
      .sort((a, b) => ((a.title ?? "").localeCompare(b.title ?? "", "en") || (a.key < b.key ? -1 : 1)));
    const title = r === 0 ? "All titles of the first release count as known from the start" : `${plural(own.length, "title")} ${WORDS[change][1]} with the release of ${day(data.releases[r])}`;
    return card({ id: "changes", title, span: 12, open: true, rows, note: "Each title leads to all that is known of it", figures: true, empty: r === 0 ? "Choose a later release to see what it changed." : "None.",
      tools: tabs("change", "Which titles to show", Object.entries(WORDS).map(([key, [label]]) => [key, `${label} (${number(moved.filter((c) => c.change === key).length)})`]), change),
      columns: [{ key: "title", label: "Title", link: (row) => titleLink(row.key) }, { key: "type", label: "Type" }, { key: "year", label: "Released", kind: "number", say: (y) => (y === null ? "–" : String(y)) }, { key: "rating", label: "Rating" }, ...(change === "removed" ? [] : [{ key: "what", label: change === "changed" ? "What changed" : "Note" }])] });
  }

  dashboard.catalogue = { open, titlesOf, measure, keeps };
  dashboard.pages.push({ name: "catalogue", label: "Catalogue", needs: ["catalogue"], render, nothing: "No release of the catalogue has landed yet" });
})();
