// Keeps a number field and its slider in sync. The field is submitted, and may be more precise than the slider.
(() => {
  const fieldOf = (slider) => document.getElementById(slider.dataset.slides);

  document.addEventListener("input", ({ target }) => {
    if (target.matches(".slider")) {
      fieldOf(target).value = target.value;
    } else if (target.type === "number" && target.value) {
      const slider = document.querySelector(`[data-slides="${CSS.escape(target.id)}"]`);
      if (slider) slider.value = target.value;
    }
  });

  // Replaced forms and pages from the back/forward cache keep the field's value, so set the slider from it.
  const follow = () => {
    for (const slider of document.querySelectorAll(".slider")) slider.value = fieldOf(slider).value || slider.value;
  };
  document.addEventListener("htmx:after:swap", follow);
  window.addEventListener("pageshow", follow);
})();
