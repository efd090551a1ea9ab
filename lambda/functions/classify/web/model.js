// --- which model ---------------------------------------------------------------------------------
const WAKES = "The model is waking up";
const ABSENT = { Asleep: "The model is asleep. A picture wakes it, which takes some minutes", EndpointStarting: "The model is starting" };
let about = null, classesOf = "";

function tellState(text, state = "down") {
  byId("model").textContent = text; byId("model").dataset.state = state;
}

function tellModel(model) {
  const known = about && about.model.version === String(model.version);
  const parts = [`Model ${model.name}, version ${model.version}`];
  if (known && about.dataset) parts[0] = `Model ${model.name} ${model.version}, trained on ${about.dataset}`;
  if (known && typeof about.test_accuracy === "number") parts.push(`${percent(about.test_accuracy)} right on its test pictures`);
  const kept = known && about.answers;
  if (kept && kept.certain_share !== null) parts.push(`certain of ${percent(kept.certain_share)} of pictures, of which ${percent(kept.precision)} are promised to be right`);
  if (known && about.endpoint?.status === "Updating") parts.push("a new one is being brought up");
  tellState(parts.join(" · "), "up");
}

async function askModel() {
  try {
    const response = await fetch(base + "model"), json = await response.json();
    if (response.ok) { about = json; tellModel(json.model); tellClasses(); return; }
    if (!slept) tellState(ABSENT[json.error?.code] || "No model is serving yet");
  } catch {
    tellState("Which model is serving could not be asked");
  }
}

// An answer comes from a model that this page may not have asked about: it slept, or another one serves by now.
function tellAnswering(model) {
  if (!model) return;
  tellModel(model);
  if (about?.model.version === String(model.version)) tellClasses();
  else askModel();
}

// With the key, as the classes are for those who may ask.
async function tellClasses() {
  const version = about && String(about.model.version), word = key.value.trim();
  if (!version || !word || classesOf === version) return;
  try {
    const response = await fetch(base + "classes", { headers: { "x-api-key": word } });
    if (!response.ok) return;   // what is wrong with the key is said when a picture is sent
    const { classes } = await response.json();
    byId("classes").querySelector("summary").textContent = `It knows ${classes.length} classes`;
    byId("classes").querySelector("ul").replaceChildren(...classes.map((name) => element("li", name)));
    byId("classes").hidden = false;
    classesOf = version;
  } catch { /* the page works without them */ }
}
askModel();
