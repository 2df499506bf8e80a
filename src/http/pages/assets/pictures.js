// What a picture says at one of its points: under a pointer, under a finger, and by the arrow keys.
// The words come with the page, as titles. Without this script a browser shows those by itself, and
// the table under the picture has the same.
"use strict";

const POINTS = ".at, td[title], td[data-says]";
// The point that is told: of which picture, the how manyth, and whether the keyboard chose it.
let told = null;

const pictures = () => [...document.querySelectorAll(".picture")];
const points = (picture) => [...picture.querySelectorAll(POINTS)];

// The words of a point. The browser would show them a second time, so they are taken from there.
function words(point) {
  const title = point.querySelector("title");
  if (title) {
    point.dataset.says = title.textContent;
    title.remove();
  } else if (point.title) {
    point.dataset.says = point.title;
    point.removeAttribute("title");
  }
  return point.dataset.says;
}

function hide() {
  document.querySelectorAll(".picture .on").forEach((one) => one.classList.remove("on"));
  document.querySelectorAll(".reading").forEach((one) => one.replaceChildren());
  told = null;
}

function tell(picture, place, byKey) {
  const point = points(picture)[place];
  if (!point) return;
  const number = pictures().indexOf(picture);
  if (told?.number === number && told.place === place) return;
  hide();
  told = { number, place, byKey };
  point.classList.add("on");
  if (byKey && point.localName === "td") point.scrollIntoView({ block: "nearest", inline: "nearest" });
  const reading = picture.querySelector(".reading");
  reading.replaceChildren(...words(point).split("\n").map((line, at) => {
    const part = document.createElement(at === 1 ? "strong" : "span");
    part.textContent = line;
    return part;
  }));
  const [at, whole] = [point.getBoundingClientRect(), picture.getBoundingClientRect()];
  const half = reading.offsetWidth / 2;
  const middle = at.left + at.width / 2 - whole.left;
  reading.style.left = `${Math.max(half, Math.min(whole.width - half, middle))}px`;
  reading.style.top = `${at.top - whole.top}px`;
}

function prepare() {
  for (const picture of pictures().filter((one) => !one.querySelector(".reading"))) {
    picture.tabIndex = 0;
    picture.setAttribute("role", "group");
    picture.setAttribute("aria-label", picture.dataset.hint);
    const reading = document.createElement("output");
    reading.className = "reading";
    picture.append(reading);
  }
}

// Where the keyboard begins: at what is now, or at the end.
const first = (picture) => Number(picture.dataset.first ?? points(picture).length - 1);

// The point that an arrow leads to.
function next(picture, key) {
  const all = points(picture);
  const place = told && told.number === pictures().indexOf(picture) ? told.place : first(picture);
  if (key === "ArrowLeft") return Math.max(place - 1, 0);
  if (key === "ArrowRight") return Math.min(place + 1, all.length - 1);
  if (key === "Home") return 0;
  if (key === "End") return all.length - 1;
  const cell = all[place];
  const row = key === "ArrowUp" ? "previousElementSibling" : "nextElementSibling";
  const other = cell.parentElement?.[row]?.cells?.[cell.cellIndex];
  return key.startsWith("Arrow") && other ? all.indexOf(other) : -1;
}

function point(event) {
  const under = document.elementFromPoint(event.clientX, event.clientY)?.closest(POINTS);
  const picture = under?.closest(".picture");
  if (picture) tell(picture, points(picture).indexOf(under), false);
  else if (told && !told.byKey) hide();
}

document.addEventListener("pointermove", point);
document.addEventListener("pointerdown", point);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return hide();
  const picture = event.target;
  if (!picture.matches?.(".picture") || event.altKey || event.ctrlKey || event.metaKey) return;
  const place = next(picture, event.key);
  if (place < 0) return;
  event.preventDefault();
  tell(picture, place, true);
});
document.addEventListener("focusin", (event) => {
  if (event.target.matches(".picture:focus-visible")) {
    tell(event.target, first(event.target), true);
  }
});
document.addEventListener("focusout", () => told?.byKey && hide());
// What was told is told of the fresh picture too.
document.addEventListener("fresh", () => {
  prepare();
  const before = told;
  told = null;
  if (before && pictures()[before.number]) tell(pictures()[before.number], before.place, before.byKey);
});
prepare();
