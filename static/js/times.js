// Shows every <time> in the reader's time zone and format: as relative time, with data-until as a countdown, with
// data-since as the time since, with data-left as the time that is left, with data-exact as date and time, with data-day
// as date, and with data-clock as time of day. With data-from its words appear at that moment. The times of a log, in
// seconds since 1970 in data-at, are converted once, because a log has thousands of lines.
(() => {
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const timeZone = document.documentElement.dataset.zone; // undefined: the browser's
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short", timeZone });
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone });
  const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", timeZone });

  const ago = (moment) => {
    const seconds = (moment - Date.now()) / 1000;
    for (const [unit, length] of UNITS) {
      if (-seconds >= length) return relative.format(Math.ceil(seconds / length), unit);
    }
    return "just now";
  };

  const until = (moment) => {
    const seconds = Math.ceil((moment - Date.now()) / 1000);
    if (seconds <= 0) return "now";
    return seconds < 60 ? `in ${seconds} s` : `in ${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  };

  const since = (moment) => {
    const seconds = Math.max(0, Math.floor((Date.now() - moment) / 1000));
    const minutes = Math.floor(seconds / 60);
    if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
    return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
  };

  const left = (moment) => {
    const seconds = Math.ceil((moment - Date.now()) / 1000);
    if (seconds <= 0) return "";
    if (seconds < 60) return `about ${seconds} s left`;
    const minutes = Math.round(seconds / 60);
    return minutes < 60 ? `about ${minutes} min left` : `about ${Math.round(minutes / 60)} h left`;
  };

  const words = (time, moment) => {
    if ("since" in time.dataset) return since(moment);
    if ("left" in time.dataset) return left(moment);
    if ("until" in time.dataset) return until(moment);
    if ("day" in time.dataset) return day.format(moment);
    if ("clock" in time.dataset) return clock.format(moment);
    return "exact" in time.dataset ? absolute.format(moment) : ago(moment);
  };

  const second = new Intl.DateTimeFormat(undefined, {
    hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone,
  });

  const show = () => {
    for (const time of document.querySelectorAll("time[data-at]")) {
      time.textContent = second.format(Number(time.dataset.at) * 1000);
      delete time.dataset.at;
    }
    for (const time of document.querySelectorAll("time[datetime]:not([datetime=''])")) {
      const moment = new Date(time.dateTime);
      if ("from" in time.dataset) {
        if (time.hidden !== (Date.now() < moment)) time.hidden = !time.hidden;
        continue;
      }
      const text = words(time, moment);
      if (time.textContent !== text) time.textContent = text;
      const title = absolute.format(moment);
      if (time.title !== title) time.title = title;
    }
  };

  show();
  setInterval(show, 1000);
  new MutationObserver(show).observe(document.body, {
    childList: true, subtree: true, characterData: true, attributeFilter: ["datetime"],
  });
})();
