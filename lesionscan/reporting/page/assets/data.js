"use strict";
/* What the run and its films say. The scripts of the report call run, film, failed and view. */

const lesionscan = (() => {
  const films = [];
  const failures = [];
  const byName = new Map();
  const views = new Map();
  const waiting = new Map();
  const VIEWS_KEPT = 60;
  let facts = null;

  function named(columns, values) {
    const one = {};
    columns.forEach((column, place) => { one[column] = values[place]; });
    return one;
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
    // "./" keeps a name such as "a:b" from being a scheme
    try {
      return "./" + folder + name.split("/").map(encodeURIComponent).join("/") + ending;
    } catch {
      return null;  // a name that is no text has no address
    }
  }

  /* Loads what was found in a film: a script, since a page opened from disk may not fetch. */
  function load(name) {
    if (views.has(name)) return Promise.resolve(views.get(name));
    if (waiting.has(name)) return waiting.get(name).promise;
    const one = {};
    one.promise = new Promise((resolve, reject) => {
      Object.assign(one, { resolve, reject });
      const script = document.createElement("script");
      script.src = address("report/films/", name, ".page.js") ?? "";
      script.onload = () => {
        script.remove();
        if (waiting.delete(name)) reject(new Error("the film's script holds another film"));
      };
      script.onerror = () => {
        script.remove();
        waiting.delete(name);
        reject(new Error("the film's script is missing from the folder report/films"));
      };
      document.head.append(script);
    });
    waiting.set(name, one);
    return one.promise;
  }

  function view(said) {
    const one = waiting.get(said.name);
    waiting.delete(said.name);
    const film = byName.get(said.name);
    if (film && film.labels !== said.labels) {
      one?.reject(new Error("this film was scanned again since the list was made: reload the page when the scan is done"));
      return;
    }
    views.set(said.name, said);
    if (views.size > VIEWS_KEPT) views.delete(views.keys().next().value);
    one?.resolve(said);
  }

  return {
    films,
    failures,
    get facts() { return facts; },
    run(said) { facts = said; },
    film,
    failed(values) { failures.push({ ...named(facts.failed_columns, values), number: failures.length }); },
    view,
    load,
    record: (name) => address("", name, ".json"),
    overlay: (name) => address("", name, ".overlay.png"),
    picture: (name) => address("report/films/", name, ".page.jpg"),
    thumbnail: (name) => address("report/films/", name, ".page-s.jpg"),
  };
})();

/* Sizes of candidates, all in one unit: mm where most films have a spacing, else % of the film. */
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
