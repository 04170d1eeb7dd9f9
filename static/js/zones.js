// Lets users enter times in their own time zone: submits the zone, and converts values that arrive in UTC.
(() => {
  const here = document.documentElement.dataset.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  // Sweden writes dates and times as fields do.
  const local = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone: here });

  const toLocal = (text) => {
    const moment = new Date(`${text}Z`);
    if (isNaN(moment)) return text;
    return (local.format(moment).replace(" ", "T") + text.slice(19)).slice(0, text.length);
  };

  const show = () => {
    for (const zone of document.querySelectorAll("input[name=_zone][value=UTC]")) {
      for (const input of zone.form.querySelectorAll("[data-moment]")) input.value = toLocal(input.value);
      for (const name of zone.form.querySelectorAll("[data-zone]")) name.textContent = here;
      zone.setAttribute("value", here);
    }
  };

  show();
  document.addEventListener("htmx:after:swap", show);
})();
