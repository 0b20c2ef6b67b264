"use strict";
/* Finding and making the page's elements. Words are always text, never markup. */

const byId = (id) => document.getElementById(id);

function element(tag, words = "", name = "") {
  const one = document.createElement(tag);
  if (words) one.textContent = words;
  if (name) one.className = name;
  return one;
}
