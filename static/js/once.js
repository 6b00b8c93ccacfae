// A form that is on its way is not sent a second time by a double click. Back on the page, it may be sent again.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    else form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => {
    delete form.dataset.sent;
  });
}
