// The keyboard shortcuts, which /shortcuts lists. Those of a single key do nothing in a field, and can be switched off.
(() => {
  const dialog = document.getElementById("shortcuts");
  if (!dialog) return;
  const singleKeys = document.documentElement.dataset.singleKeys !== "off";

  const go = (steps) => {
    const rows = [...document.querySelectorAll("#main .run__title, #main .task__title a")];
    const at = rows.findIndex((row) => row === document.activeElement || row.closest("li").contains(document.activeElement));
    rows[at < 0 ? 0 : Math.min(Math.max(at + steps, 0), rows.length - 1)]?.focus();
  };
  const click = (selector) => document.querySelector(selector)?.click();

  const actions = {
    "/": () => document.dispatchEvent(new CustomEvent("palette:show")),
    "?": () => {
      dialog.showModal();
      htmx.trigger(dialog, "shortcuts:open");
    },
    j: () => go(1),
    k: () => go(-1),
    r: () => click("#main form[action$='/retry'] button"),
    e: () => click("#main .run-full a[href*='?run=']"),
  };

  document.addEventListener("keydown", (pressed) => {
    const { key, target, ctrlKey, metaKey, altKey, isComposing, defaultPrevented, repeat } = pressed;
    if (isComposing || defaultPrevented || document.querySelector("dialog[open]")) return;
    const combined = ctrlKey || metaKey;
    if (combined && !altKey && key === "Enter" && target.matches("textarea")) {
      target.form?.requestSubmit();
    } else if (combined && !altKey && key.toLowerCase() === "k") {
      actions["/"]();
    } else if (singleKeys && !combined && !altKey && actions[key] && !target.closest("input, textarea, select, [contenteditable]")) {
      if (repeat && !"jk".includes(key)) return;
      actions[key]();
    } else {
      return;
    }
    pressed.preventDefault();
  });
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
})();
