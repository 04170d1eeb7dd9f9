// Tells the server how much of a run's output the page has, and drops output that arrives twice or out of order.
(() => {
  const end = (output) => Number([...output.querySelectorAll("[data-end]")].at(-1)?.dataset.end ?? 0);

  // The number of the next entry and, if unfinished lines are shown, the version of the run that they belong to.
  const claim = (output) => {
    const unfinished = output.querySelector(".log__unfinished:not(:empty)");
    return unfinished ? `${end(output)}.${unfinished.dataset.outputVersion}` : end(output);
  };

  document.addEventListener("live:describe", ({ detail }) => {
    for (const output of document.querySelectorAll("#main .output")) detail.set(output.dataset.kind, claim(output));
  });

  const keepNewer = (arriving, newness) => {
    const shown = document.getElementById(arriving.id);
    if (shown && newness(shown) > newness(arriving)) arriving.replaceWith(shown.cloneNode(true));
  };

  const leaveOut = (chunk, count) => {
    if (Number(chunk.dataset.number) + count >= Number(chunk.dataset.end)) return chunk.remove();
    for (const entry of [...chunk.querySelectorAll(":scope > li:not([class])")].slice(0, count)) entry.remove();
  };

  document.addEventListener("htmx:before:swap", ({ detail }) => {
    for (const { fragment, swapSpec, target } of detail.tasks) {
      for (const arriving of fragment.querySelectorAll(".output")) keepNewer(arriving, end);
      for (const arriving of fragment.querySelectorAll(".log__unfinished")) {
        keepNewer(arriving, ({ dataset }) => Number(dataset.outputVersion));
      }
      if (swapSpec.style !== "beforeend") continue;
      for (const chunk of fragment.querySelectorAll("[data-end]")) {
        const shown = typeof target === "string" ? document.querySelector(target) : target;
        if (shown) leaveOut(chunk, Math.max(0, end(shown) - Number(chunk.dataset.number)));
      }
    }
  });
})();
