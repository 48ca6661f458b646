// What the other sources share: how to define globals, and Node's kinds of errors.
(function (native, internal) {
  'use strict';

  // Globals are writable and not enumerable, as the standards want them.
  internal.define = (target, members) => {
    for (const name of Reflect.ownKeys(members)) {
      const found = Object.getOwnPropertyDescriptor(members, name);
      found.enumerable = false;
      Object.defineProperty(target, name, found);
    }
  };

  internal.tag = (Class, name) => {
    Object.defineProperty(Class.prototype, Symbol.toStringTag, { value: name, configurable: true });
  };

  // An error with a code, as Node's own have.
  internal.coded = (Class, code, message) => {
    const error = new Class(message);
    error.code = code;
    return error;
  };

  // V8's own, which many packages call.
  internal.define(Error, {
    captureStackTrace(target) {
      const trace = new Error().stack.split('\n').slice(2); // this function's own line, too
      const name = target.name === undefined ? 'Error' : String(target.name);
      const head = target.message ? `${name}: ${target.message}` : name;
      Object.defineProperty(target, 'stack', {
        value: [head, ...trace].join('\n'), writable: true, configurable: true,
      });
    },
    stackTraceLimit: 10,
  });

  globalThis.global = globalThis;
  Object.defineProperty(globalThis, 'global', { enumerable: false });
})
