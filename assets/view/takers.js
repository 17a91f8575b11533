// One button for every other choice that takes the picture that is shown, as "→ Describe"; the controls know them.

class Takers {
  constructor() {
    this.element = h("div", { className: "av-takers", role: "group", hidden: true });
    said(this.element, "send_to", {}, "aria-label");
  }

  // pictured: whether a picture was given that this one was made from.
  offer(run, picture, pictured = false) {
    const { generator, variant, request } = run.head, from = { ...request, generator, variant, seed: run.seed, pictured };
    const found = (picture && window.attentionLab.takers?.(`${generator}/${variant}`)) || [];
    this.element.hidden = !found.length;
    this.element.replaceChildren(...found.map(({ target, label }) => {
      const send = () => window.attentionLab.send(picture.url, target, from);
      const button = h("button", { type: "button", className: "av-link", onclick: send }, `→ ${words(label)}`);
      button.setAttribute("aria-label", t("send_it", { to: words(label) }));
      return button;
    }));
  }
}
