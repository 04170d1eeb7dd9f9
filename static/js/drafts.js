// Keeps what was entered in a task's form: while an example replaces it, while the page loads itself again, and when the
// session has ended, until the same user has logged in again in this tab. The server renders the form from the fields
// again; files must be chosen anew, except after an example.
(() => {
  const form = () => document.getElementById("task-form");
  const viewer = document.getElementById("toasts")?.dataset.viewer;
  let replaced = null;
  let chosen = [];

  const fields = () => [...new FormData(form())].filter(([, value]) => typeof value === "string");

  const fill = async (entered) => {
    const body = new URLSearchParams([...entered, ["_change", "show"]]);
    const answer = await fetch(form().action, { method: "POST", headers: { "HX-Request": "true" }, body });
    if (!answer.ok) return;
    form().outerHTML = await answer.text();
    htmx.process(form());
  };

  const keep = () => {
    const secret = [...form().querySelectorAll("[type=password]")].map(({ name }) => name);
    const entered = fields().filter(([name]) => !secret.includes(name));
    sessionStorage.draft = JSON.stringify({ path: location.pathname, viewer, entered });
  };

  document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
    if (ctx.sourceElement === form() && ctx.response?.status === 401) keep();
  });
  document.addEventListener("live:reload", () => form() && keep());
  const draft = JSON.parse(sessionStorage.draft ?? "{}");
  if (form() && draft.path === location.pathname) {
    delete sessionStorage.draft;
    if (draft.viewer === viewer) fill(draft.entered);
  }

  document.addEventListener("htmx:before:swap", ({ detail: { ctx, tasks } }) => {
    if (ctx?.sourceElement?.id !== "task-example") return;
    replaced = fields();
    chosen = [...form().querySelectorAll("input[type=file]")].map(({ id, files }) => [id, files]);
    for (const { fragment } of tasks) fragment.querySelector("#task-undo").hidden = false;
  });
  document.addEventListener("click", ({ target }) => {
    if (target.id === "task-undo") fill(replaced).then(() => {
      for (const [id, files] of chosen) {
        const input = document.getElementById(id);
        if (!input || !files.length) continue;
        input.files = files;
        input.dispatchEvent(new Event("change", { bubbles: true }));
      }
      document.getElementById("task-example").focus();
    });
  });
})();
