// What a browser cannot read it sends as nothing: half a date, "5e" for a number. The server is told, and says so there.
(() => {
  document.addEventListener("formdata", ({ target, formData }) => {
    for (const { name, validity } of target.elements) if (name && validity?.badInput) formData.append("_unread", name);
  });
})();
