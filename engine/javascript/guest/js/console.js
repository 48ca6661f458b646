// console, in the format of AWS Lambda's log: time, request id, level, message.
(function (native, internal) {
  'use strict';

  let indent = '';
  const counts = new Map();
  const started = new Map();

  function log(level, args) {
    let text = internal.format(args);
    if (indent) text = indent + text.replaceAll('\n', '\n' + indent);
    native.write(`${new Date().toISOString()}\t${native.requestId()}\t${level}\t${text}\n`);
  }
  internal.log = log;

  const label = (name) => (name === undefined ? 'default' : String(name));

  function time(name) {
    const from = started.get(label(name));
    if (from === undefined) {
      log('WARN', [`Warning: No such label '${label(name)}' for console.timeLog()`]);
      return undefined;
    }
    const ms = native.now() - from;
    return ms >= 1000 ? `${(ms / 1000).toFixed(3)}s` : `${ms.toFixed(3).replace(/\.?0+$/, '')}ms`;
  }

  function table(data) {
    if (data === null || typeof data !== 'object') return log('INFO', [data]);
    const columns = [];
    const rows = Object.entries(data).map(([index, row]) => {
      const cells = new Map();
      const entries = row !== null && typeof row === 'object' ? Object.entries(row) : [['Values', row]];
      for (const [name, value] of entries) {
        if (!columns.includes(name)) columns.push(name);
        cells.set(name, internal.inspect(value, { depth: 0 }));
      }
      return [index, cells];
    });
    const head = ['(index)', ...columns];
    const lines = rows.map(([index, cells]) => [index, ...columns.map((name) => cells.get(name) ?? '')]);
    const widths = head.map((name, i) => Math.max(name.length, ...lines.map((line) => line[i].length)) + 2);
    const rule = (left, middle, right) => left + widths.map((w) => '─'.repeat(w)).join(middle) + right;
    const draw = (line) => '│' + line.map((cell, i) => ` ${cell}`.padEnd(widths[i])).join('│') + '│';
    return log('INFO', [[rule('┌', '┬', '┐'), draw(head), rule('├', '┼', '┤'), ...lines.map(draw),
      rule('└', '┴', '┘')].join('\n')]);
  }

  const console = {
    log(...args) { log('INFO', args); },
    info(...args) { log('INFO', args); },
    debug(...args) { log('DEBUG', args); },
    warn(...args) { log('WARN', args); },
    error(...args) { log('ERROR', args); },
    trace(...args) {
      const stack = new Error().stack.split('\n').slice(2).join('\n');
      log('TRACE', [`Trace: ${internal.format(args)}\n${stack}`]);
    },
    dir(value, options) { log('INFO', [internal.inspect(value, options)]); },
    dirxml(...args) { log('INFO', args); },
    table,
    assert(condition, ...args) {
      if (condition) return;
      if (typeof args[0] === 'string') args[0] = `Assertion failed: ${args[0]}`;
      else args.unshift('Assertion failed');
      log('WARN', args);
    },
    count(name) {
      const n = (counts.get(label(name)) ?? 0) + 1;
      counts.set(label(name), n);
      log('INFO', [`${label(name)}: ${n}`]);
    },
    countReset(name) { counts.delete(label(name)); },
    group(...args) {
      if (args.length > 0) log('INFO', args);
      indent += '  ';
    },
    groupEnd() { indent = indent.slice(2); },
    time(name) { started.set(label(name), native.now()); },
    timeLog(name, ...args) {
      const passed = time(name);
      if (passed !== undefined) log('INFO', [`${label(name)}: ${passed}`, ...args]);
    },
    timeEnd(name) {
      const passed = time(name);
      if (passed !== undefined) log('INFO', [`${label(name)}: ${passed}`]);
      started.delete(label(name));
    },
  };
  console.groupCollapsed = console.group;
  internal.define(globalThis, { console });
})
