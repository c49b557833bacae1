// Runs before Gradio starts. Gradio speaks 30 languages and we speak two: it is told to use ours,
// so that the page is never half in one and half in the other.
(() => {
  const STORED = "whisper-tuner-language";
  const TAGS = { en: "en", zh: "zh-CN" };
  const stored = () => {
    try { return localStorage.getItem(STORED); } catch { return null; }
  };
  const own = (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";
  const tuner = { language: stored() in TAGS ? stored() : own };
  window.whisperTuner = tuner;
  Object.defineProperty(navigator, "language", {
    configurable: true,
    get: () => TAGS[tuner.language],
  });
  document.documentElement.lang = TAGS[tuner.language];

  tuner.speak = async (language) => {
    tuner.language = language;
    document.documentElement.lang = TAGS[language];
    try { localStorage.setItem(STORED, language); } catch { /* kept until the page is closed */ }
    const files = performance.getEntriesByType("resource").map((entry) => entry.name);
    const core = files.find((name) => /\/assets\/core-[^/]+\.js$/.test(name));
    const gradio = core ? await import(core) : {};
    // Gradio's own switch, used by its settings dialog. Without it, a reload does the same.
    if (gradio.changeLocale) gradio.changeLocale(TAGS[language]);
    else location.reload();
  };
})();
