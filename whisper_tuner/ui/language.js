// Which language the page speaks: the one chosen here before, else the browser's.
(() => {
  const STORED = "whisper-tuner-language";
  const TAGS = { en: "en", zh: "zh-CN" };  // ours, and Gradio's name for the same
  const stored = () => {
    try { return localStorage.getItem(STORED); } catch { return null; }
  };
  const own = (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";

  // Gradio's file boxes keep the language they were drawn in; style.css writes this over theirs.
  const relabel = (language) => {
    const known = window.gradio_config?.i18n_translations?.[language] ?? {};
    const root = document.documentElement;
    root.lang = TAGS[language];
    root.style.setProperty("--tuner-drop", JSON.stringify(known.page_drop ?? ""));
  };

  const switchTo = async (language) => {
    const files = performance.getEntriesByType("resource").map((entry) => entry.name);
    const core = files.find((name) => /\/assets\/core-[^/]+\.js$/.test(name));
    // Gradio's own switch, the one behind its settings dialog.
    if (core) (await import(core)).changeLocale?.(TAGS[language]);
    relabel(language);
  };

  window.whisperTuner = {
    // Before the first drawing: returns the language to draw in.
    begin: async () => {
      const language = stored() in TAGS ? stored() : own;
      await switchTo(language);
      return language;
    },
    speak: async (language) => {
      try { localStorage.setItem(STORED, language); } catch { /* kept until the page is closed */ }
      await switchTo(language);
    },
  };
})();
