"use strict";
/* The list of films, filtered and sorted; only visible rows are in the page. */

const list = (() => {
  const ROW_PX = 64;
  const MARGIN_ROWS = 6;
  const filter = {};
  let failed = false;
  let shown = [];
  let places = new Map();
  let selected = null;
  /** @type {(film: any, failed: boolean) => void} */
  let onSelect = () => {};
  let drawn = { first: -1, last: -1, of: null };
  let waiting = false;

  function clear() {
    Object.assign(filter, {
      words: [], least: lesionscan.facts.shown_score, most: 1, lengths: null, part: "", folder: null, patient: "", kind: "all", flag: "", sort: "score",
    });
  }

  const KINDS = new Map([
    ["all", () => true],
    ["with", (film) => passing(film) > 0],
    ["without", (film) => film.assessed && passing(film) === 0],
    ["unreviewed", (film) => !review.get(film).reviewed],
    ["reviewed", (film) => review.get(film).reviewed],
    ["accepted", (film) => review.counted(film).accepted > 0 || review.get(film).missed.length > 0],
    ["unsure", (film) => review.counted(film).unsure > 0],
    ["notes", (film) => review.get(film).note !== "" || [...review.get(film).candidates.values()].some((one) => one.note)],
    ["unassessed", (film) => !film.assessed],
    ["warned", (film) => film.warnings > 0],
  ]);

  function passes(film, place) {
    const score = film.scores[place];
    if (score === undefined || score < filter.least || score > filter.most) return false;
    if (!filter.lengths) return true;
    const size = sizes.of(film, place);
    return size !== null && size >= filter.lengths[0] && size <= filter.lengths[1];
  }

  /* Returns the number of a film's candidates that pass the filter. */
  function passing(film) {
    let count = 0;
    for (let place = 0; place < film.scores.length; place += 1) count += Number(passes(film, place));
    return count;
  }

  function matches(film) {
    return filter.words.every((word) => film.searched.includes(word)) &&
      (filter.part === "" || (film.body_part ?? "-") === filter.part) &&
      (filter.folder === null || film.folder === filter.folder) &&
      (filter.patient === "" || (film.patient || "-") === filter.patient) &&
      (filter.flag === "" || film.flags.includes(filter.flag)) &&
      // if a range of scores or sizes is selected, a film needs candidates in it
      (!(filter.most < 1 || filter.lengths || filter.least > lesionscan.facts.shown_score) || passing(film) > 0) &&
      KINDS.get(filter.kind)(film);
  }

  function best(film) {
    for (let place = 0; place < film.scores.length; place += 1) if (passes(film, place)) return film.scores[place];
    return film.assessed ? -1 : -2;
  }

  function largest(film) {
    let most = -1;
    for (let place = 0; place < film.scores.length; place += 1) {
      if (passes(film, place)) most = Math.max(most, sizes.of(film, place) ?? -1);
    }
    return most;
  }

  const ORDERS = new Map([["score", best], ["size", largest], ["count", passing]]);

  /* Films of unknown patients come last. */
  function whose(film) {
    return film.patient || film.exam ? `${film.patient || "-"} ${film.exam || "-"}` : "";
  }

  function by_patient(films) {
    const keyed = films.map((film) => [whose(film) || "~", film]);
    keyed.sort(([one, first], [other, second]) => (one < other ? -1 : one > other ? 1 : first.number - second.number));
    return keyed.map(([, film]) => film);
  }

  function sorted(films) {
    if (filter.sort === "patient") return by_patient(films);
    const key = ORDERS.get(filter.sort);
    if (!key) return films;
    const keyed = films.map((film) => [key(film), film]);
    keyed.sort(([one, first], [other, second]) => other - one || first.number - second.number);
    return keyed.map(([, film]) => film);
  }

  function searchedFailures() {
    return lesionscan.failures.filter((one) => filter.words.every((word) => `${one.name} ${one.code} ${one.message}`.toLowerCase().includes(word)));
  }

  /* Filters and sorts again; keeps the current film visible if it passes. */
  function refresh() {
    shown = failed ? searchedFailures() : sorted(lesionscan.films.filter(matches));
    places = new Map(shown.map((film, place) => [film, place]));
    byId("rows").style.height = `${shown.length * ROW_PX}px`;
    const all = failed ? lesionscan.failures.length : lesionscan.films.length;
    byId("found").textContent = shown.length === all ? `${number(all)} ${all === 1 ? "film" : "films"}` : `${number(shown.length)} of ${number(all)} films`;
    drawn.of = null;
    if (places.has(selected)) into_sight(places.get(selected));
    draw();
  }

  function number(count) {
    return count.toLocaleString("en");
  }

  function thumbnail(film) {
    const box = element("span", "", "thumb");
    const source = film.picture ? lesionscan.thumbnail(film.name) : null;
    if (source) {
      const picture = element("img");
      picture.alt = "";
      picture.decoding = "async";
      picture.src = source;
      box.append(picture);
    }
    return box;
  }

  function marks(film) {
    const entry = review.get(film);
    const counts = review.counted(film);
    const words = [];
    if (counts.accepted + entry.missed.length) words.push(`\u2713 ${counts.accepted + entry.missed.length}`);
    if (counts.rejected) words.push(`\u2717 ${counts.rejected}`);
    if (counts.unsure) words.push(`? ${counts.unsure}`);
    const open = review.undecided(film);
    if (entry.reviewed) words.push(open ? `reviewed, ${open} undecided` : "reviewed");
    // the first digits are enough to distinguish them in the list; the search uses all
    if (whose(film)) words.push(whose(film).split(" ").map((one) => one.slice(0, 7)).join(" "));
    return words.join("  ");
  }

  function found(film) {
    if (!film.assessed) return "not assessed";
    const count = passing(film);
    const score = best(film);
    return count ? `${score.toFixed(2)}  ${count} ${count === 1 ? "candidate" : "candidates"}` : "no candidate";
  }

  function row(film, place) {
    const one = element("div", "", "row");
    one.id = `row-${place}`;
    one.setAttribute("role", "option");
    one.setAttribute("aria-setsize", shown.length);
    one.setAttribute("aria-posinset", place + 1);
    one.style.top = `${place * ROW_PX}px`;
    const words = element("span", "", "words");
    words.append(element("bdi", film.name, "name"));
    if (failed) words.append(element("span", film.message, "quiet"));
    else one.append(thumbnail(film));
    if (!failed) words.append(element("span", "", "found"), element("span", "", "marks"));
    one.append(words);
    one.addEventListener("click", () => select(film));
    update(one, film);
    return one;
  }

  /* Updates a row in place: if it were replaced, a click in progress would be lost. */
  function update(one, film) {
    one.setAttribute("aria-selected", film === selected);
    if (failed) return;
    one.querySelector(".found").textContent = found(film);
    one.querySelector(".marks").textContent = marks(film);
    one.classList.toggle("done", review.get(film).reviewed);
  }

  function draw() {
    const box = byId("list");
    const first = Math.max(0, Math.floor(box.scrollTop / ROW_PX) - MARGIN_ROWS);
    const last = Math.min(shown.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW_PX) + MARGIN_ROWS);
    if (drawn.of === shown && drawn.first === first && drawn.last === last) return;
    const rows = byId("rows");
    const standing = new Map();
    if (drawn.of === shown) for (const one of rows.children) standing.set(one.id, one);
    const wanted = [];
    for (let place = first; place < last; place += 1) wanted.push(standing.get(`row-${place}`) ?? row(shown[place], place));
    rows.replaceChildren(...wanted);
    drawn = { first, last, of: shown };
    point();
  }

  function point() {
    const place = places.get(selected);
    const there = place !== undefined && place >= drawn.first && place < drawn.last;
    if (there) byId("list").setAttribute("aria-activedescendant", `row-${place}`);
    else byId("list").removeAttribute("aria-activedescendant");
  }

  function redraw() {
    draw();
    for (let place = drawn.first; place < drawn.last; place += 1) update(byId(`row-${place}`), shown[place]);
    point();
  }

  function into_sight(place) {
    const box = byId("list");
    const top = place * ROW_PX;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + ROW_PX > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW_PX - box.clientHeight;
  }

  function select(film) {
    selected = film;
    if (places.has(film)) into_sight(places.get(film));
    redraw();
    onSelect(film, failed);
  }

  function step(by) {
    if (!shown.length) return;
    const place = places.get(selected);
    const next = place === undefined ? 0 : place + by;
    if (next >= 0 && next < shown.length) select(shown[next]);
  }

  function options(select, values, every) {
    const one = (value, words) => Object.assign(element("option", words), { value });
    select.replaceChildren(one("", every), ...values.map(([value, words]) => one(value, words)));
    select.parentElement.hidden = values.length === 0;
  }

  function distinct(values) {
    return [...new Set(values)].sort();
  }

  function show() {
    byId("search").value = filter.words.join(" ");
    byId("least-score").value = filter.least.toFixed(2);
    byId("most-score").value = filter.most.toFixed(2);
    byId("body-part").value = filter.part;
    byId("folder").value = filter.folder === null ? "" : `=${filter.folder}`;
    byId("patient").value = filter.patient;
    byId("kind").value = filter.kind;
    byId("flag").value = filter.flag;
    byId("sort").value = filter.sort;
  }

  function number_of(id, otherwise) {
    const value = byId(id).valueAsNumber;
    return Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : otherwise;
  }

  function taken(event) {
    const folder = byId("folder").value;
    // the fields are rounded: only the one that was changed is read
    if (event.target.id === "least-score") filter.least = number_of("least-score", 0);
    if (event.target.id === "most-score") filter.most = number_of("most-score", 1);
    Object.assign(filter, {
      words: byId("search").value.toLowerCase().split(/\s+/).filter(Boolean),
      part: byId("body-part").value,
      folder: folder === "" ? null : folder.slice(1),
      patient: byId("patient").value,
      kind: byId("kind").value,
      flag: byId("flag").value,
      sort: byId("sort").value,
    });
    change();
  }

  /* Films of a patient are grouped once patients are known. */
  function grouped() {
    const patients = distinct(lesionscan.films.map((film) => film.patient || "-"));
    options(byId("patient"), patients.map((one) => [one, one === "-" ? "not known" : one]), "all");
    byId("sort").querySelector("[value=patient]").hidden = false;
    Object.assign(filter, { patient: "", sort: "patient" });
    show();
    change();
  }

  let onChange = () => {};
  function change() {
    refresh();
    onChange();
  }

  function start(handlers) {
    onSelect = handlers.onSelect;
    onChange = handlers.onChange;
    clear();
    options(byId("body-part"), distinct(lesionscan.films.map((film) => film.body_part ?? "-")).filter((part, _, all) => all.length > 1 || part !== "-").map((part) => [part, part === "-" ? "not stated" : part]), "all");
    const folders = distinct(lesionscan.films.map((film) => film.folder));
    options(byId("folder"), folders.length > 1 ? folders.map((folder) => [`=${folder}`, folder === "" ? "(top)" : folder]) : [], "all");
    options(byId("flag"), distinct(lesionscan.films.flatMap((film) => film.flags)).map((flag) => [flag, flag.replaceAll("_", " ")]), "any or none");
    options(byId("patient"), [], "all");
    exams.start(grouped);
    show();
    byId("filters").addEventListener("input", taken);
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("filters-reset").addEventListener("click", () => { clear(); show(); change(); });
    byId("list").addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; draw(); });
    }, { passive: true });
    new ResizeObserver(draw).observe(byId("list"));
    refresh();
  }

  return {
    start, select, step, refresh, redraw, passes,
    get filter() { return filter; },
    get selected() { return selected; },
    get shown() { return shown; },
    neighbour: (by) => shown[(places.get(selected) ?? -by) + by],
    narrow(data) { Object.assign(filter, data); show(); change(); },
    first() { if (shown.length) select(shown[0]); },
    get failed() { return failed; },
    set failed(now) { failed = now; refresh(); },
  };
})();
