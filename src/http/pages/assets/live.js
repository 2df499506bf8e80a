// Keeps what is live on a page fresh. The server draws: a change fetches the page again, and its
// live part takes the place of the old one. Without this script the page shows what it did.
"use strict";

const GATHER_MS = 500;
const FOCUSABLE = "a, button, input, select, summary, [tabindex]";

async function refresh(selector) {
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return location.reload();
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const [old, fresh] = [document.querySelector(selector), page.querySelector(selector)];
  // What was waited for is there.
  if (!fresh) return location.reload();
  // Whoever has it read aloud hears what is new only.
  if (old.innerHTML === fresh.innerHTML) return;
  const open = [...old.querySelectorAll("details")].map((one) => one.open);
  fresh.querySelectorAll("details").forEach((one, place) => (one.open = open[place] ?? false));
  // Who is on it by keyboard stays where that was.
  const place = [...old.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  old.replaceChildren(...fresh.childNodes);
  document.dispatchEvent(new Event("fresh"));
  if (place >= 0) old.querySelectorAll(FOCUSABLE)[place]?.focus({ preventScroll: true });
}

const live = document.querySelector("[data-stream]");
if (live) {
  let timer = null;
  let shown = null;
  const stream = new EventSource(live.dataset.stream);
  stream.addEventListener("occupancy", (event) => {
    const { at, ...says } = JSON.parse(event.data);
    // Also once a minute without a change: hours begin and members leave.
    const now = JSON.stringify(says) + at.slice(0, 16);
    if (shown !== null && shown !== now && timer === null) {
      timer = setTimeout(() => {
        timer = null;
        refresh("[data-stream]").catch(() => {});
      }, GATHER_MS);
    }
    shown = now;
  });
}

const polled = document.querySelector("[data-every]");
if (polled) {
  setInterval(() => refresh("[data-every]").catch(() => {}), polled.dataset.every * 1000);
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
