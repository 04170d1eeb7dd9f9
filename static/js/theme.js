// Applies a chosen theme at once, without a new page, which would lose what was typed.
(() => {
  const form = document.getElementById("theme");
  form?.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    const chosen = submitted.submitter;
    const answer = await fetch(form.action, { method: "POST", redirect: "manual", body: new URLSearchParams({ theme: chosen.value }) });
    if (answer.type !== "opaqueredirect") return form.submit();
    if (chosen.value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen.value;
    for (const choice of form.elements) choice.setAttribute("aria-pressed", choice === chosen);
  });
})();
