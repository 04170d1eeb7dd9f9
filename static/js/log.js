// What a run puts out: a page says how far it has it, and what crosses on its way comes neither twice nor goes back.
(() => {
  const end = (output) => Number([...output.querySelectorAll("[data-end]")].at(-1)?.dataset.end ?? 0);

  document.addEventListener("live:describe", ({ detail }) => {
    for (const output of document.querySelectorAll("#main .output")) detail.set(output.dataset.kind, end(output));
  });

  const leaveOut = (chunk, count) => {
    if (Number(chunk.dataset.number) + count >= Number(chunk.dataset.end)) return chunk.remove();
    for (const entry of [...chunk.querySelectorAll(":scope > li:not([class])")].slice(0, count)) entry.remove();
  };

  document.addEventListener("htmx:before:swap", ({ detail }) => {
    for (const { fragment, swapSpec, target } of detail.tasks) {
      for (const arriving of fragment.querySelectorAll(".output")) {
        const shown = document.getElementById(arriving.id);
        if (shown && end(shown) > end(arriving)) arriving.replaceWith(shown.cloneNode(true));
      }
      if (swapSpec.style !== "beforeend") continue;
      for (const chunk of fragment.querySelectorAll("[data-end]")) {
        const shown = typeof target === "string" ? document.querySelector(target) : target;
        if (shown) leaveOut(chunk, Math.max(0, end(shown) - Number(chunk.dataset.number)));
      }
    }
  });
})();
