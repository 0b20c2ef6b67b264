"use strict";
/* Saves decisions: to a download, and, with `lesionscan review`, to the results folder. */

const saving = (() => {
  const FILE = "review.json";
  const WAIT_MS = 500;
  const AGAIN_MS = 5000;
  let served = false;
  let tag = null;        // ETag of the file when it was last read
  let base = new Map();  // its films at that time, by name
  let timer = null;
  let busy = false;
  let changed = false;
  let asked = Promise.resolve();

  function say(words, bad = false) {
    byId("saved").textContent = words;
    byId("saved").classList.toggle("bad", bad);
  }

  /* Asks questions one at a time; returns a promise of true for the first button. */
  function ask(words, first, second = null) {
    asked = asked.then(() => show(words, first, second));
    return asked;
  }

  function show(words, first, second) {
    byId("banner-words").textContent = words;
    byId("banner-first").textContent = first;
    byId("banner-second").textContent = second ?? "";
    byId("banner-second").hidden = second === null;
    byId("banner").hidden = false;
    return new Promise((resolve) => {
      const answer = (chosen) => { byId("banner").hidden = true; resolve(chosen); };
      byId("banner-first").onclick = () => answer(true);
      byId("banner-second").onclick = () => answer(false);
    });
  }

  const same = (one, other) => review.canonical(one) === review.canonical(other);

  /* Returns the films that only others have changed, and those changed by both. */
  function compared(theirs) {
    const mine = review.filmsNow();
    const names = [...new Set([...mine.keys(), ...theirs.keys()])];
    const news = names.filter((name) => !same(theirs.get(name), base.get(name)) && !same(theirs.get(name), mine.get(name)));
    const unchanged = (name) => same(mine.get(name), base.get(name));
    return { only: news.filter(unchanged), both: news.filter((name) => !unchanged(name)) };
  }

  /* Merges decisions saved by another reviewer; if both changed a film, the reviewer chooses. */
  async function merge(data) {
    const theirs = new Map(Object.entries(data.films));
    const kept = new Map();
    for (;;) {
      // computed again after each answer: the reviewer may have made changes meanwhile
      const open = compared(theirs).both.filter((name) => !kept.has(name));
      if (!open.length) break;
      say("waiting for your answer");
      const films = open.slice(0, 3).join(", ") + (open.length > 3 ? ` and ${open.length - 3} more` : "");
      const keep = await ask(`Another reviewer has saved other decisions about ${films}.`, "keep mine", "take theirs");
      for (const name of open) kept.set(name, keep);
    }
    const { only, both } = compared(theirs);
    const chosen = [...only, ...both.filter((name) => !kept.get(name))];
    const byName = new Map(lesionscan.films.map((film) => [film.name, film]));
    for (const name of chosen) if (!theirs.has(name) && byName.has(name)) review.forget(byName.get(name));
    const { damaged } = review.take({ ...data, films: Object.fromEntries(chosen.filter((name) => theirs.has(name)).map((name) => [name, theirs.get(name)])) });
    if (damaged) throw new Error(`${damaged} films of the saved review.json cannot be read by this page`);
    base = theirs;
  }

  async function save() {
    clearTimeout(timer);
    timer = null;
    if (!served || busy) return;
    busy = true;
    changed = false;
    const file = review.file();
    say("saving \u2026");
    try {
      const answer = await fetch(FILE, {
        method: "PUT", headers: { "If-Match": tag, "Content-Type": "application/json" }, body: JSON.stringify(file),
      });
      if (answer.status === 412) {
        await merge(await answer.json());
        tag = answer.headers.get("ETag");  // only now: the next save replaces this version
        changed = true;
      } else if (answer.ok) {
        tag = answer.headers.get("ETag");
        base = new Map(Object.entries(file.films));
        if (!changed) review.unsaved.clear();
        byId("save-review").hidden = true;
        say("saved");
      } else {
        throw new Error((await answer.text()).slice(0, 200) || `the program answered ${answer.status}`);
      }
      busy = false;
      if (changed) later(0);
    } catch (error) {
      busy = false;
      changed = true;
      byId("save-review").hidden = false;
      say(`not saved: ${error.message}; trying again. Save review.json before you close this page`, true);
      later(AGAIN_MS);
    }
  }

  function later(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(save, milliseconds);
  }

  function touched(film = null) {
    changed = true;
    if (served) {
      if (film) review.unsaved.mark(film, base.get(film.name));
      later(WAIT_MS);
    } else {
      say(review.unstored ? `not kept: ${review.unstored}; save review.json` : "kept in this browser", review.unstored !== null);
    }
  }

  function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(review.file(), null, 1) + "\n"], { type: "application/json" }));
    link.download = FILE;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async function loaded(event) {
    const [file] = event.target.files;
    event.target.value = "";
    if (!file) return;
    try {
      const data = JSON.parse(await file.text());
      const { taken, foreign, damaged } = review.take(data);
      const words = [`decisions about ${taken} films loaded from ${file.name}`];
      if (foreign) words.push(`${foreign} belong to other results and are only kept for saving`);
      if (damaged) words.push(`${damaged} could not be read`);
      await ask(words.join("; "), "close");
    } catch (error) {
      await ask(`${file.name} cannot be used: ${error instanceof SyntaxError ? "it is not JSON" : error.message}`, "close");
    }
  }

  /* Loads the saved review from the server, unless the page was opened from disk. */
  async function connect() {
    say("decisions are kept in this browser; those of a file can be loaded");
    if (!location.protocol.startsWith("http")) return;
    const answer = await fetch(FILE).catch(() => null);
    if (answer?.headers.get("Lesionscan-Review") !== "1") return;
    if (!answer.ok) {
      say(`not saved: ${(await answer.text()).slice(0, 200)}`, true);
      return;
    }
    try {
      const data = await answer.json();
      // decisions in this browser are replaced by the folder's, except those not saved last time
      const left = review.unsaved.all();
      const mine = review.filmsNow();
      const names = new Set([...mine.keys(), ...Object.keys(data.films)]);
      base = new Map([...names].map((name) => [name, left.has(name) ? left.get(name) : mine.get(name)]));
      await merge(data);
      tag = answer.headers.get("ETag");
      served = true;
      byId("save-review").hidden = true;
      say("saved");
      if (left.size) touched();
    } catch (error) {
      say(`the saved review.json cannot be used: ${error.message}`, true);
    }
  }

  async function start() {
    byId("save-review").addEventListener("click", download);
    byId("load-review").addEventListener("change", loaded);
    byId("load-label").addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); byId("load-review").click(); }
    });
    byId("reviewer").value = review.reviewer;
    byId("reviewer").addEventListener("change", () => { review.reviewer = byId("reviewer").value.trim(); touched(); });
    addEventListener("beforeunload", (event) => { if (served ? changed : review.unstored) event.preventDefault(); });
    await connect();
    byId("reviewer").value = review.reviewer;
    review.onChange(touched);
  }

  return { start };
})();
