// <tuner-recorder sheet="ID" lang="en">: sentences read one by one. What was recorded is on the
// server: an element that is made anew shows the same. Its own tree, so that Gradio, which redraws
// HTML by comparing it, leaves it alone.
(() => {
  const KEPT_S = 0.25;  // of sound before the button is pressed and after, so that no word is cut
  const LONGEST_S = 31;  // the server refuses more than 30
  const IDLE_MS = 60_000;  // then the microphone is switched off
  const SPEAK_UP_MS = 2_000, QUIET_DB = -42, LOUD = 0.985, LOUD_SHARE = 0.005;
  const WORDS = { TEXTAREA: 1, INPUT: 1, SELECT: 1, AUDIO: 1 };
  const decibels = (power) => 10 * Math.log10(power + 1e-9);

  class Recorder extends HTMLElement {
    static observedAttributes = ["sheet", "lang"];
    unsavedOf = {};  // by sheet, by sentence: takes that the server did not get

    connectedCallback() {
      this.onKey = (event) => this.press(event);
      this.onHidden = () => { if (document.hidden) this.leave(); };
      this.onLeave = (event) => { if (this.unsaved?.size) event.preventDefault(); };
      document.addEventListener("keydown", this.onKey);
      window.addEventListener("beforeunload", this.onLeave);
      document.addEventListener("visibilitychange", this.onHidden);
    }

    disconnectedCallback() {
      document.removeEventListener("keydown", this.onKey);
      window.removeEventListener("beforeunload", this.onLeave);
      document.removeEventListener("visibilitychange", this.onHidden);
      this.release();
    }

    attributeChangedCallback() {
      clearTimeout(this.loading);  // both attributes change at once
      this.loading = setTimeout(() => this.load());
    }

    get url() { return `sheet/${this.getAttribute("sheet")}`; }
    get query() { return `lang=${this.getAttribute("lang")}`; }

    async load() {
      this.release();
      const sheet = this.getAttribute("sheet");
      if (!sheet) { if (this.shadowRoot) this.shadowRoot.innerHTML = ""; return; }
      const answer = await fetch(`${this.url}?${this.query}`).catch(() => null);
      if (!answer?.ok || sheet !== this.getAttribute("sheet")) return;
      this.state = await answer.json();
      this.phase = "idle";
      const isNew = this.shown !== sheet;
      this.unsaved = this.unsavedOf[sheet] ??= new Map();
      if (isNew) this.n = this.firstOpen(0);
      this.shown = sheet;
      this.build();
      this.go(this.n);
      if (isNew) this.scrollIntoView({ behavior: "smooth", block: "nearest" });
    }

    // The first sentence behind `n` without a take; from the beginning if there is none behind.
    firstOpen(n) {
      const { sentences, takes } = this.state;
      const open = sentences.map((_, i) => i + 1).filter((i) => !(i in takes));
      return open.find((i) => i > n) ?? open[0] ?? Math.min(n + 1, sentences.length);
    }

    build() {
      const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
      root.innerHTML = window.tunerRecorder;
      const part = (name) => root.getElementById(name);
      Object.assign(this, Object.fromEntries(
        ["progress", "bar", "say", "told", "retry", "record", "back", "next", "open", "list",
          "level", "hint", "audio", "keys"].map((name) => [name, part(name)])));
      const { words, sentences, language } = this.state;
      for (const name of ["back", "next", "open", "keys", "retry"]) {
        this[name].textContent = words[name];
      }
      this.level.parentElement.setAttribute("aria-label", words.level);
      this.list.setAttribute("aria-label", words.list);
      this.say.lang = language;
      this.list.replaceChildren(...sentences.map((_, i) => new Option("", i + 1)));
      sentences.forEach((_, i) => this.mark(i + 1));
      this.record.onclick = () => this.toggle();
      const moving = (where) => () => { this.go(where()); this.record.focus({ preventScroll: true }); };
      this.back.onclick = moving(() => this.n - 1);
      this.next.onclick = moving(() => this.n + 1);
      this.open.onclick = moving(() => this.firstOpen(this.n));
      this.list.onchange = moving(() => Number(this.list.value));
      this.retry.onclick = () => this.saveAll();
      this.tell();
    }

    mark(n) {
      const take = this.state.takes[n], sign = take ? (take.told ? "⚠" : "✓") : "　";
      this.list.options[n - 1].textContent = `${sign} ${n} · ${this.state.sentences[n - 1]}`;
    }

    tell() {
      const { progress, sentences, takes } = this.state, done = Object.keys(takes).length;
      this.progress.textContent = progress;
      this.bar.max = sentences.length;
      this.bar.value = done;
      this.open.hidden = done === sentences.length;
    }

    go(n) {
      const { sentences, takes, words } = this.state;
      if (this.phase !== "idle" || n < 1 || n > sentences.length) return;
      this.n = n;
      this.say.textContent = sentences[n - 1];
      this.list.value = n;
      const take = takes[n], lost = this.unsaved.get(n);
      const all = Object.keys(takes).length === sentences.length ? ` ${words.all}` : "";
      if (lost) this.say_(lost.told, "problem");
      else if (take) this.say_(take.told || words.good + all, take.told ? "warning" : "good");
      else this.say_("", "");
      this.retry.hidden = !this.unsaved.size;
      this.audio.hidden = !take;
      if (take) this.audio.src = `take/${this.getAttribute("sheet")}/${n}?v=${Date.now()}`;
      this.show();
    }

    say_(sentence, kind) {
      this.told.textContent = sentence;
      this.told.className = kind;
    }

    show() {
      const { words, takes, sentences } = this.state, phase = this.phase;
      const name = { idle: this.n in takes ? "again" : "record", opening: "asking",
        recording: "stop", closing: "stop", saving: "saving" }[phase];
      this.record.textContent = words[name];
      this.record.dataset.phase = phase;
      this.record.disabled = phase !== "idle" && phase !== "recording";
      const isBusy = phase !== "idle";
      this.list.disabled = this.open.disabled = this.retry.disabled = isBusy;
      this.back.disabled = isBusy || this.n === 1;
      this.next.disabled = isBusy || this.n === sentences.length;
      if (phase !== "recording") this.hint.textContent = "";
    }

    press(event) {
      const target = event.composedPath()[0];
      const isElsewhere = target.closest?.("button, a, summary, [role=tab], [role=listbox]");
      if (!this.state || this.offsetParent === null || event.repeat || target.isContentEditable
        || event.ctrlKey || event.altKey || event.metaKey || target.tagName in WORDS) return;
      const { bottom, top } = this.getBoundingClientRect();
      if (bottom < 0 || top > window.innerHeight) return;  // read on, further down
      const isOurs = this.shadowRoot.contains(target);
      if (event.key === " " && !isElsewhere) this.toggle();
      else if (event.key === "ArrowRight" && (isOurs || !isElsewhere)) this.go(this.n + 1);
      else if (event.key === "ArrowLeft" && (isOurs || !isElsewhere)) this.go(this.n - 1);
      else return;
      event.preventDefault();
    }

    toggle() {
      if (this.phase === "idle") this.begin();
      else if (this.phase === "recording") this.end();
    }

    async begin() {
      this.phase = "opening";
      this.show();
      this.audio.pause();
      clearTimeout(this.idle);
      try {
        this.mic ??= await window.tunerMicrophone.Microphone.open(
          (block) => this.hear(block), () => this.lose());
      } catch (reason) {
        this.phase = "idle";
        this.go(this.n);
        this.say_(this.state.words[`mic_${reason}`], "problem");
        return;
      }
      if (this.phase !== "opening") return this.release();  // it was left meanwhile
      this.blocks = [...this.before ?? []];
      this.loudest = -99;
      this.nLoud = 0;
      this.began = performance.now();
      this.phase = "recording";
      this.say_("", "");
      this.show();
    }

    hear(block) {
      if (!this.mic) return;  // it is being opened, or was closed
      if (this.offsetParent === null) return this.leave();  // another tab is shown
      let peak = 0, power = 0, nLoud = 0;
      for (const sample of block) {
        peak = Math.max(peak, Math.abs(sample));
        power += sample * sample / block.length;
        nLoud += Math.abs(sample) >= LOUD;
      }
      const n = Math.ceil(KEPT_S * this.mic.rate / block.length);
      this.before = [...(this.before ?? []), block].slice(-n);
      this.level.style.inlineSize = `${Math.max(0, 100 + 100 * decibels(peak * peak) / 60)}%`;
      this.level.className = peak >= LOUD ? "loud" : "";
      if (this.phase !== "recording" && this.phase !== "closing") return;
      this.blocks.push(block);
      this.loudest = Math.max(this.loudest, decibels(power));
      this.nLoud += nLoud;
      const passed = performance.now() - this.began, { words } = this.state;
      const isLoud = this.nLoud > LOUD_SHARE * this.blocks.length * block.length;
      const isQuiet = passed > SPEAK_UP_MS && this.loudest < QUIET_DB;
      this.hint.textContent = isLoud ? words.too_loud : isQuiet ? words.speak_up : "";
      if (passed > 1000 * LONGEST_S && this.phase === "recording") this.end();
    }

    end() {
      this.phase = "closing";
      this.show();
      setTimeout(() => this.finish(), 1000 * KEPT_S);
    }

    async finish() {
      if (this.phase !== "closing" || !this.mic) return;
      const wav = window.tunerMicrophone.toWav(this.blocks, this.mic.rate);
      this.blocks = [];
      this.idle = setTimeout(() => this.release(), IDLE_MS);
      await this.save(this.n, wav);
    }

    async save(n, wav) {
      this.phase = "saving";
      this.show();
      const url = `take/${this.getAttribute("sheet")}/${n}?${this.query}`;
      const answer = await fetch(url, { method: "POST", body: wav }).catch(() => null);
      const said = await answer?.json().catch(() => null);
      this.phase = "idle";
      this.unsaved.delete(n);
      if (!said) this.unsaved.set(n, { wav, told: this.state.words.unsaved });
      if (said?.take) {
        this.state.takes[n] = said.take;
        this.state.progress = said.progress;
        this.mark(n);
        this.tell();
      }
      this.go(n);
      if (said?.problem) this.say_(said.problem, "problem");
    }

    async saveAll() {
      for (const [n, { wav }] of [...this.unsaved]) await this.save(n, wav);
    }

    leave() {
      if (this.phase === "recording") this.lose();
      else this.release();
    }

    lose() {
      this.release();
      if (this.state) this.say_(this.state.words.mic_lost, "problem");
    }

    release() {
      clearTimeout(this.idle);
      this.mic?.close();
      this.mic = this.before = null;
      if (this.level) this.level.style.inlineSize = 0;
      if (!["recording", "closing", "opening"].includes(this.phase)) return;
      this.phase = "idle";
      this.go(this.n);
    }
  }
  customElements.define("tuner-recorder", Recorder);
})();
