// Loads the page again every few seconds and replaces the parts that changed: elements with the
// attribute data-live. What the visitor uses stays: scroll position, focus, selected text, and a
// part in which something is ticked, typed or open.
"use strict";

const interval = 5000;
const stored = "hookline-updates-paused";
const button = document.querySelector("[data-pause]");
let paused = false;
let loading = false;

function remember(value) {
  try {
    localStorage.setItem(stored, value ? "yes" : "no");
  } catch { /* Storage is switched off: the choice lasts as long as the page. */ }
}

function recall() {
  try {
    return localStorage.getItem(stored) === "yes";
  } catch {
    return false;
  }
}

function inUse(part) {
  const selection = document.getSelection();
  const changed = [...part.querySelectorAll("input, select, textarea")].some((field) =>
    field.type === "checkbox" || field.type === "radio"
      ? field.checked !== field.defaultChecked
      : field.tagName !== "SELECT" && field.value !== field.defaultValue);
  return (
    changed ||
    part.contains(document.activeElement) ||
    (selection && !selection.isCollapsed && selection.containsNode(part, true))
  );
}

async function refresh() {
  if (paused || loading || document.hidden) return;
  loading = true;
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    // A login page or an error is no newer state: the next round may bring one.
    if (!response.ok || response.redirected || paused) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const newer = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      if (!newer || newer.innerHTML === part.innerHTML || inUse(part)) continue;
      const open = [...part.querySelectorAll("details[open][id]")].map((one) => one.id);
      for (const id of open) newer.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
      part.replaceChildren(...newer.childNodes);
    }
    const time = fresh.querySelector(".updates time");
    if (time) document.querySelector(".updates time")?.replaceWith(time);
  } catch { /* The server is away: the next round tries again. */ } finally {
    loading = false;
  }
}

function show() {
  button.textContent = paused ? "Resume updates" : "Pause updates";
  button.setAttribute("aria-pressed", String(paused));
}

if (button) {
  paused = recall();
  show();
  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    remember(paused);
    show();
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, interval);
}
