"use strict";
/* The film: zoom, pan, brightness and contrast, with outlines drawn over it. */

const stage = (() => {
  const NAMESPACE = "http://www.w3.org/2000/svg";
  const LARGEST = 40;
  const LEAST_AREA = 4;  // a smaller area might enclose no pixel
  const layers = { film: true, outlines: true, bone: false, field: false };
  let view = null;
  let film = null;
  let scale = 1;
  let left = 0;
  let top = 0;
  let fitted = true;
  let active = null;
  let hidden = false;
  let drawing = null;
  /** @type {(id: number | null) => void} */
  let onCandidate = () => {};
  /** @type {(film: any, points: number[][]) => void} */
  let onMissed = () => {};
  const touches = new Map();
  let drag = null;

  function made(tag, attributes) {
    const one = document.createElementNS(NAMESPACE, tag);
    for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
    return one;
  }

  /* Pixel centres are at integers; the picture's corner is half a pixel before the first. */
  function path(flat) {
    const parts = [];
    for (let place = 0; place < flat.length; place += 2) parts.push(`${flat[place + 1] + 0.5},${flat[place] + 0.5}`);
    return `M${parts.join("L")}Z`;
  }

  function fit() {
    if (!view) return;
    const box = byId("stage");
    scale = Math.min(box.clientWidth / view.columns, box.clientHeight / view.rows) || 1;
    left = (box.clientWidth - scale * view.columns) / 2;
    top = (box.clientHeight - scale * view.rows) / 2;
    fitted = true;
    place();
  }

  function place() {
    if (!view) return;
    const sheet = byId("sheet");
    sheet.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
    byId("lines")?.setAttribute("transform", `matrix(${scale} 0 0 ${scale} ${left} ${top})`);
    const box = byId("stage");
    for (const tag of byId("drawing").querySelectorAll(".tag")) {
      const x = left + scale * Number(tag.dataset.column) + 5;
      const y = top + scale * Number(tag.dataset.row) - 4;
      tag.setAttribute("x", Math.min(x, box.clientWidth - 26));
      tag.setAttribute("y", Math.max(14, y));
      // no tag for candidates outside the visible part
      const visible = x > 0 && x < box.clientWidth + 20 && y > -20 && y < box.clientHeight;
      tag.setAttribute("visibility", visible ? "visible" : "hidden");
    }
  }

  function zoom(by, x, y) {
    const box = byId("stage");
    const atX = x ?? box.clientWidth / 2;
    const atY = y ?? box.clientHeight / 2;
    const fit = Math.min(box.clientWidth / view.columns, box.clientHeight / view.rows);
    const next = Math.min(Math.max(scale * by, fit / 2), LARGEST);
    left = atX - ((atX - left) * next) / scale;
    top = atY - ((atY - top) * next) / scale;
    scale = next;
    fitted = false;
    place();
  }

  function grey() {
    byId("picture").style.filter = `brightness(${byId("brightness").value}%) contrast(${byId("contrast").value}%)`;
  }

  function reset() {
    byId("brightness").value = 100;
    byId("contrast").value = 100;
    grey();
    fit();
  }

  function tag(words, row, column, name) {
    const one = made("text", { class: `tag ${name}` });
    one.dataset.row = row;
    one.dataset.column = column;
    one.textContent = words;
    return one;
  }

  const SIGNS = new Map([["accepted", "\u2713"], ["rejected", "\u2717"], ["unsure", "?"]]);

  function state(id) {
    return review.get(film).candidates.get(id)?.decision ?? "open";
  }

  function draw() {
    const svg = byId("drawing");
    if (!view) {
      svg.replaceChildren();
      return;
    }
    const lines = made("g", { id: "lines" });
    const tags = made("g", {});
    const layer = (flats, name) => flats.forEach((flat) => lines.append(made("path", { d: path(flat), class: name })));
    if (layers.bone) layer(view.bone, "bone");
    if (layers.field) layer(view.field, "field");
    if (layers.outlines && !hidden) {
      for (const one of listed()) {
        const name = `candidate ${state(one.id)}${one.id === active ? " active" : ""}`;
        lines.append(made("path", { d: path(one.outline_px), class: `halo ${name}` }));
        const line = made("path", { d: path(one.outline_px), class: `line ${name}` });
        line.dataset.id = one.id;
        lines.append(line);
        const sign = SIGNS.get(state(one.id));
        tags.append(tag(sign ? `${one.id} ${sign}` : String(one.id), one.bbox_px[0], one.bbox_px[3], name));
      }
      review.get(film).missed.forEach((one, place) => {
        const flat = one.outline_px.flat();
        lines.append(made("path", { d: path(flat), class: "halo missed" }), made("path", { d: path(flat), class: "line missed" }));
        const rows = one.outline_px.map(([row]) => row);
        const columns = one.outline_px.map(([, column]) => column);
        tags.append(tag(`M${place + 1}`, Math.min(...rows), Math.max(...columns), "missed"));
      });
    }
    if (drawing?.points.length) {
      const points = drawing.points.map(([row, column]) => `${column + 0.5},${row + 0.5}`).join(" ");
      lines.append(made("polyline", { points, class: "line drawn" }));
    }
    svg.replaceChildren(lines, tags);
    place();
  }

  /* The candidates that pass the list's filter, and those with a decision. */
  function listed() {
    if (!view) return [];
    return view.candidates.filter((one, place) => list.passes(film, place) || review.get(film).candidates.has(one.id));
  }

  function words() {
    if (!film) return "";
    if (view && !view.picture) return "no picture of this film was made (burned-in text, or --no-overlay)";
    return "";
  }

  /* Shows a film: its picture at once, its outlines as soon as they are loaded. */
  function show(next, data) {
    film = next;
    view = data;
    active = null;
    stopDrawing();
    touches.clear();
    drag = null;
    byId("pointer").textContent = "";
    const picture = byId("picture");
    const source = data?.picture ? lesionscan.picture(next.name) : null;
    if (source) {
      if (picture.getAttribute("src") !== source) picture.src = source;
      picture.width = data.columns;
      picture.height = data.rows;
    } else {
      picture.removeAttribute("src");
    }
    picture.hidden = !source || !layers.film;
    byId("stage-words").textContent = words();
    byId("stage").setAttribute("aria-label", data ? `Film ${next.name}, ${listed().length} candidates outlined` : "Film");
    grey();
    draw();
    fit();
  }

  function light(id) {
    if (active === id) return;
    active = id;
    draw();
  }

  function toggle(name, on = !layers[name]) {
    layers[name] = on;
    byId(`show-${name}`).setAttribute("aria-pressed", on);
    byId("picture").hidden = !layers.film || !view?.picture;
    draw();
  }

  function position(event) {
    const box = byId("stage").getBoundingClientRect();
    const x = event.clientX - box.left;
    const y = event.clientY - box.top;
    return { x, y, row: (y - top) / scale - 0.5, column: (x - left) / scale - 0.5 };
  }

  function startDrawing() {
    if (!view) return;
    drawing = { points: [] };
    byId("stage").classList.add("drawing");
    byId("draw-missed").setAttribute("aria-pressed", "true");
    byId("stage-words").textContent = "draw around the missed lesion (Escape stops)";
  }

  function stopDrawing() {
    drawing = null;
    byId("stage").classList.remove("drawing");
    byId("draw-missed").setAttribute("aria-pressed", "false");
    byId("stage-words").textContent = words();
  }

  function drawn(event) {
    const at = position(event);
    const within = (value, end) => Math.round(Math.min(Math.max(value, -0.5), end - 0.5) * 10) / 10;
    const point = [within(at.row, view.rows), within(at.column, view.columns)];
    const before = drawing.points.at(-1);
    if (before && Math.hypot(point[0] - before[0], point[1] - before[1]) * scale < 3) return;
    drawing.points.push(point);
    draw();
  }

  /* Returns the area of an outline in pixels (shoelace formula). */
  function area(points) {
    const doubled = points.reduce((sum, [row, column], place) => {
      const [nextRow, nextColumn] = points[(place + 1) % points.length];
      return sum + row * nextColumn - nextRow * column;
    }, 0);
    return Math.abs(doubled) / 2;
  }

  function finishDrawing() {
    const points = drawing.points;
    stopDrawing();
    if (area(points) >= LEAST_AREA) onMissed(film, points);
    else byId("stage-words").textContent = "too small to be an outline: press m and draw around the lesion";
    draw();
  }

  function show_pointer(event) {
    if (!view) return;
    const at = position(event);
    const row = Math.round(at.row);
    const column = Math.round(at.column);
    const inside = row >= 0 && column >= 0 && row < view.rows && column < view.columns;
    const mm = inside && view.spacing_mm ? `  ${(row * view.spacing_mm[0]).toFixed(1)}, ${(column * view.spacing_mm[1]).toFixed(1)} mm` : "";
    byId("pointer").textContent = inside ? `row ${row}, column ${column}${mm}` : "";
  }

  function under(event) {
    const hit = event.target.closest?.("[data-id]");
    return hit ? Number(hit.dataset.id) : null;
  }

  function pinched() {
    const [one, other] = [...touches.values()];
    return { distance: Math.hypot(one.x - other.x, one.y - other.y), x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
  }

  function down(event) {
    if (!view || (drawing && touches.size)) return;  // one pointer draws
    byId("stage").setPointerCapture(event.pointerId);
    touches.set(event.pointerId, position(event));
    if (drawing && event.button === 0) {
      drawing.points = [];
      drawn(event);
    } else if (touches.size === 2) {
      drag = { kind: "pinch", from: pinched() };
    } else {
      const greys = event.button === 2;
      drag = { kind: greys ? "grey" : "move", from: position(event), left, top, brightness: Number(byId("brightness").value), contrast: Number(byId("contrast").value), on: under(event), moved: false };
    }
  }

  function move(event) {
    show_pointer(event);
    if (!touches.has(event.pointerId)) {
      const id = under(event);
      if (id !== null || event.target === byId("drawing") || event.target === byId("stage")) onCandidate(id);
      return;
    }
    const at = position(event);
    touches.set(event.pointerId, at);
    if (drawing) {
      drawn(event);
    } else if (drag?.kind === "pinch" && touches.size === 2) {
      const now = pinched();
      left += now.x - drag.from.x;
      top += now.y - drag.from.y;
      zoom(now.distance / Math.max(1, drag.from.distance), now.x, now.y);
      drag.from = now;
    } else if (drag) {
      const [x, y] = [at.x - drag.from.x, at.y - drag.from.y];
      if (Math.hypot(x, y) > 3) drag.moved = true;
      if (drag.kind === "move") {
        left = drag.left + x;
        top = drag.top + y;
        if (drag.moved) fitted = false;
        place();
      } else {
        byId("contrast").value = drag.contrast + x / 2;
        byId("brightness").value = drag.brightness - y / 2;
        grey();
      }
    }
  }

  /* The system has cancelled the pointer: undo what it was doing. */
  function cancel(event) {
    touches.delete(event.pointerId);
    drag = null;
    if (drawing) drawing.points = [];
    draw();
  }

  function up(event) {
    if (!touches.delete(event.pointerId)) return;
    if (drawing) {
      if (drawing.points.length) finishDrawing();
    } else if (drag && !drag.moved && drag.kind === "move" && drag.on !== null) {
      onCandidate(drag.on);
    }
    if (!touches.size) drag = null;
  }

  function start(handlers) {
    onCandidate = handlers.onCandidate;
    onMissed = handlers.onMissed;
    const box = byId("stage");
    box.addEventListener("pointerdown", down);
    box.addEventListener("pointermove", move);
    box.addEventListener("pointerup", up);
    box.addEventListener("pointercancel", cancel);
    box.addEventListener("pointerleave", () => { byId("pointer").textContent = ""; });
    box.addEventListener("contextmenu", (event) => event.preventDefault());
    box.addEventListener("wheel", (event) => {
      if (!view) return;
      event.preventDefault();
      const at = position(event);
      zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0015)), at.x, at.y);
    }, { passive: false });
    for (const name of Object.keys(layers)) byId(`show-${name}`).addEventListener("click", () => toggle(name));
    for (const id of ["brightness", "contrast"]) byId(id).addEventListener("input", grey);
    byId("zoom-in").addEventListener("click", () => view && zoom(1.4));
    byId("zoom-out").addEventListener("click", () => view && zoom(1 / 1.4));
    byId("reset-view").addEventListener("click", reset);
    byId("picture").addEventListener("error", () => {
      if (byId("picture").getAttribute("src")) byId("stage-words").textContent = "the film's picture cannot be loaded";
    });
    byId("draw-missed").addEventListener("click", () => (drawing ? stopDrawing() : startDrawing()));
    new ResizeObserver(() => (fitted ? fit() : place())).observe(box);
  }

  return {
    start, show, draw, light, toggle, reset, startDrawing, listed,
    stopDrawing() { if (!drawing) return false; stopDrawing(); draw(); return true; },
    zoom: (by) => view && zoom(by),
    hide(now) { if (hidden !== now) { hidden = now; draw(); } },
    get active() { return active; },
  };
})();
