// util.inspect and util.format, close to Node's for what is usually logged.
(function (native, internal) {
  'use strict';

  const custom = Symbol.for('nodejs.util.inspect.custom');
  const WIDTH = 72; // a group longer than this is broken into lines
  const errorToString = Error.prototype.toString;
  const regexpToString = RegExp.prototype.toString;
  const dateToISO = Date.prototype.toISOString;
  const TypedArray = Object.getPrototypeOf(Uint8Array);
  const hasOwn = Object.hasOwn;
  const identifier = /^[a-zA-Z_$][a-zA-Z_$0-9]*$/;
  const defaults = { depth: 2, maxArrayLength: 100, maxStringLength: 10000, breakLength: 80, compact: 3,
    sorted: false, getters: false, showHidden: false, colors: false, customInspect: true };

  const escapes = { '\b': '\\b', '\t': '\\t', '\n': '\\n', '\f': '\\f', '\r': '\\r', '\\': '\\\\' };

  function quote(text) {
    const mark = !text.includes("'") ? "'" : !text.includes('"') ? '"' : !text.includes('`') ? '`' : "'";
    // eslint-disable-next-line no-control-regex
    const escaped = text.replace(/[\x00-\x1f\x7f\\]/g, (c) =>
      escapes[c] ?? `\\x${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
    return mark + (mark === "'" ? escaped.replaceAll("'", "\\'") : escaped) + mark;
  }

  const plural = (n, what) => `... ${n} more ${what}${n > 1 ? 's' : ''}`;

  function primitive(value, options, nested) {
    switch (typeof value) {
      case 'string': {
        const rest = value.length - options.maxStringLength;
        if (rest > 0) return `${quote(value.slice(0, options.maxStringLength))}${plural(rest, 'character')}`;
        if (nested && value.length > 16 && value.includes('\n') && value.length > options.breakLength - nested - 10) {
          return value.split(/(?<=\n)/).map(quote).join(` +\n${' '.repeat(nested)}`);
        }
        return quote(value);
      }
      case 'number': return Object.is(value, -0) ? '-0' : String(value);
      case 'bigint': return `${value}n`;
      case 'symbol': return value.toString();
      default: return String(value);
    }
  }

  function className(value) {
    for (let at = value; at !== null; at = Object.getPrototypeOf(at)) {
      const found = Object.getOwnPropertyDescriptor(at, 'constructor');
      if (found && typeof found.value === 'function' && found.value.name !== '') return found.value.name;
    }
    return null;
  }

  const is = (test) => (value) => {
    try {
      test(value);
      return true;
    } catch {
      return false;
    }
  };
  const getter = (Class, name) => Object.getOwnPropertyDescriptor(Class.prototype, name).get;
  const sizeOfMap = getter(Map, 'size');
  const sizeOfSet = getter(Set, 'size');
  const lengthOfBuffer = getter(ArrayBuffer, 'byteLength');
  const tagOfTyped = getter(TypedArray, Symbol.toStringTag);
  internal.is = {
    map: is((v) => sizeOfMap.call(v)),
    set: is((v) => sizeOfSet.call(v)),
    weakMap: is((v) => WeakMap.prototype.has.call(v, {})),
    weakSet: is((v) => WeakSet.prototype.has.call(v, {})),
    arrayBuffer: is((v) => lengthOfBuffer.call(v)),
    date: is((v) => Date.prototype.getTime.call(v)),
    regexp: (v) => v instanceof RegExp && is((r) => getter(RegExp, 'source').call(r))(v),
    typed: (v) => tagOfTyped.call(v) !== undefined,
    promise: (v) => v instanceof Promise,
    boxed: (v) => v instanceof Number || v instanceof String || v instanceof Boolean ||
      v instanceof Symbol || v instanceof BigInt,
  };
  const what = internal.is;

  function keysOf(value, options) {
    const keys = options.showHidden ? Reflect.ownKeys(value) : Object.keys(value);
    if (!options.showHidden) {
      for (const symbol of Object.getOwnPropertySymbols(value)) {
        if (Object.prototype.propertyIsEnumerable.call(value, symbol)) keys.push(symbol);
      }
    }
    return options.sorted ? keys.sort((a, b) => (String(a) < String(b) ? -1 : 1)) : keys;
  }

  function property(value, key, state, depth, indent) {
    const found = Object.getOwnPropertyDescriptor(value, key);
    let text;
    if (!found) text = render(value[key], state, depth, indent);
    else if (found.get) text = found.set ? '[Getter/Setter]' : '[Getter]';
    else if (found.set) text = '[Setter]';
    else text = render(found.value, state, depth, indent);
    const name = typeof key === 'symbol' ? `[${key.toString()}]`
      : found && !found.enumerable ? `[${key}]`
        : identifier.test(key) ? key : quote(key);
    return `${name}: ${text}`;
  }

  // Puts parts on one line if they are few and short, else one on each. Long arrays
  // of short values become columns, as Node's.
  function group(open, parts, close, indent, state, isArray) {
    if (parts.length === 0) return `${open}${close}`;
    const { options } = state;
    if (isArray && parts.length > 6) {
      const columned = columns(parts, isArray, state);
      if (columned !== parts) {
        return `${open}\n${columned.map((line) => ' '.repeat(indent + 2) + line).join(',\n')}\n${' '.repeat(indent)}${close}`;
      }
    }
    const multiline = parts.some((part) => part.includes('\n'));
    const length = parts.reduce((sum, part) => sum + part.length, 0) + parts.length;
    const deep = options.compact === false ? true : state.level(parts) ;
    if (!multiline && !deep && length + open.length + indent < options.breakLength && length <= WIDTH + parts.length) {
      return `${open} ${parts.join(', ')} ${close}`;
    }
    const pad = ' '.repeat(indent + 2);
    return `${open}\n${pad}${parts.join(`,\n${pad}`)}\n${' '.repeat(indent)}${close}`;
  }

  // Node's groupArrayElements.
  function columns(parts, value, state) {
    const extra = value.length > state.options.maxArrayLength ? 1 : 0;
    const count = parts.length - extra;
    const lengths = [];
    let total = 0, longest = 0;
    for (let i = 0; i < count; i++) {
      if (parts[i].includes('\n')) return parts;
      lengths[i] = parts[i].length;
      total += lengths[i] + 2;
      longest = Math.max(longest, lengths[i]);
    }
    const actual = longest + 2;
    if (!(actual * 3 < state.options.breakLength && (total / actual > 5 || longest <= 6))) return parts;
    const bias = Math.sqrt(actual - total / parts.length);
    const wide = Math.max(actual - 3 - bias, 1); // approximates a square
    const across = Math.min(Math.round(Math.sqrt(2.5 * wide * count) / wide),
      Math.floor((state.options.breakLength - state.indent) / actual), 4 * 3, 15);
    if (across <= 1) return parts;
    const widths = [];
    for (let i = 0; i < across; i++) {
      let width = 0;
      for (let j = i; j < count; j += across) width = Math.max(width, lengths[j]);
      widths.push(width + 2);
    }
    const numbers = Array.isArray(value) || what.typed(value)
      ? Array.prototype.every.call(value, (v) => typeof v === 'number' || typeof v === 'bigint') : false;
    const lines = [];
    for (let i = 0; i < count; i += across) {
      const end = Math.min(i + across, count);
      let line = '';
      let j = i;
      for (; j < end - 1; j++) {
        const cell = `${parts[j]}, `;
        line += numbers ? cell.padStart(widths[j - i]) : cell.padEnd(widths[j - i]);
      }
      line += numbers ? parts[j].padStart(widths[j - i] - 2) : parts[j];
      lines.push(line);
    }
    if (extra) lines.push(parts[count]);
    return lines;
  }

  function errorText(error, state, depth, indent) {
    const stack = typeof error.stack === 'string' && error.stack !== '' ? error.stack : `[${errorToString.call(error)}]`;
    let text = stack;
    // The header was written when the error was made: bring a later name into it.
    const { name } = error;
    if (typeof name === 'string' && name !== 'Error' && /^Error\b/.test(text) && !text.slice(0, text.indexOf('\n') + 1 || undefined).includes(name)) {
      text = name + text.slice(5);
    } else {
      const named = className(error);
      if (named && /^Error\b/.test(text) && name === 'Error' && named !== 'Error') text = named + text.slice(5);
    }
    const lines = text.split('\n');
    text = lines.filter((line, i) => i === 0 || !line.includes('node:internal/')).join('\n');
    if (!text.includes('\n    at ') && !text.startsWith('[')) text = `[${text}]`;
    if (indent > 0) text = text.replaceAll('\n', `\n${' '.repeat(indent)}`);
    const keys = keysOf(error, state.options).filter((key) => key !== 'name' || !text.includes(error.name));
    for (const key of ['cause', 'errors']) {
      if (hasOwn(error, key) && !keys.includes(key)) keys.push(key);
    }
    const parts = keys.filter((key) => key !== 'stack' && key !== 'message')
      .map((key) => property(error, key, state, depth + 1, indent + 2));
    if (parts.length === 0) return text;
    const pad = ' '.repeat(indent + 2);
    return `${text} {\n${pad}${parts.join(`,\n${pad}`)}\n${' '.repeat(indent)}}`;
  }

  function functionText(value) {
    const name = value.name === '' || typeof value.name !== 'string' ? null : value.name;
    const source = Function.prototype.toString.call(value);
    if (source.startsWith('class')) {
      const parent = Object.getPrototypeOf(value);
      const heir = typeof parent === 'function' && parent.name ? ` extends ${parent.name}` : '';
      return `[class ${name ?? '(anonymous)'}${heir}]`;
    }
    const kind = Object.prototype.toString.call(value).slice(8, -1);
    return `[${kind}${name === null ? ' (anonymous)' : `: ${name}`}]`;
  }

  function render(value, state, depth, indent) {
    const { options } = state;
    if (value === null || (typeof value !== 'object' && typeof value !== 'function')) {
      return primitive(value, options, depth > 0 ? indent : 0);
    }
    if (options.customInspect && typeof value[custom] === 'function' && value[custom] !== internal.inspect) {
      const left = options.depth === null ? null : options.depth - depth;
      const said = value[custom](left, { ...options, depth: left, stylize: (text) => text }, internal.inspect);
      if (typeof said === 'string') return said.replaceAll('\n', `\n${' '.repeat(indent)}`);
      if (said !== value) return render(said, state, depth, indent);
    }
    if (state.seen.includes(value)) {
      let n = state.circular.get(value);
      if (n === undefined) state.circular.set(value, n = state.circular.size + 1);
      return `[Circular *${n}]`;
    }
    if (value instanceof Error) {
      state.seen.push(value);
      try {
        return errorText(value, state, depth, indent);
      } finally {
        state.seen.pop();
      }
    }
    const name = className(value);
    const tag = typeof value[Symbol.toStringTag] === 'string' && value[Symbol.toStringTag] !== name
      ? value[Symbol.toStringTag] : '';
    const label = (plain, size) => {
      const base = name === null ? `[${plain}${size === undefined ? '' : `(${size})`}: null prototype] `
        : name === plain && size === undefined ? '' : `${name}${size === undefined ? '' : `(${size})`} `;
      return tag && (name !== null || tag !== plain) ? `${base || `${plain} `}[${tag}] ` : base;
    };
    const keys = keysOf(value, options);
    if (typeof value === 'function') {
      const text = functionText(value);
      if (keys.length === 0) return text;
      return nest(value, state, depth, indent, `${text} {`, keys, () => [], '}', text);
    }
    if (Array.isArray(value)) {
      const head = name === 'Array' ? '[' : `${label('Array', value.length)}[`;
      const rest = keys.filter((key) => typeof key === 'symbol' || !/^(0|[1-9]\d*)$/.test(key));
      return nest(value, state, depth, indent, head, rest, (at) => elements(value, state, depth, at), ']', '[Array]', true);
    }
    if (what.typed(value)) {
      const rest = keys.filter((key) => typeof key === 'symbol' || !/^(0|[1-9]\d*)$/.test(key));
      return nest(value, state, depth, indent, `${label(tagOfTyped.call(value), value.length)}[`, rest,
        (at) => elements(value, state, depth, at), ']', `[${name ?? 'TypedArray'}]`, true);
    }
    if (what.map(value)) {
      return nest(value, state, depth, indent, `${label('Map', value.size)}{`, keys,
        (at) => [...value].map(([k, v]) => `${render(k, state, depth + 1, at)} => ${render(v, state, depth + 1, at)}`), '}', '[Map]');
    }
    if (what.set(value)) {
      return nest(value, state, depth, indent, `${label('Set', value.size)}{`, keys,
        (at) => [...value].map((v) => render(v, state, depth + 1, at)), '}', '[Set]');
    }
    let base;
    if (what.regexp(value)) base = regexpToString.call(value);
    else if (what.date(value)) base = Number.isNaN(value.getTime()) ? 'Invalid Date' : dateToISO.call(value);
    else if (what.boxed(value)) base = `[${name}: ${primitive(value.valueOf(), options, 0)}]`;
    else if (what.weakSet(value)) base = 'WeakSet { <items unknown> }';
    else if (what.weakMap(value)) base = 'WeakMap { <items unknown> }';
    else if (what.promise(value)) base = 'Promise { <pending> }';
    else if (value instanceof WeakRef) base = 'WeakRef { <ref> }';
    if (what.promise(value)) {
      const [state2, result] = native.promiseState(value);
      if (state2 !== 0) {
        return nest(value, state, depth, indent, 'Promise {', keys,
          (at) => [(state2 === 2 ? '<rejected> ' : '') + render(result, state, depth + 1, at)], '}', '[Promise]');
      }
    }
    if (what.arrayBuffer(value)) {
      const bytes = new Uint8Array(value);
      const hex = native.hexEncode(bytes.subarray(0, 50)).replace(/..(?=.)/g, '$& ');
      return group(`ArrayBuffer {`, [`[Uint8Contents]: <${hex}${bytes.length > 50 ? ` ${plural(bytes.length - 50, 'byte')}` : ''}>`,
        `byteLength: ${bytes.length}`], '}', indent, state);
    }
    if (base !== undefined) {
      const extra = keys.filter((key) => !(what.boxed(value) && /^\d+$/.test(String(key))));
      if (extra.length === 0) return base;
      return nest(value, state, depth, indent, `${base} {`, extra, () => [], '}', `[${name}]`);
    }
    if (Object.prototype.toString.call(value) === '[object Arguments]') {
      return nest(value, state, depth, indent, '[Arguments] [', [], (at) => elements(value, state, depth, at), ']', '[Arguments]', true);
    }
    if (name === null || tag || name !== 'Object') {
      return nest(value, state, depth, indent, `${label('Object')}{`, keys, () => [], '}', `[${name ?? 'Object: null prototype'}]`);
    }
    return nest(value, state, depth, indent, '{', keys, () => [], '}', '[Object]');
  }

  function elements(value, state, depth, indent) {
    const parts = [];
    const { maxArrayLength } = state.options;
    const limit = maxArrayLength === null ? Infinity : maxArrayLength;
    let i = 0;
    for (; i < value.length && parts.length < limit; i++) {
      if (!(i in value)) {
        let holes = 1;
        while (i + holes < value.length && !(i + holes in value)) holes++;
        parts.push(`<${holes} empty item${holes > 1 ? 's' : ''}>`);
        i += holes - 1;
      } else {
        parts.push(render(value[i], state, depth + 1, indent));
      }
    }
    if (i < value.length) parts.push(plural(value.length - i, 'item'));
    return parts;
  }

  function nest(value, state, depth, indent, open, keys, contents, close, brief, isArray) {
    const { options } = state;
    const limit = options.depth === null || options.depth === undefined ? Infinity : options.depth;
    if (depth > limit) {
      const empty = keys.length === 0 && /[{[]$/.test(open) && (isArray ? value.length === 0 : value.size === undefined || value.size === 0);
      return empty ? open + close : brief;
    }
    state.seen.push(value);
    const outerLevels = state.inner;
    state.inner = 0;
    let parts;
    try {
      state.indent = indent;
      parts = contents(indent + 2);
      for (const key of keys) parts.push(property(value, key, state, depth + 1, indent + 2));
    } finally {
      state.seen.pop();
    }
    const inner = state.inner;
    state.inner = parts.length === 0 ? outerLevels : Math.max(outerLevels, inner + 1);
    if (parts.length === 0 && (open.endsWith('{') || open.endsWith('['))) {
      return mark(value, state, open + close);
    }
    state.indent = indent;
    state.level = () => inner >= Number(options.compact);
    return mark(value, state, group(open, parts, close, indent, state, isArray ? value : undefined));
  }

  function mark(value, state, text) {
    const n = state.circular.get(value);
    return n === undefined ? text : `<ref *${n}> ${text}`;
  }

  internal.inspect = (value, options, ...old) => {
    if (typeof options === 'boolean') options = { showHidden: options, depth: old[0] };
    const state = { options: { ...defaults, ...options }, seen: [], circular: new Map(), inner: 0, indent: 0, level: () => false };
    if (state.options.maxStringLength === null) state.options.maxStringLength = Infinity;
    return render(value, state, 0, 0);
  };
  internal.inspect.custom = custom;
  internal.inspect.defaultOptions = defaults;

  function plain(value) {
    if (typeof value === 'string') return value;
    return typeof value === 'object' || typeof value === 'function' ? internal.inspect(value) : primitive(value, defaults, 0);
  }

  function number(value, to) {
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'symbol' || (typeof value === 'object' && to !== parseFloat)) return String(to(NaN));
    return primitive(to(value), defaults, 0);
  }

  const builtinToString = new Set([Object, Array, Error, Date, RegExp, Function, Symbol, Boolean, Number, String, BigInt]
    .map((Class) => Class.prototype.toString));

  // util.format(...args)
  internal.format = (args) => {
    if (args.length === 1) return plain(args[0]);
    let text = '';
    let i = 0;
    if (typeof args[0] === 'string') {
      i = 1;
      text = args[0].replace(/%[sdifjoOc%]/g, (code) => {
        if (code === '%%') return '%';
        if (i >= args.length) return code;
        const value = args[i++];
        switch (code) {
          case '%s':
            if (typeof value === 'object' && value !== null) {
              const own = typeof value.toString === 'function' && !builtinToString.has(value.toString);
              return own ? String(value) : internal.inspect(value, { depth: 0 });
            }
            return typeof value === 'function' ? String(value) : plain(value);
          case '%d': return number(value, Number);
          case '%i': return number(value, (v) => parseInt(v, 10));
          case '%f': return typeof value === 'symbol' ? 'NaN' : String(parseFloat(value));
          case '%j':
            try {
              return JSON.stringify(value) ?? 'undefined';
            } catch (error) {
              if (/circular/i.test(error.message)) return '[Circular]';
              throw error;
            }
          case '%o': return internal.inspect(value, { showHidden: true, depth: 4 });
          case '%O': return internal.inspect(value);
          default: return ''; // %c is for browsers
        }
      });
    }
    for (; i < args.length; i++) text += (i > 0 ? ' ' : '') + plain(args[i]);
    return text;
  };
})
