// Sets the theme before the first paint, so that a dark page never flashes white. "system" follows the system.
const KEY = "theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

function stored() {
  try {
    return localStorage.getItem(KEY) ?? "system";
  } catch {
    return "system"; // storage may be forbidden; the system's choice then holds
  }
}

function apply() {
  const choice = stored();
  const dark = choice === "dark" || (choice === "system" && system.matches);
  document.documentElement.dataset.bsTheme = dark ? "dark" : "light";
  document.documentElement.dataset.themeChoice = choice;
  document.documentElement.classList.add("has-script");
}

system.addEventListener("change", apply);
document.addEventListener("theme:choose", (event) => {
  try {
    localStorage.setItem(KEY, event.detail);
  } catch {
    // the choice then lasts for this page
  }
  apply();
});
apply();
