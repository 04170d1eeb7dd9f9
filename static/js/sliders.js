// A number's field and the slider beside it move together; the field is what is sent, and may be finer than the slider.
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

  // A form that came back keeps what was typed, and a page from the back/forward cache what was there: the field says.
  const follow = () => {
    for (const slider of document.querySelectorAll(".slider")) slider.value = fieldOf(slider).value || slider.value;
  };
  document.addEventListener("htmx:after:swap", follow);
  window.addEventListener("pageshow", follow);
})();
