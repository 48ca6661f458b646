// Hello-as is an Extism plug-in in AssemblyScript, the TypeScript dialect that
// compiles to WebAssembly. Like hello-c-reactor it does without a PDK: extism.ts
// declares the host's functions, so the only package it needs is the compiler.
//
// What it shows:
//   - strings and garbage collection inside of a function;
//   - @external, which names what is imported (in extism.ts);
//   - an error that reaches the caller, and abort, which does so for what the
//     language itself refuses, such as an index out of bounds.
//
//   npm ci && npm run build
//   ledge deploy hello-as build/hello-as.wasm --handler handle \
//       --route 'POST /hello-as' --payload raw --content-type application/json
//   curl -d 'the quick brown fox' localhost:8080/hello-as

import { fail, input, log, output } from "./extism";

/** text as a JSON string. */
function quote(text: string): string {
  let quoted = '"';
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit == 0x22 || unit == 0x5c) quoted += "\\" + String.fromCharCode(unit);
    else if (unit < 0x20) quoted += "\\u" + unit.toString(16).padStart(4, "0");
    else quoted += String.fromCharCode(unit);
  }
  return quoted + '"';
}

/** How many runs of characters other than white space text has. */
function words(text: string): i32 {
  let count = 0;
  let inside = false;
  for (let i = 0; i < text.length; i++) {
    const space = text.charCodeAt(i) <= 0x20;
    if (!space && !inside) count++;
    inside = !space;
  }
  return count;
}

/** Answers one event, a text; 0 says that it went well. */
export function handle(): i32 {
  const text = input();
  if (text.length > 4096) {
    fail("the text is longer than 4096 characters");
    return 1;
  }
  const count = words(text);
  log("counted " + count.toString() + " words");
  output('{"text":' + quote(text.toUpperCase()) + ',"words":' + count.toString() + "}\n");
  return 0;
}
