// structuredClone (HTML Standard), without transfer of anything but ArrayBuffers.
(function (native, internal) {
  'use strict';

  const { is } = internal;
  const errors = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

  function refuse(value) {
    let text;
    try {
      text = typeof value === 'function' ? String(value) : typeof value === 'symbol' ? value.toString() : `#<${value.constructor?.name ?? 'Object'}>`;
    } catch {
      text = 'the object';
    }
    throw new internal.DOMException(`${text} could not be cloned.`, 'DataCloneError');
  }

  function clone(value, seen) {
    if (typeof value === 'symbol' || typeof value === 'function') refuse(value);
    if (value === null || typeof value !== 'object') return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (copy) => {
      seen.set(value, copy);
      return copy;
    };
    if (is.boxed(value)) {
      if (value instanceof Symbol) refuse(value);
      return keep(Object(value.valueOf()));
    }
    if (is.date(value)) return keep(new Date(value.getTime()));
    if (is.regexp(value)) return keep(new RegExp(value.source, value.flags));
    if (is.arrayBuffer(value)) return keep(value.slice(0));
    if (value instanceof SharedArrayBuffer) return keep(value);
    if (value instanceof DataView) return keep(new DataView(clone(value.buffer, seen), value.byteOffset, value.byteLength));
    if (is.typed(value)) {
      const Class = globalThis[Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get.call(value)];
      return keep(new Class(clone(value.buffer, seen), value.byteOffset, value.length));
    }
    if (is.map(value)) {
      const copy = keep(new Map());
      for (const [k, v] of [...value]) copy.set(clone(k, seen), clone(v, seen));
      return copy;
    }
    if (is.set(value)) {
      const copy = keep(new Set());
      for (const v of [...value]) copy.add(clone(v, seen));
      return copy;
    }
    if (value instanceof Error) {
      const Class = Object.hasOwn(errors, value.name) ? errors[value.name] : Error;
      const made = keep(new Class(value.message === undefined ? undefined : String(value.message)));
      if (Object.hasOwn(value, 'cause')) Object.defineProperty(made, 'cause', { value: clone(value.cause, seen), writable: true, configurable: true });
      Object.defineProperty(made, 'stack', { value: value.stack, writable: true, configurable: true });
      return made;
    }
    if (is.weakMap(value) || is.weakSet(value) || is.promise(value) || value instanceof WeakRef) refuse(value);
    if (Array.isArray(value)) {
      const copy = keep(new Array(value.length));
      for (const key of Object.keys(value)) copy[key] = clone(value[key], seen);
      return copy;
    }
    const copy = keep({});
    for (const key of Object.keys(value)) {
      Object.defineProperty(copy, key, { value: clone(value[key], seen), writable: true, enumerable: true, configurable: true });
    }
    return copy;
  }

  internal.define(globalThis, {
    structuredClone(value, options) {
      if (arguments.length === 0) throw new TypeError("The \"value\" argument must be specified");
      const transfer = options?.transfer ? [...options.transfer] : [];
      const seen = new Map();
      for (const each of transfer) {
        if (!is.arrayBuffer(each)) refuse(each);
        seen.set(each, each.slice(0));
      }
      return clone(value, seen);
    },
  });
})
