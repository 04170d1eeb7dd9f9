// Keeps opened details open when their form is replaced, and closes those of a form that has been saved.
(() => {
  document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
    const fold = ctx.sourceElement.closest("details[data-fold='until-saved']");
    if (fold && ctx.response?.status < 400) fold.open = false;
  });
  document.addEventListener("htmx:before:swap", ({ detail }) => {
    for (const { fragment } of detail.tasks) {
      for (const fold of fragment.querySelectorAll("details[id]")) {
        if (document.getElementById(fold.id)?.open) fold.open = true;
      }
    }
  });
})();
