// What AWS Lambda's runtime interface client for Node.js does around a handler:
// finding it, and error objects. Names and messages are that client's.
(function (native, internal) {
  'use strict';

  const root = '/var/task';
  const { stringify } = JSON; // errors are told even if a function replaces it
  const classes = {};
  for (const name of ['ImportModuleError', 'HandlerNotFound', 'MalformedHandlerName', 'UserCodeSyntaxError',
    'UnhandledPromiseRejection', 'ExitError', 'MalformedStreamingHandler', 'NodeJsExit']) {
    const Class = { [name]: class extends Error {} }[name];
    Class.prototype.name = `Runtime.${name}`;
    classes[name] = Class;
  }

  // An error of ours about an error of the function: its trace is the function's.
  function about(name, message, cause) {
    const error = new classes[name](message);
    const trace = cause instanceof Error && typeof cause.stack === 'string' ? frames(cause.stack) : [];
    error.stack = [`Runtime.${name}: ${message}`, ...trace].join('\n');
    return error;
  }

  // A stack without the lines of this runtime: those of its sources, and of its
  // native functions that called the function's code.
  function clean(stack) {
    const lines = stack.split('\n').filter((line) => !line.startsWith('    at ') || !line.includes('node:internal/'));
    while (/^    at (call|compileFunction|requireModule|importModule) \(<anonymous>\)$/.test(lines.at(-1))) lines.pop();
    return lines;
  }

  const frames = (stack) => clean(stack).filter((line) => line.startsWith('    at '));

  async function load(config) {
    const name = String(config.handler);
    if (name.includes('..')) {
      throw new classes.MalformedHandlerName(
        `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
    }
    const base = name.slice(name.lastIndexOf('/') + 1);
    const folder = name.slice(0, name.length - base.length);
    const dot = base.indexOf('.');
    if (dot < 0) {
      throw new classes.MalformedHandlerName(`Bad handler: '${name}' is not of the form file.function, for example index.handler`);
    }
    const path = base.slice(dot + 1);
    let exports;
    try {
      exports = await internal.loadHandlerModule(internal.resolvePath(root, folder, base.slice(0, dot)), base.slice(0, dot));
    } catch (error) {
      if (error instanceof SyntaxError) throw about('UserCodeSyntaxError', `${error}${internal.where(error)}`, error);
      if (error instanceof Error && (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND')) {
        throw about('ImportModuleError', String(error), error);
      }
      throw error;
    }
    const handler = path.split('.').reduce((object, key) => object && object[key], exports);
    if (!handler) throw new classes.HandlerNotFound(`${name} is undefined or not exported`);
    if (typeof handler !== 'function') throw new classes.HandlerNotFound(`${name} is not a function`);
    if (handler[Symbol.for('aws.lambda.runtime.handler.streaming')]) {
      throw new classes.MalformedStreamingHandler('response streaming is not supported: export the handler without awslambda.streamifyResponse');
    }
    await internal.runBeforeSnapshot();
    return handler;
  }

  // ledge_load: a promise of the handler.
  internal.load = (config) => {
    internal.refreshEnvironment(config);
    return load(config);
  };

  // Where a syntax error is, for people who see the message only.
  internal.where = (error) => {
    const line = frames(error.stack ?? '')[0];
    const found = line && /\/(?:var\/task|opt)\/(.*:\d+:\d+)\)?$/.exec(line);
    return found ? ` (${found[1]})` : '';
  };

  // A reply has a limit of some megabytes, and the message is in the trace again.
  const LONGEST = 1 << 18;
  const cut = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text);

  // The members of Lambda's error object.
  function describe(error) {
    const said = error !== null && typeof error === 'object' ? error : undefined;
    if (said && (said instanceof Error || [said.name, said.message, said.stack].every((v) => typeof v === 'string' && v))) {
      return {
        errorType: String(said.name),
        errorMessage: cut(String(said.message)),
        trace: clean(cut(String(said.stack || said))), // errors of QuickJS' own may have no stack
      };
    }
    return {
      errorType: typeof error,
      errorMessage: cut(error === undefined || error === null ? String(error) : `${error.toString()}`),
      trace: [],
    };
  }

  // The error object as JSON, and the line that Lambda writes to the log.
  internal.errorText = (error, phase) => {
    let object;
    try {
      object = describe(error);
    } catch (why) {
      if (why instanceof InternalError) throw why; // no memory for it: C knows what to say
      object = {
        errorType: 'handled',
        errorMessage: 'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
        trace: [],
      };
    }
    if (phase === 1) {
      const kind = error instanceof classes.UnhandledPromiseRejection ? 'Unhandled Promise Rejection' : 'Invoke Error';
      let line;
      try {
        const code = error instanceof Error ? error.code : undefined;
        line = stringify({ errorType: object.errorType, errorMessage: object.errorMessage, code,
          ...(error instanceof Error ? error : undefined), stack: object.trace });
      } catch {
        line = stringify(object);
      }
      internal.log('ERROR', [`${kind} \t${line}`]);
    }
    return stringify(object);
  };

  internal.exited = (code) => {
    internal.clearTimers();
    const message = code === 0 ? 'Runtime exited without providing a reason' : `Runtime exited with error: exit status ${code}`;
    return Object.assign(new classes.ExitError(message), { stack: `Runtime.ExitError: ${message}` });
  };

  // An async function waits for what nothing can settle any more.
  internal.neverSettled = () => about('NodeJsExit', 'The Lambda runtime client detected an unexpected Node.js exit code. ' +
    'This is most commonly caused by a Promise that was never settled. ' +
    'For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes');

  internal.isAsync = (f) => f.constructor?.name === 'AsyncFunction';

  internal.unhandled = (reason, promise) => {
    internal.emitProcess?.('unhandledRejection', reason, promise);
    const message = String(reason);
    return Object.assign(about('UnhandledPromiseRejection', message, reason), { reason });
  };

  // A native promise for something that has a then method.
  internal.adopt = (thenable) => Promise.resolve(thenable);
})
