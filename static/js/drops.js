// Takes files that are dropped on a file field. A drop beside it would make the browser leave the page, and its input.
(() => {
  const ONE = "Only one file fits here. Drop one.";
  let over = null;

  const bringsFiles = ({ dataTransfer }) => dataTransfer?.types.includes("Files") && document.querySelector("input[type=file]");
  const inputAt = ({ target }) => target.closest(".field--file, .field--files")?.querySelector("input[type=file]");
  const mark = (input) => {
    over?.classList.remove("field--dropping");
    over = input?.closest(".field") ?? null;
    over?.classList.add("field--dropping");
  };

  document.addEventListener("dragover", (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    const input = inputAt(event);
    event.dataTransfer.dropEffect = input ? "copy" : "none";
    mark(input);
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || mark(null));
  document.addEventListener("drop", (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    mark(null);
    const input = inputAt(event);
    const files = event.dataTransfer.files;
    if (!input || !files.length) return;
    if (files.length > 1 && !input.multiple) {
      const words = document.getElementById(input.id.replace(/-input$/, "-refused"));
      words.hidden = false;
      words.querySelector("span").textContent = ONE;
      return;
    }
    input.files = files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
})();
