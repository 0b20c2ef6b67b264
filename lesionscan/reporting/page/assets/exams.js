"use strict";
/* Films by patient and exam, from the table films.csv of `lesionscan exams`. The page's own files hold no
   pseudonyms, so the table is needed as well. */

const exams = (() => {
  const MOST_BYTES = 100e6;
  const NEEDED = ["file", "frame", "exam", "patient"];
  let onLoad = () => {};

  /* Returns the rows of a CSV text; quoted cells may contain commas and line ends. */
  function rows(text) {
    const all = [[]];
    for (const [whole, cell, end] of text.matchAll(/("(?:[^"]|"")*"|[^",\r\n]*)(,|\r?\n|$)/g)) {
      if (whole === "") break;
      all.at(-1).push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell);
      if (end !== ",") all.push([]);
    }
    return all.filter((row) => row.length > 0);
  }

  /* Sets patient and exam of each film; returns the number of films in the table. */
  function take(text) {
    const [header, ...lines] = rows(text.replace(/^\ufeff/, ""));
    const places = NEEDED.map((name) => header?.indexOf(name) ?? -1);
    if (places.includes(-1)) throw new Error("this is not the films.csv of lesionscan exams");
    const known = new Map();
    for (const line of lines) {
      const [file, frame, exam, patient] = places.map((place) => line[place] ?? "");
      const name = file.replace(/^\.\//, "");
      const whose = { exam, patient };
      if (frame === "1") known.set(name, whose);
      known.set(`${name}.frame${frame.padStart(3, "0")}`, whose);
    }
    let count = 0;
    for (const film of lesionscan.films) {
      const { exam, patient } = known.get(film.name) ?? { exam: "", patient: "" };
      const [searched] = film.searched.split("\n");
      Object.assign(film, { exam, patient, searched: `${searched}\n${patient} ${exam}` });
      count += Number(known.has(film.name));
    }
    return count;
  }

  async function load(event) {
    const [file] = event.target.files;
    event.target.value = "";  // so that choosing the same file again is a change
    if (!file) return;
    try {
      if (file.size > MOST_BYTES) throw new Error("the table is larger than 100 MB");
      const count = take(await file.text());
      byId("grouped").textContent = `${count.toLocaleString("en")} films are in the table of exams`;
      onLoad();
    } catch (error) {
      byId("grouped").textContent = error.message;
    }
  }

  function start(loaded) {
    onLoad = loaded;
    byId("load-exams").addEventListener("change", load);
    byId("load-exams-label").addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); byId("load-exams").click(); }
    });
  }

  return { start, rows };
})();
