// Keys: "/" searches, "?" shows the keys, "g" and a letter goes to a page, "j" and "k" move in a list, "r" to the review.
// Single keys can be switched off (WCAG 2.2, 2.1.4), and never act while somebody types.
const KEY = "single-keys";
const GO_MS = 1500;
let goUntil = 0;

function enabled() {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

function typing(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
}

function move(step) {
  const links = [...document.querySelectorAll("[data-list-item]")];
  if (links.length === 0) return;
  const now = links.indexOf(document.activeElement);
  const next = now === -1 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(now + step, 0), links.length - 1);
  links[next].focus();
}

function focusOn(selector) {
  const element = [...document.querySelectorAll(selector)].find((one) => one.offsetParent !== null);
  if (!element) return false;
  element.focus();
  element.select?.();
  return true;
}

function go(letter) {
  const link = document.querySelector(`[data-go="${CSS.escape(letter)}"]`);
  if (link) link.click();
  return Boolean(link);
}

const ACTIONS = {
  "/": () => focusOn("[data-search]") || go("s"),
  "?": () => document.querySelector("#keys")?.showModal(),
  j: () => move(1),
  k: () => move(-1),
  r: () => focusOn("[data-review-start]"),
};

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || !enabled()) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.timeStamp < goUntil) {
    goUntil = 0;
    if (go(event.key)) event.preventDefault();
    return;
  }
  if (event.key === "g") {
    goUntil = event.timeStamp + GO_MS;
    return;
  }
  const action = Object.hasOwn(ACTIONS, event.key) ? ACTIONS[event.key] : null;
  if (action) {
    event.preventDefault();
    action();
  }
}

export function watchKeys() {
  document.addEventListener("keydown", press);
  for (const toggle of document.querySelectorAll("[data-single-keys]")) {
    toggle.checked = enabled();
    toggle.addEventListener("change", () => {
      try {
        localStorage.setItem(KEY, toggle.checked ? "on" : "off");
      } catch {
        // without storage the keys stay on
      }
    });
  }
  for (const opener of document.querySelectorAll("[data-open-keys]")) {
    opener.addEventListener("click", (event) => {
      event.preventDefault();
      document.querySelector("#keys")?.showModal();
    });
  }
}
