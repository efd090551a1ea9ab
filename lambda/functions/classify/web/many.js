// --- many pictures -------------------------------------------------------------------------------
const MOST = 500, AT_ONCE = 2, TRIES = 4;
const COLUMNS = ["file", "predicted_class", "confidence", "certain", "unlike_training", "model_version", "error"];
let many = [], asking = null, tooMany = "";   // what was taken, each with its result or its problem; who asks for them

const unanswered = () => many.filter((item) => !item.result && (!item.problem || item.problem.again || item.problem.stop));

function takeMany(files) {
  asking?.abort();
  for (const item of many) URL.revokeObjectURL(item.url);
  running?.abort(); running = null; current = null; waitingSince = 0;
  rest();
  alertBox.hidden = true; answer.hidden = true; figure.hidden = true; stage.classList.remove("has-picture");
  tooMany = files.length > MOST ? `The first ${MOST} of ${files.length} are taken; for more there is classifier batch. ` : "";
  many = files.slice(0, MOST).map((file) => ({ file, name: file.webkitRelativePath || file.name || "picture", url: URL.createObjectURL(file), row: element("tr") }));
  many.forEach(draw);
  byId("rows").replaceChildren(...many.map((item) => item.row));
  byId("many").hidden = false;
  byId("many").scrollIntoView({ block: "nearest" });
  askAll();
}

// Two at a time: the next picture is made ready while one is answered.
async function askAll() {
  asking?.abort();
  const mine = asking = new AbortController(), todo = unanswered();
  alertBox.hidden = true;
  if (!key.value.trim()) { asking = null; count(); complain(needKey(), false); return; }
  for (const item of todo) { item.problem = null; draw(item); }
  count();
  const worker = async () => { while (todo.length && !mine.signal.aborted) await askOne(todo.shift(), mine); };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (asking === mine) { asking = null; count(); }
}

async function askOne(item, controller) {
  item.asked = true; draw(item);
  try {
    const picture = await look(item.file);
    const body = await ready(picture);
    URL.revokeObjectURL(picture.url);
    const result = await patiently(body, controller);
    if (controller.signal.aborted) return;
    item.result = result; item.unseen = !picture.shown;
    if (waitingSince) { slept = false; waitingSince = 0; alertBox.hidden = true; }
    tellAnswering(result.model);
  } catch (problem) {
    if (controller.signal.aborted) return;
    item.problem = problem;
    if (problem.stop) { controller.abort(); asking = null; complain(problem, false); }
  } finally {
    item.asked = false;
    draw(item); count();
  }
}

async function patiently(body, controller) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await send(body, controller);
    } catch (problem) {
      const waits = problem.pause ? stillWaking() : problem.again && tried < TRIES;
      if (!waits || controller.signal.aborted) throw problem;
      if (problem.pause) complain(problem, false);
      await seconds(problem.after);
      if (controller.signal.aborted) throw problem;
    }
  }
}

function draw(item) {
  const name = element("td"), pick = element("button", "", "pick"), said = element("td");
  pick.type = "button"; pick.disabled = !item.result;
  if (item.unseen || !item.file.type.startsWith("image/")) pick.append(element("i"));
  else pick.append(Object.assign(element("img"), { src: item.url, alt: "", loading: "lazy" }));
  pick.append(element("span", item.name)); pick.title = item.name;
  pick.addEventListener("click", () => reopen(item));
  name.append(pick);
  if (item.result) {
    const best = item.result.predictions[0];
    said.append(element("strong", best.class), element("small", `${sureness(item.result)} ${percent(best.confidence)}`));
  } else if (item.problem) {
    said.className = "bad"; said.textContent = item.problem.message;
  } else {
    said.textContent = item.asked ? "Looking…" : "";
  }
  item.row.replaceChildren(name, said);
}

function count() {
  const answers = many.filter((item) => item.result).length, failed = many.filter((item) => item.problem).length;
  byId("progress").textContent = `${tooMany}${answers} of ${many.length} answered${failed ? `, ${failed} could not be` : ""}${asking ? "…" : "."}`;
  byId("table").disabled = !answers && !failed;
  byId("stop").hidden = !asking; byId("rest").hidden = Boolean(asking) || !unanswered().length;
}

byId("stop").addEventListener("click", () => {
  asking?.abort(); asking = null; alertBox.hidden = true;
  many.forEach((item) => { item.asked = false; draw(item); });
  count();
});
byId("rest").addEventListener("click", () => askAll());

async function reopen(item) {
  running?.abort();
  running = null; current = item.file;
  if (gave) { given(false); give.checked = false; }
  rest();
  alertBox.hidden = true;
  try {
    const picture = await show(item.file);
    if (current === item.file) { present(item.result, picture); stage.scrollIntoView({ block: "nearest" }); }
  } catch (problem) {
    complain(problem);
  }
}

// Asked for alone meanwhile, with the tick or once more.
function answered(file, result) {
  const item = many.find((each) => each.file === file);
  if (item) { Object.assign(item, { result, problem: null }); draw(item); count(); }
}

byId("table").addEventListener("click", () => {
  const lines = many.map(({ name, result, problem }) => [
    name, result?.predicted_class, result?.confidence, result?.certain, result?.unlike_training, result?.model?.version, problem?.message,
  ]);
  const link = element("a");
  link.href = URL.createObjectURL(new Blob([[COLUMNS, ...lines].map((line) => line.map(cell).join(",") + "\r\n").join("")], { type: "text/csv" }));
  link.download = "answers.csv";
  link.click();
  seconds(60).then(() => URL.revokeObjectURL(link.href));
});

// A spreadsheet takes text that begins like a formula for one, so such text begins with an apostrophe.
function cell(value) {
  const text = value === undefined || value === null ? "" : String(value);
  const plain = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
