// The ledge global: what the node offers to its functions.
(function (native, internal) {
  'use strict';

  const KV_GET = 1, KV_LIST = 2, KV_WRITE = 3, PUBLISH = 4, INVOKE = 5, HTTP = 6, LOG = 7;

  // Strings and bytes as they are; anything else has to be made one of them first.
  function bytes(value, what) {
    if (typeof value === 'string') return native.utf8Encode(value);
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    throw new TypeError(`${what} must be a string or a Uint8Array: use JSON.stringify for other values`);
  }

  function key(value) {
    if (typeof value !== 'string') throw new TypeError('the key must be a string');
    if (!value.isWellFormed()) throw new TypeError('the key has half of a character');
    return value;
  }

  function json(value) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError('the value has no JSON');
    return text;
  }

  const date = (milliseconds) => (milliseconds ? new Date(milliseconds) : undefined);
  const itemOf = (name, value, { sequence, modified, expires }) =>
    ({ key: name, value, sequence, modified: date(modified), expires: date(expires) });

  // The number that an increment gave: a BigInt where a Number could not hold it.
  function number(digits) {
    const n = Number(digits);
    return Number.isSafeInteger(n) ? n : BigInt(digits);
  }

  const PAGE = 1000;
  const kinds = ['put', 'delete', 'increment', 'check'];
  const options = ['bucket', 'ttl', 'ifAbsent', 'ifPresent', 'ifSequence'];

  // One write as the node wants it; its bytes go to body.
  function write(given, bucket, body) {
    const head = { bucket };
    for (const [name, value] of Object.entries(given)) {
      if (kinds.includes(name)) head[name] = key(value);
      // Nothing would be no condition, and NaN is nothing in JSON.
      else if (name === 'ifSequence' && (value === undefined || value === null)) throw new TypeError(`ifSequence is ${value}: it is 0 for a key that is not there`);
      else if (Number.isNaN(value)) throw new TypeError(`${name} is not a number`);
      else if (value === undefined) continue;
      else if (options.includes(name)) head[name] = value;
      else if (name === 'by') head.by = String(value);
      else if (name !== 'value' && name !== 'ifValue') throw new TypeError(`a write has no ${name}`);
    }
    for (const [name, size] of [['value', 'size'], ['ifValue', 'ifSize']]) {
      if (given[name] === undefined) continue;
      const part = bytes(given[name], name === 'value' ? 'the value' : 'the expected value');
      head[size] = part.length;
      body.push(part);
    }
    return head;
  }

  function joined(parts) {
    if (parts.length === 1) return parts[0];
    const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  // Does the writes, all or none. A condition that does not hold throws.
  function writeAll(bucket, writes) {
    const body = [];
    const heads = writes.map((given) => write(given, bucket, body));
    return JSON.parse(native.call(KV_WRITE, JSON.stringify({ writes: heads }), joined(body)).head).written;
  }

  // What became of one write; undefined where its condition did not hold.
  function writeOne(bucket, given) {
    try {
      return writeAll(bucket, [given])[0];
    } catch (error) {
      if (error.name === 'ConditionFailed') return undefined;
      throw error;
    }
  }

  // The options of a call. One that it does not have throws: a condition that is
  // misspelt must not be none.
  function only(options, ...names) {
    if (options === undefined || options === null) return {};
    if (typeof options !== 'object') throw new TypeError(`the options are an object of ${names.join(', ')}`);
    for (const name of Object.keys(options)) {
      if (!names.includes(name)) throw new TypeError(`there is no option ${name}: use ${names.join(', ')}`);
    }
    return { ...options };
  }
  const conditions = (options) => only(options, 'ttl', 'ifAbsent', 'ifPresent', 'ifSequence');

  // A bucket of keys and values: the function's own, where it has no name.
  // Methods work without it, too: const { get } = ledge.kv.
  function open(bucket) {
    function pages(prefix = '', limit = Infinity, items, each) {
      let start, end, after, reverse;
      if (prefix !== null && typeof prefix === 'object') {
        ({ prefix = '', limit = Infinity, start, end, after, reverse } = only(prefix, 'prefix', 'limit', 'start', 'end', 'after', 'reverse'));
      }
      const head = { bucket, prefix: key(prefix), start, end, after, reverse, items };
      for (let left = limit; left > 0;) {
        head.limit = Math.min(PAGE, left);
        const reply = native.call(KV_LIST, JSON.stringify(head));
        const page = JSON.parse(reply.head);
        each(page, reply.body);
        if (!page.more) return;
        head.next = page.next;
        left -= items ? page.items.length : page.keys.length;
      }
    }
    const kv = {
      bucket(name) {
        if (typeof name !== 'string' || name === '') throw new TypeError('the name of a bucket is a string that is not empty');
        return open(name);
      },
      async get(name) {
        return native.call(KV_GET, JSON.stringify({ bucket, key: key(name) }))?.body;
      },
      async getText(name) {
        const value = await kv.get(name);
        return value && native.utf8Decode(value);
      },
      async getJSON(name) {
        const value = await kv.get(name);
        return value && JSON.parse(native.utf8Decode(value));
      },
      async getItem(name) {
        const reply = native.call(KV_GET, JSON.stringify({ bucket, key: key(name), item: true }));
        return reply && itemOf(name, reply.body, JSON.parse(reply.head));
      },
      // The sequence of the write; undefined where the condition did not hold.
      async put(name, value, options) {
        if (value === undefined) bytes(value, 'the value'); // which says what it must be
        return writeOne(bucket, { put: name, value, ...conditions(options) })?.sequence;
      },
      async putJSON(name, value, options) { return kv.put(name, json(value), options); },
      // Whether there was such a key.
      async delete(name, options) {
        return writeOne(bucket, { delete: name, ...only(options, 'ifSequence') })?.existed ?? false;
      },
      async increment(name, by = 1, options) {
        const { ttl } = only(options, 'ttl');
        return number(writeAll(bucket, [{ increment: name, by, ttl }])[0].value);
      },
      // Puts value if the key has the expected value now (undefined or null: if there
      // is no such key). True if it did.
      async compareAndSet(name, expected, value, options) {
        if (value === undefined) bytes(value, 'the value');
        const { ttl } = only(options, 'ttl');
        const condition = expected === undefined || expected === null ? { ifAbsent: true } : { ifValue: expected };
        return writeOne(bucket, { put: name, value, ttl, ...condition }) !== undefined;
      },
      async transact(writes) {
        return writeAll(bucket, [...writes]).map((written) =>
          (written.value === undefined ? written : { ...written, value: number(written.value) }));
      },
      // All keys that start with prefix, in order; at most limit.
      async list(prefix, limit) {
        const keys = [];
        pages(prefix, limit, false, (page) => keys.push(...page.keys));
        return keys;
      },
      async items(prefix, limit) {
        const items = [];
        pages(prefix, limit, true, (page, values) => {
          let at = 0;
          for (const head of page.items) {
            items.push(itemOf(head.key, values.slice(at, at + head.size), head));
            at += head.size;
          }
        });
        return items;
      },
    };
    return kv;
  }

  const kv = open('');

  const before = [];
  const after = [];

  function register(hooks, hook, name) {
    if (typeof hook !== 'function') throw new TypeError(`${name} needs a function`);
    hooks.push(hook);
  }

  const ledge = {
    kv,
    async publish(topic, payload, options = {}) {
      const { qos = 0 } = typeof options === 'number' ? { qos: options } : only(options, 'qos');
      native.call(PUBLISH, JSON.stringify({ topic: String(topic), qos }), bytes(payload ?? '', 'the payload'));
    },
    // Invokes another function and gives its reply, decoded; with async the request id
    // once the event is on disk.
    async invoke(name, event = null, options = {}) {
      const { qualifier = '', async: later = false } = typeof options === 'string' ? { qualifier: options } : only(options, 'qualifier', 'async');
      const text = JSON.stringify(event);
      if (text === undefined) throw new TypeError('the event has no JSON');
      const reply = native.call(INVOKE, JSON.stringify({ function: String(name), qualifier, async: Boolean(later) }), text);
      if (later) return native.utf8Decode(reply.body);
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
