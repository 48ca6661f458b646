// process, as far as there is one: environment, exit, and what packages look at.
(function (native, internal) {
  'use strict';

  const VERSION = 'v22.0.0'; // what packages that ask for a version of Node.js are told

  // AWS Lambda's for Node.js 22, and the layers' folder for Node.js 20, whose functions
  // run here too.
  const NODE_PATH = '/opt/nodejs/node22/node_modules:/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:' +
    '/var/runtime/node_modules';

  let started = native.now();
  const listeners = new Map();

  function on(name, listener) {
    listeners.set(name, [...(listeners.get(name) ?? []), listener]);
    return process;
  }
  function off(name, listener) {
    listeners.set(name, (listeners.get(name) ?? []).filter((each) => each !== listener));
    return process;
  }

  function hrtime(before) {
    const ns = BigInt(Math.round(native.now() * 1e6));
    const time = [Number(ns / 1000000000n), Number(ns % 1000000000n)];
    if (!before) return time;
    const passed = [time[0] - before[0], time[1] - before[1]];
    return passed[1] < 0 ? [passed[0] - 1, passed[1] + 1e9] : passed;
  }
  hrtime.bigint = () => BigInt(Math.round(native.now() * 1e6));

  const stream = (fd) => ({
    fd, isTTY: false, writable: true,
    write(text, encoding, done) {
      native.write(typeof text === 'string' ? text : internal.decode(text));
      const after = typeof encoding === 'function' ? encoding : done;
      if (typeof after === 'function') queueMicrotask(() => after());
      return true;
    },
    end(text) { if (text !== undefined) this.write(text); },
    on() { return this; }, once() { return this; }, emit() { return false; }, removeListener() { return this; },
  });

  const process = {
    title: 'node',
    version: VERSION,
    versions: { node: VERSION.slice(1), quickjs: '2025.04.26', modules: '127' },
    arch: 'wasm32',
    platform: 'linux',
    release: { name: 'node', lts: 'Jod' },
    env: {},
    argv: ['/var/lang/bin/node', '/var/runtime/index.mjs'],
    argv0: 'node',
    execArgv: [],
    execPath: '/var/lang/bin/node',
    pid: 1,
    ppid: 0,
    exitCode: undefined,
    config: { variables: {} },
    features: {},
    stdout: stream(1),
    stderr: stream(2),
    cwd: () => '/var/task',
    chdir() { throw internal.coded(Error, 'ERR_NOT_SUPPORTED', 'process.chdir() is not supported'); },
    exit: (code) => native.exit(code ?? process.exitCode ?? 0),
    abort: () => native.exit(134),
    nextTick(callback, ...args) {
      if (typeof callback !== 'function') throw internal.coded(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "callback" argument must be of type function');
      queueMicrotask(args.length === 0 ? callback : () => callback(...args));
    },
    uptime: () => (native.now() - started) / 1000,
    hrtime,
    memoryUsage: Object.assign(() => {
      const all = native.memory();
      return { rss: all, heapTotal: all, heapUsed: all, external: 0, arrayBuffers: 0 };
    }, { rss: () => native.memory() }),
    cpuUsage: () => ({ user: Math.round(native.now() * 1000), system: 0 }),
    umask: () => 0o22,
    getuid: () => 993, geteuid: () => 993, getgid: () => 990, getegid: () => 990,
    emitWarning(warning) { console.warn(typeof warning === 'string' ? `Warning: ${warning}` : String(warning)); },
    on, addListener: on, once: on, prependListener: on, off, removeListener: off,
    removeAllListeners(name) {
      if (name === undefined) listeners.clear();
      else listeners.delete(name);
      return process;
    },
    emit: (name, ...args) => internal.emitProcess(name, ...args),
    listeners: (name) => [...(listeners.get(name) ?? [])],
    listenerCount: (name) => (listeners.get(name) ?? []).length,
    setMaxListeners: () => process,
    binding() { throw internal.coded(Error, 'ERR_NOT_SUPPORTED', 'process.binding() is not supported'); },
  };
  Object.defineProperty(process, Symbol.toStringTag, { value: 'process', configurable: true });

  internal.emitProcess = (name, ...args) => {
    const heard = listeners.get(name) ?? [];
    for (const listener of heard) listener.apply(process, args);
    return heard.length > 0;
  };

  // At each deploy: the function's own variables, and those that AWS Lambda sets.
  internal.refreshEnvironment = (config) => {
    started = native.now();
    process.env = Object.assign({
      LAMBDA_TASK_ROOT: '/var/task',
      _HANDLER: config.handler,
      AWS_LAMBDA_FUNCTION_NAME: config.function,
      AWS_LAMBDA_FUNCTION_VERSION: config.version,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(config.memory),
      AWS_LAMBDA_LOG_GROUP_NAME: config.log_group,
      AWS_LAMBDA_LOG_STREAM_NAME: config.log_stream,
      NODE_PATH,
      TZ: ':UTC',
    }, native.environ());
    internal.nodePath = process.env.NODE_PATH.split(':').filter((folder) => folder.startsWith('/')).map((folder) => folder.replace(/\/+$/, ''));
    process.env = environment(process.env);
  };

  // Values are strings, whatever is assigned.
  const environment = (values) => new Proxy(values, {
    set(target, name, value) {
      target[name] = typeof name === 'symbol' ? value : String(value);
      return true;
    },
    defineProperty(target, name, found) {
      if ('value' in found) found = { ...found, value: String(found.value) };
      return Reflect.defineProperty(target, name, found);
    },
  });

  const performance = {
    timeOrigin: 0,
    now: () => native.now() - started,
    mark: (name) => ({ name, entryType: 'mark', startTime: performance.now(), duration: 0, detail: null }),
    measure: (name) => ({ name, entryType: 'measure', startTime: 0, duration: performance.now(), detail: null }),
    getEntries: () => [], getEntriesByName: () => [], getEntriesByType: () => [],
    clearMarks() {}, clearMeasures() {},
    toJSON: () => ({ timeOrigin: performance.timeOrigin }),
  };
  Object.defineProperty(performance, 'timeOrigin', { get: () => Date.now() - performance.now(), enumerable: true });
  Object.defineProperty(performance, Symbol.toStringTag, { value: 'Performance', configurable: true });

  internal.process = process;
  internal.define(globalThis, { process, performance });
})
