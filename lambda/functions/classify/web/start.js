const MAX_BYTES = Number("__MAX_IMAGE_BYTES__") || 4000000;
const GIVEN_DAYS = Number("__GIVEN_DAYS__") || 0;   // 0: no picture is ever kept
const byId = (id) => document.getElementById(id);
const stage = byId("stage"), figure = byId("figure"), image = byId("image"), answer = byId("answer"), alertBox = byId("alert");
const key = byId("key"), map = byId("map"), unseen = byId("unseen");
// The page also works under a stage (…/live) that was opened without the slash at its end.
const base = location.pathname.endsWith("/") ? "" : location.pathname.split("/").pop() + "/";
const element = (tag, text = "", className = "") => Object.assign(document.createElement(tag), { textContent: text, className });
const percent = (share) => share >= 0.9995 ? "100\u00a0%" : share < 0.001 ? "<\u00a00.1\u00a0%" : `${(share * 100).toFixed(1)}\u00a0%`;
const seconds = (count) => new Promise((done) => setTimeout(done, count * 1000));
let current = null, running = null;   // the picture that is shown, and the request for it
byId("limit").textContent = ` A file above ${(MAX_BYTES / 1e6).toFixed(1)} MB is made smaller first.`;

class Problem extends Error {
  constructor(title, text, more = {}) { super(text); Object.assign(this, { title, ...more }); }
}

// --- the key -----------------------------------------------------------------------------------
try { key.value = sessionStorage.getItem("api-key") || ""; } catch { /* storage is switched off: it is typed each time */ }
key.addEventListener("input", () => { try { sessionStorage.setItem("api-key", key.value.trim()); } catch { /* as above */ } });
key.addEventListener("change", () => tellClasses());
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  tellClasses();
  if (current) classify(current);
  if (unanswered().length) askAll();
});
byId("show").addEventListener("click", (event) => {
  const shown = key.type === "text";
  key.type = shown ? "password" : "text";
  event.target.textContent = shown ? "Show" : "Hide";
  event.target.setAttribute("aria-pressed", String(!shown));
});
const needKey = () => new Problem("An API key is needed", "Enter your API key below and press Enter.", { focus: key });

// --- giving ------------------------------------------------------------------------------------
const give = byId("give");
byId("give-card").hidden = !GIVEN_DAYS; byId("unless").hidden = !GIVEN_DAYS;
byId("given-days").textContent = GIVEN_DAYS === 1 ? "1 day" : `${GIVEN_DAYS} days`;
// The tick is about one picture: set before it is chosen, or when its answer is there; the next wants its own.
let gave = false, sender = "";
const given = (is) => { gave = is; give.disabled = is; };
give.addEventListener("change", () => { if (give.checked && current) classify(current); });
// The number is made with the first picture that is given, and the same for all later ones of this browser.
function senderWord() {
  try { sender ||= localStorage.getItem("sender") || ""; } catch { /* storage is switched off: one for each page */ }
  sender ||= [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  try { localStorage.setItem("sender", sender); } catch { /* as above */ }
  return sender;
}
