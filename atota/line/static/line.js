// The managers' page: asks for itself every two seconds, greys when nothing answers, sends forms as JSON.
const every = 2000, stale = 8000;
const own = { "X-Atota": "1" };
let answered = performance.now();
const isLive = document.querySelector("main[data-live]") !== null;
let isAsking = false;

async function refresh() {
  if (isAsking || document.hidden || document.querySelector("form:focus-within")) return;
  isAsking = true;
  try {
    const response = await fetch(location.href, { headers: own, signal: AbortSignal.timeout(6000) });
    if (response.status === 401) { location.reload(); return; }
    if (!response.ok) throw new Error(String(response.status));
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("main");
    if (fresh) document.querySelector("main").replaceWith(fresh);
    answered = performance.now();
  } catch { /* the banner tells it */ } finally { isAsking = false; }
}

function mark() {
  const isStale = !document.hidden && performance.now() - answered > stale;
  document.body.classList.toggle("stale", isStale);
  document.getElementById("stale").hidden = !isStale;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  if (form.dataset.goto) { location.assign(`${form.dataset.goto}?${new URLSearchParams(new FormData(form))}`); return; }
  const output = document.getElementById("said");
  const body = JSON.stringify(Object.fromEntries(new FormData(form)));
  try {
    const response = await fetch(form.dataset.api, {
      method: "POST", body, headers: { ...own, "Content-Type": "application/json" },
      signal: AbortSignal.timeout(10000),
    });
    const answer = await response.json();
    output.textContent = answer.sentence;
    if (response.ok && form.dataset.reload) location.reload();
    if (response.ok) form.reset();
  } catch { output.textContent = output.dataset.silent; }
  if (document.activeElement) document.activeElement.blur();
  if (isLive) refresh();
});
if (isLive) {
  document.addEventListener("visibilitychange", () => { answered = performance.now(); refresh(); });
  setInterval(refresh, every);
  setInterval(mark, 500);
}
