"use strict";
/* The data of the run and its films. A page opened from disk cannot fetch, so there the data are scripts
   that call run, film, failed and view. `lesionscan review` sends them as JSON instead. */

const lesionscan = (() => {
  const films = [];
  const failures = [];
  const byName = new Map();
  const views = new Map();
  const waiting = new Map();
  const VIEWS_KEPT = 60;
  let facts = null;

  function named(columns, values) {
    return Object.fromEntries(columns.map((column, place) => [column, values[place]]));
  }

  function film(values) {
    const one = named(facts.film_columns, values);
    one.number = films.length;
    const slash = one.name.lastIndexOf("/");
    one.folder = slash < 0 ? "" : one.name.slice(0, slash);
    one.searched = [one.name, one.body_part, one.side, one.view].filter(Boolean).join(" ").toLowerCase();
    films.push(one);
    byName.set(one.name, one);
  }

  function address(folder, name, ending) {
    // with "./" a name such as "a:b" is not read as a scheme
    try {
      return "./" + folder + name.split("/").map(encodeURIComponent).join("/") + ending;
    } catch {
      return null;  // a name with lone surrogates cannot be encoded
    }
  }

  /* Runs a data script of the report, which calls the functions below with its data. */
  function run_script(source, missing) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = source;
      script.onload = () => { script.remove(); resolve(); };
      script.onerror = () => { script.remove(); reject(new Error(missing)); };
      document.head.append(script);
    });
  }

  async function fetch_data(source, missing, take) {
    const answer = await fetch(source);
    if (answer.status === 404) throw new Error(missing);
    if (!answer.ok) throw new Error((await answer.text()).slice(0, 300));
    take(await answer.json());
  }

  function get_data(source, missing, take) {
    return "served" in document.documentElement.dataset ? fetch_data(source, missing, take) : run_script(source, missing);
  }

  /* Loads the list of all films. */
  async function start() {
    const missing = "the folder \u201creport\u201d beside this page is missing or incomplete; scan again";
    await get_data("report/index.js", missing, (data) => {
      facts = data.run;
      data.films.forEach(film);
      data.failed.forEach(failed);
    });
    if (!facts) throw new Error(missing);
  }

  /* Loads the findings of a film. */
  function load(name) {
    if (views.has(name)) return Promise.resolve(views.get(name));
    if (waiting.has(name)) return waiting.get(name).promise;
    const one = {};
    one.promise = new Promise((resolve, reject) => { Object.assign(one, { resolve, reject }); });
    waiting.set(name, one);
    const source = address("report/films/", name, ".page.js") ?? "";
    get_data(source, "the film's script is missing from the folder report/films", view).then(
      () => { if (waiting.delete(name)) one.reject(new Error("the film's script is of another film")); },
      (error) => { waiting.delete(name); one.reject(error); },
    );
    return one.promise;
  }

  function view(data) {
    const one = waiting.get(data.name);
    waiting.delete(data.name);
    const film = byName.get(data.name);
    if (film && film.labels !== data.labels) {
      one?.reject(new Error("this film was scanned again since the list was made: reload the page when the scan is done"));
      return;
    }
    views.set(data.name, data);
    if (views.size > VIEWS_KEPT) views.delete(views.keys().next().value);
    one?.resolve(data);
  }

  function failed(values) {
    failures.push({ ...named(facts.failed_columns, values), number: failures.length });
  }

  return {
    films,
    failures,
    get facts() { return facts; },
    run(data) { facts = data; },
    film,
    failed,
    view,
    start,
    load,
    record: (name) => address("", name, ".json"),
    overlay: (name) => address("", name, ".overlay.png"),
    picture: (name) => address("report/films/", name, ".page.jpg"),
    thumbnail: (name) => address("report/films/", name, ".page-s.jpg"),
  };
})();

/* Sizes of candidates, all in one unit: mm if most films have a spacing, else % of the film. */
const sizes = (() => {
  let metric = false;
  return {
    start() {
      const some = lesionscan.films.filter((film) => film.scores.length);
      metric = some.filter((film) => film.lengths_mm).length * 2 > some.length;
    },
    get unit() { return metric ? "mm" : "% of the film"; },
    get most() { return metric ? 120 : 40; },
    of(film, place) {
      if (metric) return film.lengths_mm ? film.lengths_mm[place] : null;
      return 100 * film.shares[place];
    },
  };
})();
