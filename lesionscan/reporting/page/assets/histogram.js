"use strict";
/* A histogram that is also a filter: drag to select a range, click to clear it. */

function histogram(svg, { bins, onBrush }) {
  const WIDTH = 200;
  const HEIGHT = 48;
  const NAMESPACE = "http://www.w3.org/2000/svg";
  let range = { from: 0, to: 1 };
  let start = null;

  function bar(x, y, width, height, name) {
    const one = document.createElementNS(NAMESPACE, "rect");
    for (const [key, value] of Object.entries({ x, y, width, height, class: name })) one.setAttribute(key, value);
    return one;
  }

  /* Draws counts of the values; `chosen` is the range of the filter, or null. */
  function draw(values, limits, chosen, words) {
    range = limits;
    const counts = new Array(bins).fill(0);
    for (const value of values) {
      const place = Math.floor(((value - range.from) / (range.to - range.from)) * bins);
      if (place >= 0 && place <= bins) counts[Math.min(place, bins - 1)] += 1;
    }
    const most = Math.max(1, ...counts);
    const width = WIDTH / bins;
    const bars = counts.map((count, place) => {
      const height = count ? Math.max(1.5, (count / most) * HEIGHT) : 0;
      const middle = range.from + ((place + 0.5) / bins) * (range.to - range.from);
      const inside = !chosen || (middle >= chosen[0] && middle <= chosen[1]);
      return bar(place * width + 0.5, HEIGHT - height, width - 1, height, inside ? "bar" : "bar outside");
    });
    svg.replaceChildren(...bars);
    svg.setAttribute("aria-label", words(counts));
  }

  function value(event) {
    const box = svg.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return range.from + share * (range.to - range.from);
  }

  svg.addEventListener("pointerdown", (event) => {
    svg.setPointerCapture(event.pointerId);
    start = { x: event.clientX, value: value(event) };
  });
  svg.addEventListener("pointerup", (event) => {
    if (start === null) return;
    const end = value(event);
    const moved = Math.abs(event.clientX - start.x) > 3;
    onBrush(moved ? [Math.min(start.value, end), Math.max(start.value, end)] : null);
    start = null;
  });
  return { draw };
}
