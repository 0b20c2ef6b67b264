"use strict";
/* Connects the parts: the current film, keys, histograms, header and footer. */

(() => {
  const THEME = "lesionscan theme";
  const LAST = "lesionscan film";
  const STEPS = 40;
  let film = null;
  let coming = null;
  let scores = null;
  let lengths = null;

  function count(number, one, many) {
    return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
  }

  function head() {
    const { not_done: notDone, disclaimer, version } = lesionscan.facts;
    byId("tab-read").textContent = `${count(lesionscan.films.length, "film", "films")} read`;
    byId("tab-failed").textContent = `${lesionscan.failures.length.toLocaleString("en")} failed`;
    byId("tab-failed").classList.toggle("bad", lesionscan.failures.length > 0);
    byId("not-done").hidden = notDone === 0;
    byId("not-done").textContent = `${count(notDone, "film", "films")} not done: the run was stopped; rerun the command to resume`;
    byId("disclaimer").textContent = disclaimer;
    document.title = `lesionscan ${version}: ${count(lesionscan.films.length, "film", "films")}`;
  }

  function progress() {
    const open = lesionscan.films.filter((one) => review.get(one).reviewed && review.undecided(one)).length;
    byId("progress").textContent = `reviewed ${review.reviewed.toLocaleString("en")} of ${lesionscan.films.length.toLocaleString("en")}${open ? `, ${open.toLocaleString("en")} with undecided candidates` : ""}`;
  }

  function histograms() {
    const all = [];
    const sized = [];
    for (const one of list.failed ? [] : list.shown) {
      one.scores.forEach((score, place) => {
        all.push(score);
        const size = sizes.of(one, place);
        if (size !== null && score >= list.filter.least && score <= list.filter.most) sized.push(size);
      });
    }
    const { least, most, lengths: chosen } = list.filter;
    scores.draw(all, { from: 0, to: 1 }, [least, most], () => `Histogram of ${all.length} scores; from ${least.toFixed(2)} to ${most.toFixed(2)} is shown`);
    lengths.draw(sized, { from: 0, to: sizes.most }, chosen, () => `Histogram of ${sized.length} sizes from 0 to ${sizes.most} ${sizes.unit}`);
    byId("size-caption").textContent = chosen
      ? `sizes from ${chosen[0].toFixed(0)} ${chosen[1] < Infinity ? `to ${chosen[1].toFixed(0)} ` : ""}${sizes.unit}`
      : `sizes, 0 to ${sizes.most} ${sizes.unit}`;
  }

  function words(text) {
    byId("film-name").replaceChildren(element("bdi", text));
  }

  async function show(next, failed) {
    film = null;  // until it is on the screen: keys must not decide about a film that is not visible
    coming = next;
    words(next.name);
    if (failed) {
      stage.show(next, null);
      panel.show(null, null);
      byId("stage-words").textContent = `${next.code}: ${next.message}`;
      return;
    }
    let data;
    try {
      data = await lesionscan.load(next.name);
    } catch (error) {
      if (coming !== next) return;
      stage.show(next, null);
      panel.show(null, null);
      byId("stage-words").textContent = error.message;
      return;
    }
    if (coming !== next) return;  // the reviewer has moved on meanwhile
    film = next;
    remember(next.name);
    stage.show(next, data);
    panel.show(next, data);
    panel.step(1);
    ahead();
  }

  /* After a reload, the page opens the same film. */
  function remember(name) {
    try { sessionStorage.setItem(LAST, name); } catch { /* it begins at the first */ }
  }

  function remembered() {
    try {
      const name = sessionStorage.getItem(LAST);
      return list.shown.find((one) => one.name === name);
    } catch {
      return undefined;
    }
  }

  /* Loads the next film in advance. */
  function ahead() {
    const next = list.neighbour(1);
    if (!next || list.failed) return;
    lesionscan.load(next.name).then((data) => {
      if (data.picture) new Image().src = lesionscan.picture(next.name);
    }, () => {});
  }

  function changed(about) {
    progress();
    list.redraw();
    if (about === null || about === film) {
      stage.draw();
      panel.fill();
    }
  }

  function decide(decision) {
    const id = stage.active;
    if (!film || !stage.listed().some((one) => one.id === id)) return;
    const before = review.get(film).candidates.get(id)?.decision;
    review.decide(film, id, decision);
    if (before !== decision) panel.step(1);
  }

  function note() {
    const box = byId("candidates").querySelector(".active input.note") ?? byId("film-note");
    box.focus();
  }

  function done() {
    if (!film) return;
    review.change(film, (entry) => { entry.reviewed = true; });
    list.step(1);
  }

  /** @type {[string, string, (() => void) | null, string[]][]} */
  const KEYS = [
    ["\u2192 or j", "next film", () => list.step(1), ["ArrowRight", "j"]],
    ["\u2190 or k", "previous film", () => list.step(-1), ["ArrowLeft", "k"]],
    ["\u2193", "next candidate", () => panel.step(1), ["ArrowDown"]],
    ["\u2191", "previous candidate", () => panel.step(-1), ["ArrowUp"]],
    ["a", "accept the candidate and go to the next (again: undo)", () => decide("accepted"), ["a"]],
    ["r", "reject it and go to the next", () => decide("rejected"), ["r"]],
    ["u", "unsure about it, go to the next", () => decide("unsure"), ["u"]],
    ["n", "write a note (Escape to finish)", note, ["n"]],
    ["m", "draw a missed lesion", () => stage.startDrawing(), ["m"]],
    ["Enter", "mark this film as reviewed; next film", done, ["Enter"]],
    ["h", "hide the outlines while held", () => stage.hide(true), ["h"]],
    ["o", "outlines on or off", () => stage.toggle("outlines"), ["o"]],
    ["b", "bone on or off", () => stage.toggle("bone"), ["b"]],
    ["f", "field on or off", () => stage.toggle("field"), ["f"]],
    ["+ and \u2212", "zoom", null, []],
    ["0", "reset zoom and grey values", () => stage.reset(), ["0"]],
    ["/", "search", () => byId("search").focus(), ["/"]],
    ["?", "these keys", () => byId("keys").showModal(), ["?"]],
  ];
  const BY_KEY = new Map(KEYS.flatMap(([, , act, names]) => names.map((name) => [name, act])));
  BY_KEY.set("+", () => stage.zoom(1.4));
  BY_KEY.set("=", () => stage.zoom(1.4));
  BY_KEY.set("-", () => stage.zoom(1 / 1.4));

  function isField(one) {
    return one.matches?.("input:not([type=checkbox]):not([type=range]), textarea, select");
  }

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
    if (event.key === "Escape") {
      if (isField(event.target)) event.target.blur();
      stage.stopDrawing();
      browse(false);
      return;
    }
    if (isField(event.target)) {
      if (event.key === "Enter" && event.target.matches("input.note, #search")) {
        event.target.blur();
        if (event.target.id === "search") list.first();
      }
      return;
    }
    const act = BY_KEY.get(event.key);
    const onControl = event.target.matches?.("button, a, summary, label, input");
    if (!act || (onControl && (event.key === "Enter" || (event.target.type === "range" && event.key.startsWith("Arrow"))))) return;
    event.preventDefault();
    act();
  }

  function browse(open) {
    document.body.classList.toggle("browsing", open);
    byId("browse-toggle").setAttribute("aria-expanded", open);
  }

  function theme(now) {
    document.documentElement.dataset.theme = now;
    byId("theme").textContent = now === "dark" ? "light" : "dark";
    byId("theme").setAttribute("aria-label", `change to ${now === "dark" ? "light" : "dark"} colours`);
  }

  function themes() {
    const kept = (() => { try { return localStorage.getItem(THEME); } catch { return null; } })();
    theme(kept === "light" || kept === "dark" ? kept : matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
    byId("theme").addEventListener("click", () => {
      theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
      try { localStorage.setItem(THEME, document.documentElement.dataset.theme); } catch { /* it holds for now */ }
    });
  }

  function keys() {
    byId("keys-table").replaceChildren(...KEYS.map(([names, means]) => {
      const row = element("tr");
      row.append(element("td", names), element("td", means));
      return row;
    }));
    byId("keys-open").addEventListener("click", () => byId("keys").showModal());
    addEventListener("keydown", pressed);
    addEventListener("keyup", (event) => { if (event.key === "h") stage.hide(false); });
    addEventListener("blur", () => stage.hide(false));
  }

  function tabs(failed) {
    byId("tab-read").setAttribute("aria-pressed", String(!failed));
    byId("tab-failed").setAttribute("aria-pressed", String(failed));
    document.body.classList.toggle("failures", failed);
    list.failed = failed;
    histograms();
    list.first();
  }

  async function start() {
    byId("alone").remove();
    themes();
    try {
      await lesionscan.start();
    } catch (error) {
      byId("stage-words").textContent = error.message;
      return;
    }
    sizes.start();
    review.start();
    head();
    keys();
    const brushed = (range) => list.narrow(range
      ? { least: Math.round(range[0] * STEPS) / STEPS, most: Math.round(range[1] * STEPS) / STEPS }
      : { least: lesionscan.facts.shown_score, most: 1 });
    scores = histogram(byId("score-histogram"), { bins: STEPS, onBrush: brushed });
    lengths = histogram(byId("size-histogram"), {
      bins: STEPS,
      // the right end includes all larger values
      onBrush: (range) => list.narrow({ lengths: range && [range[0], range[1] > 0.99 * sizes.most ? Infinity : range[1]] }),
    });
    stage.start({
      onCandidate: (id) => { if (id !== null || stage.active !== null) panel.light(id ?? stage.active); },
      onMissed: (drawnOn, points) => review.change(drawnOn, (entry) => {
        if (entry.missed.length < review.MOST_MISSED) entry.missed.push({ outline_px: points, note: "" });
      }),
    });
    panel.start();
    list.start({
      onSelect: (next, failed) => { show(next, failed); browse(false); },
      onChange: () => { histograms(); stage.draw(); panel.fill(); },
    });
    histograms();
    byId("tab-read").addEventListener("click", () => tabs(false));
    byId("tab-failed").addEventListener("click", () => tabs(true));
    byId("film-next").addEventListener("click", () => list.step(1));
    byId("film-before").addEventListener("click", () => list.step(-1));
    byId("browse-toggle").addEventListener("click", () => browse(!document.body.classList.contains("browsing")));
    await saving.start();
    review.onChange(changed);
    progress();
    list.redraw();
    const last = remembered();
    if (last) list.select(last);
    else if (lesionscan.films.length || !lesionscan.failures.length) list.first();
    else tabs(true);
  }

  start();
})();
