// Whoever presses a button that goes away with what it did stays at its run, instead of being sent to the page's top.
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
