// --- ways in -------------------------------------------------------------------------------------
for (const id of ["file", "camera"]) {
  byId(id).addEventListener("change", (event) => { take([...event.target.files]); event.target.value = ""; });
}
addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files || [])].filter((each) => each.type.startsWith("image/") || READ_UNSEEN.test(each.name));
  if (files.length) { event.preventDefault(); take(files); }
});
let depth = 0;   // dragenter and dragleave come for every child
const carries = (event, ...kinds) => kinds.some((kind) => [...(event.dataTransfer?.types || [])].includes(kind));
// Text may be dropped into the key's field; an address or a picture that is let fall elsewhere would leave the page.
const ours = (event) => carries(event, "Files") || (event.target !== key && carries(event, "text/uri-list", "text/html"));
addEventListener("dragenter", (event) => { if (ours(event)) { depth += 1; stage.classList.add("over"); } });
addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); if (!depth) stage.classList.remove("over"); });
addEventListener("dragover", (event) => { if (ours(event)) event.preventDefault(); });
addEventListener("drop", async (event) => {
  depth = 0; stage.classList.remove("over");
  if (!ours(event)) return;
  event.preventDefault();
  const { dataTransfer } = event, address = addressIn(dataTransfer);
  const files = await filesIn(dataTransfer).catch(() => []);   // what may not be read is no picture
  if (files.length) { take(files); return; }
  if (address.startsWith("data:image/")) { take([fileOf(address)]); return; }
  refuse(address ? new Problem(
    "That picture is on another page",
    "Its address came along, but this page may fetch nothing from elsewhere. Copy the picture itself (Copy image, in its menu) and paste it here, or save it and drop the file.",
  ) : new Problem("That holds no picture", "Drop the file of a picture, or a folder of them."));
});

// All files that were let fall, also those in folders; what begins with a dot is hidden.
async function filesIn(transfer) {
  const plain = [...transfer.files];
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return plain;
  const found = [];
  const walk = async (entry) => {
    if (entry.name.startsWith(".")) return;
    if (entry.isFile) { found.push(await new Promise((done, failed) => entry.file(done, failed))); return; }
    const reader = entry.createReader();
    for (let some; (some = await new Promise((done, failed) => reader.readEntries(done, failed))).length;) {
      for (const each of some) await walk(each);
    }
  };
  for (const entry of entries) await walk(entry);
  return found;
}

// What a page gives along that is not this one: the picture's address, by its markup or by itself.
function addressIn(transfer) {
  const shown = new DOMParser().parseFromString(transfer.getData("text/html"), "text/html").querySelector("img");
  const listed = transfer.getData("text/uri-list").split("\n").map((line) => line.trim()).find((line) => line && !line.startsWith("#"));
  return shown?.getAttribute("src") || listed || "";
}

function fileOf(address) {
  const [head, body] = address.split(",", 2), type = head.slice(5).split(";")[0];
  const text = head.endsWith(";base64") ? atob(body) : decodeURIComponent(body);
  return new File([Uint8Array.from(text, (each) => each.charCodeAt(0))], "picture", { type });
}

function take(files) {
  if (!files.length) return;
  if (gave || files.length > 1) { given(false); give.checked = false; }
  if (files.length > 1) { takeMany(files); return; }
  waitingSince = 0;
  classify(files[0]);
}

function refuse(problem) {
  running?.abort();
  running = null;
  rest();
  complain(problem);
}
