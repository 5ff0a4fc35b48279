// The theme switch: system, light, dark, in turn.
const NEXT = { system: "light", light: "dark", dark: "system" };
const WORDS = { system: "as the system", light: "light", dark: "dark" };

function label(button) {
  const choice = document.documentElement.dataset.themeChoice ?? "system";
  button.querySelector("[data-theme-word]").textContent = WORDS[choice];
  return choice;
}

export function watchTheme() {
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    button.hidden = false;
    label(button);
    button.addEventListener("click", () => {
      const choice = document.documentElement.dataset.themeChoice ?? "system";
      document.dispatchEvent(new CustomEvent("theme:choose", { detail: NEXT[choice] }));
      document.querySelectorAll("[data-theme-switch]").forEach(label);
    });
  }
}
