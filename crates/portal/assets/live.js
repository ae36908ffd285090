// Shows changes as they come, without disturbing what the reader does: the focus, an open fold, a half-typed name.
const live = document.getElementById("live");
const stale = document.querySelector(".stale");
const said = document.getElementById("said");
let speaking = new Set();

// Makes `now` like `next`, by as few changes as there are.
function become(now, next) {
  for (const { name } of [...now.attributes]) {
    if (!next.hasAttribute(name) && name !== "open") now.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
  fill(now, next);
}

function fill(now, next) {
  const known = new Map([...now.children].filter((child) => child.id).map((child) => [child.id, child]));
  let at = now.firstChild;
  for (const wanted of [...next.childNodes]) {
    const kept = wanted.id ? known.get(wanted.id) : at && !at.id && alike(at, wanted) ? at : null;
    if (!kept) {
      now.insertBefore(wanted, at);
      continue;
    }
    if (kept === at) at = at.nextSibling;
    else now.insertBefore(kept, at);
    if (kept.nodeType === Node.ELEMENT_NODE) become(kept, wanted);
    else if (kept.nodeValue !== wanted.nodeValue) kept.nodeValue = wanted.nodeValue;
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName;
}

function markSpeakers() {
  for (const row of live.querySelectorAll("[data-call]")) {
    row.classList.toggle("speaks", speaking.has(row.dataset.call));
  }
}

const events = new EventSource(live.dataset.events);
events.onopen = () => { stale.hidden = true; };
events.onerror = () => {
  stale.hidden = false;
  // What is refused isn't tried again by the browser: the session may be over, or the conference.
  if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
};
events.addEventListener("part", ({ data }) => {
  const next = document.createElement("template");
  next.innerHTML = data;
  showTimes(next.content);
  fill(live, next.content);
  markSpeakers();
});
events.addEventListener("speaking", ({ data }) => {
  speaking = new Set(data.split(" "));
  markSpeakers();
});
events.addEventListener("over", ({ data }) => {
  events.close();
  const over = document.createElement("p");
  over.className = "empty";
  over.setAttribute("role", "status");
  const record = document.createElement("a");
  record.href = data;
  record.textContent = "Its record is with its account";
  over.append("The conference is over. ", record, ".");
  live.replaceChildren(over);
});

// Buttons work without this; with it the page stays where it is.
live.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { target, submitter } = event;
  const fields = new URLSearchParams(new FormData(target));
  // Enter in the field of the name corrects the name, whichever button comes first.
  const button = document.activeElement?.name === "name" ? "name" : submitter?.value;
  fields.set("do", button ?? "");
  target.setAttribute("aria-busy", "true");
  said.hidden = true;
  try {
    const answer = await fetch(target.action, { method: "POST", body: fields });
    if (answer.redirected && !new URL(answer.url).pathname.startsWith("/live")) location.reload();
    if (answer.ok) {
      for (const fold of target.querySelectorAll("details[open]")) fold.open = false;
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const why = page.querySelector("#said") ?? page.querySelector("main p");
    said.textContent = why?.textContent ?? "That did not work.";
    said.hidden = false;
  } catch {
    said.textContent = "The bridge could not be reached. Nothing was done.";
    said.hidden = false;
  } finally {
    target.removeAttribute("aria-busy");
  }
});
