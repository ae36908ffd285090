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
  const wantedIds = new Set([...next.children].map((child) => child.id));
  let at = now.firstChild;
  for (const wanted of [...next.childNodes]) {
    // First what is gone goes, so that what stays need not be moved: a moved button would lose the focus.
    while (at && at.id && !wantedIds.has(at.id)) at = removed(at);
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
  while (at) at = removed(at);
}

function removed(child) {
  const after = child.nextSibling;
  child.remove();
  return after;
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
let lost;
events.onopen = () => {
  clearTimeout(lost);
  lost = undefined;
  stale.hidden = true;
};
events.onerror = () => {
  // Each stream has an end, and the next one comes at once: that is no loss.
  lost ??= setTimeout(() => { stale.hidden = false; }, 3000);
  // What is refused isn't tried again by the browser: the session may be over, or the conference.
  if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
};
events.addEventListener("part", ({ data }) => {
  const next = document.createElement("template");
  next.innerHTML = data;
  showTimes(next.content);
  const focused = live.contains(document.activeElement);
  fill(live, next.content);
  // The button is gone with what it did: whoever works by keys goes on from the sentence that says how it stands.
  if (focused && !live.contains(document.activeElement)) document.getElementById("state")?.focus();
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
  fields.set("do", submitter?.value ?? "");
  target.setAttribute("aria-busy", "true");
  said.hidden = true;
  try {
    const answer = await fetch(target.action, { method: "POST", body: fields });
    if (answer.redirected && !new URL(answer.url).pathname.startsWith("/live")) location.reload();
    if (answer.ok) {
      const fold = target.closest("details") ?? target.querySelector("details[open]");
      if (fold) fold.open = false;
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
