// The microphone as blocks of plain samples, and such blocks as a WAV file. Samples, because a
// browser's own recorder would compress them, each browser in another way.
(() => {
  const TAP = `registerProcessor("tuner-tap", class extends AudioWorkletProcessor {
    constructor() { super(); this.block = new Float32Array(2048); this.n = 0; }
    process([[samples]]) {
      if (!samples) return true;
      this.block.set(samples, this.n);
      this.n += samples.length;
      if (this.n >= this.block.length) { this.port.postMessage(this.block.slice()); this.n = 0; }
      return true;
    }
  });`;
  // What a browser calls its reasons → ours, each a sentence of the page.
  const REASONS = {
    NotAllowedError: "denied", SecurityError: "denied",
    NotFoundError: "none", OverconstrainedError: "none",
    NotReadableError: "busy", AbortError: "busy",
  };

  class Microphone {
    // Calls onBlock(Float32Array) about 20 times a second, onLost() when it is unplugged.
    // Throws the name of a sentence.
    static async open(onBlock, onLost) {
      if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) throw "insecure";
      const mic = new Microphone();
      try {
        // Voices as they are: what makes calls pleasant leaves traces in a recording.
        mic.stream = await navigator.mediaDevices.getUserMedia({ audio: {
          channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true,
        } });
        mic.context = new AudioContext();
        await mic.context.resume();
        const module = URL.createObjectURL(new Blob([TAP], { type: "text/javascript" }));
        await mic.context.audioWorklet.addModule(module);
        URL.revokeObjectURL(module);
        const tap = new AudioWorkletNode(mic.context, "tuner-tap",
          { channelCount: 1, channelCountMode: "explicit" });
        tap.port.onmessage = (event) => onBlock(event.data);
        mic.context.createMediaStreamSource(mic.stream).connect(tap).connect(mic.context.destination);
        mic.stream.getTracks().forEach((track) => { track.onended = onLost; });
      } catch (error) {
        mic.close();
        throw REASONS[error?.name] ?? "busy";
      }
      return mic;
    }

    get rate() { return this.context.sampleRate; }

    close() {
      this.stream?.getTracks().forEach((track) => { track.onended = null; track.stop(); });
      this.context?.close();
    }
  }

  // 16-bit mono WAV.
  const toWav = (blocks, rate) => {
    const n = blocks.reduce((sum, block) => sum + block.length, 0);
    const view = new DataView(new ArrayBuffer(44 + 2 * n));
    const write = (at, word) => [...word].forEach((c, i) => view.setUint8(at + i, c.charCodeAt()));
    write(0, "RIFF"); view.setUint32(4, 36 + 2 * n, true); write(8, "WAVEfmt ");
    view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
    view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true);
    view.setUint16(32, 2, true); view.setUint16(34, 16, true);
    write(36, "data"); view.setUint32(40, 2 * n, true);
    let at = 44;
    for (const block of blocks) {
      for (const sample of block) {
        view.setInt16(at, Math.round(32767 * Math.max(-1, Math.min(1, sample))), true);
        at += 2;
      }
    }
    return new Blob([view], { type: "audio/wav" });
  };

  window.tunerMicrophone = { Microphone, toWav };
})();
