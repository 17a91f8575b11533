/* Before anything is drawn: the language (?lang=, an earlier visit, the browser's) and the brightness. */
(() => {
  const LANGUAGES = ["en", "zh"];
  const GRADIO = { en: "en", zh: "zh-CN" };
  const recall = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const keep = (name, value) => { try { localStorage.setItem(name, value); } catch { /* a frame may have no storage */ } };
  const root = document.documentElement;
  const wanted = [new URLSearchParams(location.search).get("lang"), recall("lab.language"), ...navigator.languages];
  let language = wanted.map((each) => (each || "").slice(0, 2).toLowerCase()).find((each) => LANGUAGES.includes(each)) || "en";

  const darkWanted = recall("lab.brightness");
  const dark = () => darkWanted ? darkWanted === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

  window.lab = {
    get language() { return language; },
    async speak(next) {
      language = LANGUAGES.includes(next) ? next : "en";
      keep("lab.language", language);
      root.lang = language;
      root.dataset.language = language;
      const core = "GRADIO_CORE";
      if (core) {
        const gradio = await import(new URL(`assets/${core}`, document.baseURI)).catch(() => null);
        await gradio?.changeLocale?.(GRADIO[language]);
        root.lang = language;
      }
    },
    brighten(next) {
      document.body.classList.toggle("dark", next === "dark");
      root.dataset.brightness = next;
      keep("lab.brightness", next);
    },
    applyBrightness() {
      document.body.classList.toggle("dark", dark());
      root.dataset.brightness = dark() ? "dark" : "light";
    },
  };
  root.lang = language;
  root.dataset.language = language;
  root.dataset.brightness = dark() ? "dark" : "light";
})();
