"use strict";
// The switch of colours: as the system, light, dark; remembered where the browser lets a page do so.
W.theme = () => {
  const THEMES = [["auto", "◐", "as the system"], ["light", "○", "light"], ["dark", "●", "dark"]];
  const button = document.getElementById("theme");
  const remembered = () => { try { return localStorage.getItem("watchkeeper-colours") || "auto"; } catch { return "auto"; } };
  const paint = (name) => {
    const [, glyph, text] = THEMES.find(([key]) => key === name) || THEMES[0];
    if (name === "auto") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = name;
    button.textContent = glyph;
    button.setAttribute("aria-label", `Colours: ${text}`);
    button.title = `Colours: ${text}`;
    W.forgetColours();
    for (const chart of W.charts) chart.redraw();
  };
  let theme = remembered();
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.findIndex(([key]) => key === theme) + 1) % 3][0];
    try { localStorage.setItem("watchkeeper-colours", theme); } catch { /* a page from disk may not remember */ }
    paint(theme);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint(theme));
  // Paper is white whatever the screen is.
  addEventListener("beforeprint", () => paint("light"));
  addEventListener("afterprint", () => paint(theme));
  paint(theme);
};
