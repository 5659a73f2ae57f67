"use strict";
// What every page uses: chunks of data, elements, numbers in words, the state in the address, CSV.
window.dashboard = (() => {
  const chunks = new Map();
  const waiting = new Map();
  const said = (name) => document.querySelector(`meta[name="dashboard-${name}"]`).content;

  /** A chunk of data, loaded as a script when it is first asked for: a page from a folder may not fetch. */
  function load(name) {
    if (chunks.has(name)) return Promise.resolve(chunks.get(name));
    if (waiting.has(name)) return waiting.get(name).promise;
    const entry = {};
    entry.promise = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
    waiting.set(name, entry);
    const script = document.createElement("script");
    script.src = `${said(name === "world" ? "assets" : "data")}/${name}.js`;
    script.onerror = () => {
      waiting.delete(name);
      entry.reject(new Error(`The file ${name}.js is missing. Build the dashboard again, or reload the page.`));
    };
    document.head.append(script);
    return entry.promise;
  }

  /** What the scripts of data call. */
  function take(name, content) {
    chunks.set(name, content);
    waiting.get(name)?.resolve(content);
    waiting.delete(name);
  }

  const about = () => chunks.get("about");
  const has = (name) => about().chunks.includes(name);

  // Elements. Values become text, never markup.

  const SVG = new Set(["svg", "path", "line", "rect", "circle", "g", "text"]);

  function h(name, attributes, ...children) {
    const element = SVG.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) {
      if (value === undefined || value === null || value === false) continue;
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (key === "class") element.setAttribute("class", value);
      else if (key === "value") element.value = value;
      else element.setAttribute(key, value === true ? "" : String(value));
    }
    element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  }

  // Numbers and dates, with their units, in one way.

  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const one = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
  const two = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const long = new Intl.NumberFormat("en", { notation: "compact", compactDisplay: "long", maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

  const number = (value) => (value === null || value === undefined ? "–" : Math.abs(value) >= 100 || Number.isInteger(value) ? whole.format(value) : one.format(value));
  const share = (value) => (value === null || value === undefined ? "–" : percent.format(value));
  const compact = (value) => (value === null || value === undefined ? "–" : Math.abs(value) < 10000 ? number(value) : short.format(value).replace(/([KMBT])$/, "\u202f$1"));
  const words = (value) => long.format(value);
  const plural = (count, noun, nouns) => `${number(count)} ${count === 1 ? noun : (nouns ?? noun + "s")}`;
  const signed = (value, say = number) => (value > 0 ? "+" : value < 0 ? "−" : "±") + say(Math.abs(value));
  function day(text) {
    const [y, m, d] = text.slice(0, 10).split("-");
    return `${Number(d)} ${MONTHS[m - 1]} ${y}${text.length === 13 ? ` ${text.slice(11)}:00` : ""}`;
  }
  const month = (text) => `${MONTHS[Number(text.slice(5, 7)) - 1]} ${text.slice(0, 4)}`;
  const minute = (text) => (text ? `${day(text)} ${text.slice(11, 16)} UTC` : "–");
  const bytes = (value) => (value < 1024 ? plural(value, "byte") : value < 1048576 ? `${one.format(value / 1024)} kB` : `${one.format(value / 1048576)} MB`);
  const seconds = (value) => (value === null ? "–" : value < 90 ? `${one.format(value)} s` : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`);

  /** A figure as its metric says: its unit decides how it is written. */
  function figure(value, unit) {
    if (value === null || value === undefined) return ["–", ""];
    if (unit === "share") return [share(value), ""];
    if (unit === "index") return [two.format(value), ""];
    return [Math.abs(value) >= 1e6 ? compact(value) : number(value), unit];
  }

  // The state of the page is its address, so that it can be shared.

  function state() {
    const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
    return { page: decodeURIComponent(path) || "catalogue", ...Object.fromEntries(new URLSearchParams(query ?? "")) };
  }

  function address(next) {
    const { page, ...rest } = next;
    const kept = Object.entries(rest).filter(([, value]) => value !== undefined && value !== null && value !== "");
    const query = new URLSearchParams(kept).toString();
    return `#/${page}${query ? `?${query}` : ""}`;
  }

  const go = (change) => { location.hash = address({ ...state(), ...change }); };

  // CSV. A cell that a spreadsheet would take for a formula is made a text.

  function cell(value) {
    if (value === null || value === undefined) return "";
    const text = typeof value === "string" && /^[\s\u0000-\u001f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]*[=+\-@＝＋－＠\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\n\r;\t]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
  }

  const csv = (columns, rows) =>
    "\ufeff" + [columns.map((c) => cell(c.label)), ...rows.map((row) => columns.map((c) => cell(row[c.key])))].map((line) => line.join(",")).join("\r\n") + "\r\n";

  function download(name, columns, rows) {
    const url = URL.createObjectURL(new Blob([csv(columns, rows)], { type: "text/csv;charset=utf-8" }));
    const link = h("a", { href: url, download: `${name}.csv` });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }

  // Columns of few different values.

  const decode = (column) => column.codes.map((code) => column.values[code]);

  /** A table of columns as rows. */
  function rows(columns, ...coded) {
    const plain = { ...columns };
    for (const name of coded) plain[name] = decode(columns[name]);
    const names = Object.keys(plain);
    const length = names.length ? plain[names[0]].length : 0;
    return Array.from({ length }, (_, i) => Object.fromEntries(names.map((name) => [name, plain[name][i]])));
  }

  function announce(text) {
    document.getElementById("said").textContent = text;
  }

  return {
    load, take, about, has, h, number, share, compact, words, plural, signed, day, month, minute, bytes, seconds, figure,
    state, address, go, csv, download, decode, rows, announce, pages: [],
  };
})();
