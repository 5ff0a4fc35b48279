// Forms: a problem summary takes the focus, a sent form is not sent twice, a filter sends itself.
const BUSY_MS = 300; // below it nothing is shown

function busy(form, button) {
  form.setAttribute("aria-busy", "true");
  window.setTimeout(() => button?.classList.add("is-busy"), BUSY_MS);
}

// An attribute on the form, not a disabled button: a disabled button would drop its own value from what is sent.
function once(event) {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.method !== "post") return;
  if (form.getAttribute("aria-busy") === "true") {
    event.preventDefault();
    return;
  }
  busy(form, event.submitter);
}

function idle() {
  for (const form of document.querySelectorAll('form[aria-busy="true"]')) form.removeAttribute("aria-busy");
  for (const button of document.querySelectorAll(".is-busy")) button.classList.remove("is-busy");
}

function focusProblems() {
  document.querySelector("[data-problems]")?.focus();
}

export function watchForms() {
  document.addEventListener("submit", once);
  window.addEventListener("pageshow", (event) => event.persisted && idle()); // the way back finds the form usable
  document.addEventListener("htmx:after:swap", focusProblems);
  focusProblems();
}
