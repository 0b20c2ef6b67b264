"use strict";
/* The panel of a film: facts, warnings, candidates with their signs, and decisions. */

const panel = (() => {
  const DECISIONS = [["accepted", "accept", "\u2713"], ["rejected", "reject", "\u2717"], ["unsure", "unsure", "?"]];
  const PLANES = new Map([
    ["patient", "in the patient"],
    ["detector", "at the detector"],
    ["film", "on the film"],
    ["undetermined", "plane not stated"],
  ]);
  const UNITS = new Map([["px", "px"], ["mm", "mm"], ["mm2", "mm\u00b2"]]);
  let film = null;
  let view = null;
  let items = { film: null, candidates: new Map(), missed: [] };

  function facts() {
    const acquisition = view.acquisition;
    const words = [acquisition.body_part_examined, acquisition.image_laterality ?? acquisition.laterality, acquisition.view_position].filter((one) => one !== undefined && one !== null).join(", ");
    const spacing = view.spacing_mm ? `${view.spacing_mm[1].toPrecision(3)} mm per pixel ${PLANES.get(view.spacing_plane)}` : "no spacing: sizes in pixels";
    return [words, `${view.rows} \u00d7 ${view.columns} px`, spacing].filter(Boolean);
  }

  /* "feret_max_mm": 24.1 becomes ["feret max", "24.1 mm"]. */
  function measure([name, value]) {
    const parts = name.split("_");
    let unit = UNITS.get(parts.at(-1)) ?? "";
    if (unit) parts.pop();
    if (unit === "px" && parts[0] === "area") unit = "px\u00b2";
    const digits = (one) => (typeof one === "number" ? String(Number(one.toPrecision(4))) : String(one).replaceAll("_", " "));
    const words = Array.isArray(value) ? value.map(digits).join(", ") : digits(value);
    return [parts.join(" "), `${words} ${unit}`.trim()];
  }

  function longest(one) {
    const { feret_max_mm: mm, feret_max_px: px } = one.measures;
    return mm !== undefined ? `${mm.toFixed(mm < 10 ? 1 : 0)} mm` : `${Math.round(px)} px`;
  }

  const marks = { for: ["\u25b2", "for a lesion:"], against: ["\u25bc", "against:"], neither: ["\u2022", "also:"] };

  function signs(one) {
    const items = one.signs.map(([speaks, words]) => {
      const item = element("li");
      const [letter, label] = marks[speaks];
      const mark = element("span", letter, "mark");
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", label);
      item.append(mark, ` ${words}`);
      return item;
    });
    items.push(...one.flags.map((flag) => element("li", lesionscan.facts.flags[flag] ?? flag.replaceAll("_", " "), "doubt")));
    const all = element("ul", "", "reasons");
    all.append(...items);
    return all;
  }

  function numbers(one) {
    const details = element("details");
    const table = element("table");
    for (const [name, words] of Object.entries(one.measures).map(measure)) {
      const row = element("tr");
      const head = element("th", name);
      head.scope = "row";
      row.append(head, element("td", words));
      table.append(row);
    }
    details.append(element("summary", "numbers"), table);
    return details;
  }

  function note(label, change) {
    const box = element("input", "", "note");
    box.type = "text";
    box.maxLength = review.NOTE_LETTERS;
    box.placeholder = "note";
    box.setAttribute("aria-label", label);
    box.addEventListener("change", () => change(box.value.trim()));
    return box;
  }

  /* Creates the item of a candidate; `update` sets everything that may change later. */
  function candidate(one) {
    const item = element("li", "", "candidate");
    item.dataset.id = one.id;
    item.tabIndex = -1;
    const head = element("div", "", "head");
    head.append(element("span", String(one.id), "number"), element("span", one.score.toFixed(2), "score"));
    const bar = element("meter");
    Object.assign(bar, { min: 0, max: 1, value: one.score });
    bar.setAttribute("aria-label", "score");
    head.append(bar, element("span", longest(one), "size"));
    const buttons = element("div", "", "decisions");
    const about = film;
    for (const [decision, words, sign] of DECISIONS) {
      const button = element("button", `${sign} ${words}`, decision);
      button.type = "button";
      button.setAttribute("aria-label", `${words} candidate ${one.id}`);
      button.addEventListener("click", () => { light(one.id); review.decide(about, one.id, decision); });
      buttons.append(button);
    }
    item.append(head, signs(one), numbers(one), buttons, note(`note on candidate ${one.id}`, (text) => review.change(about, (entry) => { if (entry.candidates.has(one.id)) entry.candidates.get(one.id).note = text; })));
    item.addEventListener("pointerenter", () => light(one.id));
    item.addEventListener("click", () => light(one.id));
    return item;
  }

  function update(item, decided) {
    item.className = `candidate ${decided?.decision ?? "open"}${Number(item.dataset.id) === stage.active ? " active" : ""}`;
    for (const button of item.querySelectorAll(".decisions button")) button.setAttribute("aria-pressed", button.className === decided?.decision);
    const box = item.querySelector("input.note");
    box.hidden = !decided;
    if (box !== document.activeElement) box.value = decided?.note ?? "";
  }

  function missed(place) {
    const item = element("li", "", "candidate missed");
    const head = element("div", "", "head");
    const button = element("button", "remove");
    const about = film;
    button.type = "button";
    button.setAttribute("aria-label", `remove missed lesion M${place + 1}`);
    button.addEventListener("click", () => review.change(about, (entry) => { entry.missed.splice(place, 1); }));
    head.append(element("span", `M${place + 1}`, "number"), button);
    item.append(head, note(`note on missed lesion M${place + 1}`, (text) => review.change(about, (entry) => { if (entry.missed[place]) entry.missed[place].note = text; })));
    return item;
  }

  /* Arranges items, but does not touch those already in place: a focus, an unfinished note or a
     click in progress would be lost. */
  function arrange(box, items) {
    items.forEach((item, place) => { if (box.children[place] !== item) box.insertBefore(item, box.children[place] ?? null); });
    while (box.children.length > items.length) box.lastElementChild.remove();
  }

  function light(id) {
    stage.light(id);
    for (const item of byId("candidates").children) item.classList.toggle("active", Number(item.dataset.id) === id);
  }

  function nothing(listed) {
    if (!view.assessed) return "not assessed: no bone could be outlined with confidence";
    if (listed.length) return "";
    if (list.filter.lengths || list.filter.most < 1) return `no candidate in the chosen range (${view.listed} outside)`;
    return `no candidate above ${list.filter.least.toFixed(2)} (${view.listed} below)`;
  }

  function fill() {
    const there = film !== null && view !== null;
    byId("panel").hidden = !there;
    if (!there) return;
    const entry = review.get(film);
    const listed = stage.listed();
    byId("facts").replaceChildren(...facts().map((words) => element("p", words)));
    byId("warnings").replaceChildren(...view.warnings.map((words) => element("li", words)));
    byId("no-candidates").textContent = nothing(listed);
    items = items.film === film ? items : { film, candidates: new Map(), missed: [] };
    for (const one of listed) if (!items.candidates.has(one.id)) items.candidates.set(one.id, candidate(one));
    arrange(byId("candidates"), listed.map((one) => items.candidates.get(one.id)));
    for (const one of listed) update(items.candidates.get(one.id), entry.candidates.get(one.id));
    while (items.missed.length < entry.missed.length) items.missed.push(missed(items.missed.length));
    items.missed.length = entry.missed.length;
    arrange(byId("missed"), items.missed);
    entry.missed.forEach((one, place) => {
      const box = items.missed[place].querySelector("input.note");
      if (box !== document.activeElement) box.value = one.note;
    });
    if (document.activeElement !== byId("film-note")) byId("film-note").value = entry.note;
    byId("reviewed").checked = entry.reviewed;
    const open = review.undecided(film);
    byId("undecided").textContent = entry.reviewed && open
      ? `${open} shown ${open === 1 ? "candidate is" : "candidates are"} not decided on: this film is not counted until ${open === 1 ? "it is" : "they are"}`
      : "";
    byId("link-record").href = lesionscan.record(film.name) ?? "#";
    byId("link-overlay").hidden = !film.picture;
    byId("link-overlay").href = lesionscan.overlay(film.name) ?? "#";
    light(stage.active);
  }

  /* Goes to the next or previous listed candidate. */
  function step(by) {
    const ids = stage.listed().map((one) => one.id);
    if (!ids.length) return;
    const place = ids.indexOf(stage.active);
    const next = place < 0 ? (by > 0 ? 0 : ids.length - 1) : Math.min(Math.max(place + by, 0), ids.length - 1);
    light(ids[next]);
    into_sight(byId("candidates").children[next]);
  }

  /* Scrolls the panel only: on a small screen, where the page scrolls, the film stays visible. */
  function into_sight(item) {
    const box = byId("panel");
    const [inner, outer] = [item.getBoundingClientRect(), box.getBoundingClientRect()];
    if (inner.top < outer.top) box.scrollTop -= outer.top - inner.top + 8;
    else if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom + 8;
  }

  function start() {
    byId("film-note").addEventListener("change", () => film && review.change(film, (entry) => { entry.note = byId("film-note").value.trim(); }));
    byId("reviewed").addEventListener("change", () => film && review.change(film, (entry) => { entry.reviewed = byId("reviewed").checked; }));
  }

  return {
    start, fill, light, step,
    show(next, data) { film = next; view = data; fill(); },
  };
})();
