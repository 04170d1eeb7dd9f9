// The page's connection, told honestly, and the rule that an older version of a run never replaces a newer one.
(() => {
  const SIGNED_OUT = 4401;

  const say = (state) => {
    const live = document.getElementById("live");
    if (live && live.dataset.state !== state) live.dataset.state = state;
  };

  // A page is live when the first message after connecting has been shown, not when the socket is open.
  document.addEventListener("htmx:ws:before:connection", () => say("connecting"));
  document.addEventListener("htmx:ws:after:message:incoming", () => say("live"));
  document.addEventListener("htmx:ws:close", ({ detail }) => {
    say(detail.code === SIGNED_OUT ? "signed-out" : "connecting");
  });

  // Pushes and responses travel separately and may cross: whichever is newer stays.
  document.addEventListener("htmx:before:swap", ({ detail }) => {
    for (const { fragment, swapSpec } of detail.tasks) {
      for (const arriving of fragment.querySelectorAll("[data-version]")) {
        const shown = document.getElementById(arriving.id);
        if (!shown) continue;
        const stale = Number(shown.dataset.version) >= Number(arriving.dataset.version);
        if (swapSpec.style.endsWith("Morph")) {
          if (stale) arriving.replaceWith(shown.cloneNode(true));
        } else if (stale) {
          arriving.remove();
        } else {
          shown.remove();
        }
      }
    }
  });

  // A request that reached nobody.
  document.addEventListener("htmx:error", ({ detail }) => {
    if (!detail.ctx) return;
    const notices = document.getElementById("notices");
    notices.replaceChildren(document.getElementById("unreachable").content.cloneNode(true));
  });
  document.addEventListener("htmx:before:request", () => document.getElementById("notices").replaceChildren());
})();
