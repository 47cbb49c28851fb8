"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("data").textContent);
  const { said, ticks, roles, offsets, unit } = facts;
  const css = getComputedStyle(document.documentElement);
  const colour = Object.fromEntries(
    ["paper", "card", "ink", "soft", "faint", "line", "plan", "sample", "driven", "history", "bad"]
      .map((name) => [name, css.getPropertyValue("--" + name).trim()]));
  const FONT = "12px system-ui, 'Segoe UI', 'Helvetica Neue', sans-serif";
  const byId = (id) => document.getElementById(id);
  const NOWHERE = -32768;

  // ---- data ---------------------------------------------------------------------------------------------------------

  const KINDS = { float32: Float32Array, int16: Int16Array };
  function bytes(text) {
    const raw = atob(text), out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  }
  const arrays = {};
  for (const [name, { type, shape }] of Object.entries(facts.arrays)) {
    const data = new KINDS[type](bytes(byId("array-" + name).textContent).buffer);
    const size = shape.slice(1).reduce((a, b) => a * b, 1);
    arrays[name] = { shape, row: (k) => data.subarray(k * size, (k + 1) * size) };
  }
  const start = ticks.length ? BigInt(ticks[0].t0) : 0n;
  for (const tick of ticks) tick.t = Number(BigInt(tick.t0) - start) / 1e9;
  const span = Math.max(ticks.length ? ticks[ticks.length - 1].t : 0, 0.1);
  const plans = ticks.filter((tick) => tick.plan !== undefined);
  const pictureText = byId("pictures").firstChild;

  const cache = new Map();
  function picture(number) {
    if (!cache.has(number)) {
      const image = new Image();
      const [from, to] = [offsets[number], offsets[number + 1]];
      image.src = "data:image/jpeg;base64," + pictureText.substringData(from, to - from);
      image.onload = () => { if (!cache.get(number)?.drawn) draw(); };
      cache.set(number, image);
      if (cache.size > 240) cache.delete(cache.keys().next().value);
    }
    return cache.get(number);
  }

  // ---- state --------------------------------------------------------------------------------------------------------

  const moves = (tick) => tick.plan !== undefined && arrays.xy.row(tick.plan)[tick.chosen * 128 + 126] > 5;
  let at = Math.max(0, [moves, (tick) => tick.plan !== undefined].map((test) => ticks.findIndex(test)).find((k) => k >= 0) ?? 0);
  let playing = false, showSamples = true, due = false;
  function go(k) {
    const next = Math.max(0, Math.min(ticks.length - 1, k));
    if (next === at) return;
    at = next;
    draw();
  }
  function nearest(t) {
    let low = 0, high = ticks.length - 1;
    while (low < high) { const mid = (low + high) >> 1; if (ticks[mid].t < t) low = mid + 1; else high = mid; }
    return low > 0 && t - ticks[low - 1].t < ticks[low].t - t ? low - 1 : low;
  }
  function draw() {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; paint(); });
  }

  // ---- canvas helpers -----------------------------------------------------------------------------------------------

  function context(canvas) {
    const ratio = window.devicePixelRatio || 1, { clientWidth: w, clientHeight: h } = canvas;
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(h * ratio);
    }
    const g = canvas.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, w, h);
    g.font = FONT;
    g.lineJoin = g.lineCap = "round";
    return [g, w, h];
  }
  const STYLES = {
    plan: { colour: () => colour.plan, width: 4, dash: [] },
    sample: { colour: () => colour.sample, width: 1.4, dash: [] },
    driven: { colour: () => colour.driven, width: 2.6, dash: [7, 5] },
    history: { colour: () => colour.history, width: 2.8, dash: [0.5, 5] },
  };
  function line(g, points, style) {
    g.beginPath();
    let pen = false;
    for (const p of points) {
      if (!p || !Number.isFinite(p[0]) || !Number.isFinite(p[1])) { pen = false; continue; }
      if (pen) g.lineTo(p[0], p[1]); else g.moveTo(p[0], p[1]);
      pen = true;
    }
    g.strokeStyle = style.colour();
    g.lineWidth = style.width;
    g.setLineDash(style.dash);
    g.stroke();
    g.setLineDash([]);
  }
  const pairs = (array, from, count) => Array.from({ length: count }, (_, k) => [array[from + 2 * k], array[from + 2 * k + 1]]);

  // ---- cameras ------------------------------------------------------------------------------------------------------

  const LABELS = { front_wide: "front wide", cross_left: "cross left", front_tele: "front tele", cross_right: "cross right" };
  const BRIGHT = { plan: "#5fd0f5", edge: "rgba(95,208,245,.85)", fill: "rgba(64,196,240,.30)", sample: "rgba(255,255,255,.72)" };
  function camera(role, tick) {
    const canvas = byId(role), [g, w, h] = context(canvas);
    const caption = canvas.parentElement.querySelector("figcaption");
    const number = tick?.pictures?.[role];
    caption.textContent = LABELS[role] || role;
    if (number === undefined) {
      g.fillStyle = "#9aa3af";
      g.textAlign = "center";
      const dropped = said.what_if.dropped.includes(role);
      g.fillText(dropped ? "dropped from what the policy sees" : tick?.refusal ? "no plan at this tick" : "no picture", w / 2, h / 2);
      return;
    }
    const offset = tick.offsets[role];
    caption.textContent += offset ? `, ${offset > 0 ? "+" : "\u2212"}${Math.abs(offset).toFixed(0)} ms` : "";
    const image = picture(number);
    if (!image.complete || !image.naturalWidth) return;
    image.drawn = true;
    const scale = Math.min(w / image.naturalWidth, h / image.naturalHeight);
    const [iw, ih] = [image.naturalWidth * scale, image.naturalHeight * scale], [x, y] = [(w - iw) / 2, (h - ih) / 2];
    g.drawImage(image, x, y, iw, ih);
    const { shape, row } = arrays["fan_" + role], points = shape[2], fan = row(tick.plan);
    const place = (k) => Array.from({ length: points }, (_, n) => {
      const from = (k * points + n) * 2;
      return fan[from] === NOWHERE ? null : [x + fan[from] / unit * iw, y + fan[from + 1] / unit * ih];
    });
    g.save();
    g.beginPath();
    g.rect(x, y, iw, ih);
    g.clip();
    if (showSamples) {
      for (let k = 0; k < tick.reasoning.length; k++) {
        if (k !== tick.chosen) line(g, place(k + 2), { colour: () => BRIGHT.sample, width: 1.3, dash: [] });
      }
    }
    const [left, right] = [place(0), place(1)];
    g.fillStyle = BRIGHT.fill;
    for (let n = 0; n + 1 < points; n++) {
      const quad = [left[n], left[n + 1], right[n + 1], right[n]];
      if (quad.some((p) => !p)) continue;
      g.beginPath();
      quad.forEach((p, i) => (i ? g.lineTo(...p) : g.moveTo(...p)));
      g.fill();
    }
    for (const edge of [left, right]) line(g, edge, { colour: () => BRIGHT.edge, width: 1.6, dash: [] });
    line(g, place(tick.chosen + 2), { colour: () => "rgba(12,30,40,.55)", width: 4.6, dash: [] });
    line(g, place(tick.chosen + 2), { colour: () => BRIGHT.plan, width: 2.4, dash: [] });
    g.restore();
  }

  // ---- from above ---------------------------------------------------------------------------------------------------

  // One scale for the whole replay, so that stepping does not zoom; larger only where a plan would leave the view.
  const reach = (() => {
    const all = [];
    for (const tick of plans) {
      const xy = arrays.xy.row(tick.plan), base = tick.chosen * 128;
      all.push(Math.max(xy[base + 126], ...pairs(arrays.driven.row(tick.plan), 126, 1).map((p) => p[0] || 0)));
    }
    all.sort((a, b) => a - b);
    return Math.max(24, all.length ? all[Math.floor(0.95 * (all.length - 1))] * 1.08 : 40);
  })();
  function above(tick) {
    const [g, w, h] = context(byId("above"));
    const behind = Math.max(6, reach * 0.18);
    let ahead = reach, aside = 0;
    if (tick?.plan !== undefined) {
      for (const [x, y] of [...pairs(arrays.xy.row(tick.plan), tick.chosen * 128, 64), ...pairs(arrays.driven.row(tick.plan), 0, 64)]) {
        if (Number.isFinite(x)) { ahead = Math.max(ahead, x + 3); aside = Math.max(aside, Math.abs(y) + 3); }
      }
    }
    const scale = Math.min(h / (ahead + behind), w / 2 / Math.max(aside, 6)), x0 = w / 2, y0 = h - behind * scale;
    const place = ([x, y]) => [x0 - y * scale, y0 - x * scale];
    const step = [5, 10, 20, 50, 100].find((s) => s * scale > 46) || 200;
    g.textAlign = "left";
    for (let metres = -Math.floor(behind / step) * step; metres * scale < y0; metres += step) {
      const y = y0 - metres * scale;
      g.strokeStyle = colour.line;
      g.lineWidth = 1;
      g.beginPath();
      g.moveTo(0, y);
      g.lineTo(w, y);
      g.stroke();
      g.fillStyle = colour.faint;
      g.fillText(`${metres} m`, 8, y - 5);
    }
    if (tick?.plan === undefined) {
      g.fillStyle = colour.soft;
      g.textAlign = "center";
      g.fillText("no plan at this tick", x0, h / 2);
      return;
    }
    const k = tick.plan, xy = arrays.xy.row(k);
    line(g, pairs(arrays.history.row(k), 0, arrays.history.shape[1]).map(place), STYLES.history);
    if (showSamples) {
      for (let s = 0; s < tick.reasoning.length; s++) {
        if (s !== tick.chosen) line(g, pairs(xy, s * 128, 64).map(place), STYLES.sample);
      }
    }
    const chosen = [[0, 0], ...pairs(xy, tick.chosen * 128, 64)].map(place);
    const driven = [[0, 0], ...pairs(arrays.driven.row(k), 0, 64)].map(place);
    line(g, chosen, STYLES.plan);
    line(g, driven, STYLES.driven);
    for (let second = 1; second <= 6; second++) {  // where both are at whole seconds: a disc and a square
      const p = chosen[second * 10], d = driven[second * 10];
      g.fillStyle = colour.card;
      g.lineWidth = 1.6;
      if (p) { g.strokeStyle = colour.plan; g.beginPath(); g.arc(p[0], p[1], 4, 0, 7); g.fill(); g.stroke(); }
      if (d && Number.isFinite(d[0])) { g.strokeStyle = colour.driven; g.fillRect(d[0] - 3.2, d[1] - 3.2, 6.4, 6.4); g.strokeRect(d[0] - 3.2, d[1] - 3.2, 6.4, 6.4); }
    }
    const [bw, front, back] = [0.95 * scale, 3.7 * scale, 0.9 * scale];
    g.fillStyle = colour.ink;
    g.beginPath();
    g.roundRect(x0 - bw, y0 - front, 2 * bw, front + back, Math.min(bw / 2, 5));
    g.fill();
    g.fillStyle = colour.card;
    g.fillRect(x0 - bw * 0.7, y0 - front * 0.62, bw * 1.4, Math.max(1.5, front * 0.14));
  }

  // ---- timeline and plots -------------------------------------------------------------------------------------------

  const BARS = { left: 52, right: 12 };
  const toX = (t, w) => BARS.left + (t / span) * (w - BARS.left - BARS.right);
  const toTime = (x, w) => ((x - BARS.left) / (w - BARS.left - BARS.right)) * span;
  function seconds(g, w, y) {
    const step = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600].find((s) => (s / span) * w > 70) || 7200;
    g.fillStyle = colour.faint;
    g.textAlign = "center";
    for (let t = 0; t <= span + 1e-6; t += step) g.fillText(`${+t.toFixed(1)} s`, toX(t, w), y);
  }
  function timeline() {
    const [g, w] = context(byId("timeline"));
    const wide = Math.max(1, (w - BARS.left - BARS.right) / ticks.length);
    g.fillStyle = colour.paper;
    g.fillRect(BARS.left - 2, 5, w - BARS.left - BARS.right + 4, 16);
    for (const tick of ticks) {
      const x = toX(tick.t, w);
      if (tick.refusal) {  // hollow and low: told from a plan without colour
        g.fillStyle = colour.bad;
        g.fillRect(x - wide / 2, 18, Math.max(wide, 1.5), 3);
      } else {
        g.fillStyle = colour.sample;
        g.fillRect(x - wide / 2 + (wide > 4 ? 0.5 : 0), 5, wide - (wide > 4 ? 1 : 0), 16);
        if (tick.stand_ins || tick.refused.length) { g.fillStyle = colour.driven; g.fillRect(x - 1, 2, 2, 3); }
      }
    }
    seconds(g, w, 36);
    const x = toX(ticks[at]?.t || 0, w);
    g.fillStyle = colour.ink;
    g.fillRect(x - 1, 1, 2, 24);
    g.beginPath();
    g.moveTo(x - 5, 0);
    g.lineTo(x + 5, 0);
    g.lineTo(x, 6);
    g.fill();
  }

  const number = (tick, name) => (tick.numbers && tick.numbers[name] !== undefined ? tick.numbers[name] : NaN);
  const PLOTS = [
    { title: "Speed, m/s", zero: true, ahead: "speed", series: [["driven", (k) => arrays.motion.row(k.plan)[0], "driven"]] },
    { title: "Curvature, 1/m (+ is left)", ahead: "curvature", least: 0.01, series: [["driven", (k) => arrays.motion.row(k.plan)[1], "driven"]] },
    { title: "Mean distance from what was driven, m", zero: true, least: 0.5, series: [["best sample", (k) => number(k, "min_ade"), "plan"],
      ["from plan to plan", (k) => number(k, "plan_to_plan"), "history"]] },
    { title: "Time per tick: waiting for images, planning; ms", zero: true, series: [["per tick", (k) => k.latency * 1000, "plan"]] },
  ];
  const THIN = { plan: { colour: () => colour.plan, width: 2, dash: [] }, driven: { colour: () => colour.driven, width: 1.8, dash: [6, 4] },
    history: { colour: () => colour.history, width: 1.8, dash: [0.5, 4] } };
  for (const plot of PLOTS) {
    const box = document.createElement("div");
    box.className = "plot";
    box.innerHTML = "<h2></h2><canvas></canvas>";
    box.querySelector("h2").append(plot.title, document.createElement("span"));
    byId("plots").append(box);
    plot.canvas = box.querySelector("canvas");
    plot.now = box.querySelector("span");
    plot.values = plot.series.map(([, value]) => ticks.map((tick) => (tick.plan === undefined ? NaN : value(tick))));
    const finite = plot.values.flat().filter(Number.isFinite);
    if (plot.ahead) for (const tick of plans) finite.push(...[0, 20, 40, 63].map((n) => arrays[plot.ahead].row(tick.plan)[n]));
    finite.sort((a, b) => a - b);
    const clip = plot.ahead === "curvature" ? Math.floor(finite.length * 0.01) : 0;  // a crawl's noise sets no scale
    let low = finite.length ? finite[clip] : 0, high = finite.length ? finite[finite.length - 1 - clip] : 1;
    if (plot.zero) low = Math.min(low, 0);
    if (high - low < (plot.least || 1)) { const more = ((plot.least || 1) - high + low) / 2; high += more; low = plot.zero && low === 0 ? 0 : low - more; }
    plot.range = [low, high + 0.06 * (high - low)];
  }
  function nice(low, high) {
    const rough = (high - low) / 3, power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((m) => m * power).find((step) => step >= rough);
  }
  const short = (value) => (Math.abs(value) < 1e-12 ? "0" : `${+(Math.abs(value) < 0.1 ? value.toPrecision(2) : value.toFixed(2))}`);
  function paintPlot(plot) {
    const [g, w, h] = context(plot.canvas), bottom = h - 18, [low, high] = plot.range;
    const toY = (value) => bottom - ((value - low) / (high - low)) * (bottom - 6);
    const step = nice(low, high);
    g.textAlign = "right";
    for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
      g.strokeStyle = Math.abs(value) < step / 1e6 ? colour.faint : colour.line;
      g.lineWidth = 1;
      g.beginPath();
      g.moveTo(BARS.left, toY(value));
      g.lineTo(w - BARS.right, toY(value));
      g.stroke();
      g.fillStyle = colour.faint;
      g.fillText(short(value), BARS.left - 7, toY(value) + 4);
    }
    seconds(g, w, h - 3);
    g.save();
    g.beginPath();
    g.rect(BARS.left, 0, w - BARS.left - BARS.right, bottom + 1);
    g.clip();
    plot.series.forEach(([, , style], s) => line(g, ticks.map((tick, k) => [toX(tick.t, w), toY(plot.values[s][k])]), THIN[style]));
    const tick = ticks[at];
    if (plot.ahead && tick?.plan !== undefined) {  // what the plan of this tick holds for the next seconds
      const values = arrays[plot.ahead].row(tick.plan), late = plot.ahead === "speed" ? 0 : 1;
      line(g, Array.from(values, (value, n) => [toX(tick.t + (n + late) * 0.1, w), toY(value)]), STYLES.plan);
    }
    g.restore();
    const x = toX(tick?.t || 0, w);
    g.strokeStyle = colour.ink;
    g.lineWidth = 1;
    g.beginPath();
    g.moveTo(x, 2);
    g.lineTo(x, bottom);
    g.stroke();
    const now = plot.series.map(([name], s) => [name, plot.values[s][at]]).filter(([, value]) => Number.isFinite(value));
    if (plot.ahead && tick?.plan !== undefined) now.unshift(["plan at its end", arrays[plot.ahead].row(tick.plan).at(-1)]);
    plot.now.textContent = now.map(([name, value]) => `${name} ${short(value)}`).join(",  ");
  }

  // ---- words --------------------------------------------------------------------------------------------------------

  function words(tick) {
    const reasoning = byId("reasoning"), about = byId("facts");
    reasoning.classList.toggle("refused", Boolean(tick?.refusal));
    if (!tick) { reasoning.textContent = "This replay has no tick."; return; }
    reasoning.textContent = tick.refusal ? tick.why : tick.reasoning[tick.chosen] || "(the policy gave no reasoning)";
    const parts = [];
    if (tick.plan !== undefined) {
      parts.push(`${short(arrays.speed.row(tick.plan)[0])} m/s at t0`);
      if (tick.reasoning.length > 1) parts.push(`sample ${tick.chosen + 1} of ${tick.reasoning.length}`);
      if (tick.command) parts.push(`command \u201c${tick.command}\u201d`);
      const horizon = number(tick, "horizon"), error = number(tick, "min_ade");
      if (Number.isFinite(error)) parts.push(`${short(error)} m from what was driven, over ${horizon >= 6.35 ? "6.4 s" : `the ${horizon.toFixed(1)} s that the bag still has`}`);
      if (tick.stand_ins) parts.push(`${tick.stand_ins} image${tick.stand_ins > 1 ? "s stand" : " stands"} in for lost ones`);
      parts.push(...tick.notes, ...tick.refused);
    }
    about.textContent = parts.join("  \u00b7  ");
    byId("clock").textContent = `${tick.t.toFixed(2)} s   tick ${at + 1} of ${ticks.length}`;
    byId("timeline").setAttribute("aria-valuetext", `${tick.t.toFixed(2)} seconds, ${reasoning.textContent}`);
    byId("timeline").setAttribute("aria-valuenow", at + 1);
  }
  function cell(row, kind, text) { const made = document.createElement(kind); made.textContent = text; row.append(made); return made; }
  function table(id, rows, empty) {
    for (const values of rows) {
      const row = byId(id).insertRow();
      values.forEach((value, k) => cell(row, k ? "td" : "th", value));
    }
    if (!rows.length) cell(byId(id).insertRow(), "th", empty);
  }
  function still() {
    const m = said.metrics, mean = (name, digits = 2) => (m[name] ? m[name].mean.toFixed(digits) : "\u2013");
    const percent = (name) => (m[name] ? `${(100 * m[name].mean).toFixed(0)} %` : "\u2013");
    byId("name").textContent = document.title;
    byId("setting").textContent = `${said.plans} plans from ${said.ticks} ticks over ${span.toFixed(1)} s`
      + (facts.stride > 1 ? `; one tick in ${facts.stride} is shown here, all are in plans.parquet` : "");
    const badge = (text, kind) => { const made = document.createElement("span"); made.textContent = text; if (kind) made.className = kind; byId("badges").append(made); };
    if (said.what_if.command !== null) badge(`what if: command \u201c${said.what_if.command}\u201d`, "whatif");
    for (const role of said.what_if.dropped) badge(`what if: without ${role}`, "whatif");
    for (const remark of said.remarks) badge(remark);
    const tile = (name, value, small) => {
      const box = document.createElement("div");
      cell(box, "dt", name);
      const dd = cell(box, "dd", value);
      if (small) { const made = document.createElement("small"); made.textContent = " " + small; dd.append(made); }
      byId("tiles").append(box);
    };
    tile("minADE at 6.4 s", mean("min_ade_6.4s"), m["min_ade_6.4s"] && "m");
    tile("at 3 s", mean("min_ade_3s"), m["min_ade_3s"] && "m");
    if (said.refusals.rate !== null) tile("ticks refused", (100 * said.refusals.rate).toFixed(1), "%");
    if (said.latency) tile("a plan takes", (1000 * said.latency.p50).toFixed(0), "ms");
    const errors = [["", "1 s", "3 s", "6.4 s"]];
    for (const [label, name, digits] of [["minADE, m", "min_ade", 2], ["ADE of the chosen plan, m", "ade", 2], ["FDE, m", "fde", 2], ["minFDE, m", "min_fde", 2],
      ["lateral error, m", "lateral", 2], ["longitudinal error, m", "longitudinal", 2], ["heading error, rad", "heading", 3]])
      errors.push([label, ...["1s", "3s", "6.4s"].map((at) => mean(`${name}_${at}`, digits))]);
    errors.push(["missed (over 2 m off)", ...["1s", "3s", "6.4s"].map((at) => percent(`miss_${at}`))]);
    errors.push(["ticks", ...["1s", "3s", "6.4s"].map((at) => (m[`ade_${at}`] ? m[`ade_${at}`].ticks : 0))]);
    table("errors", errors);
    const part = said.partial_horizon;
    if (part.ticks) {
      const note = document.createElement("p");
      note.className = "note";
      note.textContent = `For ${part.ticks} ticks the bag ends before the plan does: over the ${part.mean_horizon.toFixed(1)} s that are left on average, their minADE is ${part.min_ade_over_it.toFixed(2)} m. They count above only where their future reaches.`;
      byId("errors").after(note);
    }
    const own = [["within all comfort bounds", percent("comfort")]];
    for (const name of Object.keys(m).filter((key) => key.startsWith("comfort_"))) own.push(["\u2003" + name.slice(8).replaceAll("_", " "), percent(name)]);
    own.push(["from plan to plan, m", mean("plan_to_plan")]);
    own.push(["reasoning and path agree", m.reasoning_action ? `${percent("reasoning_action")} of ${m.reasoning_action.ticks}` : "not judged"]);
    table("own", own);
    const first = {};
    ticks.forEach((tick, k) => { if (tick.refusal && first[tick.refusal] === undefined) first[tick.refusal] = k; });
    table("refusals", Object.entries(said.refusals.by_name).map(([name, count]) => [name.replaceAll("_", " "), `${count} ticks`]), "No tick was refused.");
    Object.keys(said.refusals.by_name).forEach((name, k) => {
      if (first[name] === undefined) return;
      const row = byId("refusals").rows[k];
      row.className = "link";
      row.tabIndex = 0;
      row.title = "show the first one";
      row.onclick = () => go(first[name]);
      row.onkeydown = (event) => { if (event.key === "Enter") go(first[name]); };
    });
    for (const [name, count] of Object.entries(said.refusals.messages_by_name)) {
      const row = byId("refusals").insertRow();
      cell(row, "th", name.replaceAll("_", " "));
      cell(row, "td", `${count} messages`);
    }
    const foot = (text) => { const made = document.createElement("p"); made.textContent = text; byId("foot").append(made); };
    foot(`Topics: ${Object.entries(said.rig).map(([stream, topic]) => `${stream} ${topic}`).join(", ")}`);
    const given = Object.entries(said.parameters);
    if (given.length) foot(`Parameters: ${given.map(([name, value]) => `${name} ${value}`).join(", ")}`);
    foot(`Hash of all results: ${said.hash}`);
    byId("timeline").setAttribute("aria-valuemin", 1);
    byId("timeline").setAttribute("aria-valuemax", ticks.length);
  }

  // ---- all of it ----------------------------------------------------------------------------------------------------

  function paint() {
    const tick = ticks[at];
    for (const role of roles) camera(role, tick);
    above(tick);
    words(tick);
    if (ticks.length) timeline();
    PLOTS.forEach(paintPlot);
    for (const near of [at + 1, at + 2, at - 1]) {
      for (const number of Object.values(ticks[near]?.pictures || {})) { const image = picture(number); image.drawn ??= true; }
    }
    document.body.dataset.tick = at;
  }
  let last = 0;
  function run(now) {
    if (!playing) return;
    const wait = Math.min(1000, Math.max(40, ((ticks[at + 1]?.t ?? 0) - ticks[at].t) * 1000));
    if (now - last >= wait) {
      last = now;
      if (at >= ticks.length - 1) return void play(false);
      go(at + 1);
    }
    requestAnimationFrame(run);
  }
  function play(on) {
    playing = on;
    byId("play").querySelector("path").setAttribute("d", on ? "M5 3v10M11 3v10" : "M4.5 2.5v11L13 8z");
    if (on) { if (at >= ticks.length - 1) go(0); last = performance.now(); requestAnimationFrame(run); }
  }
  const KEYS = {
    ArrowLeft: (event) => go(at - (event.shiftKey ? 10 : 1)),
    ArrowRight: (event) => go(at + (event.shiftKey ? 10 : 1)),
    Home: () => go(0),
    End: () => go(ticks.length - 1),
    " ": () => play(!playing),
    n: () => { const next = ticks.findIndex((tick, k) => k > at && tick.refusal); if (next >= 0) go(next); },
    s: () => { showSamples = !showSamples; draw(); },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || (event.key === " " && event.target.tagName === "BUTTON")) return;
    event.preventDefault();
    act(event);
  });
  function scrub(canvas) {
    const seek = (event) => go(nearest(toTime(event.offsetX, canvas.clientWidth)));
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); seek(event); });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons) seek(event); });
  }
  scrub(byId("timeline"));
  PLOTS.forEach((plot) => scrub(plot.canvas));
  byId("first").onclick = () => go(0);
  byId("back").onclick = () => go(at - 1);
  byId("on").onclick = () => go(at + 1);
  byId("last").onclick = () => go(ticks.length - 1);
  byId("play").onclick = () => play(!playing);
  // A button that was clicked does not keep the space bar to itself; one that was tabbed to does.
  for (const button of document.querySelectorAll("button")) button.addEventListener("click", (event) => { if (event.detail) button.blur(); });
  window.addEventListener("resize", draw);
  still();
  paint();
  document.body.dataset.ready = "yes";
})();
