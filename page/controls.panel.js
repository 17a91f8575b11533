/* About lies over the page, and so does what was measured of all models: two pages of one dialog, each with its address (`read=`; `page` is gradio’s own). */

const PAGES = ["about", "helps"];

const panel = () => document.getElementById("about");

function about(open, page = "about") {
  const dialog = panel(), here = new URL(location.href);
  if (open) here.searchParams.set("read", page); else here.searchParams.delete("read");
  history.replaceState(history.state, "", here);
  dialog.dataset.page = page;
  document.body.classList.toggle("about-open", open);
  for (const id of ["controls", "attention-view"]) document.getElementById(id)?.toggleAttribute("inert", open);
  dialog.setAttribute("role", "dialog");
  dialog.setAttribute("aria-modal", "true");
  dialog.setAttribute("aria-label", text("about"));
  dialog.querySelector(".close")?.remove();
  dialog.querySelector(".pages")?.remove();
  if (!open) return find("[data-do=about]").focus();
  const close = button("✕", () => about(false), { className: "close", ariaLabel: text("close") });
  const pages = document.createElement("nav");
  pages.className = "pages";
  pages.append(...PAGES.map((each) => button(text(each === "about" ? "about" : "helps_title"), () => about(true, each), each === page ? { ariaCurrent: "page" } : {})));
  dialog.prepend(close, pages);
  close.focus();
  dialog.scrollTop = 0;
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest?.("#about a[href]");
  if (!anchor || new URL(anchor.href).origin !== location.origin) return;
  const { search, searchParams } = new URL(anchor.href);
  if (!searchParams.has("generator") && !PAGES.includes(searchParams.get("read"))) return;
  event.preventDefault();
  event.stopPropagation();
  if (!searchParams.has("generator")) return about(true, searchParams.get("read"));
  about(false);
  history.replaceState(history.state, "", search);
  restore();
}, true);

