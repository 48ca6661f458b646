// Timers and the order of the event loop: due timers first, then immediates, as
// libuv's phases. C asks turn() for one round when a reply is still awaited.
(function (native, internal) {
  'use strict';

  // A binary heap of timers by the time that they are due, then by age.
  const heap = [];
  let immediates = [];
  let serial = 0;
  const live = new Map(); // by id, so that a number clears a timer too

  const before = (a, b) => a.due < b.due || (a.due === b.due && a.age < b.age);

  function push(timer) {
    let i = heap.length;
    heap.push(timer);
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!before(timer, heap[up])) break;
      heap[i] = heap[up];
      i = up;
    }
    heap[i] = timer;
  }

  function pop() {
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let down = 2 * i + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && before(heap[down + 1], heap[down])) down++;
      if (!before(heap[down], last)) break;
      heap[i] = heap[down];
      i = down;
    }
    heap[i] = last;
    return first;
  }

  class Timeout {
    constructor(callback, delay, args, repeat) {
      delay = Number(delay);
      if (!(delay >= 1 && delay <= 2147483647)) delay = 1;
      define(this, { callback, args, delay, repeat, id: ++serial, counts: true });
      this.start();
    }
    start() {
      this.due = native.now() + this.delay;
      this.age = ++serial;
      live.set(this.id, this);
      push(this);
    }
    ref() { this.counts = true; return this; }
    unref() { this.counts = false; return this; }
    hasRef() { return this.counts; }
    refresh() {
      if (live.get(this.id) !== this) return this;
      const again = heap.indexOf(this);
      if (again >= 0) heap.splice(again, 1);
      heap.sort((a, b) => (before(a, b) ? -1 : 1)); // rare: keep it simple
      this.start();
      return this;
    }
    close() { clear(this); return this; }
    [Symbol.toPrimitive]() { return this.id; }
  }

  class Immediate {
    constructor(callback, args) { define(this, { callback, args, done: false }); }
    ref() { return this; }
    unref() { return this; }
    hasRef() { return !this.done; }
  }

  function define(target, members) {
    for (const name in members) {
      Object.defineProperty(target, name, { value: members[name], writable: true, configurable: true });
    }
    if (!('due' in target)) {
      Object.defineProperty(target, 'due', { value: 0, writable: true, configurable: true });
      Object.defineProperty(target, 'age', { value: 0, writable: true, configurable: true });
    }
  }

  function needFunction(callback) {
    if (typeof callback !== 'function') {
      throw internal.coded(TypeError, 'ERR_INVALID_ARG_TYPE',
        `The "callback" argument must be of type function. Received ${callback === null ? 'null' : typeof callback}`);
    }
  }

  function clear(timer) {
    if (timer === null || timer === undefined) return;
    const found = typeof timer === 'object' ? timer : live.get(Number(timer));
    if (found instanceof Immediate) found.done = true;
    else if (found instanceof Timeout) live.delete(found.id); // the heap drops it later
  }

  internal.timers = {
    setTimeout(callback, delay, ...args) {
      needFunction(callback);
      return new Timeout(callback, delay, args, false);
    },
    setInterval(callback, delay, ...args) {
      needFunction(callback);
      return new Timeout(callback, delay, args, true);
    },
    setImmediate(callback, ...args) {
      needFunction(callback);
      const immediate = new Immediate(callback, args);
      immediates.push(immediate);
      return immediate;
    },
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
  };
  internal.define(globalThis, internal.timers);

  const resolved = Promise.resolve();
  const then = Promise.prototype.then;
  internal.define(globalThis, {
    queueMicrotask(callback) {
      needFunction(callback);
      // An error of the callback must be uncaught, not a rejection that one could
      // tell from others; the tracker of rejections reports it either way.
      Reflect.apply(then, resolved, [() => { callback(); }]);
    },
  });

  // One round: runs what is due and returns 0, or returns the milliseconds until
  // something will be due, or -1 when nothing keeps the event loop alive. One
  // callback a round, since C runs promise jobs between them.
  internal.turn = () => {
    while (heap.length > 0 && live.get(heap[0].id) !== heap[0]) pop();
    const now = heap.length > 0 ? native.now() : 0;
    if (heap.length > 0 && heap[0].due <= now) {
      const timer = pop();
      if (!timer.repeat) live.delete(timer.id);
      try {
        timer.callback(...timer.args);
      } finally {
        if (timer.repeat && live.get(timer.id) === timer) timer.start();
      }
      return 0;
    }
    while (immediates.length > 0) {
      const immediate = immediates.shift();
      if (immediate.done) continue;
      immediate.done = true;
      immediate.callback(...immediate.args);
      return 0;
    }
    for (const timer of live.values()) {
      if (timer.counts) return Math.max(heap[0].due - now, 0.001);
    }
    return -1;
  };

  // After process.exit nothing of what was planned happens.
  internal.clearTimers = () => {
    heap.length = 0;
    immediates = [];
    live.clear();
  };
})
