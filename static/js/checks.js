// Whoever leaves a field hears at once what is wrong there, from the server, which knows every rule.
(() => {
  const checks = () => document.getElementById("task-checks");

  const check = ({ target }) => {
    const asks = checks();
    // A file is not sent for this, and what shows other fields asks for the whole form.
    if (!asks || target.form !== asks.closest("form") || !target.name || target.matches("[type=file], [hx-post]")) return;
    if (![...asks.children].some(({ value }) => value === target.name)) {
      const touched = document.createElement("input");
      Object.assign(touched, { type: "hidden", name: "_touched", value: target.name });
      asks.append(touched);
    }
    htmx.trigger(asks, "check");
  };
  document.addEventListener("change", check);

  // What a browser cannot read is no change to it, and no change when it is taken away again.
  document.addEventListener("focusout", (left) => {
    if (left.target.validity?.badInput || left.target.getAttribute("aria-invalid")) check(left);
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
