// --- one picture ---------------------------------------------------------------------------------
const LONGEST_SIDE = 2048;   // what a picture that is too large is made smaller to
const SENT_AS_IS = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff"];
const READ_UNSEEN = /\.tiff?$/i;   // what the model reads and most browsers do not show

async function classify(file) {
  running?.abort();
  const mine = running = new AbortController();
  current = file;
  alertBox.hidden = true;
  try {
    const picture = await show(file);
    if (running !== mine) return;
    if (!key.value.trim()) throw needKey();
    wait();
    const gift = GIVEN_DAYS && give.checked && !gave ? { "x-give-picture": "true", "x-sender": senderWord() } : {};
    const result = await send(await ready(picture), mine, "", gift);
    if (running !== mine) return;
    slept = false; waitingSince = 0;
    given(Boolean(result.kept));
    present(result, picture);
    answered(file, result);
  } catch (problem) {
    if (running === mine) complain(problem);
  } finally {
    if (running === mine) rest();
  }
}

// The picture as the browser shows it; `shown` is null of one that only the model reads.
async function look(file) {
  const url = URL.createObjectURL(file), shown = new Image();
  shown.src = url;
  try {
    await shown.decode();
    return { file, url, shown };
  } catch {
    if (await isTiff(file)) return { file, url, shown: null };
    URL.revokeObjectURL(url);
    throw new Problem("That is not a picture this browser can open", `${file.name || "The file"} could not be read as a picture. Choose a JPEG, PNG, WebP, GIF, BMP or TIFF.`);
  }
}

async function isTiff(file) {
  try {
    const [one, two, three, four] = new Uint8Array(await file.slice(0, 4).arrayBuffer());
    return (one === 0x49 && two === 0x49 && [0x2a, 0x2b].includes(three) && !four) || (one === 0x4d && two === 0x4d && !three && [0x2a, 0x2b].includes(four));
  } catch {
    return false;   // a folder, or gone meanwhile
  }
}

async function show(file) {
  map.hidden = true; answer.hidden = true;
  let picture;
  try {
    picture = await look(file);
  } catch (problem) {
    figure.hidden = true; stage.classList.remove("has-picture");
    throw problem;
  }
  if (current !== file) { URL.revokeObjectURL(picture.url); return picture; }
  const { url, shown } = picture, old = image.src;
  image.hidden = !shown; unseen.hidden = Boolean(shown);
  unseen.textContent = shown ? "" : `${file.name || "This picture"}: this browser does not show TIFF pictures. The model reads them.`;
  if (shown) {
    image.src = url;
    await image.decode().catch(() => { /* another came meanwhile */ });
    image.className = Math.max(image.naturalWidth, image.naturalHeight) < 128 ? "tiny" : "";
    image.alt = `Your picture${file.name ? ", " + file.name : ""}`;
  } else {
    image.removeAttribute("src");
    URL.revokeObjectURL(url);
  }
  if (old.startsWith("blob:")) URL.revokeObjectURL(old);
  figure.hidden = false; stage.classList.add("has-picture");
  byId("file-label").textContent = "Choose others";
  return picture;
}

// The file itself when the model reads its kind and it is small enough; else the same picture, upright, as a JPEG.
async function ready({ file, shown }) {
  const type = shown ? file.type : "image/tiff";
  if (SENT_AS_IS.includes(type) && file.size <= MAX_BYTES) return file.type === type ? file : new Blob([file], { type });
  if (!shown) throw new Problem("The picture is too large", `It has ${(file.size / 1e6).toFixed(1)} MB; at most ${(MAX_BYTES / 1e6).toFixed(1)} MB are taken, and this browser cannot make a TIFF smaller. Save it as a JPEG.`);
  for (const [side, quality] of [[LONGEST_SIDE, 0.92], [LONGEST_SIDE / 2, 0.85], [LONGEST_SIDE / 4, 0.8]]) {
    const scale = Math.min(1, side / Math.max(shown.naturalWidth, shown.naturalHeight));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(shown.naturalWidth * scale));
    canvas.height = Math.max(1, Math.round(shown.naturalHeight * scale));
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff"; pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(shown, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
    if (blob && blob.size <= MAX_BYTES) return blob;
  }
  throw new Problem("The picture is too large", "It could not be made small enough to send. Choose a smaller one.");
}

function wait() {
  stage.classList.add("busy"); stage.setAttribute("aria-busy", "true");
  answer.replaceChildren(element("p", "Looking at your picture…", "waiting"));
  answer.hidden = false;
}

const rest = () => { stage.classList.remove("busy"); stage.removeAttribute("aria-busy"); };

// `alone`: what went wrong is about the picture that is shown, and not about a row of them.
function complain(problem, alone = true) {
  const known = problem instanceof Problem;
  alertBox.replaceChildren(element("strong", known ? problem.title : "That did not work"), element("p", known ? problem.message : "The page has a fault: " + problem));
  if (alone && problem.again && current) {
    const again = element("button", "Try again", "button");
    again.type = "button";
    again.addEventListener("click", () => classify(current));
    alertBox.append(again);
  }
  if (problem.id) alertBox.append(element("small", `Request ${problem.id}`));
  alertBox.hidden = false;
  if (alone) answer.hidden = true;
  problem.focus?.focus();
  if (alone && problem.pause && stillWaking()) {
    const asked = running;
    seconds(problem.pause).then(() => { if (running === asked && current) classify(current); });
  }
}
