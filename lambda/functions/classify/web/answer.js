// --- the answer ----------------------------------------------------------------------------------
function present(result, picture) {
  const best = result.predictions[0];
  const head = element("div");
  head.append(element("h2", best.class), element("p", `${sureness(result)} ${percent(best.confidence)}`));
  if (result.unlike_training === true) head.append(element("p", UNLIKE, "unlike"));
  const list = element("ol");
  list.setAttribute("aria-label", "Most likely classes");
  for (const each of result.predictions.slice(0, 5)) {
    const item = element("li"), track = element("div", "", "track"), bar = element("span", "", "bar");
    track.setAttribute("aria-hidden", "true"); track.append(bar);
    item.append(element("span", each.class), element("span", percent(each.confidence)), track);
    list.append(item);
    requestAnimationFrame(() => requestAnimationFrame(() => { bar.style.width = `${Math.max(0.5, each.confidence * 100)}%`; }));
  }
  // Without the picture there is nothing to draw on.
  answer.replaceChildren(head, list, ...(picture.shown ? [reason(picture)] : []), ...(result.kept ? [question(result)] : []));
  if (result.kept === null) answer.append(element("p", "Your picture could not be kept this time.", "waiting"));
  answer.hidden = false;
  tellAnswering(result.model);
}

const UNLIKE = "This picture is unlike those the model was trained on: it may show none of its classes.";

// Only what the model promises of its answers is said in words: how high a confidence has to be for it differs
// from model to model. One that promises nothing has its number alone.
function sureness(result) {
  if (result.unlike_training === true) return "Perhaps none of these,";
  if (result.certain === true) return "Certain,";
  if (result.certain === false) return "Not certain,";
  return "Confidence";
}

// --- right? ------------------------------------------------------------------------------------
// Of a picture that was given. What is said may be said again: the last word counts.
function question(result) {
  const box = element("section", "", "right"), row = element("div", "", "row"), said = element("p");
  const yes = element("button", "Yes", "button"), no = element("button", "No", "button");
  const line = element("div", "", "row"), choice = element("select"), tell = element("button", "Send", "button main");
  box.setAttribute("aria-label", "Is that right?");
  for (const button of [yes, no, tell]) button.type = "button";
  choice.setAttribute("aria-label", "What it shows");
  choice.append(new Option("What is it?", ""), new Option("None of these", "none"));
  for (const name of [...result.kept.classes].sort((one, other) => one.localeCompare(other))) {
    if (name !== result.predicted_class) choice.append(new Option(name, "class " + name));
  }
  line.hidden = true; said.setAttribute("role", "status");
  const say = async (name, button) => {
    for (const each of [yes, no, tell]) each.disabled = true;
    said.textContent = "Sending…";
    try {
      const body = JSON.stringify({ request_id: result.request_id, class: name });
      const headers = { "Content-Type": "application/json" };
      await post("feedback", body, new AbortController(), headers, (json) => json.request_id === result.request_id);
      said.textContent = name === null ? "Thank you: none of these." : `Thank you: ${name}.`;
      for (const each of [yes, no]) each.setAttribute("aria-pressed", String((each === yes) === (button === yes)));
    } catch (problem) {
      said.textContent = problem instanceof Problem ? problem.message : "That did not work.";
    } finally {
      for (const each of [yes, no, tell]) each.disabled = false;
      button.focus();
    }
  };
  yes.addEventListener("click", () => { line.hidden = true; say(result.predicted_class, yes); });
  no.addEventListener("click", () => { line.hidden = false; choice.focus(); });
  tell.addEventListener("click", () => {
    if (!choice.value) { said.textContent = "Choose what it is first."; choice.focus(); return; }
    say(choice.value === "none" ? null : choice.value.slice("class ".length), tell);
  });
  row.append(yes, no); line.append(choice, tell);
  const until = new Date(Date.now() + 86400000 * result.kept.days).toLocaleDateString();
  const note = `Kept until ${until} as ${result.request_id}. Whoever runs this model can delete it by this number.`;
  box.append(element("h3", "Is that right?"), row, line, said, element("small", note));
  return box;
}

// --- why ---------------------------------------------------------------------------------------
// Asked for only when somebody wants to know: the model works a second time for it.
function reason(picture) {
  const box = element("div", "", "why"), button = element("button", "Why?", "button"), said = element("p");
  button.type = "button"; button.setAttribute("aria-pressed", "false"); button.setAttribute("aria-controls", "map");
  let words = "", asking = false;
  const press = (on) => { map.hidden = !on; said.textContent = on ? words : ""; button.setAttribute("aria-pressed", String(on)); };
  button.addEventListener("click", async () => {
    if (asking) return;
    if (words) { press(button.getAttribute("aria-pressed") === "false"); return; }
    const mine = running = new AbortController();
    asking = true; said.textContent = "Asking…";
    try {
      const { explanation, explanation_missing: missing } = await send(await ready(picture), mine, "?explain=true");
      if (running !== mine) return;
      if (!explanation) { said.textContent = MISSING[missing] || "This model cannot tell where it saw it."; return; }
      paint(explanation);
      words = `The brighter, the more that place spoke for ${explanation.class}: most in ${place(explanation)}.`;
      press(true);
    } catch (problem) {
      if (running === mine) said.textContent = problem instanceof Problem ? problem.message : "That did not work.";
    } finally {
      asking = false;
    }
  });
  box.append(button, said);
  return box;
}

const MISSING = {
  head_not_pooled: "A network of this kind does not tell where it saw it.",
  head_not_linear: "A network of this kind does not tell where it saw it.",
  one_place: "To this model a picture is one place: it does not tell where it saw it.",
};

// One pixel for each place, drawn over what the model saw of the picture; the browser smooths between them.
// Where nothing spoke for the class, a third of the picture's light is left; where most did, two thirds and yellow.
function paint({ map: rows, box: [left, top, right, bottom] }) {
  const small = document.createElement("canvas");
  small.width = rows[0].length; small.height = rows.length;
  const dots = small.getContext("2d"), pixels = dots.createImageData(small.width, small.height);
  rows.flat().forEach((share, place) => {
    const cover = 0.65 - 0.3 * share, ink = 0.35 * share / cover;
    pixels.data.set([255 * ink, 210 * ink, 30 * ink, 255 * cover], 4 * place);
  });
  dots.putImageData(pixels, 0, 0);
  const scale = Math.min(1, 640 / Math.max(image.naturalWidth, image.naturalHeight));
  map.width = Math.max(1, Math.round(image.naturalWidth * scale)); map.height = Math.max(1, Math.round(image.naturalHeight * scale));
  map.className = image.className;
  const pen = map.getContext("2d");
  const seen = [left * map.width, top * map.height, (right - left) * map.width, (bottom - top) * map.height];
  pen.fillStyle = "rgb(0 0 0 / .65)"; pen.fillRect(0, 0, map.width, map.height);
  pen.clearRect(...seen);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(small, ...seen);
}

function place({ map: rows, box: [left, top, right, bottom] }) {
  const all = rows.flat(), at = all.indexOf(Math.max(...all));
  const third = (from, to, index, count, names) => names[Math.min(2, Math.floor(3 * (from + (to - from) * (index + 0.5) / count)))];
  const down = third(top, bottom, Math.floor(at / rows[0].length), rows.length, ["upper", "", "lower"]);
  const across = third(left, right, at % rows[0].length, rows[0].length, ["left", "", "right"]);
  return down || across ? `the ${[down, across].filter(Boolean).join(" ")} part` : "the middle";
}
