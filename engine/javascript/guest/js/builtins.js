// The node: modules that are here: those that are pure, and what packages ask for
// most. Each is made when it is first asked for. What is missing is refused with the
// reason, see modules.js.
(function (native, internal) {
  'use strict';

  const makers = { __proto__: null };
  const made = { __proto__: null };
  internal.builtins = makers;
  internal.builtin = (name) => (made[name] ??= makers[name]());

  const noop = () => {};

  makers.ledge = () => internal.ledge;
  makers.buffer = () => ({
    Buffer: internal.Buffer, SlowBuffer: internal.Buffer, atob, btoa, kMaxLength: 0x7fffffff,
    constants: { MAX_LENGTH: 0x7fffffff, MAX_STRING_LENGTH: 0x3fffffff },
    isUtf8: (bytes) => native.utf8Decode(bytes, true) !== undefined,
    isAscii: (bytes) => internal.bytesOf(bytes, 'input').every((byte) => byte < 128),
  });
  makers.process = () => internal.process;
  makers.console = () => console;
  makers.timers = () => ({ ...internal.timers, promises: internal.builtin('timers/promises') });
  makers['timers/promises'] = () => {
    const wait = (start, stop) => (delay, value, options) => {
      if (start === setImmediate) [delay, value, options] = [undefined, delay, value];
      const signal = options?.signal;
      return new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const timer = start(() => resolve(value), delay);
        signal?.addEventListener('abort', () => {
          stop(timer);
          reject(signal.reason);
        }, { once: true });
      });
    };
    const later = wait(setTimeout, clearTimeout);
    return {
      setTimeout: later,
      setImmediate: wait(setImmediate, clearImmediate),
      async * setInterval(delay, value) { for (;;) yield await later(delay, value); },
      scheduler: { wait: (delay, options) => later(delay, undefined, options), yield: () => later(0) },
    };
  };
  makers.perf_hooks = () => ({ performance, PerformanceObserver: class PerformanceObserver { observe() {} disconnect() {} } });
  makers.url = () => ({
    URL, URLSearchParams,
    fileURLToPath(url) {
      const from = typeof url === 'string' ? new URL(url) : url;
      if (from.protocol !== 'file:') throw internal.coded(TypeError, 'ERR_INVALID_URL_SCHEME', 'The URL must be of scheme file');
      return decodeURIComponent(from.pathname);
    },
    pathToFileURL(path) {
      const url = new URL('file:///');
      url.pathname = internal.resolvePath(path).replaceAll('%', '%25').replaceAll('\\', '%5C').replaceAll('?', '%3F').replaceAll('#', '%23');
      return url;
    },
    format(url) {
      if (typeof url === 'string') return url;
      if (url instanceof URL) return url.href;
      const { protocol = '', slashes, auth, host, hostname = '', port, pathname = '', search, query, hash = '' } = url;
      const scheme = protocol && !protocol.endsWith(':') ? `${protocol}:` : protocol;
      const at = host ?? (hostname ? hostname + (port ? `:${port}` : '') : '');
      const text = search ?? (query && typeof query === 'object' ? internal.builtin('querystring').stringify(query) : query ?? '');
      return `${scheme}${slashes || /^https?:$/.test(scheme) ? '//' : ''}${auth ? `${auth}@` : ''}${at}${
        pathname && at && !pathname.startsWith('/') ? '/' : ''}${pathname}${text && !text.startsWith('?') ? '?' : ''}${text}${
        hash && !hash.startsWith('#') ? '#' : ''}${hash}`;
    },
    parse(text, withQuery = false) {
      const found = /^([a-z][a-z0-9+.-]*:)?(\/\/)?(?:([^@/?#]*)@)?([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/is.exec(String(text)) ?? [];
      let [, protocol = null, slashes, auth = null, host = '', pathname = '', search = '', hash = null] = found;
      if (!slashes && host) {
        pathname = host + pathname;
        host = '';
      }
      const port = /:(\d+)$/.exec(host)?.[1] ?? null;
      const query = search.slice(1);
      return {
        protocol: protocol?.toLowerCase() ?? null, slashes: slashes ? true : null, auth, host: host ? host.toLowerCase() : null, port,
        hostname: host ? host.replace(/:\d+$/, '').toLowerCase() : null, hash, search: search || null,
        query: withQuery ? internal.builtin('querystring').parse(query) : query || null,
        pathname: pathname || (slashes ? '/' : null), path: (pathname || (slashes ? '/' : '')) + search || null, href: String(text),
      };
    },
    resolve: (from, to) => {
      const base = new URL(from, 'resolve://');
      const url = new URL(to, base);
      return url.protocol === 'resolve:' ? url.pathname + url.search + url.hash : url.href;
    },
    domainToASCII: (name) => URL.parse(`http://${name}`)?.hostname ?? '',
  });
  makers.querystring = () => {
    const escape = (text) => encodeURIComponent(String(text)).replace(/%20/g, '%20');
    const unescape = (text) => {
      try {
        return decodeURIComponent(text);
      } catch {
        return text;
      }
    };
    const parse = (text, and = '&', is = '=', options = {}) => {
      const out = { __proto__: null };
      const limit = options.maxKeys ?? 1000;
      const parts = String(text).split(and).filter((part) => part !== '');
      for (const part of limit > 0 ? parts.slice(0, limit) : parts) {
        const i = part.indexOf(is);
        const [name, value] = (i < 0 ? [part, ''] : [part.slice(0, i), part.slice(i + is.length)])
          .map((each) => (options.decodeURIComponent ?? unescape)(each.replaceAll('+', ' ')));
        if (!(name in out)) out[name] = value;
        else if (Array.isArray(out[name])) out[name].push(value);
        else out[name] = [out[name], value];
      }
      return out;
    };
    const text = (value) => (['string', 'number', 'bigint', 'boolean'].includes(typeof value) ? String(value) : '');
    const stringify = (object, and = '&', is = '=') => Object.entries(object ?? {}).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).map((each) => `${escape(name)}${is}${escape(text(each))}`)).join(and);
    return { parse, stringify, decode: parse, encode: stringify, escape, unescape };
  };
  makers.path = () => {
    const normalizeParts = (path, absolute) => {
      const out = [];
      for (const part of path.split('/')) {
        if (part === '..' && out.length > 0 && out.at(-1) !== '..') out.pop();
        else if (part === '..' && !absolute) out.push('..');
        else if (part !== '..' && part !== '.' && part !== '') out.push(part);
      }
      return out.join('/');
    };
    const check = (path) => {
      if (typeof path !== 'string') {
        throw internal.coded(TypeError, 'ERR_INVALID_ARG_TYPE', `The "path" argument must be of type string. Received ${typeof path}`);
      }
      return path;
    };
    const path = {
      sep: '/',
      delimiter: ':',
      resolve: (...parts) => internal.resolvePath('/var/task', ...parts.map(check)),
      normalize(text) {
        if (check(text) === '') return '.';
        const absolute = text.startsWith('/');
        const out = normalizeParts(text, absolute);
        const tail = text.endsWith('/') && out !== '' ? '/' : '';
        return `${absolute ? '/' : ''}${out || (absolute ? '' : '.')}${tail}`;
      },
      isAbsolute: (text) => check(text).startsWith('/'),
      join(...parts) {
        const joined = parts.map(check).filter((part) => part !== '').join('/');
        return joined === '' ? '.' : path.normalize(joined);
      },
      relative(from, to) {
        const a = path.resolve(from).split('/').filter(Boolean);
        const b = path.resolve(to).split('/').filter(Boolean);
        let same = 0;
        while (same < a.length && same < b.length && a[same] === b[same]) same++;
        return [...a.slice(same).map(() => '..'), ...b.slice(same)].join('/');
      },
      dirname(text) {
        const trimmed = check(text).replace(/(?<=.)\/+$/, '');
        const i = trimmed.lastIndexOf('/');
        return i < 0 ? '.' : trimmed.slice(0, i).replace(/\/+$/, '') || '/';
      },
      basename(text, suffix) {
        const base = check(text).replace(/\/+$/, '').replace(/^.*\//s, '');
        return suffix !== undefined && base !== suffix && base.endsWith(suffix) ? base.slice(0, -suffix.length) : base;
      },
      extname(text) {
        const base = path.basename(text);
        const i = base.lastIndexOf('.');
        return i <= 0 || base === '..' ? '' : base.slice(i);
      },
      parse(text) {
        const root = check(text).startsWith('/') ? '/' : '';
        const base = path.basename(text);
        const ext = path.extname(base);
        const dir = path.dirname(text);
        return { root, dir: dir === '.' && !text.startsWith('.') ? '' : dir, base, ext, name: ext ? base.slice(0, -ext.length) : base };
      },
      format({ root = '', dir, base, name = '', ext = '' }) {
        const file = base ?? `${name}${ext && !ext.startsWith('.') ? '.' : ''}${ext}`;
        return dir ? (dir === root ? `${dir}${file}` : `${dir}/${file}`) : `${root}${file}`;
      },
      toNamespacedPath: (text) => text,
    };
    path.posix = path;
    return path;
  };
  makers['path/posix'] = () => internal.builtin('path');
  makers.events = () => {
    const limit = 10;
    class EventEmitter {
      static defaultMaxListeners = limit;
      static errorMonitor = Symbol('events.errorMonitor');
      static captureRejectionSymbol = Symbol.for('nodejs.rejection');
      static once(emitter, name) {
        return new Promise((resolve, reject) => {
          const fail = (error) => {
            emitter.removeListener(name, done);
            reject(error);
          };
          const done = (...args) => {
            emitter.removeListener('error', fail);
            resolve(args);
          };
          emitter.once(name, done);
          if (name !== 'error') emitter.once('error', fail);
        });
      }
      static listenerCount(emitter, name) { return emitter.listenerCount(name); }
      addListener(name, listener) { return add(this, name, listener, false); }
      on(name, listener) { return add(this, name, listener, false); }
      prependListener(name, listener) { return add(this, name, listener, true); }
      once(name, listener) { return add(this, name, wrap(this, name, listener), false); }
      prependOnceListener(name, listener) { return add(this, name, wrap(this, name, listener), true); }
      off(name, listener) { return this.removeListener(name, listener); }
      removeListener(name, listener) {
        const list = table(this).get(name) ?? [];
        const i = list.findLastIndex((each) => each === listener || each.listener === listener);
        if (i >= 0) {
          const rest = list.toSpliced(i, 1);
          if (rest.length > 0) table(this).set(name, rest);
          else table(this).delete(name);
          if (table(this).has('removeListener')) this.emit('removeListener', name, listener);
        }
        return this;
      }
      removeAllListeners(name) {
        if (name === undefined) table(this).clear();
        else table(this).delete(name);
        return this;
      }
      emit(name, ...args) {
        const list = table(this).get(name);
        if (!list) {
          if (name !== 'error') return false;
          if (args[0] instanceof Error) throw args[0];
          throw Object.assign(internal.coded(Error, 'ERR_UNHANDLED_ERROR', `Unhandled error. (${internal.inspect(args[0])})`), { context: args[0] });
        }
        for (const listener of list) Reflect.apply(listener, this, args);
        return true;
      }
      listeners(name) { return (table(this).get(name) ?? []).map((each) => each.listener ?? each); }
      rawListeners(name) { return [...(table(this).get(name) ?? [])]; }
      listenerCount(name) { return (table(this).get(name) ?? []).length; }
      eventNames() { return [...table(this).keys()]; }
      setMaxListeners() { return this; }
      getMaxListeners() { return limit; }
    }
    const tables = Symbol('events');
    // Made late: classes of old style call EventEmitter without new, or not at all.
    const table = (emitter) => {
      if (!Object.hasOwn(emitter, tables)) Object.defineProperty(emitter, tables, { value: new Map() });
      return emitter[tables];
    };
    function add(emitter, name, listener, first) {
      if (typeof listener !== 'function') {
        throw internal.coded(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "listener" argument must be of type function');
      }
      if (table(emitter).has('newListener')) emitter.emit('newListener', name, listener.listener ?? listener);
      const list = table(emitter).get(name) ?? [];
      table(emitter).set(name, first ? [listener, ...list] : [...list, listener]);
      return emitter;
    }
    function wrap(emitter, name, listener) {
      const once = function (...args) {
        emitter.removeListener(name, once);
        return Reflect.apply(listener, emitter, args);
      };
      once.listener = listener;
      return once;
    }
    // Callable without new, for util.inherits and EventEmitter.call(this).
    const callable = new Proxy(EventEmitter, { apply: () => undefined });
    Object.defineProperty(EventEmitter.prototype, 'constructor', { value: callable, writable: true, configurable: true });
    EventEmitter.EventEmitter = callable;
    // Statics are exports of the module, so "import { once }" must find them.
    for (const name of ['once', 'listenerCount', 'defaultMaxListeners', 'errorMonitor', 'captureRejectionSymbol']) {
      Object.defineProperty(EventEmitter, name, { enumerable: true });
    }
    return callable;
  };
  makers.util = () => {
    const promisified = Symbol.for('nodejs.util.promisify.custom');
    const { is } = internal;
    const promisify = (f) => {
      if (typeof f !== 'function') throw internal.coded(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "original" argument must be of type function');
      if (f === setTimeout) return internal.builtin('timers/promises').setTimeout;
      if (f === setImmediate) return internal.builtin('timers/promises').setImmediate;
      if (f[promisified]) return f[promisified];
      return Object.defineProperties(function (...args) {
        return new Promise((resolve, reject) => {
          Reflect.apply(f, this, [...args, (error, value) => (error ? reject(error) : resolve(value))]);
        });
      }, Object.getOwnPropertyDescriptors(f));
    };
    promisify.custom = promisified;
    const types = {
      isMap: is.map, isSet: is.set, isWeakMap: is.weakMap, isWeakSet: is.weakSet, isDate: is.date, isRegExp: is.regexp,
      isPromise: is.promise, isArrayBuffer: is.arrayBuffer, isTypedArray: is.typed, isBoxedPrimitive: is.boxed,
      isNativeError: (value) => value instanceof Error,
      isArrayBufferView: ArrayBuffer.isView,
      isAnyArrayBuffer: (value) => is.arrayBuffer(value) || value instanceof SharedArrayBuffer,
      isSharedArrayBuffer: (value) => value instanceof SharedArrayBuffer,
      isUint8Array: (value) => value instanceof Uint8Array,
      isDataView: (value) => value instanceof DataView,
      isAsyncFunction: (value) => Object.prototype.toString.call(value) === '[object AsyncFunction]',
      isGeneratorFunction: (value) => /^\[object (Async)?GeneratorFunction\]$/.test(Object.prototype.toString.call(value)),
      isGeneratorObject: (value) => Object.prototype.toString.call(value) === '[object Generator]',
      isSymbolObject: (value) => value instanceof Symbol,
      isNumberObject: (value) => value instanceof Number,
      isStringObject: (value) => value instanceof String,
      isBooleanObject: (value) => value instanceof Boolean,
      isBigIntObject: (value) => value instanceof BigInt,
      isProxy: () => false,
    };
    return {
      promisify,
      callbackify: (f) => function (...args) {
        const done = args.pop();
        Reflect.apply(f, this, args).then((value) => queueMicrotask(() => done(null, value)),
          (error) => queueMicrotask(() => done(error ?? Object.assign(new Error('Promise was rejected with a falsy value'), { reason: error }))));
      },
      inspect: internal.inspect,
      format: (...args) => internal.format(args),
      formatWithOptions: (options, ...args) => internal.format(args),
      inherits(Class, Parent) {
        Object.defineProperty(Class, 'super_', { value: Parent, writable: true, configurable: true });
        Object.setPrototypeOf(Class.prototype, Parent.prototype);
      },
      deprecate: (f) => f,
      debuglog: () => Object.assign(noop, { enabled: false }),
      debug: () => Object.assign(noop, { enabled: false }),
      isDeepStrictEqual: (a, b) => equal(a, b, true, new Map()),
      stripVTControlCharacters: (text) => text.replace(/\u001b\[[0-9;]*[A-Za-z]/g, ''),
      styleText: (style, text) => text,
      toUSVString: (text) => String(text).toWellFormed(),
      types,
      TextEncoder, TextDecoder,
      isArray: Array.isArray,
      _extend: Object.assign,
    };
  };
  makers['util/types'] = () => internal.builtin('util').types;

  // Deep equality, strict or with == for primitives.
  function equal(a, b, strict, seen) {
    if (Object.is(a, b)) return true;
    if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') {
      return !strict && (a == b || (a !== a && b !== b)); // eslint-disable-line eqeqeq, no-self-compare
    }
    if (seen.get(a) === b) return true;
    seen.set(a, b);
    const { is } = internal;
    if (strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
    if (Object.prototype.toString.call(a) !== Object.prototype.toString.call(b)) return false;
    if (is.date(a) && !(is.date(b) && a.getTime() === b.getTime())) return false;
    if (is.regexp(a) && String(a) !== String(b)) return false;
    if (a instanceof Error && (a.message !== b.message || a.name !== b.name)) return false;
    if (is.boxed(a) && !Object.is(a.valueOf(), b.valueOf())) return false;
    if (Array.isArray(a) !== Array.isArray(b) || a.length !== b.length) return false;
    if (is.set(a)) {
      if (!is.set(b) || a.size !== b.size) return false;
      for (const v of a) if (!b.has(v) && ![...b].some((w) => equal(v, w, strict, seen))) return false;
    }
    if (is.map(a)) {
      if (!is.map(b) || a.size !== b.size) return false;
      for (const [k, v] of a) {
        const at = b.has(k) ? k : [...b.keys()].find((each) => equal(k, each, strict, seen));
        if (!b.has(at) || !equal(v, b.get(at), strict, seen)) return false;
      }
    }
    const keys = Reflect.ownKeys(a).filter((key) => Object.prototype.propertyIsEnumerable.call(a, key));
    const others = Reflect.ownKeys(b).filter((key) => Object.prototype.propertyIsEnumerable.call(b, key));
    return keys.length === others.length &&
      keys.every((key) => Object.prototype.propertyIsEnumerable.call(b, key) && equal(a[key], b[key], strict, seen));
  }

  makers.assert = () => {
    class AssertionError extends Error {
      constructor({ message, actual, expected, operator }) {
        super(message ?? `${internal.inspect(actual)} ${operator} ${internal.inspect(expected)}`);
        Object.assign(this, { generatedMessage: message === undefined, code: 'ERR_ASSERTION', actual, expected, operator });
      }
    }
    Object.defineProperty(AssertionError.prototype, 'name', { value: 'AssertionError', writable: true, configurable: true });
    const fail = (message, otherwise, actual, expected, operator) => {
      if (message instanceof Error) throw message;
      const error = new AssertionError({ message: message ?? otherwise, actual, expected, operator });
      error.generatedMessage = message === undefined;
      throw error;
    };
    const show = (value) => internal.inspect(value);
    const ok = (value, message) => {
      if (!value) fail(message, `The expression evaluated to a falsy value: ${show(value)}`, value, true, '==');
    };
    const assert = (value, message) => ok(value, message);
    const check = (name, operator, test, words) => {
      assert[name] = (actual, expected, message) => {
        if (!test(actual, expected)) fail(message, `${words}\n\n${show(actual)} ${operator} ${show(expected)}\n`, actual, expected, name);
      };
    };
    check('strictEqual', '!==', Object.is, 'Expected values to be strictly equal:');
    check('notStrictEqual', '===', (a, b) => !Object.is(a, b), 'Expected "actual" to be strictly unequal to:');
    check('equal', '==', (a, b) => a == b || (a !== a && b !== b), 'Expected values to be loosely equal:'); // eslint-disable-line eqeqeq, no-self-compare
    check('notEqual', '!=', (a, b) => a != b, 'Expected values to be loosely unequal:'); // eslint-disable-line eqeqeq
    check('deepStrictEqual', 'should equal', (a, b) => equal(a, b, true, new Map()), 'Expected values to be strictly deep-equal:');
    check('notDeepStrictEqual', 'should not equal', (a, b) => !equal(a, b, true, new Map()), 'Expected values not to be strictly deep-equal:');
    check('deepEqual', 'should loosely equal', (a, b) => equal(a, b, false, new Map()), 'Expected values to be loosely deep-equal:');
    check('notDeepEqual', 'should not loosely equal', (a, b) => !equal(a, b, false, new Map()), 'Expected values not to be loosely deep-equal:');
    check('match', 'should match', (a, b) => b.test(a), 'The input did not match the regular expression:');
    check('doesNotMatch', 'should not match', (a, b) => !b.test(a), 'The input was expected to not match the regular expression:');
    const matches = (error, expected, message) => {
      if (expected === undefined) return;
      if (expected instanceof RegExp ? !expected.test(String(error))
        : typeof expected === 'function' ? !(expected.prototype !== undefined && error instanceof expected) &&
            (Error.isPrototypeOf(expected) || expected === Error || expected.call({}, error) !== true) // eslint-disable-line no-prototype-builtins
          : Object.keys(expected).some((key) => !(expected[key] instanceof RegExp && typeof error[key] === 'string'
            ? expected[key].test(error[key]) : equal(error[key], expected[key], true, new Map())))) {
        if (typeof expected === 'function' && !(expected.prototype !== undefined && (Error.isPrototypeOf(expected) || expected === Error))) { // eslint-disable-line no-prototype-builtins
          fail(message, `The validation function is expected to return "true". Caught error:\n\n${show(error)}`, error, expected, 'throws');
        }
        if (typeof expected === 'function') throw error;
        fail(message, `The error does not match: ${show(error)}`, error, expected, 'throws');
      }
    };
    const sort = (expected, message) => (typeof expected === 'string' ? [undefined, expected] : [expected, message]);
    assert.throws = (f, ...rest) => {
      const [expected, message] = sort(...rest);
      let error;
      try {
        f();
      } catch (caught) {
        error = { caught };
      }
      if (!error) fail(message, 'Missing expected exception.', undefined, expected, 'throws');
      matches(error.caught, expected, message);
    };
    assert.doesNotThrow = (f, message) => {
      try {
        f();
      } catch (error) {
        fail(typeof message === 'string' ? message : undefined, `Got unwanted exception.\nActual message: "${error?.message}"`, error, undefined, 'doesNotThrow');
      }
    };
    assert.rejects = async (from, ...rest) => {
      const [expected, message] = sort(...rest);
      let error;
      try {
        await (typeof from === 'function' ? from() : from);
      } catch (caught) {
        error = { caught };
      }
      if (!error) fail(message, 'Missing expected rejection.', undefined, expected, 'rejects');
      matches(error.caught, expected, message);
    };
    assert.doesNotReject = async (from, message) => {
      try {
        await (typeof from === 'function' ? from() : from);
      } catch (error) {
        fail(typeof message === 'string' ? message : undefined, `Got unwanted rejection.\nActual message: "${error?.message}"`, error, undefined, 'doesNotReject');
      }
    };
    assert.ifError = (value) => {
      if (value !== null && value !== undefined) throw value;
    };
    assert.fail = (message) => fail(message, 'Failed', undefined, undefined, 'fail');
    assert.ok = ok;
    assert.AssertionError = AssertionError;
    assert.strict = Object.assign((value, message) => ok(value, message), assert, {
      equal: assert.strictEqual, notEqual: assert.notStrictEqual,
      deepEqual: assert.deepStrictEqual, notDeepEqual: assert.notDeepStrictEqual,
    });
    assert.strict.strict = assert.strict;
    return assert;
  };
  makers['assert/strict'] = () => internal.builtin('assert').strict;

  makers.crypto = () => {
    const names = ['md5', 'sha1', 'sha256', 'sha384', 'sha512'];
    const algorithm = (name) => {
      const found = String(name).toLowerCase().replace(/^(rsa-)?sha-?(\d)/, 'sha$2');
      if (!names.includes(found)) {
        throw internal.coded(Error, 'ERR_OSSL_EVP_UNSUPPORTED', `Digest method not supported: ${name} (here are ${names.join(', ')})`);
      }
      return found;
    };
    const bytes = (data, encoding) => (typeof data === 'string' ? internal.encode(data, encoding) : internal.bytesOf(data, 'data'));
    const give = (result, encoding) => {
      const buffer = internal.Buffer.from(result.buffer, result.byteOffset, result.byteLength);
      return encoding === undefined || encoding === 'buffer' ? buffer : buffer.toString(encoding);
    };
    // Keeps what it is given and digests it at the end: no function has gigabytes.
    class Hash {
      #name; #chunks; #done = false;
      constructor(name, chunks = []) {
        this.#name = name;
        this.#chunks = chunks;
      }
      update(data, encoding) {
        if (this.#done) throw internal.coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
        this.#chunks.push(bytes(data, encoding).slice());
        return this;
      }
      copy() { return new Hash(this.#name, [...this.#chunks]); }
      digest(encoding) {
        if (this.#done) throw internal.coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
        this.#done = true;
        return give(native.digest(this.#name, internal.Buffer.concat(this.#chunks)), encoding);
      }
    }
    const hmac = (name, key, data) => { // RFC 2104
      const size = name === 'sha384' || name === 'sha512' ? 128 : 64;
      const block = new Uint8Array(size);
      block.set(key.length > size ? native.digest(name, key) : key);
      const inner = native.digest(name, internal.Buffer.concat([block.map((byte) => byte ^ 0x36), data]));
      return native.digest(name, internal.Buffer.concat([block.map((byte) => byte ^ 0x5c), inner]));
    };
    class Hmac {
      #name; #key; #chunks = [];
      constructor(name, key) {
        this.#name = name;
        this.#key = key;
      }
      update(data, encoding) {
        this.#chunks.push(bytes(data, encoding).slice());
        return this;
      }
      digest(encoding) { return give(hmac(this.#name, this.#key, internal.Buffer.concat(this.#chunks)), encoding); }
    }
    const pbkdf2Sync = (password, salt, iterations, length, name) => { // RFC 8018
      const key = bytes(password).slice();
      const out = [];
      for (let i = 1, have = 0; have < length; i++) {
        const number = internal.Buffer.alloc(4);
        number.writeUInt32BE(i);
        let u = hmac(algorithm(name), key, internal.Buffer.concat([bytes(salt), number]));
        const block = u.slice();
        for (let n = 1; n < iterations; n++) {
          u = hmac(algorithm(name), key, u);
          for (let j = 0; j < block.length; j++) block[j] ^= u[j];
        }
        out.push(block);
        have += block.length;
      }
      return internal.Buffer.concat(out, length);
    };
    const randomBytes = (size, done) => {
      const buffer = native.randomFill(internal.Buffer.alloc(size));
      if (typeof done !== 'function') return buffer;
      queueMicrotask(() => done(null, buffer));
      return undefined;
    };
    const randomInt = (low, high, done) => {
      if (typeof high !== 'number') [low, high, done] = [0, low, high];
      const range = high - low;
      if (!(range > 0 && range <= 2 ** 48 - 1)) {
        throw internal.coded(RangeError, 'ERR_OUT_OF_RANGE', 'The value of "max - min" is out of range. It must be > 0 and < 281474976710655');
      }
      const limit = 2 ** 48 - (2 ** 48 % range);
      let value;
      do value = randomBytes(6).readUIntBE(0, 6); while (value >= limit);
      value = low + (value % range);
      if (typeof done !== 'function') return value;
      queueMicrotask(() => done(null, value));
      return undefined;
    };
    return {
      createHash: (name) => new Hash(algorithm(name)),
      createHmac: (name, key) => new Hmac(algorithm(name), bytes(key).slice()),
      hash: (name, data, encoding = 'hex') => give(native.digest(algorithm(name), bytes(data)), encoding),
      getHashes: () => [...names],
      pbkdf2Sync,
      pbkdf2: (password, salt, iterations, length, name, done) => {
        const key = pbkdf2Sync(password, salt, iterations, length, name);
        queueMicrotask(() => done(null, key));
      },
      timingSafeEqual(a, b) {
        a = internal.bytesOf(a, 'buf1');
        b = internal.bytesOf(b, 'buf2');
        if (a.length !== b.length) {
          throw internal.coded(RangeError, 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH', 'Input buffers must have the same byte length');
        }
        let different = 0;
        for (let i = 0; i < a.length; i++) different |= a[i] ^ b[i];
        return different === 0;
      },
      randomBytes,
      randomFillSync: (array) => native.randomFill(array),
      randomInt,
      randomUUID: () => native.randomUUID(),
      getRandomValues: (array) => crypto.getRandomValues(array),
      webcrypto: crypto,
      subtle: crypto.subtle,
      constants: {},
    };
  };

  makers.os = () => ({
    EOL: '\n', arch: () => 'wasm32', platform: () => 'linux', type: () => 'Linux', release: () => '0', version: () => 'Ledge',
    hostname: () => 'localhost', homedir: () => '/var/task', tmpdir: () => '/tmp', endianness: () => 'LE', cpus: () => [],
    availableParallelism: () => 1, totalmem: () => native.memory(), freemem: () => 0, uptime: () => internal.process.uptime(),
    loadavg: () => [0, 0, 0], networkInterfaces: () => ({}), userInfo: () => ({ username: 'ledge', uid: 993, gid: 990, shell: null, homedir: '/var/task' }),
    constants: { signals: {}, errno: {} }, devNull: '/dev/null',
  });

  makers.string_decoder = () => ({
    StringDecoder: class StringDecoder {
      #decoder; #encoding;
      constructor(encoding = 'utf8') {
        this.#encoding = encoding;
        if (/^utf-?8$/i.test(encoding)) this.#decoder = new TextDecoder('utf-8', { ignoreBOM: true });
        if (/^(utf-?16le|ucs-?2)$/i.test(encoding)) this.#decoder = new TextDecoder('utf-16le', { ignoreBOM: true });
        this.encoding = encoding;
      }
      write(bytes) { return this.#decoder ? this.#decoder.decode(bytes, { stream: true }) : internal.decode(bytes, this.#encoding); }
      end(bytes) {
        const text = bytes === undefined ? '' : this.write(bytes);
        return this.#decoder ? text + this.#decoder.decode() : text;
      }
    },
  });

  makers.async_hooks = () => {
    // Kept in run() only: promises do not carry it on, so getStore() after an await
    // of code that overlaps with another run() may give the other's store.
    class AsyncLocalStorage {
      #store;
      getStore() { return this.#store; }
      enterWith(store) { this.#store = store; }
      disable() { this.#store = undefined; }
      exit(f, ...args) { return this.run(undefined, f, ...args); }
      run(store, f, ...args) {
        const before = this.#store;
        this.#store = store;
        let result;
        try {
          result = f(...args);
        } catch (error) {
          this.#store = before;
          throw error;
        }
        if (result instanceof Promise) return result.finally(() => { this.#store = before; });
        this.#store = before;
        return result;
      }
    }
    class AsyncResource {
      runInAsyncScope(f, self, ...args) { return Reflect.apply(f, self, args); }
      emitDestroy() { return this; }
      static bind(f) { return f; }
    }
    return { AsyncLocalStorage, AsyncResource };
  };

  makers.module = () => {
    const names = Object.keys(makers);
    return { createRequire: internal.createRequire, builtinModules: names, isBuiltin: (name) => names.includes(name.replace(/^node:/, '')) };
  };

  // Files of the function, read only.
  makers.fs = () => {
    const words = { ENOENT: 'no such file or directory', EISDIR: 'illegal operation on a directory', ENOTDIR: 'not a directory',
      EACCES: 'permission denied', EPERM: 'operation not permitted', EROFS: 'read-only file system', EIO: 'i/o error' };
    const numbers = { ENOENT: -2, EISDIR: -21, ENOTDIR: -20, EACCES: -13, EPERM: -1, EROFS: -30, EIO: -5 };
    const raise = (code, call, path) => {
      const error = internal.coded(Error, code, `${code}: ${words[code] ?? 'error'}, ${call} '${path}'`);
      throw Object.assign(error, { errno: numbers[code] ?? -5, syscall: call, path });
    };
    const name = (path) => {
      if (path instanceof URL) return decodeURIComponent(path.pathname);
      if (typeof path !== 'string' && !ArrayBuffer.isView(path)) {
        throw internal.coded(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "path" argument must be of type string or an instance of Buffer or URL');
      }
      return internal.resolvePath(typeof path === 'string' ? path : native.utf8Decode(path));
    };
    // What is no folder that exists for us (/, /tmp) is not there rather than forbidden.
    const missing = (code) => (code === 'EPERM' || code === 'EACCES' ? 'ENOENT' : code);
    const encodingOf = (options) => (typeof options === 'string' ? options : options?.encoding);
    const readFileSync = (path, options) => {
      const bytes = native.readFile(name(path));
      if (typeof bytes === 'string') raise(missing(bytes), bytes === 'EISDIR' ? 'read' : 'open', String(path));
      const buffer = internal.Buffer.from(bytes.buffer);
      const encoding = encodingOf(options);
      return encoding && encoding !== 'buffer' ? buffer.toString(encoding) : buffer;
    };
    const stats = (found) => ({
      size: found.size, mode: found.directory ? 0o40555 : 0o100444, mtimeMs: found.mtimeMs, ctimeMs: found.mtimeMs, atimeMs: found.mtimeMs,
      mtime: new Date(found.mtimeMs), ctime: new Date(found.mtimeMs), atime: new Date(found.mtimeMs), birthtime: new Date(found.mtimeMs),
      isFile: () => found.file, isDirectory: () => found.directory, isSymbolicLink: () => false, isFIFO: () => false,
      isSocket: () => false, isBlockDevice: () => false, isCharacterDevice: () => false,
    });
    const statSync = (path, options) => {
      const found = native.stat(name(path));
      if (!found && options?.throwIfNoEntry === false) return undefined;
      return found ? stats(found) : raise('ENOENT', 'stat', String(path));
    };
    const readdirSync = (path, options) => {
      const names = native.readDir(name(path));
      if (typeof names === 'string') raise(missing(names), 'scandir', String(path));
      names.sort();
      if (!options?.withFileTypes) return names;
      return names.map((each) => ({ name: each, parentPath: name(path), path: name(path), ...stats(native.stat(`${name(path)}/${each}`) ?? {}) }));
    };
    const existsSync = (path) => {
      try {
        return native.stat(name(path)) !== undefined;
      } catch {
        return false;
      }
    };
    const accessSync = (path, mode = 0) => {
      if (!existsSync(path)) raise('ENOENT', 'access', String(path));
      if (mode & 2) raise('EROFS', 'access', String(path));
    };
    const realpathSync = Object.assign((path) => {
      if (!existsSync(path)) raise('ENOENT', 'realpath', String(path));
      return name(path);
    }, { native: (path) => realpathSync(path) });
    const sync = { readFileSync, statSync, lstatSync: statSync, readdirSync, existsSync, accessSync, realpathSync };
    for (const each of ['writeFile', 'appendFile', 'mkdir', 'rm', 'rmdir', 'unlink', 'rename', 'copyFile', 'mkdtemp', 'truncate',
      'chmod', 'chown', 'symlink', 'link', 'utimes']) {
      sync[`${each}Sync`] = (path) => raise('EROFS', { writeFile: 'open', appendFile: 'open' }[each] ?? each, String(path));
    }
    const promises = {};
    const callbacks = {};
    for (const [key, f] of Object.entries(sync)) {
      const plain = key.slice(0, -4);
      if (plain === 'exists') continue;
      promises[plain] = async (...args) => f(...args);
      callbacks[plain] = (...args) => {
        const done = args.pop();
        promises[plain](...args).then((value) => queueMicrotask(() => done(null, value)), (error) => queueMicrotask(() => done(error)));
      };
    }
    promises.constants = { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1 };
    return { ...sync, ...callbacks, promises, constants: promises.constants, ...promises.constants };
  };
  makers['fs/promises'] = () => internal.builtin('fs').promises;
})
