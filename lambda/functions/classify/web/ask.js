// --- asking --------------------------------------------------------------------------------------
const PATIENCE_MS = 40000;
const WAKING_MS = 15 * 60000;   // for so long a model that is on its way is asked again by the page itself
let slept = false, waitingSince = 0;

const send = (body, controller, asked = "", more = {}) => post(
  "classify" + asked, body, controller, { "Content-Type": body.type || "application/octet-stream", ...more },
  (json) => Array.isArray(json.predictions),
);

async function post(path, body, controller, headers, whole) {
  const own = new AbortController(), end = () => own.abort();
  let late = false;
  const clock = setTimeout(() => { late = true; end(); }, PATIENCE_MS);
  if (controller.signal.aborted) end();
  controller.signal.addEventListener("abort", end);
  try {
    const response = await fetch(base + path, {
      method: "POST", body, signal: own.signal, headers: { ...headers, "x-api-key": key.value.trim() },
    });
    const text = await response.text();
    let json = null;
    try { json = JSON.parse(text); } catch { /* said below */ }
    if (response.ok && json && whole(json)) return json;
    throw meaning(response.status, json, Number(response.headers.get("Retry-After")) || 30);
  } catch (error) {
    if (error instanceof Problem) throw error;
    if (late) throw new Problem("The answer took too long", "The model may be busy or just starting. Try again in a moment.", { again: true, after: 5 });
    throw new Problem("The service could not be reached", "Check your connection and try again.", { again: true, after: 5 });
  } finally {
    clearTimeout(clock);
    controller.signal.removeEventListener("abort", end);
  }
}

// `again`: worth repeating, in a row of pictures after so many seconds; `pause`: the page repeats it by itself;
// `stop`: no other picture would fare better.
function meaning(status, json, pause) {
  const code = json?.error?.code || "", said = json?.error?.message || "", id = json?.request_id || "";
  const more = { id }, repeat = { id, again: true, after: Math.min(pause, 30) };
  // A sleeper that wakes is starting for most of the time: to whoever waits that is one thing.
  if (code === "Asleep") return waking({ ...repeat, pause: repeat.after });
  if (code === "EndpointStarting" && slept) return waking({ ...repeat, pause: repeat.after });
  if (code === "EndpointStarting") return new Problem("The model is starting", `${said} This page asks again by itself.`, { ...repeat, pause: repeat.after });
  if (status === 401 || status === 403) return new Problem("The API key was not accepted", "Check the key below and press Enter.", { ...more, focus: key, stop: true });
  if (code === "NoModelYet") return new Problem("No model is serving yet", said, { ...more, stop: true });
  if (status === 413) return new Problem("The picture is too large", said, more);
  if (status === 400 || status === 415) return new Problem("The model cannot use this picture", said, more);
  if (code === "QuotaExceeded") return new Problem("This key has used up its quota", said, { ...more, stop: true });
  if (status === 429) return new Problem("Too many requests just now", "Wait a few seconds and try again.", repeat);
  if (status === 504) return new Problem("The answer took too long", said, repeat);
  return new Problem("That did not work", said || `The service answered with status ${status}.`, repeat);
}

function waking(more) {
  slept = true;
  tellState(WAKES);
  return new Problem(WAKES, "It slept to cost nothing, and takes some minutes to wake. This page asks again by itself.", more);
}

// What is on its way answers after some minutes; whoever waits here need not press anything.
function stillWaking() {
  waitingSince ||= Date.now();
  return Date.now() - waitingSince < WAKING_MS;
}
