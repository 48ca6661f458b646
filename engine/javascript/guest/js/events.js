// Event, EventTarget, AbortController and AbortSignal (DOM Standard), DOMException
// (Web IDL).
(function (native, internal) {
  'use strict';

  const codes = { IndexSizeError: 1, NotFoundError: 8, NotSupportedError: 9, InvalidStateError: 11, SyntaxError: 12,
    InvalidModificationError: 13, NamespaceError: 14, InvalidAccessError: 15, TypeMismatchError: 17, SecurityError: 18,
    NetworkError: 19, AbortError: 20, URLMismatchError: 21, QuotaExceededError: 22, TimeoutError: 23,
    InvalidCharacterError: 5, DataCloneError: 25 };

  class DOMException extends Error {
    #name;
    constructor(message = '', options = 'Error') {
      super(String(message));
      if (options !== null && typeof options === 'object') {
        if ('cause' in options) this.cause = options.cause;
        this.#name = String(options.name ?? 'Error');
      } else {
        this.#name = String(options);
      }
      const trace = this.stack.split('\n').slice(1).filter((line) => !line.includes('node:internal/'));
      this.stack = [`${this.#name}: ${this.message}`, ...trace].join('\n');
      Object.defineProperty(this, 'stack', { enumerable: false });
    }
    get name() { return this.#name; }
    get code() { return codes[this.#name] ?? 0; }
  }
  internal.tag(DOMException, 'DOMException');
  internal.DOMException = DOMException;

  class Event {
    #type; #bubbles; #cancelable; #composed;
    #prevented = false;
    #time = native.now();
    constructor(type, options = {}) {
      if (arguments.length === 0) throw new TypeError('The "type" argument must be specified');
      this.#type = String(type);
      this.#bubbles = Boolean(options?.bubbles);
      this.#cancelable = Boolean(options?.cancelable);
      this.#composed = Boolean(options?.composed);
      internal.define(this, { _target: null, _stopped: false });
    }
    get type() { return this.#type; }
    get bubbles() { return this.#bubbles; }
    get cancelable() { return this.#cancelable; }
    get composed() { return this.#composed; }
    get target() { return this._target; }
    get currentTarget() { return this._target; }
    get srcElement() { return this._target; }
    get eventPhase() { return this._target ? 2 : 0; }
    get timeStamp() { return this.#time; }
    get defaultPrevented() { return this.#prevented; }
    get returnValue() { return !this.#prevented; }
    get isTrusted() { return false; }
    composedPath() { return this._target ? [this._target] : []; }
    preventDefault() { if (this.#cancelable) this.#prevented = true; }
    stopPropagation() {}
    stopImmediatePropagation() { this._stopped = true; }
  }
  internal.tag(Event, 'Event');
  for (const [name, value] of [['NONE', 0], ['CAPTURING_PHASE', 1], ['AT_TARGET', 2], ['BUBBLING_PHASE', 3]]) {
    Object.defineProperty(Event, name, { value, enumerable: true });
  }

  class CustomEvent extends Event {
    #detail;
    constructor(type, options = {}) {
      super(type, options);
      this.#detail = options?.detail ?? null;
    }
    get detail() { return this.#detail; }
  }
  internal.tag(CustomEvent, 'CustomEvent');

  class EventTarget {
    #listeners = new Map();
    addEventListener(type, listener, options) {
      if (listener === null || listener === undefined) return;
      const { once = false, signal, capture = false } = typeof options === 'boolean' ? { capture: options } : options ?? {};
      if (signal?.aborted) return;
      const list = this.#listeners.get(String(type)) ?? [];
      if (list.some((each) => each.listener === listener && each.capture === Boolean(capture))) return;
      this.#listeners.set(String(type), [...list, { listener, once: Boolean(once), capture: Boolean(capture) }]);
      signal?.addEventListener('abort', () => this.removeEventListener(type, listener, options), { once: true });
    }
    removeEventListener(type, listener, options) {
      const capture = Boolean(typeof options === 'boolean' ? options : options?.capture);
      const list = this.#listeners.get(String(type));
      if (list) {
        this.#listeners.set(String(type), list.filter((each) => each.listener !== listener || each.capture !== capture));
      }
    }
    dispatchEvent(event) {
      if (!(event instanceof Event)) throw new TypeError('The "event" argument must be an instance of Event');
      event._target = this;
      for (const each of this.#listeners.get(event.type) ?? []) {
        if (each.once) this.removeEventListener(event.type, each.listener, each.capture);
        // An error of one listener must not keep the others from hearing.
        try {
          if (typeof each.listener === 'function') each.listener.call(this, event);
          else each.listener.handleEvent(event);
        } catch (error) {
          queueMicrotask(() => { throw error; });
        }
        if (event._stopped) break;
      }
      return !event.defaultPrevented;
    }
  }
  internal.tag(EventTarget, 'EventTarget');

  let making = false;

  class AbortSignal extends EventTarget {
    #aborted = false;
    #reason;
    #handler = null;
    constructor() {
      if (!making) throw internal.coded(TypeError, 'ERR_ILLEGAL_CONSTRUCTOR', 'Illegal constructor');
      super();
    }
    get aborted() { return this.#aborted; }
    get reason() { return this.#reason; }
    get onabort() { return this.#handler; }
    set onabort(handler) {
      if (this.#handler) this.removeEventListener('abort', this.#handler);
      this.#handler = typeof handler === 'function' ? handler : null;
      if (this.#handler) this.addEventListener('abort', this.#handler);
    }
    throwIfAborted() { if (this.#aborted) throw this.#reason; }
    static abort(reason) {
      const signal = make();
      abort(signal, reason);
      return signal;
    }
    static timeout(ms) {
      const signal = make();
      setTimeout(() => abort(signal, new DOMException('The operation was aborted due to timeout', 'TimeoutError')), ms).unref();
      return signal;
    }
    static any(signals) {
      const signal = make();
      const all = [...signals];
      const already = all.find((each) => each.aborted);
      if (already) abort(signal, already.reason);
      else for (const each of all) each.addEventListener('abort', () => abort(signal, each.reason), { once: true });
      return signal;
    }
    static {
      internal.abort = (signal, reason) => {
        if (signal.#aborted) return;
        signal.#aborted = true;
        signal.#reason = reason === undefined ? new DOMException('This operation was aborted', 'AbortError') : reason;
        signal.dispatchEvent(new Event('abort'));
      };
    }
  }
  internal.tag(AbortSignal, 'AbortSignal');
  const { abort } = internal;

  function make() {
    making = true;
    try {
      return new AbortSignal();
    } finally {
      making = false;
    }
  }

  class AbortController {
    #signal = make();
    get signal() { return this.#signal; }
    abort(reason) { abort(this.#signal, reason); }
  }
  internal.tag(AbortController, 'AbortController');

  internal.define(globalThis, { DOMException, Event, CustomEvent, EventTarget, AbortSignal, AbortController });
})
