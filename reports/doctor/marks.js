"use strict";
// One decision a picture, wherever it stands on the page: what is proposed, and over it what was marked here.
const known = JSON.parse(document.getElementById("known").textContent);
const cards = [...document.querySelectorAll(".one")];
const proposed = new Map();
for (const card of cards) {
  const { picture, sha, action, label, split, reason, score } = card.dataset;
  proposed.set(picture, { sha, action, label, split, reason, score });
}
let marks = {};
try { marks = JSON.parse(localStorage.getItem(known.store)) || {}; } catch { /* a browser without storage */ }

const decision = (picture) => ({ ...proposed.get(picture), ...(Object.hasOwn(marks, picture) ? marks[picture] : {}) });

function keep() {
  try { localStorage.setItem(known.store, JSON.stringify(marks)); } catch { /* they last as long as the page */ }
}

function draw(card) {
  const { action, label, split } = decision(card.dataset.picture);
  const [what, where] = card.querySelectorAll("select");
  const name = card.querySelector("input");
  what.value = action;
  name.value = label;
  where.value = split || "train";
  name.hidden = action !== "relabel";
  where.hidden = action !== "move";
  card.className = "one " + action + (action === "relabel" && !label ? " lacking" : "");
}

function count() {
  const pictures = [...proposed.keys()];
  const decided = pictures.filter((each) => decision(each).action).length;
  document.getElementById("count").textContent =
    `${decided} of ${pictures.length} pictures decided, ${Object.keys(marks).length} by you`;
}

function mark(card, change) {
  const picture = card.dataset.picture;
  const { action, label, split } = decision(picture);
  marks[picture] = { action, label, split, ...change };
  keep();
  for (const each of cards) if (each.dataset.picture === picture) draw(each);
  count();
}

const cell = (text) => /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

function csv() {
  const rows = [known.columns, ...known.others];
  for (const picture of proposed.keys()) {
    const each = decision(picture);
    // A class to choose that was not chosen is no decision.
    const action = each.action === "relabel" && !each.label ? "" : each.action;
    if (!action && !each.label && !Object.hasOwn(marks, picture)) continue;
    const split = each.action === "move" ? each.split || "train" : each.split;
    rows.push([picture, each.sha, action, each.label, split, each.reason, each.score]);
  }
  return rows.map((row) => row.map(cell).join(",") + "\n").join("");
}

for (const card of cards) {
  const [what, where] = card.querySelectorAll("select");
  const name = card.querySelector("input");
  what.addEventListener("change", () => {
    mark(card, { action: what.value, ...(what.value === "move" ? { split: where.value } : {}) });
    if (what.value === "relabel") name.focus();
  });
  name.addEventListener("change", () => mark(card, { label: name.value.trim() }));
  where.addEventListener("change", () => mark(card, { split: where.value }));
  draw(card);
}
document.getElementById("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = known.file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
document.getElementById("forget").addEventListener("click", () => {
  marks = {};
  keep();
  cards.forEach(draw);
  count();
});
count();
