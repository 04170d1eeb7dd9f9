// Copies the text next to a button and confirms it. The style sheet shows the button only if scripts run.
(() => {
  const SAID_MS = 2000;

  // The clipboard API needs a secure connection; without one, a selection can still be copied.
  const copySelected = (source) => {
    const selection = getSelection();
    const range = document.createRange();
    range.selectNodeContents(source);
    selection.removeAllRanges();
    selection.addRange(range);
    const copied = document.execCommand("copy");
    if (copied) selection.removeAllRanges();
    return copied;
  };

  const copy = async (source) => {
    // Pushes do not know the host.
    if (source.dataset.copied === "address") source.textContent = new URL(source.textContent, location).href;
    try {
      await navigator.clipboard.writeText(source.textContent);
      return true;
    } catch {
      return copySelected(source);
    }
  };

  document.addEventListener("click", async ({ target }) => {
    const button = target.closest(".copy");
    if (!button) return;
    const copied = await copy(button.parentElement.querySelector("[data-copied]"));
    const words = copied ? "Copied" : "Selected. Press Ctrl+C or ⌘C to copy.";
    const before = (button.dataset.words ??= button.textContent);
    button.textContent = words;
    document.getElementById("announcer").textContent = words;
    setTimeout(() => {
      button.textContent = before;
      document.getElementById("announcer").textContent = "";
    }, SAID_MS);
  });
})();
