"use strict";
/* Where decisions go: a file to keep, and, under `lesionscan review`, the results folder itself. */

const saving = (() => {
  const FILE = "review.json";
  const WAIT_MS = 500;
  const AGAIN_MS = 5000;
  const byId = (id) => document.getElementById(id);
  let served = false;
  let tag = null;        // of the file as it was last seen there
  let base = {};         // its films then
  let timer = null;
  let busy = false;
  let changed = false;

  function say(words, bad = false) {
    byId("saved").textContent = words;
    byId("saved").classList.toggle("bad", bad);
  }

  /* Asks one thing; the answer is a promise of true for the first button. */
  function ask(words, first, second = null) {
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

  /* Takes what another reviewer saved meanwhile; where both changed a film, the reviewer chooses. */
  async function merge(theirs) {
    const mine = review.filmsNow();
    const names = new Set([...Object.keys(mine), ...Object.keys(theirs.films)]);
    const taking = {};
    const both = [];
    for (const name of names) {
      if (same(theirs.films[name], base[name]) || same(theirs.films[name], mine[name])) continue;
      if (same(mine[name], base[name])) taking[name] = theirs.films[name];
      else both.push(name);
    }
    if (both.length) {
      const films = both.slice(0, 3).join(", ") + (both.length > 3 ? ` and ${both.length - 3} more` : "");
      const keep = await ask(`Another reviewer has saved other decisions about ${films}.`, "keep mine", "take theirs");
      if (!keep) for (const name of both) taking[name] = theirs.films[name];
    }
    const byName = new Map(lesionscan.films.map((film) => [film.name, film]));
    for (const [name, said] of Object.entries(taking)) if (said === undefined && byName.has(name)) review.forget(byName.get(name));
    review.take({ ...theirs, films: Object.fromEntries(Object.entries(taking).filter(([, said]) => said !== undefined)) });
    base = theirs.films;
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
        tag = answer.headers.get("ETag");
        await merge(await answer.json());
        changed = true;
      } else if (answer.ok) {
        tag = answer.headers.get("ETag");
        base = file.films;
        say("saved");
      } else {
        throw new Error((await answer.text()).slice(0, 200) || `the program answered ${answer.status}`);
      }
      busy = false;
      if (changed) later(0);
    } catch (error) {
      busy = false;
      say(`not saved: ${error.message}; kept in this browser, trying again`, true);
      later(AGAIN_MS);
    }
  }

  function later(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(save, milliseconds);
  }

  function touched() {
    changed = true;
    if (served) later(WAIT_MS);
    else say(review.unstored ? `not kept: ${review.unstored}; save review.json` : "kept in this browser", review.unstored !== null);
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
      const said = JSON.parse(await file.text());
      const { taken, foreign, damaged } = review.take(said);
      const words = [`decisions about ${taken} films taken from ${file.name}`];
      if (foreign) words.push(`${foreign} belong to other results and are only kept for saving`);
      if (damaged) words.push(`${damaged} could not be understood`);
      await ask(words.join("; "), "good");
    } catch (error) {
      await ask(`${file.name} cannot be used: ${error instanceof SyntaxError ? "it is not JSON" : error.message}`, "good");
    }
  }

  /* Asks the program that serves the page for what is saved; a page from disk asks nobody. */
  async function connect() {
    if (!location.protocol.startsWith("http")) return;
    const answer = await fetch(FILE).catch(() => null);
    if (answer?.headers.get("Lesionscan-Review") !== "1") return;
    if (!answer.ok) {
      say(`not saved: ${(await answer.text()).slice(0, 200)}`, true);
      return;
    }
    tag = answer.headers.get("ETag");
    served = true;
    try {
      const said = await answer.json();
      base = said.films;
      // what this browser alone knows, made before the page was served, goes along
      const alone = Object.keys(review.filmsNow()).some((name) => !(name in base));
      review.take(said);
      say("saved");
      if (alone) touched();
    } catch (error) {
      served = false;
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
    addEventListener("beforeunload", (event) => { if (served && changed) event.preventDefault(); });
    await connect();
    byId("reviewer").value = review.reviewer;
    byId("save-review").hidden = served;
    review.onChange(touched);
  }

  return { start };
})();
