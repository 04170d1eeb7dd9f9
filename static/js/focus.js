// Keeps the focus within a run when its focused button is removed, instead of at the top of the page.
(() => {
  let at = null;

  document.addEventListener("htmx:before:swap", () => {
    at = document.activeElement.closest("[data-version]")?.id;
  });
  document.addEventListener("htmx:after:swap", () => {
    if (at && document.activeElement === document.body) {
      document.getElementById(at)?.querySelector("a, button")?.focus({ preventScroll: true });
    }
    at = null;
  });
})();
