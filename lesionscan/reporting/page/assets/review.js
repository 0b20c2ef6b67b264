"use strict";
/* A reviewer's decisions: stored in this browser at once, and exported as review.json. Maps are used
   for names of films, since a film may be called "constructor". */

const review = (() => {
  const KEY = "lesionscan review ";  // + the seal of the film's results, since decisions belong to these results only
  const REVIEWER = "lesionscan reviewer";
  const KIND = "lesionscan review";
  const VERSION = "1.0";
  const DECISIONS = ["accepted", "rejected", "unsure"];
  const UNSAVED = "lesionscan unsaved ";  // + the seal: the previous entry in the results folder
  // as in lesionscan/review/record.py
  const NOTE_LETTERS = 4000;
  const REVIEWER_LETTERS = 200;
  const MOST_MISSED = 100;
  const NOTHING = Object.freeze({ reviewed: false, note: "", candidates: new Map(), missed: Object.freeze([]) });
  const entries = new Map();
  const others = new Map();  // entries of films or results that are not in this report: kept for saving
  const listeners = [];
  const unstored = new Map();  // key -> why it is not stored
  let reviewer = "";

  function keep(key, value) {
    try {
      if (value === null) localStorage.removeItem(key);
      else localStorage.setItem(key, value);
      unstored.delete(key);
    } catch (error) {
      unstored.set(key, error.name === "QuotaExceededError" ? "this browser's storage is full" : "this browser keeps nothing for this page");
    }
  }

  function stored(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;  // reported when something is stored
    }
  }

  function isEmpty(entry) {
    return !entry.reviewed && !entry.note && !entry.missed.length && !entry.candidates.size;
  }

  function isText(value, longest) {
    return typeof value === "string" && value.length <= longest;
  }

  function isOutline(points) {
    return Array.isArray(points) && points.length >= 3 && points.length <= 20000 &&
      points.every((point) => Array.isArray(point) && point.length === 2 && point.every(Number.isFinite));
  }

  /* Converts an entry of a file to the form used here; null if it is invalid. */
  function parsed_entry(data) {
    if (typeof data !== "object" || data === null) return null;
    const entry = { reviewed: data.reviewed === true, note: "", candidates: new Map(), missed: [] };
    if (data.note !== undefined) {
      if (!isText(data.note, NOTE_LETTERS)) return null;
      entry.note = data.note;
    }
    for (const [id, one] of Object.entries(data.candidates ?? {})) {
      if (!/^[1-9][0-9]{0,3}$/.test(id) || !DECISIONS.includes(one?.decision) || !isText(one.note ?? "", NOTE_LETTERS)) return null;
      entry.candidates.set(Number(id), { decision: one.decision, note: one.note ?? "" });
    }
    for (const one of data.missed ?? []) {
      if (!isOutline(one?.outline_px) || !isText(one.note ?? "", NOTE_LETTERS)) return null;
      entry.missed.push({ outline_px: one.outline_px, note: one.note ?? "" });
    }
    return entry.missed.length <= MOST_MISSED ? entry : null;
  }

  function put(film, entry) {
    if (isEmpty(entry)) {
      entries.delete(film.name);
      keep(KEY + film.seal, null);
    } else {
      entries.set(film.name, entry);
      keep(KEY + film.seal, JSON.stringify({ ...entry, candidates: by_id(entry) }));
    }
  }

  function notify(film) {
    for (const listener of listeners) listener(film);
  }

  function get(film) {
    return entries.get(film.name) ?? NOTHING;
  }

  /* Changes a film's entry: `alter` modifies a copy, which is stored. */
  function change(film, alter) {
    const entry = structuredClone(get(film));
    alter(entry);
    put(film, entry);
    notify(film);
  }

  function decide(film, id, decision) {
    change(film, (entry) => {
      const before = entry.candidates.get(id);
      if (before?.decision === decision) entry.candidates.delete(id);
      else entry.candidates.set(id, { decision, note: before?.note ?? "" });
    });
    if (film.shown && !undecided(film) && !get(film).reviewed) change(film, (entry) => { entry.reviewed = true; });
  }

  function counted(film) {
    const counts = { accepted: 0, rejected: 0, unsure: 0 };
    for (const one of get(film).candidates.values()) counts[one.decision] += 1;
    return counts;
  }

  /* Returns an entry's decisions as an object, which sorts its ids. */
  function by_id(entry) {
    return Object.fromEntries(entry.candidates);
  }

  function written(film, entry) {
    return { result_sha256: film.seal, reviewed: entry.reviewed, note: entry.note, candidates: by_id(entry), missed: entry.missed };
  }

  /* Returns the entries of review.json by name of the film. */
  function filmsNow() {
    const result = new Map(others);
    for (const film of lesionscan.films) {
      const entry = entries.get(film.name);
      if (entry) result.set(film.name, written(film, entry));
    }
    return new Map([...result].sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  /* Returns the content of review.json. */
  function file() {
    const { version, settings_sha256, scorer_sha256, disclaimer } = lesionscan.facts;
    return {
      schema_version: VERSION, kind: KIND, tool: { version, settings_sha256, scorer_sha256 }, reviewer,
      films: Object.fromEntries(filmsNow()), disclaimer,
    };
  }

  /* Loads the films of a review.json; returns how many were loaded, how many belong to other results
     (these are kept for saving), and how many could not be read. */
  function take(data) {
    if (data?.kind !== KIND || typeof data.films !== "object" || data.films === null) throw new Error("this is not a review.json of lesionscan");
    if (String(data.schema_version).split(".")[0] !== "1") throw new Error(`its schema_version ${String(data.schema_version).slice(0, 20)} is not supported`);
    const byName = new Map(lesionscan.films.map((film) => [film.name, film]));
    let taken = 0;
    let foreign = 0;
    let damaged = 0;
    for (const [name, one] of Object.entries(data.films)) {
      const film = byName.get(name);
      const entry = parsed_entry(one);
      if (entry === null) {
        damaged += 1;
      } else if (!film || one.result_sha256 !== film.seal) {
        others.set(name, one);
        foreign += 1;
      } else {
        others.delete(name);
        put(film, entry);
        taken += 1;
      }
    }
    if (!reviewer && isText(data.reviewer, REVIEWER_LETTERS)) reviewer = data.reviewer;
    notify(null);
    return { taken, foreign, damaged };
  }

  /* Returns an entry of review.json as text, equal for equal decisions. */
  function canonical(data) {
    const entry = data === undefined ? null : parsed_entry(data);
    if (entry === null) return JSON.stringify(data ?? null);
    return JSON.stringify([data.result_sha256, entry.reviewed, entry.note, by_id(entry), entry.missed]);
  }

  /* Returns the number of shown candidates without a decision. */
  function undecided(film) {
    let count = 0;
    // the shown candidates are the best ones, 1 to shown
    for (let id = 1; id <= film.shown; id += 1) count += Number(!get(film).candidates.has(id));
    return count;
  }

  function forget(film) {
    put(film, NOTHING);
    notify(film);
  }

  function start() {
    reviewer = stored(REVIEWER) ?? "";
    for (const film of lesionscan.films) {
      const text = stored(KEY + film.seal);
      if (text !== null) recall(film, text);
    }
    // changed in another tab
    addEventListener("storage", (event) => {
      const film = event.key?.startsWith(KEY) && lesionscan.films.find((one) => KEY + one.seal === event.key);
      if (!film) return;
      if (event.newValue === null) entries.delete(film.name);
      else recall(film, event.newValue);
      notify(film);
    });
  }

  function recall(film, text) {
    try {
      const entry = parsed_entry(JSON.parse(text));
      if (entry) entries.set(film.name, entry);
    } catch {
      // not of lesionscan; left alone
    }
  }

  /* Entries not yet saved in the results folder, with the folder's previous entry, so that saving
     continues if the page was closed before. */
  const marked = new Set();
  const unsaved = {
    mark(film, before) {
      if (!marked.has(film)) keep(UNSAVED + film.seal, JSON.stringify(before ?? null));
      marked.add(film);
    },
    clear() {
      for (const film of marked) keep(UNSAVED + film.seal, null);
      marked.clear();
    },
    /* Returns the films, and the folder's previous entry of each. */
    all() {
      const found = new Map();
      for (const film of lesionscan.films) {
        const text = stored(UNSAVED + film.seal);
        if (text === null) continue;
        marked.add(film);
        found.set(film.name, JSON.parse(text) ?? undefined);
      }
      return found;
    },
  };

  return {
    start, get, change, decide, counted, undecided, file, filmsNow, take, forget, canonical,
    onChange(listener) { listeners.push(listener); },
    get reviewed() { return lesionscan.films.reduce((count, film) => count + get(film).reviewed, 0); },
    get unstored() { return unstored.size ? unstored.values().next().value : null; },
    get reviewer() { return reviewer; },
    set reviewer(name) { reviewer = name.slice(0, REVIEWER_LETTERS); keep(REVIEWER, reviewer); },
    unsaved, NOTE_LETTERS, MOST_MISSED,
  };
})();
