"use strict";
// Where does this number come from? From a card to its metrics, to columns of gold, silver and bronze, to files.
(() => {
  const { h, card, choice, address, about, number, plural } = dashboard;
  const ORDER = ["file", "bronze", "silver", "gold", "metric", "card"];
  const NAMED = { file: "Files as delivered", bronze: "Bronze: as delivered", silver: "Silver: typed and judged", gold: "Gold: star schema", metric: "Metric", card: "Card" };

  /** Every column that some columns are made from, through all layers; `edges` lead from table to table. */
  function upstream(tables, begin) {
    const seen = new Set(), columns = new Map(), edges = new Set();
    const queue = [...begin];
    while (queue.length) {
      const name = queue.pop();
      if (seen.has(name)) continue;
      seen.add(name);
      const [layer, short, column] = name.split(".");
      const table = `${layer}.${short}`;
      if (!tables[table]?.columns[column]) continue;
      if (!columns.has(table)) columns.set(table, new Set());
      columns.get(table).add(column);
      for (const from of tables[table].columns[column].from) {
        queue.push(from);
        edges.add(`${from.split(".").slice(0, 2).join(".")}>${table}`);
      }
    }
    return { columns, edges };
  }

  function render(state, [{ tables, files }]) {
    const { cards, metrics } = about();
    const chosen = cards.find((c) => `${c.page}/${c.id}` === state.of) ?? cards.find((c) => c.id === state.card && (!state.from || c.page === state.from)) ?? cards[0];
    const begin = chosen.metrics.flatMap((name) => metrics[name]?.columns ?? []).concat(chosen.columns ?? []);
    const { columns, edges } = upstream(tables, begin);
    const stages = new Map(ORDER.map((stage) => [stage, []]));
    for (const [name, used] of columns) {
      const table = tables[name];
      stages.get(table.layer)?.push(h("div", { class: `node ${table.layer}`, "data-node": name }, h("b", null, name.split(".")[1]), h("ul", null, [...used].sort().map((column) => h("li", { title: table.columns[column].meaning }, column)))));
      if (files[name]) {
        stages.get("file").push(h("div", { class: "node file", "data-node": `file ${name}` }, h("b", null, files[name].source), h("ul", null, h("li", null, `${files[name].source}/<date>/${files[name].files}`))));
        edges.add(`file ${name}>${name}`);
      }
    }
    for (const name of chosen.metrics) {
      const metric = metrics[name];
      stages.get("metric").push(h("div", { class: "node metric", "data-node": `metric ${name}` }, h("b", null, name), h("ul", null, h("li", null, metric?.meaning ?? ""), h("li", null, `unit: ${metric?.unit ?? "–"}`))));
      for (const column of metric?.columns ?? []) edges.add(`${column.split(".").slice(0, 2).join(".")}>metric ${name}`);
      edges.add(`metric ${name}>card`);
    }
    for (const column of chosen.columns ?? []) edges.add(`${column.split(".").slice(0, 2).join(".")}>${chosen.metrics.length ? "metric " + chosen.metrics[0] : "card"}`);
    stages.get("card").push(h("div", { class: "node card-node", "data-node": "card" }, h("b", null, h("a", { href: address({ page: chosen.page }) }, chosen.label)), h("ul", null, h("li", null, `on the page ${chosen.page}`))));

    const wires = h("svg", { class: "wires", "aria-hidden": "true" });
    const chain = h("div", { class: "chain" }, ORDER.filter((stage) => stages.get(stage).length).map((stage) => h("div", { class: "stage" }, h("h2", { class: "part" }, NAMED[stage]), stages.get(stage))), wires);
    const draw = () => {
      const box = chain.getBoundingClientRect();
      const at = (name) => chain.querySelector(`[data-node="${CSS.escape(name)}"]`)?.getBoundingClientRect();
      wires.replaceChildren(...[...edges].flatMap((edge) => {
        const [from, to] = edge.split(">").map(at);
        if (!from || !to) return [];
        const [x1, y1, x2, y2] = from.left < to.left ? [from.right - box.left, from.top + 17 - box.top, to.left - box.left, to.top + 17 - box.top] : [from.left - box.left, from.top + 26 - box.top, to.left - box.left, to.top + 26 - box.top];
        const bend = from.left < to.left ? (x2 - x1) / 2 : -18;
        return [h("path", { d: from.left < to.left ? `M${x1},${y1}C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}` : `M${x1},${y1}C${x1 + bend},${y1} ${x2 + bend},${y2} ${x2},${y2}` })];
      }));
    };
    new ResizeObserver(draw).observe(chain);
    requestAnimationFrame(draw);
    const rows = [...columns].flatMap(([name, used]) => [...used].sort().map((column) => ({ table: name, column, type: tables[name].columns[column].type, meaning: tables[name].columns[column].meaning, from: tables[name].columns[column].from.join(", ") })))
      .sort((a, b) => ORDER.indexOf(b.table.split(".")[0]) - ORDER.indexOf(a.table.split(".")[0]) || (a.table < b.table ? -1 : a.table > b.table ? 1 : 0));
    const rules = [...columns.keys()].flatMap((name) => tables[name].rules.map((rule) => ({ table: name, ...rule })));
    const sources = [...columns.keys()].filter((name) => files[name]).length;
    return [
      h("form", { class: "filters", "aria-label": "Which number", onsubmit: (e) => e.preventDefault() },
        choice("of", "Card", cards.map((c) => [`${c.page}/${c.id}`, `${c.page}: ${c.label}`]), `${chosen.page}/${chosen.id}`, (of) => { location.hash = address({ page: "lineage", of }); })),
      h("p", { class: "lead" }, `${chosen.label} comes from ${plural(rows.length, "column")} of ${plural(columns.size, "table")} and ${plural(sources, "source")}`),
      h("p", { class: "note" }, "Read from right to left: the card, its metric, the columns that it is made of, the files. Each arrow is in the contracts; on the page of every asset Dagster lists the same as made_from."),
      h("div", { class: "cards" },
        h("section", { class: "card span-12", "aria-label": "The way of the number" }, chain),
        card({ id: "columns", span: 12, title: `${plural(rows.length, "column")} on the way`, note: "From gold to bronze: what each column means and what it is made from", open: true, rows, columns: [{ key: "table", label: "Table" }, { key: "column", label: "Column" }, { key: "type", label: "Type" }, { key: "meaning", label: "Meaning" }, { key: "from", label: "Made from" }], empty: "The card tells of the platform's own books, not of a table of gold." }),
        card({ id: "gates", span: 12, title: `${plural(rules.length, "rule")} stand guard on the way`, note: "What every row of these tables must keep", open: true, rows: rules, columns: [{ key: "table", label: "Table" }, { key: "rule", label: "Rule" }, { key: "what", label: "What must be so" }, { key: "on_fail", label: "A broken row" }], empty: "None." })),
    ];
  }

  dashboard.pages.push({ name: "lineage", label: "Where from?", needs: ["lineage"], render, nothing: "No table is declared" });
})();
