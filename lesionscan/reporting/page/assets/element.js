"use strict";
/* Find and create elements. Words are always inserted as text, never as markup. */

/** @type {(id: string) => any} each element has its own properties */
const byId = (id) => document.getElementById(id);

/** @type {(tag: string, words?: string, name?: string) => any} */
function element(tag, words = "", name = "") {
  const one = document.createElement(tag);
  if (words) one.textContent = words;
  if (name) one.className = name;
  return one;
}
