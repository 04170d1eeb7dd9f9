// Shows toasts for ended runs on every open page. A hidden page counts them in its title and, if the user has enabled
// it in this browser, shows system notifications.
(() => {
  const SHOWN_MS = 10000;
  const MOST = 4;

  const toasts = document.getElementById("toasts");
  if (!toasts) return;

  const button = document.getElementById("notify");
  const title = document.title;
  const wish = `notify-${toasts.dataset.viewer}`;
  let unseen = 0;

  const wanted = () => "Notification" in window && Notification.permission === "granted" && localStorage[wish] === "1";

  const count = (toast) => {
    document.title = `(${++unseen}) ${title}`;
    if (!wanted()) return;
    const what = toast.querySelector("a");
    const words = what.textContent.trim();
    const state = toast.querySelector(".state").textContent.trim();
    const notification = new Notification(`${words}: ${state}`, { tag: toast.id, icon: toasts.dataset.icon });
    notification.onclick = () => {
      window.focus();
      location.assign(what.href);
    };
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    unseen = 0;
    document.title = title;
  });

  // Drop toasts for runs that the page shows anyway, and toasts that it has already received.
  document.addEventListener("htmx:before:swap", ({ detail }) => {
    const arrives = (id) => detail.tasks.some(({ fragment }) => fragment.querySelector(`[id="${id}"]`));
    for (const { fragment } of detail.tasks) {
      for (const toast of fragment.querySelectorAll(".toast")) {
        toasts.dataset.since = toast.dataset.endedAt;
        const run = `run-${toast.dataset.run}`;
        const known = document.getElementById(toast.id);
        if (document.hidden && !known) count(toast);
        if (known || document.getElementById(run) || arrives(run)) toast.remove();
      }
    }
  });

  const leave = (toast) => {
    if (document.hidden || toast.matches(":hover, :focus-within")) setTimeout(leave, SHOWN_MS, toast);
    else toast.remove();
  };

  // Each toast keeps its place, so that none moves when another comes or goes.
  const place = (toast) => {
    const taken = [...toasts.children].map(({ dataset }) => dataset.place);
    toast.dataset.place = [...Array(MOST).keys()].find((place) => !taken.includes(`${place}`));
    setTimeout(leave, SHOWN_MS, toast);
  };

  new MutationObserver((changes) => {
    while (toasts.children.length > MOST) toasts.firstElementChild.remove();
    for (const { addedNodes } of changes) {
      for (const toast of addedNodes) if (toast.dataset && toast.isConnected) place(toast);
    }
  }).observe(toasts, { childList: true });

  toasts.addEventListener("click", ({ target }) => {
    target.closest(".toast__close")?.closest(".toast").remove();
  });

  if (!button || !("Notification" in window)) return;

  const show = () => {
    button.hidden = false;
    button.disabled = Notification.permission === "denied";
    if (button.disabled) button.firstElementChild.textContent = "This browser blocks notifications";
    button.setAttribute("aria-checked", wanted());
  };

  button.addEventListener("click", async () => {
    if (wanted()) delete localStorage[wish];
    else if ((await Notification.requestPermission()) === "granted") localStorage[wish] = "1";
    show();
  });
  show();
})();
