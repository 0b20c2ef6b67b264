"use strict";
/* The slider: to its left the first film is seen, to its right the second. */
(() => {
  const slider = document.getElementById("slider");
  const button = document.getElementById("show-outlines");
  const show = () => document.getElementById("wipe").setAttribute("width", `${slider.value}%`);
  slider.addEventListener("input", show);
  button.addEventListener("click", () => {
    const shown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(shown));
    document.getElementById("outlines").classList.toggle("off", !shown);
  });
  show();
})();
