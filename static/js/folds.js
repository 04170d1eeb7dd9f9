// Keeps opened details open when their form is replaced.
(() => {
  document.addEventListener("htmx:before:swap", ({ detail }) => {
    for (const { fragment } of detail.tasks) {
      for (const fold of fragment.querySelectorAll("details[id]")) {
        if (document.getElementById(fold.id)?.open) fold.open = true;
      }
    }
  });
})();
