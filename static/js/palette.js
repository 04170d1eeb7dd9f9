// Opens what is chosen in the command palette. The server finds it; the arrow keys move through what it has found.
(() => {
  const palette = document.getElementById("palette");
  if (!palette) return;
  const input = document.getElementById("palette-input");
  const options = () => [...palette.querySelectorAll("a[role=option]")];
  const selected = () => palette.querySelector("a[aria-selected=true]");

  const select = (option) => {
    for (const one of options()) one.setAttribute("aria-selected", one === option);
    if (option) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
    option?.scrollIntoView({ block: "nearest" });
  };

  const move = (steps) => {
    const all = options();
    if (all.length) select(all[(all.indexOf(selected()) + steps + all.length) % all.length]);
  };

  // Enter waits for what fits the words, and never opens what fitted those before.
  const results = document.getElementById("palette-results");
  const isCurrent = () => results.querySelector("[data-words]")?.dataset.words === input.value;
  let isWanted = false;

  document.addEventListener("palette:show", () => {
    if (palette.open) return;
    input.value = "";
    results.replaceChildren();
    isWanted = false;
    palette.showModal();
    htmx.trigger(input, "palette:open");
  });
  document.addEventListener("htmx:after:swap", ({ detail }) => {
    if (detail.ctx?.sourceElement !== input || !isCurrent()) return;
    select(options()[0]);
    if (isWanted) selected()?.click();
  });
  input.addEventListener("keydown", (pressed) => {
    if (pressed.isComposing) return;
    isWanted = pressed.key === "Enter" && !isCurrent();
    if (pressed.key === "ArrowDown") move(1);
    else if (pressed.key === "ArrowUp") move(-1);
    else if (pressed.key !== "Enter") return;
    else if (!isWanted) selected()?.click();
    pressed.preventDefault();
  });
  // A click beside the dialog closes it.
  palette.addEventListener("click", ({ target }) => target === palette && palette.close());
})();
