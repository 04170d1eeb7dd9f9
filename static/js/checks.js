// Validates a field on the server when the user leaves it, because only the server knows every rule.
(() => {
  const checks = () => document.getElementById("task-checks");

  const check = ({ target }) => {
    const asks = checks();
    // Skip files, which are not uploaded for a check, and fields that reload the whole form themselves.
    if (!asks || target.form !== asks.closest("form") || !target.name || target.matches("[type=file], [hx-post]")) return;
    if (![...asks.children].some(({ value }) => value === target.name)) {
      const touched = document.createElement("input");
      Object.assign(touched, { type: "hidden", name: "_touched", value: target.name });
      asks.append(touched);
    }
    htmx.trigger(asks, "check");
  };
  document.addEventListener("change", check);

  // Entering or removing a value that the browser cannot parse fires no change event.
  document.addEventListener("focusout", (left) => {
    if (left.target.validity?.badInput || left.target.getAttribute("aria-invalid")) check(left);
  });

  // Where a decimal comma is unknown, some browsers leave it out of a number without a word, so that 1,5 becomes 15.
  document.addEventListener("beforeinput", ({ target, data }) => {
    if (!data?.includes(",") || !target.matches("[type=number]")) return;
    setTimeout(() => {
      const message = document.getElementById(target.id.replace(/-input$/, "-check"));
      if (!message || target.validity.badInput || target.value.includes(".")) return;
      const words = document.createElement("p");
      words.className = "field__error";
      words.textContent = "The comma was left out. Write decimals with a point, such as 1.5, and thousands without a comma.";
      message.replaceChildren(words);
    });
  });

  document.addEventListener("htmx:after:swap", () => {
    for (const check of checks()?.closest("form").querySelectorAll(".field__check") ?? []) {
      const field = check.parentElement;
      const name = check.id.replace(/-check$/, "");
      const inputs = field.querySelectorAll(`[name="${name}"]:not([type=radio], [type=hidden]), :scope > [role=radiogroup]`);
      for (const input of inputs) {
        if (check.firstElementChild) input.setAttribute("aria-invalid", "true");
        else input.removeAttribute("aria-invalid");
      }
    }
  });
})();
