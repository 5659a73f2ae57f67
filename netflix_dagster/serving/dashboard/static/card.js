"use strict";
// Cards: a sentence, a chart, its table, its CSV, and where its figures come from.
(() => {
  const { h, download, address, about, number } = dashboard;
  const MOST_ROWS = 200;

  /** Read a colour or a measure of the style sheet in marks: they follow the theme without being drawn again. */
  const ink = { one: "var(--c1)", two: "var(--c2)", three: "var(--c3)", four: "var(--c4)", quiet: "var(--quiet)", text: "var(--text)" };

  const waiting = [];
  /** Draw at once what has just been put into the page, so that nothing moves afterwards. */
  const settle = () => waiting.splice(0).forEach((draw) => draw());
  /** How far bars of a few categories stand apart, so that one alone is no wall. */
  const apart = (n) => (n === 1 ? 0.8 : n < 4 ? 0.55 : n < 8 ? 0.3 : 0.12);

  /** A chart of Plot's. It is drawn for the width that it has and drawn again when that changes. */
  function plot(options, label, onPick) {
    const box = h("div", { class: "plot" });
    let width = 0;
    const draw = () => {
      const now = Math.floor(box.clientWidth);
      if (!now || Math.abs(now - width) < 2) return;
      width = now;
      const made = options(width);
      const drawn = made instanceof Node ? made : Plot.plot({ width, className: "drawn", ...made });
      const svg = drawn.matches("svg") ? drawn : drawn.querySelector("svg");
      for (const mark of svg.querySelectorAll("[aria-label]")) { mark.dataset.mark = mark.getAttribute("aria-label"); mark.removeAttribute("aria-label"); }
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", label);
      if (onPick) {
        drawn.classList.add("picks");
        drawn.addEventListener("click", () => drawn.value && onPick(drawn.value));
      }
      box.replaceChildren(drawn);
    };
    waiting.push(draw);
    new ResizeObserver(draw).observe(box);
    return box;
  }

  /** A table of values. `columns`: key, label, say (how a value is written), link (an address), kind "number". */
  function table(columns, rows, caption, most = MOST_ROWS) {
    const shown = rows.slice(0, most);
    const body = shown.map((row) =>
      h("tr", null, columns.map((c, i) => {
        const value = row[c.key];
        const text = c.say ? c.say(value, row) : typeof value === "number" ? number(value) : value === null || value === undefined || value === "" ? "–" : String(value);
        const href = c.link?.(row);
        const short = typeof text === "string" && text.length <= 24 && c.say;
        const inner = text instanceof Node ? text : h("span", { class: short ? "cell still" : "cell", dir: typeof value === "string" ? "auto" : null, title: typeof text === "string" && text.length > 60 ? text.slice(0, 500) : null }, text);
        return h(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : null, class: c.kind }, href ? h("a", { href }, inner) : inner);
      })));
    const element = h("div", { class: shown.length <= 12 ? "scroll whole" : "scroll", tabindex: "0", role: "region", "aria-label": `Table: ${caption}` },
      h("table", null, h("caption", { class: "unseen" }, caption),
        h("thead", null, h("tr", null, columns.map((c) => h("th", { scope: "col", class: c.kind }, c.label)))),
        h("tbody", null, body)));
    return rows.length > most ? h("div", null, element, h("p", { class: "note" }, `The first ${number(most)} of ${number(rows.length)} rows; the CSV has all of them.`)) : element;
  }

  /** One card. `chart` is an element; `table` has columns and rows; `open` shows the table at once. */
  function card({ id, title, note, chart, columns, rows, span = 6, open = false, tools, empty, key, figures }) {
    const heading = `${id}-title`;
    const nothing = !rows?.length;
    const name = `${dashboard.state().page}-${id}`;
    const own = `${dashboard.state().page}/${id}`;
    const data = h("div", { class: "data" });
    const show = () => { if (!data.firstChild && !nothing) data.append(table(columns, rows, title)); };
    if (open) show();
    const details = !nothing && !open
      ? h("details", { ontoggle: (event) => event.target.open && show() }, h("summary", null, "Table"), data) : null;
    return h("section", { class: `card span-${span}`, id, "aria-labelledby": heading },
      h("div", { class: "head" }, h("h2", { id: heading, dir: "auto" }, title), note ? h("p", { class: "note" }, note) : null),
      tools ?? null,
      key ? legend(key) : null,
      nothing ? h("p", { class: "empty" }, empty ?? "Nothing matches these filters.") : [chart ?? null, open ? data : null],
      h("div", { class: "foot" },
        details,
        nothing ? null : h("button", { type: "button", class: "quiet", "data-csv": name, onclick: () => download(name, columns, rows) }, "CSV", h("span", { class: "unseen" }, ` of ${title}`)),
        figures && about().cards.some((c) => `${c.page}/${c.id}` === own) ? h("a", { class: "quiet", href: address({ page: "lineage", of: own }) }, "Where from?", h("span", { class: "unseen" }, ` ${title}`)) : null));
  }

  const legend = (entries) =>
    h("ul", { class: "key" }, entries.map(([label, colour]) => {
      const swatch = h("span", { class: "swatch" });
      swatch.style.background = colour;
      return h("li", null, swatch, label);
    }));

  /** A figure of its own: what it is, the number, its unit, what it was before. */
  function tile({ metric, label, value, unit, was, href, member }) {
    const known = about().metrics[metric];
    const [said, of] = dashboard.figure(value, unit ?? known?.unit);
    const inner = [
      h("span", { class: "label" }, label ?? known?.label ?? metric),
      h("span", { class: "value" }, h("b", { "data-metric": metric, "data-member": member, "data-value": value ?? "" }, said), of ? h("span", { class: "unit" }, of) : null),
      was ? h("span", { class: "was" }, was) : null,
    ];
    const title = known ? known.meaning : null;
    return href ? h("a", { class: "tile", href, title }, inner) : h("div", { class: "tile", title }, inner);
  }

  const tiles = (list) => h("div", { class: "tiles" }, list.filter(Boolean).map(tile));

  /** A choice among values. The address keeps it. */
  function choice(name, label, options, chosen, onchange) {
    const id = `filter-${name}`;
    const select = h("select", { id, onchange: (event) => (onchange ? onchange(event.target.value) : dashboard.go({ [name]: event.target.value })) },
      options.map(([value, text]) => h("option", { value, selected: String(value) === String(chosen ?? "") }, text)));
    return h("div", { class: "field" }, h("label", { for: id }, label), select);
  }

  /** Choose between few views of one card. */
  function tabs(name, label, options, chosen) {
    return h("div", { class: "tabs", role: "group", "aria-label": label },
      options.map(([value, text]) => h("button", { type: "button", "aria-pressed": String(value === chosen), id: `tab-${name}-${value}`, onclick: () => dashboard.go({ [name]: value }) }, text)));
  }

  /** Horizontal bars, the longest first. */
  function bars(rows, { x = "value", y = "name", label, fill = ink.one, say = number, onPick, about: what, height }) {
    return plot((width) => {
      const left = Math.min(width * 0.42, 170);
      const most = Math.floor(left / 7.3);
      return {
        height: height ?? rows.length * 24 + 34, marginLeft: left, marginRight: 52, marginTop: 4, marginBottom: 28,
        x: { label: null, grid: true, ticks: Math.max(2, Math.floor(width / 130)), tickFormat: (v) => dashboard.compact(v), nice: true, zero: true },
        y: { label: null, domain: rows.map((row) => row[y]), tickSize: 0, tickFormat: (v) => (v.length > most ? `${v.slice(0, most - 1)}…` : v) },
        marks: [
          Plot.barX(rows, { x, y, fill, insetTop: 3, insetBottom: 3, rx2: 3, tip: { format: { fill: false, x: false, y: false }, channels: {} }, title: (row) => `${clip(row[y])}\n${say(row[x])} ${label ?? ""}${row.more ? `\n${row.more}` : ""}` }),
          Plot.text(rows, { x, y, text: (row) => say(row[x]), textAnchor: "start", dx: 5, fill: ink.text, className: "value" }),
          Plot.ruleX([0]),
        ],
      };
    }, what, onPick);
  }

  const clip = (text, most = 80) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  const titleLink = (key) => address({ page: "title", key });

  Object.assign(dashboard, { ink, settle, apart, plot, table, card, tile, tiles, choice, tabs, bars, legend, clip, titleLink });
})();
