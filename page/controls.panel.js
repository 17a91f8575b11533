/* About lies over the page. */

const panel = () => document.getElementById("about");

function about(open) {
  const dialog = panel();
  document.body.classList.toggle("about-open", open);
  for (const id of ["controls", "attention-view"]) document.getElementById(id)?.toggleAttribute("inert", open);
  dialog.setAttribute("role", "dialog");
  dialog.setAttribute("aria-modal", "true");
  dialog.setAttribute("aria-label", text("about"));
  dialog.querySelector(".close")?.remove();
  if (!open) return find("[data-do=about]").focus();
  const close = button("✕", () => about(false), { className: "close", ariaLabel: text("close") });
  dialog.prepend(close);
  close.focus();
  dialog.scrollTop = 0;
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest?.("#about a[href]");
  if (!anchor || new URL(anchor.href).origin !== location.origin || !new URL(anchor.href).search.includes("generator=")) return;
  event.preventDefault();
  event.stopPropagation();
  history.replaceState(history.state, "", new URL(anchor.href).search);
  about(false);
  restore();
}, true);

