// Shows only the tasks that have every word of the filter, as one types. Without scripts, the server does it.
(() => {
  const apply = () => {
    const filter = document.getElementById("task-filter");
    if (!filter) return;
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const task of document.querySelectorAll(".task[data-words]")) {
      task.hidden = !words.every((word) => task.dataset.words.includes(word));
      count += !task.hidden;
    }
    for (const group of document.querySelectorAll(".finder__group")) group.hidden = !group.querySelector(".task:not([hidden])");
    for (const other of document.querySelectorAll("[data-without-filter]")) other.hidden = words.length > 0;
    const found = `${count || "No"} task${count === 1 ? "" : "s"} found.${count ? "" : " Use other words."}`;
    document.getElementById("task-found").textContent = words.length ? found : "";
  };

  document.addEventListener("input", ({ target }) => target.id === "task-filter" && apply());
  document.addEventListener("htmx:after:swap", ({ target }) => target.id !== "runs" && apply());
})();
