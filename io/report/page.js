// Draws the charts of the report from the data in #data, with the colours of the page. Tables and words are already there.
"use strict";
(function () {
  const charts = JSON.parse(document.getElementById("data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  // The same dashes and marks as sow_i_series_key() in io/report_html.c.
  const DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 2], [1, 3], [10, 4], [6, 2, 2, 2]];
  const MARKS = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "circle", "square"];
  const nth = (list, i) => list[Math.min(i, list.length - 1)];

  function config() {
    const text = { labelColor: colour("soft"), titleColor: colour("soft"), labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" };
    return {
      background: "transparent",
      font: getComputedStyle(document.body).fontFamily,
      view: { stroke: null },
      axis: Object.assign({ gridColor: colour("line"), domainColor: colour("soft"), tickColor: colour("soft"), titlePadding: 8, labelFlush: false }, text),
      axisX: { grid: false },
      axisY: { domain: false, ticks: false, tickCount: 5 },
    };
  }

  const measuredAxis = (values) => {
    const at = [...new Set(values.map((d) => d.measured))].sort((a, b) => a - b);
    return { field: "measured", type: "quantitative", title: "perturbations measured", scale: { zero: false, nice: false, padding: 14 },
             axis: { values: at.length <= 12 ? at : undefined, format: ",d", labelOverlap: "greedy" } };
  };

  // --- a curve for each model, with its band ---
  function curve(chart) {
    const names = chart.series;
    const values = chart.rows.map(([measured, round, model, value, low, high]) => ({ measured, round, model, value, low, high, own: model === names[0] }));
    const plain = names.filter((name) => name !== chart.beat); // the baseline to beat has a look of its own
    const scale = (list, beat) => ({ domain: names, range: names.map((name) => (name === chart.beat ? beat : nth(list, plain.indexOf(name)))) });
    const colours = { field: "model", type: "nominal", legend: null, scale: scale(DASHES.map((_, i) => colour("s" + i)), colour("ink")) };
    const dash = { field: "model", type: "nominal", legend: null, scale: scale(DASHES, [12, 4]) };
    const mark = { field: "model", type: "nominal", legend: null, scale: scale(MARKS, "M-1.4-.4H1.4V.4H-1.4Z") };
    const beat = "datum.model === " + JSON.stringify(chart.beat);
    const y = { field: "value", type: "quantitative", title: null, scale: { zero: false, nice: true } };
    const known = (d) => d.low !== null && d.high !== null;
    const banded = [{ filter: "datum.low != null && datum.high != null" }];
    const range = { y: Object.assign({}, y, { field: "low" }), y2: { field: "high" }, color: colours };
    const tooltip = [["model", "model"], ["round", "round"], ["measured", "measured"], ["value", "value"], ["low", "low"], ["high", "high"]].filter(([field]) => values.some((d) => d[field] !== null))
      .map(([field, title]) => Object.assign({ field, title }, ["value", "low", "high"].includes(field) ? { type: "quantitative", format: ".3~r" } : { type: "nominal" }));
    const layer = []; // a layer without a row would leave its scale without an extent
    if (values.some((d) => d.own && known(d))) layer.push({ transform: banded.concat([{ filter: "datum.own" }]), mark: { type: "area", opacity: 0.16 }, encoding: range });
    if (values.some(known))
      layer.push({ transform: banded, mark: { type: "rule", strokeWidth: 1 }, encoding: Object.assign({ opacity: { condition: { test: "datum.own", value: 0.8 }, value: 0.4 } }, range) });
    layer.push(
      { mark: { type: "line" }, encoding: { y, color: colours, strokeDash: dash, strokeWidth: { condition: [{ test: "datum.own", value: 2.6 }, { test: beat, value: 2 }], value: 1.5 } } },
      { mark: { type: "point", filled: true, opacity: 1 }, encoding: { y, color: colours, shape: mark, size: { condition: { test: "datum.own", value: 60 }, value: 40 }, tooltip } }
    );
    if (chart.target !== undefined)
      layer.push({ data: { values: [{ at: chart.target }] }, mark: { type: "rule", strokeDash: [1, 3], color: colour("ink") },
                   encoding: { x: { value: 0 }, x2: { value: "width" }, y: { field: "at", type: "quantitative" } } });
    return { width: "container", height: 210, data: { values }, encoding: { x: measuredAxis(values) }, layer };
  }

  // --- hits found against chance ---
  function hits(chart) {
    const values = chart.rows.map(([measured, round, found, chance]) => ({ measured, round, found, chance }));
    const y = (field) => ({ field, type: "quantitative", title: "hits", scale: { zero: true } });
    const tooltip = [["round", "d"], ["measured", ",d"], ["found", ",d"], ["chance", ".1f"]].map(([field, format]) => ({ field, type: "quantitative", format }));
    const line = (field, series) => [
      { mark: { type: "line", color: colour("s" + series), strokeWidth: series ? 1.6 : 2.6, strokeDash: DASHES[series] }, encoding: { y: y(field), tooltip } },
      { mark: { type: "point", filled: true, opacity: 1, color: colour("s" + series), size: series ? 25 : 60 }, encoding: { y: y(field), tooltip } },
    ];
    return { width: "container", height: 240, data: { values }, encoding: { x: measuredAxis(values) },
             layer: (values.some((d) => d.chance !== null) ? [{ transform: [{ filter: "datum.chance != null" }], layer: line("chance", 6) }] : []).concat([{ layer: line("found", 0) }]) };
  }

  // --- a network's loss by epoch, where it learns and where it is judged ---
  function training(chart) {
    const values = chart.rows.map(([member, epoch, value, kind, kept]) => ({ member, epoch, value, kind, kept, line: member + kind }));
    const names = ["held", "trained"];
    const scale = (range) => ({ domain: names, range });
    const held = values.some((d) => d.kind === "held") ? "held" : "trained";
    const y = { field: "value", type: "quantitative", title: null, scale: { zero: false, nice: true } };
    const color = { field: "kind", type: "nominal", legend: null, scale: scale([colour("s0"), colour("s1")]) };
    const tooltip = [["member", "network"], ["epoch", "epoch"], ["value", "loss"]].map(([field, title]) => ({ field, title, type: "quantitative", format: field === "value" ? ".3~r" : "d" }));
    return {
      width: "container", height: 210, data: { values },
      encoding: { x: { field: "epoch", type: "quantitative", title: "epoch", scale: { zero: false, nice: false, padding: 6 }, axis: { format: "d", tickMinStep: 1 } }, y, color, detail: { field: "line", type: "nominal" } },
      layer: [
        { mark: { type: "line" }, encoding: { strokeDash: { field: "kind", type: "nominal", legend: null, scale: scale([DASHES[0], DASHES[1]]) }, strokeWidth: { condition: { test: "datum.kind === 'held'", value: 2 }, value: 1.2 }, tooltip } },
        { transform: [{ filter: "datum.kept && datum.kind === '" + held + "'" }], mark: { type: "point", filled: true, opacity: 1, size: 60 }, encoding: { tooltip } },
      ],
    };
  }

  // --- cost of each round, stacked by item ---
  function spend(chart) {
    const values = chart.rows.map(([round, item, cost]) => ({ round, item, cost, order: chart.series.indexOf(item) }));
    return {
      width: "container", height: 220, data: { values }, mark: { type: "bar", width: new Set(values.map((d) => d.round)).size <= 6 ? 36 : { band: 0.62 } },
      encoding: {
        x: { field: "round", type: "ordinal", title: "round", axis: { labelAngle: 0 } },
        y: { field: "cost", aggregate: "sum", type: "quantitative", title: chart.currency || "cost", axis: { format: ",.0f" } },
        color: { field: "item", type: "nominal", legend: null, scale: { domain: chart.series, range: chart.series.map((_, i) => colour("s" + i)) } },
        order: { field: "order", type: "quantitative" },
        opacity: { condition: { test: "datum.round === " + JSON.stringify(chart.planned === undefined ? null : chart.planned), value: 0.45 }, value: 1 },
        tooltip: [{ field: "round", type: "ordinal" }, { field: "item", type: "nominal" }, { field: "cost", aggregate: "sum", type: "quantitative", title: "cost", format: ",.2f" }],
      },
    };
  }

  // --- a measure of each perturbation against its cells ---
  function scatter(chart) {
    const values = chart.rows.map(([cells, value, name, round, partial]) => ({ cells, value, name, round, outcome: partial ? "partial" : "measured" }));
    const most = window.innerWidth < 640 ? 4 : 8;
    const span = (field) => Math.max(...values.map((d) => d[field]), 1e-9);
    const close = (a, b) => Math.abs(a.value - b.value) < 0.07 * span("value") && Math.abs(a.cells - b.cells) < 0.35 * span("cells");
    const isLeft = (d) => d.cells < 0.4 * span("cells"), named = [];
    for (const d of values.slice().sort((a, b) => b.value - a.value))
      if (named.length < most && d.value > 0 && !named.some((other) => close(d, other)) && !values.some((other) => other.cells !== d.cells && close(d, other))) named.push(d);
    const names = (left) => ({
      data: { values: named.filter((d) => isLeft(d) === left) },
      mark: { type: "text", dx: left ? 8 : -8, align: left ? "left" : "right", baseline: "middle", fontSize: 11, color: colour("ink") },
      encoding: { text: { field: "name", type: "nominal" } },
    });
    const x = { field: "cells", type: "quantitative", title: "cells", scale: { zero: true, nice: true }, axis: { format: ",d", labelOverlap: "greedy" } };
    const y = { field: "value", type: "quantitative", title: null, scale: { zero: true, nice: true } };
    const by = (a, b) => ({ field: "outcome", type: "nominal", legend: null, scale: { domain: ["measured", "partial"], range: [a, b] } });
    const tooltip = [["name", "perturbation"], ["round", "round"], ["outcome", "outcome"]].map(([field, title]) => ({ field, title, type: "nominal" }))
      .concat([{ field: "cells", type: "quantitative", format: ",d" }, { field: "value", title: chart.title, type: "quantitative", format: ".3~r" }]);
    return {
      width: "container", height: 230, data: { values }, encoding: { x, y },
      layer: [
        { mark: { type: "point", size: 62, strokeWidth: 1.6, opacity: 0.9 },
          encoding: { shape: by("circle", "triangle-up"), fill: by(colour("measured"), "transparent"), stroke: by(colour("card"), colour("planned")), tooltip } },
      ].concat([true, false].filter((left) => named.some((d) => isLeft(d) === left)).map(names)),
    };
  }

  // --- agreement of responses within and between contexts ---
  function pairs(chart) {
    const values = chart.rows.map(([a, b, value, low, high, shared, different], i) => ({
      label: b === null ? a + ", own halves" : a + " – " + b, order: i, value, low, high, shared, different, kind: b === null ? "within" : "between" }));
    const y = { field: "label", type: "nominal", title: null, sort: { field: "order" }, axis: { domain: false, ticks: false, labelLimit: window.innerWidth < 640 ? 130 : 240 } };
    const seen = values.flatMap((d) => [d.value, d.low, d.high, d.different]).filter((v) => v !== null);
    const x = { field: "value", type: "quantitative", title: "correlation of responses", scale: { domain: [Math.min(-0.1, ...seen), Math.max(0.3, ...seen)], nice: true, zero: false }, axis: { grid: true, tickCount: 6 } };
    const only = (kind) => [{ filter: "datum.kind === '" + kind + "'" }];
    const tooltip = [{ field: "label", title: "contexts", type: "nominal" }, { field: "shared", title: "perturbations", type: "quantitative", format: ",d" }]
      .concat(["value", "low", "high", "different"].map((field) => ({ field, title: field === "value" ? "correlation" : field === "different" ? "different perturbations" : field, type: "quantitative", format: ".3~f" })));
    const layer = [{ data: { values: [{ at: 0 }] }, mark: { type: "rule", color: colour("soft"), strokeDash: [3, 3] }, encoding: { x: { field: "at", type: "quantitative" } } }];
    const known = (test) => values.some(test);
    if (known((d) => d.low !== null && d.high !== null))
      layer.push({ transform: [{ filter: "datum.low != null && datum.high != null" }], mark: { type: "rule", strokeWidth: 2, color: colour("measured") },
                   encoding: { y, x: Object.assign({}, x, { field: "low" }), x2: { field: "high" } } });
    if (known((d) => d.different !== null))
      layer.push({ transform: [{ filter: "datum.different != null" }], mark: { type: "tick", thickness: 2, size: 15, color: colour("ink") }, encoding: { y, x: Object.assign({}, x, { field: "different" }), tooltip } });
    if (known((d) => d.kind === "between"))
      layer.push({ transform: only("between"), mark: { type: "point", filled: true, opacity: 1, size: 75, color: colour("measured") }, encoding: { y, x, tooltip } });
    if (known((d) => d.kind === "within"))
      layer.push({ transform: only("within"), mark: { type: "point", filled: false, opacity: 1, size: 75, shape: "square", strokeWidth: 2, color: colour("s1") }, encoding: { y, x, tooltip } });
    return { width: "container", height: 26 * values.length + 10, data: { values }, layer };
  }

  // --- a real screen beside simulated ones: a line of each, the range of the simulated, and real genes as dots ---
  function likeness(chart) {
    const rows = chart.rows.map(([x, real, simulated, low, high]) => ({ x, real, simulated, low, high }));
    const points = chart.points.map(([x, value, name]) => ({ x, value, name }));
    const x = { field: "x", type: "quantitative", title: chart.x, scale: chart.log_x ? { type: "log", nice: false } : { zero: true, nice: false, padding: 8 }, axis: { tickCount: 6, format: ".3~r", labelOverlap: "greedy" } };
    const tail = chart.long_tail ? { scale: { type: "symlog", constant: 0.5, nice: false }, axis: { values: [-1, 0, 0.5, 1, 2, 5, 10, 20, 50, 100], format: "~r" } } : { scale: { zero: true, nice: true } };
    const y = (field) => Object.assign({ field, type: "quantitative", title: chart.y }, tail);
    const own = chart.points.length > 0, shown = (field, title) => ({ field, title, type: "quantitative", format: ".3~r" });
    const tooltip = [shown("x", chart.x), shown("real", "real"), shown("simulated", "simulated"), shown("low", "5 %"), shown("high", "95 %")];
    const line = (field, series) => [
      { transform: [{ filter: "datum." + field + " != null" }], mark: { type: "line", color: colour("s" + series), strokeWidth: series ? 1.8 : 2.6, strokeDash: DASHES[series] }, encoding: { y: y(field) } },
      { transform: [{ filter: "datum." + field + " != null" }], mark: { type: "point", filled: true, opacity: 1, color: colour("s" + series), shape: MARKS[series], size: series ? 40 : 60 }, encoding: { y: y(field), tooltip } },
    ];
    const layer = [];
    if (own) layer.push({ data: { values: points }, mark: { type: "point", filled: true, size: 12, opacity: 0.4, color: colour("s0") },
                          encoding: { y: y("value"), tooltip: [{ field: "name", title: "gene", type: "nominal" }, shown("x", chart.x), shown("value", chart.y)] } });
    if (rows.some((d) => d.low !== null)) layer.push({ transform: [{ filter: "datum.low != null" }], mark: { type: "area", opacity: 0.22, color: colour("s1") }, encoding: { y: y("low"), y2: { field: "high" } } });
    if (rows.some((d) => d.simulated !== null)) layer.push(...line("simulated", 1));
    layer.push(...line("real", 0));
    return { width: "container", height: own ? 280 : 230, data: { values: rows }, encoding: { x }, layer };
  }

  // --- one measure of every perturbation, by model, with the mean and its interval ---
  function strip(chart) {
    const values = chart.rows.map(([model, name, fold, value]) => ({ model, name, fold, value }));
    const means = chart.means.map(([model, value, low, high]) => ({ model, value, low, high }));
    const y = { field: "model", type: "nominal", title: null, sort: null, scale: { domain: chart.series }, axis: { domain: false, ticks: false, labelLimit: 130 } };
    const x = { field: "value", type: "quantitative", title: null, scale: { zero: false, nice: true }, axis: { grid: true, tickCount: 5 } };
    const tooltip = [{ field: "name", title: chart.unit || "perturbation", type: "nominal" }, { field: "model", type: "nominal" }, { field: "fold", title: chart.unit ? "draw" : "fold", type: "quantitative" },
                     { field: "value", type: "quantitative", format: ".3~r" }];
    const total = ["value", "low", "high"].map((field) => ({ field, title: field === "value" ? "mean" : field, type: "quantitative", format: ".3~r" }));
    const layer = [
      { mark: { type: "tick", thickness: 1.4, size: 14, opacity: values.length > 800 ? 0.25 : 0.5, color: colour("measured") }, encoding: { y, x, tooltip } },
    ];
    if (means.some((d) => d.low !== null))
      layer.push({ data: { values: means.filter((d) => d.low !== null) }, mark: { type: "rule", strokeWidth: 3, color: colour("ink") },
                   encoding: { y, x: Object.assign({}, x, { field: "low" }), x2: { field: "high" } } });
    if (means.length) // a layer without a row would leave its scale without an extent
      layer.push({ data: { values: means }, mark: { type: "point", filled: true, opacity: 1, size: 60, color: colour("ink") },
                   encoding: { y, x, tooltip: [{ field: "model", type: "nominal" }].concat(total) } });
    return { width: "container", height: 30 * chart.series.length + 10, data: { values }, layer };
  }

  // --- the map ---
  const KINDS = ["free", "measured", "measured, a hit", "planned", "held out", "excluded"];
  const KIND_COLOURS = ["free", "measured", "hit", "planned", "heldout", "excluded"];
  const KIND_MARKS = ["circle", "circle", "diamond", "triangle-up", "square", "M-.7-.7L.7.7M.7-.7L-.7.7"];
  const DRAWN_ORDER = [0, 5, 4, 1, 2, 3]; // what matters comes on top

  function map(chart) {
    const values = chart.rows
      .map(([x, y, name, kind, round, score, value, reason]) => ({ x, y, name, kind, round, score, value, reason, key: String(name).toUpperCase() }))
      .sort((a, b) => DRAWN_ORDER.indexOf(a.kind) - DRAWN_ORDER.indexOf(b.kind));
    const narrow = window.innerWidth < 640;
    const crowd = (narrow ? 0.6 : 1) * (values.length > 5000 ? 0.55 : values.length > 2000 ? 0.9 : values.length > 400 ? 1.2 : 1.8);
    const scale = (list) => ({ domain: [0, 1, 2, 3, 4, 5], range: list });
    const by = (list, type) => ({ field: "kind", type: type || "ordinal", legend: null, scale: scale(list) });
    const extent = (field) => values.reduce(([low, high], d) => [Math.min(low, d[field]), Math.max(high, d[field])], [Infinity, -Infinity]);
    const place = (field, title) => ({ field, type: "quantitative", title: title || null, scale: { domain: extent(field), zero: false, nice: false, padding: 12 }, axis: { grid: false, labels: false, ticks: false, domain: false } });
    const named = [{ filter: "find != '' && datum.key == find" }];
    return {
      width: "container", height: narrow ? 360 : 500, data: { values },
      params: [{ name: "find", value: "" }],
      encoding: { x: place("x", chart.x), y: place("y", chart.y) },
      layer: [
        { mark: { type: "point", tooltip: { content: "data" } },
          encoding: {
            shape: by(KIND_MARKS, "nominal"),
            fill: by(KIND_COLOURS.map((c, k) => (k > 3 ? "transparent" : colour(c)))),
            stroke: by(KIND_COLOURS.map((c, k) => (k === 2 || k === 3 ? colour("outline") : k === 0 ? "transparent" : k === 1 ? colour("card") : colour(c)))),
            strokeWidth: by([0, 0.5, 0.7, 0.7, 1.1, 1.3]), size: by([22, 52, 95, 80, 34, 34].map((s) => s * crowd)), opacity: by([0.75, 0.9, 1, 1, 0.85, 0.9]),
          } },
        { transform: named, mark: { type: "point", size: 420, strokeWidth: 2.5, stroke: colour("ink"), fill: null } },
        { transform: named, mark: { type: "text", dy: -20, fontSize: 14, fontWeight: 600, color: colour("ink") }, encoding: { text: { field: "name", type: "nominal" } } },
      ],
    };
  }

  // --- the whole map: perturbations by likeness, or by magnitude and specificity ---
  const CLASSES = ["strong consistent", "strong variable", "weak consistent", "weak variable", "strong", "weak"];
  const CLASS_COLOURS = ["s0", "s1", "free", "hit", "s0", "free"]; // as io/report_whole_map.c has them
  const CLUSTER_COLOURS = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];
  const cloudRows = () => charts.find((chart) => chart.kind === "cloud" && chart.rows).rows;

  function cloud(chart) {
    const shape = chart.of === "shape", narrow = window.innerWidth < 640;
    const values = cloudRows().filter((row) => (shape ? row[5] > 0 && row[6] !== null : row[0] !== null))
      .map(([x, y, name, group, cluster, magnitude, specificity, contexts]) => ({ x, y, name, group, cluster, magnitude, specificity, contexts, key: String(name).toUpperCase() }))
      .sort((a, b) => a.contexts - b.contexts); // what was measured comes on top
    const extent = (field) => values.reduce(([low, high], d) => [Math.min(low, d[field]), Math.max(high, d[field])], [Infinity, -Infinity]);
    const bare = (field) => ({ field, type: "quantitative", title: null, scale: { domain: extent(field), zero: false, nice: false, padding: 12 }, axis: { grid: false, labels: false, ticks: false, domain: false } });
    const byClass = { field: "group", type: "ordinal", legend: null, scale: { domain: CLASSES.map((_, i) => i), range: CLASS_COLOURS.map(colour) } };
    const byCluster = { condition: CLUSTER_COLOURS.map((c, i) => ({ test: "datum.cluster === " + (i + 1), value: colour(c) })), value: colour("free") };
    const crowd = (narrow ? 0.6 : 1) * (values.length > 5000 ? 0.35 : values.length > 1000 ? 0.6 : 1);
    const x = shape ? { field: "magnitude", type: "quantitative", title: "magnitude", scale: { type: "log", domain: extent("magnitude"), nice: false, padding: 12 }, axis: { grid: false, labelOverlap: "greedy", format: "~g" } } : bare("x");
    const y = shape ? { field: "specificity", type: "quantitative", title: "specificity", scale: { domain: extent("specificity"), zero: false, nice: true } } : bare("y");
    const line = (field, channel, at) => ({ data: { values: [{ [field]: at }] }, mark: { type: "rule", strokeDash: [4, 3], color: colour("ink") }, encoding: { [channel]: Object.assign({}, channel === "x" ? x : y) } });
    const named = [{ filter: "find != '' && datum.key == find" }];
    const layer = [{ mark: { type: "point", filled: true, strokeWidth: 0, tooltip: { content: "data" } },
                     encoding: { x, y, color: chart.colour === "cluster" ? byCluster : byClass, size: { value: 46 * crowd }, opacity: { condition: { test: "datum.contexts > 0", value: 0.85 }, value: 0.4 } } }];
    if (shape) layer.push(line("magnitude", "x", chart.magnitude), line("specificity", "y", chart.specificity));
    layer.push({ transform: named, mark: { type: "point", size: 420, strokeWidth: 2.5, stroke: colour("ink"), fill: null }, encoding: { x, y } },
               { transform: named, mark: { type: "text", dy: -20, fontSize: 14, fontWeight: 600, color: colour("ink") }, encoding: { x, y, text: { field: "name", type: "nominal" } } });
    return { width: "container", height: narrow ? 340 : shape ? 340 : 500, data: { values }, params: [{ name: "find", value: "" }], layer };
  }

  const cloudFacts = (d) => [["class", CLASSES[d.group]], ["cluster", d.cluster || null], ["magnitude", d.magnitude], ["specificity", d.specificity],
                             ["observed", d.contexts === 1 ? "in 1 context" : d.contexts ? "in " + d.contexts + " contexts" : "nowhere: predicted"]];

  const number = (x) => (typeof x === "number" ? String(Number(x.toPrecision(4))) : String(x));

  function pointText(datum, safe) {
    if (!datum || datum.name === undefined) return safe(datum);
    const facts = datum.group !== undefined ? cloudFacts(datum)
      : [["status", KINDS[datum.kind]], ["round", datum.round], ["score", datum.score], ["value", datum.value], ["why", datum.reason]];
    const lines = facts.filter(([, value]) => value !== undefined && value !== null)
      .map(([key, value]) => '<tr><td class="key">' + key + '</td><td class="value">' + safe(number(value)) + "</td></tr>");
    return "<h2>" + safe(String(datum.name)) + "</h2><table>" + lines.join("") + "</table>";
  }

  const finders = []; // views that show what is looked for

  function connectFind(chart, view) {
    const input = document.getElementById("find"), found = document.getElementById("found");
    const isCloud = chart.kind === "cloud", names = new Map((isCloud ? cloudRows() : chart.rows).map((row) => [String(row[2]).toUpperCase(), row]));
    const describe = (row) => (isCloud ? CLASSES[row[3]] : KINDS[row[3]] + (row[4] !== undefined && row[4] !== null ? ", round " + row[4] : ""));
    finders.push(view);
    input.oninput = () => {
      const wanted = input.value.trim().toUpperCase(), row = names.get(wanted);
      found.textContent = !wanted ? "" : row ? describe(row) : "not drawn here";
      finders.forEach((each) => each.signal("find", row ? wanted : "").run());
    };
    if (input.value) input.oninput();
  }

  // --- allocations: quality against a price, and the front ---
  // a title along an axis of few pixels, in two lines where it is long
  function folded(text) {
    const words = text.split(" "), half = text.length / 2;
    if (text.length < 30 || words.length < 2) return text;
    let cut = 1;
    while (cut < words.length - 1 && words.slice(0, cut + 1).join(" ").length <= half + 3) cut++;
    return [words.slice(0, cut).join(" "), words.slice(cut).join(" ")];
  }

  function tradeoff(chart) {
    const values = chart.rows.map(([price, value, low, high, name, kind, afforded]) => ({ price, value, low, high, name, kind, afforded }));
    const x = { field: "price", type: "quantitative", title: chart.x, scale: { zero: false, nice: true, padding: 12 }, axis: { format: "~s", labelOverlap: "greedy", tickCount: 6 } };
    const y = { field: "value", type: "quantitative", title: folded(chart.y), scale: { zero: false, nice: true } };
    const shade = { condition: [{ test: "datum.kind === 2", value: colour("planned") }, { test: "datum.kind === 1", value: colour("measured") }], value: colour("free") };
    const tooltip = [{ field: "name", title: "allocation", type: "nominal" }, { field: "price", title: chart.x, type: "quantitative", format: ",.6~r" }]
      .concat(["value", "low", "high"].map((field) => ({ field, type: "quantitative", format: ".3~r" })));
    const layer = [];
    if (chart.limit !== null) layer.push({ data: { values: [{ price: chart.limit }] }, mark: { type: "rule", strokeDash: [5, 4], color: colour("soft") }, encoding: { x } });
    // the front as it was found; a recommended point that lies off it is no part of the line
    const front = values.filter((d) => d.kind > 0 && !values.some((o) => o !== d && o.price <= d.price && (chart.lower ? o.value < d.value : o.value > d.value)));
    if (front.length > 1) layer.push({ data: { values: front }, mark: { type: "line", interpolate: "step-after", color: colour("measured"), strokeWidth: 1.6 }, encoding: { x, y } });
    if (values.some((d) => d.low !== null))
      layer.push({ transform: [{ filter: "datum.low != null" }], mark: { type: "rule", strokeWidth: 1.2 },
                   encoding: { x, y: Object.assign({}, y, { field: "low" }), y2: { field: "high" }, color: shade, opacity: { condition: { test: "datum.kind > 0", value: 0.9 }, value: 0.45 } } });
    layer.push({ mark: { type: "point", strokeWidth: 1.6, opacity: 1 },
                 encoding: { x, y, stroke: shade, fill: { condition: [{ test: "!datum.afforded", value: colour("card") }].concat(shade.condition), value: colour("free") },
                             size: { condition: { test: "datum.kind > 0", value: 70 }, value: 40 }, tooltip } });
    const chosen = values.filter((d) => d.kind === 2);
    if (chosen.length) {
      const right = chosen[0].price > (Math.min(...values.map((d) => d.price)) + Math.max(...values.map((d) => d.price))) / 2;
      layer.push({ data: { values: chosen }, mark: { type: "point", size: 260, strokeWidth: 2, stroke: colour("planned"), fill: null }, encoding: { x, y } },
                 { data: { values: chosen }, mark: { type: "text", align: right ? "right" : "left", dx: right ? -14 : 14, dy: 12, fontSize: 12, fontWeight: 600, color: colour("ink") }, encoding: { x, y, text: { field: "name", type: "nominal" } } });
    }
    return { width: "container", height: 260, data: { values }, layer };
  }

  // --- learning curves, and bands past the last round ---
  function ahead(chart) {
    const read = ([measured, arm, value, low, high]) => ({ measured, arm, value, low, high });
    const values = chart.rows.map(read), further = chart.ahead.map(read);
    const scale = (list) => ({ domain: chart.series, range: chart.series.map((_, i) => nth(list, i)) });
    const by = (list) => ({ field: "arm", type: "nominal", legend: null, scale: scale(list) });
    const colours = by(DASHES.map((_, i) => colour("s" + i)));
    const x = { field: "measured", type: "quantitative", title: "perturbations measured", scale: { zero: false, nice: false, padding: 14 }, axis: { format: ",d", labelOverlap: "greedy" } };
    const y = { field: "value", type: "quantitative", title: folded(chart.y), scale: { zero: false, nice: true } };
    const own = "datum.arm === " + JSON.stringify(chart.series[0]);
    const tooltip = [{ field: "arm", type: "nominal" }, { field: "measured", type: "quantitative", format: ",d" }].concat(["value", "low", "high"].map((field) => ({ field, type: "quantitative", format: ".3~r" })));
    const layer = [];
    if (further.length)
      layer.push({ data: { values: further }, mark: { type: "area" }, encoding: { x, y: Object.assign({}, y, { field: "low" }), y2: { field: "high" }, color: colours, opacity: { condition: { test: own, value: 0.2 }, value: 0.07 } } },
                 { data: { values: further }, mark: { type: "line", strokeDash: [3, 3] }, encoding: { x, y, color: colours, strokeWidth: { condition: { test: own, value: 2.2 }, value: 1.2 } } });
    if (values.some((d) => d.low !== null))
      layer.push({ transform: [{ filter: "datum.low != null" }], mark: { type: "rule", strokeWidth: 1 }, encoding: { x, y: Object.assign({}, y, { field: "low" }), y2: { field: "high" }, color: colours, opacity: { condition: { test: own, value: 0.9 }, value: 0.4 } } });
    layer.push({ mark: { type: "line" }, encoding: { x, y, color: colours, strokeDash: by(DASHES), strokeWidth: { condition: { test: own, value: 2.6 }, value: 1.5 } } },
               { mark: { type: "point", filled: true, opacity: 1 }, encoding: { x, y, color: colours, shape: by(MARKS), size: { condition: { test: own, value: 60 }, value: 40 }, tooltip } });
    return { width: "container", height: 320, data: { values }, layer };
  }

  const BUILDERS = { tradeoff, ahead, curve, hits, training, spend, scatter, pairs, likeness, strip, map, cloud };
  const views = new Map();

  function draw(place) {
    const chart = charts[Number(place.dataset.chart)];
    const spec = Object.assign({ config: config(), autosize: { type: "fit", contains: "padding" }, padding: 4 }, BUILDERS[chart.kind](chart));
    const isMap = chart.kind === "map" || chart.kind === "cloud";
    const marks = chart.kind === "cloud" ? cloudRows().length : isMap ? chart.rows.length : 0;
    // An expression interpreter (ast) in place of generated code, so that the page needs no permission to evaluate strings.
    const options = {
      mode: "vega-lite", ast: true, renderer: marks > 2500 ? "canvas" : "svg",
      actions: { export: true, source: false, compiled: false, editor: false }, downloadFileName: "sower-" + chart.kind,
      tooltip: isMap ? { formatTooltip: pointText, disableDefaultStyle: true } : { disableDefaultStyle: true },
    };
    return vegaEmbed(place, spec, options).then((result) => {
      if (views.has(place)) {
        const old = finders.indexOf(views.get(place).view);
        if (old >= 0) finders.splice(old, 1);
        views.get(place).finalize();
      }
      views.set(place, result);
      if (isMap) connectFind(chart, result.view);
      place.dataset.drawn = dark.matches ? "dark" : "light";
    }).catch((error) => {
      place.textContent = "This chart could not be drawn: " + error.message;
      console.error(error);
    });
  }

  const drawAll = () => document.querySelectorAll("[data-chart]").forEach(draw);
  dark.addEventListener("change", drawAll);
  drawAll();
})();
