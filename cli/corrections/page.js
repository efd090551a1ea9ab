"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const key = location.hash.slice(1);
  let pictures = [], at = 0, shownUrl = "", busy = 0, last = Promise.resolve();

  async function ask(path, body) {
    const asked = { headers: { "x-page-key": key } };
    if (body) Object.assign(asked, { method: "POST", body: JSON.stringify(body) });
    const response = await fetch(path, asked);
    if (!response.ok) throw new Error((await response.json()).error.message);
    return response;
  }

  const complain = (text) => { byId("alert").textContent = text; byId("alert").hidden = !text; };
  const percent = (share) => `${(100 * share).toFixed(1)} %`;

  async function read() {
    const told = await (await ask("corrections")).json();
    pictures = told.pictures;
    byId("dataset").textContent = told.dataset;
    byId("labels").replaceChildren(...told.classes.map((name) => new Option(name, name)));
    if (told.damaged.length) complain(`Unreadable, to be deleted by classifier corrections --delete: ${told.damaged.join(", ")}`);
    byId("stage").hidden = !pictures.length;
    await show(0);
  }

  // Senders, then reviews: who agrees with whom, of what is shown now.
  function count() {
    const of = (which) => pictures.filter(which).length;
    const said = (each) => each.said !== null, decided = (each) => each.decided !== null;
    const settled = (each) => decided(each) && each.decided.as !== "rejected";
    const withModel = of((each) => settled(each) && each.decided.class === each.predicted);
    const withSender = of((each) => settled(each) && said(each) && each.decided.class === each.said.class);
    byId("counts").textContent = pictures.length === 0 ? "No picture is kept now." : [
      `${pictures.length} given`,
      `${of((each) => said(each) && each.said.class === each.predicted)} called right by their senders, ${of((each) => said(each) && each.said.class !== each.predicted)} wrong`,
      `${of(decided)} reviewed: with the model ${withModel}, against it ${of(settled) - withModel}; with the sender ${withSender}, against ${of((each) => settled(each) && said(each)) - withSender}`,
    ].join(" · ");
  }

  async function show(place) {
    count();
    if (!pictures.length) return;
    at = Math.max(0, Math.min(pictures.length - 1, place));
    const mine = pictures[at];
    byId("place").textContent = `${at + 1} of ${pictures.length} · ${mine.request_id}`;
    const sure = mine.certain === true ? ", certain" : mine.unlike_training === true ? ", unlike its training pictures" : "";
    byId("predicted").textContent = `${mine.predicted} (${percent(mine.confidence)}${sure})`;
    byId("said").textContent = mine.said === null ? "said nothing" : mine.said.class === null ? "none of these" : mine.said.class === mine.predicted ? "right" : mine.said.class;
    const done = mine.decided;
    byId("decided").textContent = done === null ? "not yet" : [done.as, done.class, done.version && `in ${done.version}`].filter(Boolean).join(" · ");
    const fixed = Boolean(done && done.version);
    for (const button of document.querySelectorAll("#answers button")) {
      button.disabled = fixed || (button.dataset.answer === "sender" && mine.said === null) || (button.dataset.answer === "undo" && done === null);
    }
    byId("before").disabled = at === 0; byId("next").disabled = at === pictures.length - 1;
    byId("other").hidden = true;
    const image = byId("image");
    image.removeAttribute("src");
    const blob = await (await ask(`pictures/${encodeURIComponent(mine.request_id)}`)).blob();
    if (pictures[at] !== mine) return;
    URL.revokeObjectURL(shownUrl);
    shownUrl = URL.createObjectURL(blob);
    image.src = shownUrl;
    await image.decode().catch(() => complain("This browser cannot show the picture."));
    image.className = Math.max(image.naturalWidth, image.naturalHeight) < 128 ? "tiny" : "";
  }

  // One after the other, in the order in which they were asked for.
  function safely(work) {
    busy += 1;
    last = last.then(async () => {
      complain("");
      try { await work(); } catch (error) { complain(error.message); } finally { busy -= 1; }
    });
  }

  const answer = (what, label = null) => safely(async () => {
    const mine = pictures[at];
    const entry = await (await ask("reviews", { request_id: mine.request_id, answer: what, class: label })).json();
    pictures = pictures.map((each) => each.request_id === entry.request_id ? entry : each);
    await show(what === "undo" ? at : at + 1);
  });

  function press(what) {
    const button = document.querySelector(`[data-answer=${what}]`);
    if (!pictures.length || button.disabled || busy) return;   // nobody decides about what is not there yet
    if (what !== "class") { answer(what); return; }
    byId("other").hidden = false; byId("label").value = ""; byId("label").focus();
  }

  const KEYS = { a: "sender", m: "model", c: "class", n: "none", x: "reject", u: "undo" };
  addEventListener("keydown", (event) => {
    if (event.target.id === "label") { if (event.key === "Escape") { byId("other").hidden = true; event.target.blur(); } return; }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const what = KEYS[event.key.toLowerCase()];
    if (what) { event.preventDefault(); press(what); }
    if (event.key === "ArrowLeft") safely(() => show(at - 1));
    if (event.key === "ArrowRight") safely(() => show(at + 1));
  });
  for (const button of document.querySelectorAll("#answers button")) button.addEventListener("click", () => press(button.dataset.answer));
  byId("before").addEventListener("click", () => safely(() => show(at - 1)));
  byId("next").addEventListener("click", () => safely(() => show(at + 1)));
  byId("other").addEventListener("submit", (event) => { event.preventDefault(); byId("label").blur(); answer("class", byId("label").value); });
  byId("version").addEventListener("click", () => safely(async () => {
    byId("done").textContent = "Making it…";
    try {
      byId("done").textContent = (await (await ask("version", { make: true })).json()).done;
      await read();
    } catch (error) {
      byId("done").textContent = "";
      throw error;
    }
  }));
  safely(read);
})();
