// The operator page: keeps the elements that the server has made in step with the station's events.
//
// The events come from a worker that all pages of a browser share. Each of them, a ping too, proves that the page is
// current. Without one for eight seconds the page is stale: it greys itself, and takes every verdict away until the
// next snapshot. Texts are set as text, never as HTML.

const STALE_MS = 8000;
const SCAN_GAP_MS = 60; // between two keys of a scanner that types; people are slower
const SCAN_LEAST = 6; // characters
const AT_WORK = new Set(["identifying", "wanting-scan", "running", "lost"]);
const JUDGED = new Set(["passed", "failed", "station-error", "remove-unit"]);

const $ = (selector, root = document) => root.querySelector(selector);
const text = (element, value) => { if (element && element.textContent !== value) element.textContent = value; };

// -- the login page ------------------------------------------------------------------------------

async function post(path, body) {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    return await response.json();
  } catch {
    return { ok: false, sentence: words?.page.stale ?? "no connection" };
  }
}

$("form#login")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const reply = await post("/api/login", { token: event.target.elements.token.value });
  if (reply.ok) location.reload();
  else text($("#answer"), reply.sentence);
});

// -- the picture ---------------------------------------------------------------------------------

const words = $("#words") && JSON.parse($("#words").textContent);
const lanes = new Map(); // number → the newest LaneView
let isStale = false;
let chosen = null; // the lane whose dialog is open

function showLane(lane) {
  lanes.set(lane.number, lane);
  const tile = $(`[data-lane="${lane.number}"]`);
  if (!tile) return;
  tile.dataset.state = lane.state;
  const verdict = isStale ? null : lane.verdict;
  if (verdict) tile.dataset.verdict = verdict;
  else delete tile.dataset.verdict;
  text($(".word", tile), verdict ? words.verdicts[verdict] : "");
  text($(".glyph", tile), verdict ? words.glyphs[verdict] : "");
  text($(".share", tile), AT_WORK.has(lane.state) && lane.state !== "wanting-scan" ? `${Math.round(lane.progress * 100)}%` : "");
  text($(".state", tile), stateText(lane));
  text($(".sentence", tile), advice(lane) || sentence(lane));
  text($(".unit", tile), (lane.serial || lane.imei || "").slice(-8));
  $("progress", tile).value = lane.progress;
  if (chosen === lane.number) showDetails(lane);
}

function stateText({ state, stage }) {
  const word = words.states[state];
  return stage && state === "running" ? `${word} · ${words.stages[stage] ?? stage}` : word;
}

function advice(lane) {
  if (lane.verdict) return words.outcomes[lane.outcome] ?? "";
  return lane.done_before ? words.page["done-before"] : "";
}

function sentence(lane) {
  const reason = lane.blocked || lane.problem || lane.done_before;
  if (!lane.verdict && reason) return reason;
  if (AT_WORK.has(lane.state) && lane.waiting_for) return words.page["waiting-for"].replace("{thing}", lane.waiting_for);
  if (lane.state === "empty" && !lane.place.includes("://")) return lane.place;
  return lane.sentence;
}

function showCounters(counters) {
  const numbers = {
    passed: counters.passed, failed: counters.failed,
    "station-error": counters.station_error, retested: counters.retested,
  };
  for (const [name, number] of Object.entries(numbers)) text($(`[data-counter="${name}"]`), String(number));
  text($('[data-figure="quota"]'), counters.quota ? ` / ${counters.quota}` : "");
  const share = counters.first_pass_yield;
  text($('[data-figure="first-pass"]'), share === null ? "–" : `${(share * 100).toFixed(1)}%`);
  text($('[data-figure="an-hour"]'), counters.units_an_hour.toFixed(0));
  text($('[data-figure="line"]'), lineText(counters));
  $('[data-figure="line"]').dataset.online = counters.is_online ?? "";
}

function lineText({ is_online: isOnline, waiting_records: waiting }) {
  if (isOnline === null) return "";
  const state = words.page[isOnline ? "online" : "offline"];
  return waiting || !isOnline ? `${state}, ${waiting} ${words.page.waiting}` : state;
}

function showNotice(notice) {
  const old = [...document.querySelectorAll("[data-notice]")].find((one) => one.dataset.notice === notice.key);
  old?.remove();
  if (!notice.text) return;
  const banner = document.createElement("p");
  banner.className = "notice";
  banner.dataset.notice = notice.key;
  banner.dataset.level = notice.level;
  if (notice.level === "stop") banner.setAttribute("role", "alert");
  const problem = document.createElement("b");
  problem.textContent = notice.text;
  const hint = document.createElement("span");
  hint.textContent = notice.hint;
  banner.append(problem, " ", hint, " ");
  if (notice.may_release) {
    const button = document.createElement("button");
    button.dataset.release = notice.lane ?? "";
    button.textContent = notice.lane === null
      ? words.page["release-station"]
      : words.page["release-lane"].replace("{number}", notice.lane);
    banner.append(button);
  }
  $("#notices").append(banner);
}

function showSnapshot(view) {
  if (document.body.dataset.boot !== view.boot || view.lanes.length !== document.querySelectorAll("[data-lane]").length) {
    location.reload(); // another run of the program may have other lanes, words or scripts
    return;
  }
  text($('[data-figure="batch"]'), view.batch ? `${words.page.batch} ${view.batch}` : "");
  text($('[data-figure="operator"]'), view.operator ? `${words.page.operator} ${view.operator}` : "");
  text($('[data-figure="scanned"]'), view.scanned);
  showCounters(view.counters);
  $("#notices").replaceChildren();
  view.notices.forEach(showNotice);
  view.lanes.forEach(showLane);
}

// -- the stream ----------------------------------------------------------------------------------

let heardAt = performance.now();

const receivers = {
  ping: () => {},
  snapshot: showSnapshot,
  lane: showLane,
  counters: showCounters,
  notice: showNotice,
  sound,
};

function receive({ data: { kind, data } }) {
  heardAt = performance.now();
  if (kind === "snapshot" && isStale) {
    isStale = false;
    delete document.body.dataset.stale;
    $("#stale").hidden = true;
  }
  receivers[kind](JSON.parse(data));
}

function stale() {
  isStale = true;
  document.body.dataset.stale = "";
  $("#stale").hidden = false;
  lanes.forEach(showLane);
  document.querySelectorAll("dialog").forEach((dialog) => dialog.close());
}

function connect() {
  const { port } = new SharedWorker(new URL("stream.js", import.meta.url));
  port.onmessage = receive;
  addEventListener("pagehide", () => port.postMessage("bye"));
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  setInterval(() => { if (!isStale && performance.now() - heardAt > STALE_MS) stale(); }, 500);
}

// -- sound ---------------------------------------------------------------------------------------

const TUNES = { // Hz, ms
  pass: [[880, 120]],
  fail: [[220, 250], [0, 80], [220, 250], [0, 80], [220, 250]],
  attention: [[660, 150], [440, 150]],
};
let audio = null;

function sound({ name, lane }) {
  document.dispatchEvent(new CustomEvent("station-sound", { detail: { name, lane } }));
  const tile = lanes.get(lane);
  if (tile?.verdict) {
    const spoken = `${words.page.lane} ${lane}: ${words.verdicts[tile.verdict]}`;
    text($(tile.verdict === "pass" ? "#spoken" : "#alarm"), spoken);
  }
  if (audio?.state !== "running") return;
  let at = audio.currentTime;
  for (const [pitch, duration] of TUNES[name] ?? []) {
    if (pitch) {
      const tone = new OscillatorNode(audio, { frequency: pitch });
      const volume = new GainNode(audio, { gain: 0.4 });
      tone.connect(volume).connect(audio.destination);
      tone.start(at);
      tone.stop(at + duration / 1000);
    }
    at += duration / 1000;
  }
}

function showSound() {
  const isOn = audio?.state === "running";
  $("#sound").dataset.on = String(isOn);
  text($("#sound"), isOn ? "♪" : `${words.page["sound-off"]} – ${words.page["sound-on"]}`);
}

async function switchSoundOn() {
  audio ??= new AudioContext();
  audio.onstatechange = showSound;
  await audio.resume();
  showSound();
  sound({ name: "pass", lane: null }); // proves the loudspeaker to the operator
}

// -- changes -------------------------------------------------------------------------------------

function answer(reply) {
  text($("#answer"), reply.ok ? reply.sentence : `${words.page.refused}: ${reply.sentence}`);
}

async function scan(code) {
  text($('[data-figure="scanned"]'), code);
  answer(await post("/api/scan", { text: code, lane: null }));
}

let typed = [];
let before = ""; // the text of the field that the first key went into
function hear(event) { // a scanner that is a keyboard
  const field = event.target.matches?.("input") ? event.target : null;
  if (field?.form?.id === "scan") return; // its form takes the code
  const now = performance.now();
  if (typed.length && now - typed.at(-1).at > 500) typed = [];
  if (event.key.length === 1 && !event.ctrlKey && !event.altKey && !event.metaKey) {
    if (!typed.length) before = field?.value ?? "";
    typed.push({ key: event.key, at: now });
    return;
  }
  if (event.key !== "Enter" && event.key !== "Tab") return;
  const gaps = typed.slice(1).map((one, index) => one.at - typed[index].at).sort((a, b) => a - b);
  const isScan = typed.length >= SCAN_LEAST && gaps[Math.floor(gaps.length * 0.95)] <= SCAN_GAP_MS;
  if (isScan) {
    event.preventDefault();
    event.stopPropagation();
    if (field) field.value = before;
    scan(typed.map((one) => one.key).join(""));
  }
  typed = [];
}

function showDetails(lane) {
  const verdict = isStale || !lane.verdict ? [] : [`${words.glyphs[lane.verdict]} ${words.verdicts[lane.verdict]}`];
  text($("#lane-title"), [`${words.page.lane} ${lane.number}`, ...verdict, stateText(lane)].join(" · "));
  text($("#lane-sentence"), advice(lane) || sentence(lane));
  text($("#lane-hint"), [advice(lane) && sentence(lane), lane.hint].filter(Boolean).join(". "));
  const isJudged = JUDGED.has(lane.state);
  const may = {
    removed: isJudged, again: isJudged, release: Boolean(lane.blocked), on: lane.state === "off", off: lane.state !== "off",
  };
  for (const [wish, isShown] of Object.entries(may)) $(`dialog#lane [data-do="${wish}"]`).hidden = !isShown;
  $("dialog#lane .why").hidden = !may.again && !may.release;
  const versions = [lane.version_before, lane.version_after].filter(Boolean).join(" → ");
  const facts = [
    ["serial", lane.serial], ["imei", lane.imei], ["model", lane.model], ["version", versions],
    ["record", lane.record_id], ["label", lane.label], ["place", lane.place],
  ].filter(([, value]) => value);
  $("#lane-facts").replaceChildren(...facts.flatMap(([name, value]) => {
    const term = document.createElement("dt");
    term.textContent = words.page[name];
    const fact = document.createElement("dd");
    fact.textContent = value;
    return [term, fact];
  }));
}

function openLane(number) {
  const lane = lanes.get(number);
  if (!lane) return;
  chosen = number;
  $("dialog#lane form").reset();
  showDetails(lane);
  $("dialog#lane").showModal();
}

async function change(wish) {
  const form = $("dialog#lane form");
  const body = { reason: form.elements.reason.value, by: form.elements.by.value || null };
  answer(await post(`/api/lanes/${chosen}/${wish}`, body));
  $("dialog#lane").close();
}

function openStop(notice) {
  text($("#stop-sentence"), $("b", notice).textContent);
  $("dialog#stop form").reset();
  $("dialog#stop").showModal();
}

async function releaseStation() {
  const form = $("dialog#stop form");
  answer(await post("/api/release", { reason: form.elements.reason.value, by: form.elements.by.value || null }));
  $("dialog#stop").close();
}

document.addEventListener("click", (event) => {
  const tile = event.target.closest("[data-lane]");
  if (tile) openLane(Number(tile.dataset.lane));
  const wish = event.target.closest("[data-do]")?.dataset.do;
  if (wish) change(wish);
  const release = event.target.closest("[data-release]");
  if (release?.dataset.release) openLane(Number(release.dataset.release));
  else if (release) openStop(release.closest("[data-notice]"));
  if (event.target.closest("[data-stop]")) releaseStation();
});

if (words) {
  connect();
  showSound();
  document.addEventListener("keydown", hear, { capture: true });
  $("#sound").addEventListener("click", switchSoundOn);
  $("dialog#lane").addEventListener("close", () => { chosen = null; });
  $("form#scan").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = event.target.elements.text;
    if (field.value.trim()) scan(field.value.trim());
    field.value = "";
  });
}
