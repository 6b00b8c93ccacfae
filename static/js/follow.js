// What follows the calendar by itself rests while nobody sees it, and looks at once when somebody does again.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.elt.matches("[data-follow]")) event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("[data-follow]")) htmx.trigger(element, "seen");
});
