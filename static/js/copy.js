// Copies a text of the page. By selecting it: the policy of these pages keeps the clipboard's own interface closed.
for (const button of document.querySelectorAll("[data-copy]")) {
  const said = button.parentElement.querySelector("[data-copied]");
  button.hidden = false;
  button.addEventListener("click", () => {
    getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
    said.textContent = document.execCommand("copy") ? said.dataset.copied : "";
  });
}
