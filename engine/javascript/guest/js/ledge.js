// The ledge global: what the node offers to its functions.
(function (native, internal) {
  'use strict';

  const KV_GET = 1, KV_PUT = 2, KV_DELETE = 3, KV_LIST = 4, KV_CAS = 5, PUBLISH = 6, INVOKE = 7, HTTP = 8, LOG = 9;

  // Strings and bytes as they are; anything else has to be made one of them first.
  function bytes(value, what) {
    if (typeof value === 'string') return native.utf8Encode(value);
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    throw new TypeError(`${what} must be a string or a Uint8Array: use JSON.stringify for other values`);
  }

  function key(value) {
    if (typeof value !== 'string') throw new TypeError('the key must be a string');
    return value;
  }

  const PAGE = 1000;

  const kv = {
    async get(name) {
      return native.call(KV_GET, JSON.stringify({ key: key(name) }))?.body;
    },
    async getText(name) {
      const value = await kv.get(name);
      return value && native.utf8Decode(value);
    },
    async getJSON(name) {
      const value = await kv.get(name);
      return value && JSON.parse(native.utf8Decode(value));
    },
    async put(name, value) {
      native.call(KV_PUT, JSON.stringify({ key: key(name) }), bytes(value, 'the value'));
    },
    async putJSON(name, value) {
      const text = JSON.stringify(value);
      if (text === undefined) throw new TypeError('the value has no JSON');
      native.call(KV_PUT, JSON.stringify({ key: key(name) }), native.utf8Encode(text));
    },
    async delete(name) {
      native.call(KV_DELETE, JSON.stringify({ key: key(name) }));
    },
    // All keys that start with prefix, in order; at most limit.
    async list(prefix = '', limit = Infinity) {
      if (prefix !== null && typeof prefix === 'object') ({ prefix = '', limit = Infinity } = prefix);
      const keys = [];
      let after = '';
      while (keys.length < limit) {
        const page = JSON.parse(native.call(KV_LIST,
          JSON.stringify({ prefix: key(prefix), after, limit: Math.min(PAGE, limit - keys.length) })).head);
        keys.push(...page.keys);
        if (!page.more || page.keys.length === 0) break;
        after = page.keys[page.keys.length - 1];
      }
      return keys;
    },
    // Puts value if the key has the expected value now (undefined or null: if there
    // is no such key). True if it did.
    async compareAndSet(name, expected, value) {
      const absent = expected === undefined || expected === null;
      const old = absent ? new Uint8Array(0) : bytes(expected, 'the expected value');
      const now = bytes(value, 'the value');
      const body = new Uint8Array(old.length + now.length);
      body.set(old);
      body.set(now, old.length);
      return native.call(KV_CAS, JSON.stringify({ key: key(name), expected: old.length, absent }), body) !== undefined;
    },
  };

  const before = [];
  const after = [];

  function register(hooks, hook, name) {
    if (typeof hook !== 'function') throw new TypeError(`${name} needs a function`);
    hooks.push(hook);
  }

  const ledge = {
    kv,
    async publish(topic, payload, options = {}) {
      const qos = typeof options === 'number' ? options : options?.qos ?? 0;
      native.call(PUBLISH, JSON.stringify({ topic: String(topic), qos }), bytes(payload ?? '', 'the payload'));
    },
    // Invokes another function and gives its reply, decoded.
    async invoke(name, event = null, options = {}) {
      const qualifier = typeof options === 'string' ? options : options?.qualifier ?? '';
      const text = JSON.stringify(event);
      if (text === undefined) throw new TypeError('the event has no JSON');
      const reply = native.call(INVOKE, JSON.stringify({ function: String(name), qualifier }), text);
      return reply.body.length === 0 ? null : JSON.parse(native.utf8Decode(reply.body));
    },
    async http(method, url, options = {}) {
      const { status, headers, body } = internal.http(String(method), String(url), options.headers, options.body);
      return {
        status,
        headers,
        body,
        text: () => native.utf8Decode(body),
        json: () => JSON.parse(native.utf8Decode(body)),
      };
    },
    log(message, level = 'INFO') {
      native.call(LOG, JSON.stringify({ level: String(level).toUpperCase() }),
        typeof message === 'string' ? message : internal.inspect(message));
    },
    // Named as AWS Lambda SnapStart's hooks. Those before run in reverse order of
    // their registration, those after in order.
    registerBeforeSnapshot(hook) { register(before, hook, 'registerBeforeSnapshot'); },
    registerAfterRestore(hook) {
      register(after, hook, 'registerAfterRestore');
      native.hooksSet(true);
    },
  };

  internal.http = (method, url, headers, body) => {
    const head = { method, url };
    if (headers !== undefined && headers !== null) {
      head.headers = {};
      const pairs = typeof headers[Symbol.iterator] === 'function' ? headers : Object.entries(headers);
      for (const [name, value] of pairs) head.headers[name] = String(value);
    }
    const reply = native.call(HTTP, JSON.stringify(head),
      body === undefined || body === null ? undefined : bytes(body, 'the body'));
    const said = JSON.parse(reply.head);
    return { status: said.status, headers: said.headers ?? {}, body: reply.body };
  };

  internal.runBeforeSnapshot = async () => {
    while (before.length > 0) await before.pop()();
  };
  internal.restored = async () => {
    for (const hook of after) await hook();
  };

  internal.ledge = ledge;
  internal.define(globalThis, { ledge });
})
