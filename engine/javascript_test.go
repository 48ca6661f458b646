package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// What AWS Lambda's Node.js runtime documents, and what its interface client does:
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html,
// https://github.com/aws/aws-lambda-nodejs-runtime-interface-client
func TestJavaScriptHandlers(t *testing.T) {
	returns := func(expression string) string {
		return "export const handler = async (event, context) => " + expression + ";\n"
	}
	commonJS := func(body string) map[string]string {
		return map[string]string{"app.js": "exports.handler = " + body + ";\n"}
	}
	object := func(kind, message, trace string) string {
		return fmt.Sprintf(`{"errorType":%q,"errorMessage":%q,"trace":[%s]}`, kind, message, trace)
	}
	big := `"` + strings.Repeat("x", 1<<20) + `"`
	testHandlers(t, open(t, testConfig(t)), RuntimeJavaScript, "app.mjs", []handlerCase{
		{name: "documented", code: "export const handler = async (event) => {\n  return { statusCode: 200, body: JSON.stringify('Hello, ' + event.name) };\n};\n",
			event: `{"name":"edge"}`, reply: `{"statusCode":200,"body":"\"Hello, edge\""}`},
		{name: "echo of every kind", code: returns("event"), event: ` {"a":[1,-2.5,1e300,true,false,null,"",{}],"b":{"c":[]}} `, reply: `{"a":[1,-2.5,1e+300,true,false,null,"",{}],"b":{"c":[]}}`},
		{name: "no reply", code: returns("{}"), event: `{}`, reply: `null`},
		{name: "no event", code: returns("event === null"), reply: `true`},
		{name: "scalar event", code: returns("event + 1"), event: `41`, reply: `42`},
		{name: "numbers", code: returns("[NaN, Infinity, -0, 0.1 + 0.2, 1e21, 2 ** 53]"), event: `0`, reply: `[null,null,0,0.30000000000000004,1e+21,9007199254740992]`},
		{name: "what JSON leaves out", code: returns("({ a: undefined, f() {}, s: Symbol('s'), d: new Date(0), m: new Map([[1, 2]]), l: [undefined, () => 1], toJSON: undefined })"), event: `0`,
			reply: `{"d":"1970-01-01T00:00:00.000Z","m":{},"l":[null,null]}`},
		{name: "toJSON", code: returns("({ toJSON() { return 'mine'; } })"), event: `0`, reply: `"mine"`},
		{name: "function as reply", code: returns("() => 1"), event: `0`, reply: `null`},
		{name: "unicode", code: returns("event + 'ß€😀'"), event: `"\u00e4\ud83d\ude00"`, reply: `"ä😀ß€😀"`},
		{name: "control characters", code: returns("event"), event: `"\u0000\u001f\"\\\/\n"`, reply: `"\u0000\u001f\"\\/\n"`},
		{name: "half a surrogate pair", code: returns("event"), event: `"\ud83d"`, reply: `"\ud83d"`},
		{name: "__proto__", code: returns("[event.a, Object.keys(event), ({}).a]"), event: `{"__proto__":{"a":1}}`, reply: `[null,["__proto__"],null]`},
		{name: "large event and reply", code: returns("event"), event: big, reply: big},
		{name: "large reply", code: returns("'y'.repeat(event)"), event: `3000000`, reply: `"` + strings.Repeat("y", 3000000) + `"`},

		{name: "CommonJS", files: commonJS("async (event) => [typeof require, typeof module, __filename, __dirname, this === exports]"), event: `{}`, reply: `["function","object","/var/task/app.js","/var/task",true]`},
		{name: "module.exports", files: map[string]string{"app.cjs": "module.exports = { handler: async () => 'cjs' };"}, event: `{}`, reply: `"cjs"`},
		{name: "type module", files: map[string]string{"package.json": `{"type":"module"}`, "app.js": "export const handler = async () => import.meta.url;"}, event: `{}`, reply: `"file:///var/task/app.js"`},
		{name: "type commonjs", files: map[string]string{"package.json": `{"type":"commonjs"}`, "app.js": "exports.handler = async () => 'c';"}, event: `{}`, reply: `"c"`},
		{name: "folder", handler: "src/app.main", files: map[string]string{"src/app.mjs": "import { x } from './lib/x.mjs'; export const main = async () => x;", "src/lib/x.mjs": "export const x = 7;"}, event: `{}`, reply: `7`},
		{name: "nested handler", handler: "app.api.get", code: "export const api = { get: async () => 'got' };", event: `{}`, reply: `"got"`},
		{name: "function declaration", code: "export async function handler(event) { return event; }", event: `1`, reply: `1`},
		{name: "sync reply", files: commonJS("(event) => ({ sync: true })"), event: `{}`, reply: `{"sync":true}`},
		{name: "thenable", files: commonJS("() => ({ then(done) { done('then'); } })"), event: `{}`, reply: `"then"`},
		{name: "callback", files: commonJS("(event, context, callback) => { callback(null, { got: event }); }"), event: `5`, reply: `{"got":5}`},
		{name: "callback later", files: commonJS("(event, context, callback) => { setTimeout(() => callback(null, 'later'), 2); }"), event: `5`, reply: `"later"`},
		{name: "callback twice", files: commonJS("(event, context, callback) => { callback(null, 1); callback(null, 2); }"), event: `5`, reply: `1`},
		{name: "callback waits for the event loop", files: commonJS("(event, context, callback) => { const reply = { n: 0 }; setTimeout(() => { reply.n++; }, 2); callback(null, reply); }"), event: `5`, reply: `{"n":1}`},
		{name: "callback does not wait", files: commonJS("(event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; const reply = { n: 0 }; setTimeout(() => { reply.n++; }, 2000); callback(null, reply); }"), event: `5`, reply: `{"n":0}`},
		{name: "callback is never called", files: commonJS("(event, context, callback) => { setTimeout(() => {}, 1); }"), event: `5`, reply: `null`},
		{name: "promise is never settled", code: "export const handler = () => new Promise(() => {})", event: `5`, reply: `null`},
		{name: "async and never settled", code: "export const handler = async () => { await new Promise(() => {}) }", event: `5`,
			failure: `{"errorType":"Runtime.NodeJsExit","errorMessage":"The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise that was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes","trace":["Runtime.NodeJsExit: The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise that was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes"]}`},
		{name: "context.succeed", files: commonJS("(event, context) => { context.succeed('done'); }"), event: `5`, reply: `"done"`},
		{name: "context.done", files: commonJS("(event, context) => { setTimeout(() => context.done(null, 'done'), 1); }"), event: `5`, reply: `"done"`},
		{name: "timers in order", code: `export const handler = () => new Promise((done) => {
  const seen = [];
  setTimeout(() => { seen.push('2ms'); done(seen); }, 2);
  setTimeout(() => seen.push('1ms'), 1);
  Promise.resolve().then(() => seen.push('promise'));
  queueMicrotask(() => seen.push('micro'));
  clearTimeout(setTimeout(() => seen.push('never'), 0));
});`, event: `0`, reply: `["promise","micro","1ms","2ms"]`},
		{name: "interval", code: `export const handler = () => new Promise((done) => { let n = 0; const i = setInterval(() => { if (++n === 3) { clearInterval(i); done(n); } }, 1); });`, event: `0`, reply: `3`},
		{name: "top-level await", code: "const x = await new Promise((done) => setTimeout(() => done(5), 1));\n" + returns("x"), event: `0`, reply: `5`},
		{name: "dynamic import", code: returns("(await import('./dep.mjs')).default"), files: map[string]string{"dep.mjs": "export default 'dynamic';"}, event: `0`, reply: `"dynamic"`},
		{name: "import of CommonJS", code: "import dep, { named } from './dep.cjs';\n" + returns("[dep.named, named]"), files: map[string]string{"dep.cjs": "exports.named = 1;"}, event: `0`, reply: `[1,1]`},
		{name: "import of JSON", code: "import data from './data.json';\n" + returns("data.a"), files: map[string]string{"data.json": `{"a":[1]}`}, event: `0`, reply: `[1]`},
		{name: "node_modules", code: "import { f } from 'pkg';\nimport g from '@scope/pkg/sub';\n" + returns("[f(2), g]"), files: map[string]string{
			"node_modules/pkg/package.json": `{"name":"pkg","main":"lib/main.js"}`, "node_modules/pkg/lib/main.js": "exports.f = (x) => x * require('./util').two;",
			"node_modules/pkg/lib/util/index.js":   "module.exports = { two: 2 };",
			"node_modules/@scope/pkg/package.json": `{"name":"@scope/pkg","type":"module","exports":{".":"./index.js","./sub":{"import":"./sub.js","require":"./sub.cjs"}}}`,
			"node_modules/@scope/pkg/sub.js":       "export default 'esm';", "node_modules/@scope/pkg/sub.cjs": "module.exports = 'cjs';"}, event: `0`, reply: `[4,"esm"]`},
		{name: "require cycle", files: map[string]string{"app.js": "const a = require('./a'); exports.handler = async () => [a.done, a.b.sawA];", "a.js": "exports.done = false; exports.b = require('./b'); exports.done = true;", "b.js": "exports.sawA = require('./a').done;"}, event: `0`, reply: `[true,false]`},
		{name: "require JSON", files: map[string]string{"app.js": "exports.handler = async () => require('./d.json').x;", "d.json": `{"x":9}`}, event: `0`, reply: `9`},

		{name: "context", code: returns(`[context.functionName, context.functionVersion, context.invokedFunctionArn, context.memoryLimitInMB, context.awsRequestId,
  context.logGroupName, context.logStreamName, context.callbackWaitsForEmptyEventLoop, context.getRemainingTimeInMillis() > 0 && context.getRemainingTimeInMillis() <= 3000]`), event: `{}`,
			reply: `["f","$LATEST","arn:aws:lambda:us-east-1:000000000000:function:f","128","` + knownText + `","/aws/lambda/f","$LATEST",true,true]`},
		{name: "context is new each time", code: "export const handler = async (event, context) => { const was = context.mark === 1; context.mark = 1; return was; };", event: `{}`, reply: `false`},
		{name: "environment", code: returns("[process.env.GREETING, process.env.AWS_LAMBDA_FUNCTION_NAME, process.env._HANDLER, process.env.LAMBDA_TASK_ROOT, process.env.TZ, process.env.NOPE, 'NOPE' in process.env, process.cwd()]"), event: `{}`,
			reply: `["hei ö","f","app.handler","/var/task",":UTC",null,false,"/var/task"]`},

		{name: "console", code: "export const handler = async () => { console.log('one', 2, { a: [1, 'x'] }); console.info('%s is %d', 'x', 3); console.warn('w'); console.error('e ö'); console.debug('d'); };", event: `0`, reply: `null`,
			log: "T\t" + knownText + "\tINFO\tone 2 { a: [ 1, 'x' ] }\nT\t" + knownText + "\tINFO\tx is 3\nT\t" + knownText + "\tWARN\tw\nT\t" + knownText + "\tERROR\te ö\nT\t" + knownText + "\tDEBUG\td\n"},
		{name: "console of strange values", code: "export const handler = async () => { const c = {}; c.c = c; console.log(undefined, null, -0, 10n, Symbol('s'), c, new Map([[1, { a: 1 }]]), new Set(['x']), [1, , 3], class A {}, function f() {}, new Date(0), /x/g, new Uint8Array(2)); };", event: `0`, reply: `null`,
			log: "INFO\tundefined null -0 10n Symbol(s) <ref *1> { c: [Circular *1] } Map(1) { 1 => { a: 1 } } Set(1) { 'x' } [ 1, <1 empty item>, 3 ] [class A] [Function: f] T /x/g Uint8Array(2) [ 0, 0 ]\n"},

		{name: "error", code: "export const handler = async () => {\n  throw new Error('I failed!');\n};\n", event: `{}`,
			failure: object("Error", "I failed!", `"Error: I failed!","    at handler (file:///var/task/app.mjs:2:18)"`),
			log:     "T\t" + knownText + "\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"I failed!\",\"stack\":[\"Error: I failed!\","},
		{name: "error of CommonJS", files: commonJS("function named() {\n  inner();\n};\nfunction inner() {\n  null.x;\n}"), event: `{}`,
			failure: object("TypeError", "Cannot read properties of null (reading 'x')", `"TypeError: Cannot read properties of null (reading 'x')","    at inner (/var/task/app.js:5:7)","    at named (/var/task/app.js:2:8)"`)},
		{name: "class of the function's", code: "class Broken extends Error {\n  constructor(m) { super(m); this.name = 'Broken'; }\n}\nexport const handler = async () => { throw new Broken('so'); };\n", event: `{}`,
			failure: object("Broken", "so", `"Error: so","    at Broken (file:///var/task/app.mjs:2:25)","    at handler (file:///var/task/app.mjs:4:54)"`)},
		{name: "string thrown", code: "export const handler = async () => { throw 'text'; };", event: `{}`, failure: object("string", "text", "")},
		{name: "number thrown", code: "export const handler = async () => { throw 42; };", event: `{}`, failure: object("number", "42", "")},
		{name: "object thrown", code: "export const handler = async () => { throw { a: 1 }; };", event: `{}`, failure: object("object", "[object Object]", "")},
		{name: "callback with an error", files: commonJS("(event, context, callback) => { callback('bad'); }"), event: `{}`, failure: object("string", "bad", "")},
		{name: "context.fail", files: commonJS("(event, context) => { context.fail('bad'); }"), event: `{}`, failure: object("string", "bad", "")},
	})
}

// Errors of which only type and message are fixed.
func TestJavaScriptFailures(t *testing.T) {
	r := open(t, testConfig(t))
	for _, test := range []struct{ name, body, types, message string }{
		{"unicode", "throw new RangeError('ß😀\\ud800')", "RangeError", "ß😀"},
		{"very long", "throw new Error('x'.repeat(5000000))", "Error", "xxxx"},
		{"cycle in the reply", "const a = {}; a.a = a; return a", "Runtime.MarshalError", "Unable to stringify response body"},
		{"BigInt in the reply", "return 10n", "Runtime.MarshalError", "Unable to stringify response body"},
		{"toJSON throws", "return { toJSON() { throw new Error('no') } }", "Runtime.MarshalError", "Unable to stringify response body"},
		{"getter of the reply throws", "return { get a() { throw new Error('no') } }", "Runtime.MarshalError", "Unable to stringify response body"},
		{"toJSON replies nothing forever", "const o = { toJSON() { return { o } } }; return o", "Runtime.MarshalError", "Unable to stringify response body"},
		{"no name", "const e = new Error('m'); e.name = undefined; throw e", "undefined|Error|", "m"},
		{"message is a getter that throws", "const e = new Error('m'); Object.defineProperty(e, 'message', { get() { throw 1 } }); throw e", "handled", "callback called with Error argument"},
		{"toString throws", "throw { toString() { throw 1 } }", "handled", "callback called with Error argument"},
		{"null", "throw null", "object|handled", ""},
		{"undefined", "throw undefined", "undefined|handled", ""},
		{"symbol", "throw Symbol('s')", "symbol|handled", ""},
		{"proxy", "throw new Proxy(new Error('p'), { get() { throw 1 } })", "handled|object|Error", ""},
		{"object without prototype", "throw Object.create(null)", "handled|object", ""},
		{"aggregate", "throw new AggregateError([new Error('a')], 'several')", "AggregateError", "several"},
		{"cause", "throw new Error('outer', { cause: new Error('inner') })", "Error", "outer"},
		{"syntax", "eval('(')", "SyntaxError", ""},
		{"process.exit", "process.exit(3)", "Runtime.ExitError", "exit status 3"},
		{"process.exit in vain", "try { process.exit(3) } catch {} finally { for (;;) {} }", "Runtime.ExitError", "exit status 3"},
		{"process.exit later", "await new Promise((done) => setTimeout(done, 1)); process.exit(0)", "Runtime.ExitError", "without providing a reason"},
		{"process.exit in a timer", "setTimeout(() => process.exit(5), 1); await new Promise(() => {})", "Runtime.ExitError", "exit status 5"},
		{"process.abort", "process.abort()", "Runtime.ExitError|TypeError", ""},
		{"rejection that nobody handles", "Promise.reject(new Error('lost')); await new Promise((done) => setTimeout(done, 20)); return 1", "Runtime.UnhandledPromiseRejection", "lost"},
		{"throw in a timer", "setTimeout(() => { throw new Error('timer') }, 1); await new Promise((done) => setTimeout(done, 20))", "Error|Runtime.UncaughtException", "timer"},
		{"throw in a microtask", "queueMicrotask(() => { throw new Error('micro') }); await new Promise((done) => setTimeout(done, 20))", "Error|Runtime.UnhandledPromiseRejection", "micro"},
		{"rejected with text", "await Promise.reject('text')", "string", "text"},
		{"rejecting thenable", "return { then(_, fail) { fail(new Error('then')) } }", "Error", "then"},
		{"replaced JSON", "const s = JSON.stringify; JSON.stringify = JSON.parse = null; try { null.x } finally { setTimeout(() => {}, 1) }", "TypeError|handled", ""},
		{"replaced console", "globalThis.console = null; throw new Error('after')", "Error", "after"},
		{"replaced Promise", "globalThis.Promise = null; throw new Error('after')", "Error", "after"},
		{"replaced prototypes", "String.prototype.split = Array.prototype.filter = Array.prototype.map = Array.prototype.push = Object.entries = null; throw new Error('after')", "Error|handled", ""},
		{"prototype that catches all", "Object.defineProperty(Object.prototype, 'name', { set() { throw 1 }, get() { throw 1 }, configurable: true }); throw new Error('after')", "Error|handled|number", ""},
		{"toJSON of all", "Object.prototype.toJSON = function () { throw new Error('mine') }; try { throw new Error('after') } finally { setTimeout(() => {}, 1) }", "Error|handled", ""},
		{"write a file", "require('fs').writeFileSync('/tmp/x', 'x')", "Error|TypeError|ReferenceError", ""},
		{"require of a Node module", "(await import('node:http')).get('x')", "Error|Runtime.ImportModuleError", "node:http"},
		{"no event for JSON", "return JSON.parse('{')", "SyntaxError", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			deploy(t, r, javaScriptFunction(t, "export const handler = async (event) => { if (event === 'ok') return 'ok'; "+test.body+" };"))
			for range 2 {
				_, err := invoke(r, "f", `{}`)
				wantRaised(t, err, test.types, test.message)
			}
			if !strings.HasPrefix(test.name, "replaced JSON") && !strings.HasPrefix(test.name, "toJSON of all") {
				wantServes(t, r)
			}
		})
	}
	deploy(t, r, javaScriptFunction(t, "export const handler = async (event) => 'ok';"))
	for _, event := range []string{`{"a":`, `1 2`, `undefined`, `{'a':1}`, "\"a\nb\"", `[1,]`, "\xff", `01`} {
		_, err := invoke(r, "f", event)
		wantRaised(t, err, "Runtime.UnmarshalError", "")
		wantServes(t, r)
	}
}

// Recursion and memory: what is too much is an exception, whoever recurses.
func TestJavaScriptExhaustion(t *testing.T) {
	const tooDeep, noMemory = "RangeError|InternalError", "InternalError|RangeError|Runtime.OutOfMemory"
	const nest = "let x = []; for (let i = 0; i < 100000; i++) x = [x]; "
	cases := []hostileCase{
		{"function", "(function f() { f() })()", tooDeep, ""},
		{"arrow with arguments", "const f = (a, b, c) => 1 + f(a + 1, b, c); f(1, 2, 3)", tooDeep, ""},
		{"method", "class C { m() { return this.m() } } new C().m()", tooDeep, ""},
		{"constructor", "class C { constructor() { new C() } } new C()", tooDeep, ""},
		{"getter", "const o = { get a() { return this.a } }; o.a", tooDeep, ""},
		{"setter", "const o = { set a(x) { this.a = x } }; o.a = 1", tooDeep, ""},
		{"toString", "const o = { toString() { return '' + this } }; '' + o", tooDeep, ""},
		{"valueOf", "const o = { valueOf() { return +this } }; +o", tooDeep, ""},
		{"toPrimitive", "const o = { [Symbol.toPrimitive]() { return `${this}` } }; `${o}`", tooDeep, ""},
		{"Proxy get", "const p = new Proxy({}, { get(t, k, r) { return r[k] } }); p.a", tooDeep, ""},
		{"Proxy of itself", "const h = {}; const p = new Proxy({}, h); Object.setPrototypeOf(h, p); p.a", tooDeep, ""},
		{"chain of Proxies", "let p = {}; for (let i = 0; i < 100000; i++) p = new Proxy(p, {}); p.a", tooDeep, ""},
		{"chain of bound functions", "let f = () => {}; for (let i = 0; i < 100000; i++) f = f.bind(null); f()", tooDeep, ""},
		{"chain of prototypes", "let o = {}; for (let i = 0; i < 100000; i++) o = Object.create(o); return o.nope === undefined ? Promise.reject(new RangeError('it ended')) : 0", tooDeep, ""},
		{"sort callback", "const f = () => [2, 1].sort(f); f()", tooDeep, ""},
		{"map callback", "const f = () => [1].map(f); f()", tooDeep, ""},
		{"replace callback", "const f = () => 'a'.replace('a', f); f()", tooDeep, ""},
		{"replace callback of a pattern", "const f = () => 'a'.replace(/a/, f); f()", tooDeep, ""},
		{"Reflect.apply", "const f = () => Reflect.apply(f, null, []); f()", tooDeep, ""},
		{"spread", "const f = (...a) => f(...a); f(...new Array(1000).fill(1))", tooDeep, ""},
		{"iterator", "const o = { [Symbol.iterator]() { return [...this] } }; [...o]", tooDeep, ""},
		{"generator", "function* g() { yield* g() } g().next()", tooDeep, ""},
		{"tagged", "const f = (s) => f`x`; f`y`", tooDeep, ""},
		{"destructuring", "const o = { get a() { const { a } = this; return a } }; o.a", tooDeep, ""},
		{"async function", "const f = async () => await f(); await f()", tooDeep, ""},
		{"toJSON", "const o = { toJSON() { return JSON.stringify(this) } }; JSON.stringify(o)", tooDeep, ""},
		{"JSON.parse of arrays", "JSON.parse('['.repeat(1000000))", tooDeep + "|SyntaxError", ""},
		{"JSON.parse of objects", "JSON.parse('{\"a\":'.repeat(1000000))", tooDeep + "|SyntaxError", ""},
		{"JSON.parse with a reviver", "JSON.parse('['.repeat(3000) + ']'.repeat(3000), function (k, v) { return v }); JSON.parse('['.repeat(1000000), (k, v) => v)", tooDeep + "|SyntaxError", ""},
		{"JSON.stringify", nest + "JSON.stringify(x)", tooDeep, ""},
		{"reply", nest + "return x", tooDeep + "|Runtime.MarshalError", ""},
		{"flat", nest + "x.flat(Infinity)", tooDeep, ""},
		{"array to text", nest + "String(x)", tooDeep, ""},
		{"structuredClone", nest + "structuredClone(x)", tooDeep + "|DataCloneError", ""},
		{"console.log", "let x = {}; for (let i = 0; i < 100000; i++) x = { x }; console.log(x); console.log('%j', x); throw new RangeError('it ended')", tooDeep, ""},
		{"pattern", "new RegExp('('.repeat(100000) + ')'.repeat(100000))", tooDeep + "|SyntaxError", ""},
		{"pattern of lookaheads", "new RegExp('(?='.repeat(100000) + ')'.repeat(100000)).test('a')", tooDeep + "|SyntaxError", ""},
		{"pattern, matched", "/^(?:(a)|b|(?:ab))*$/.test('ab'.repeat(1000000)); throw new RangeError('it ended')", tooDeep, ""},
		{"eval of parentheses", "eval('('.repeat(100000) + ')'.repeat(100000))", tooDeep + "|SyntaxError", ""},
		{"eval of arrays", "eval('['.repeat(100000))", tooDeep + "|SyntaxError", ""},
		{"eval of operators", "eval('!'.repeat(1000000) + '1')", tooDeep + "|SyntaxError", ""},
		{"eval of functions", "eval('function f(){'.repeat(100000))", tooDeep + "|SyntaxError", ""},
		{"eval of arrows", "eval('a=>'.repeat(100000) + '1')", tooDeep + "|SyntaxError", ""},
		{"eval of templates", "eval('`${'.repeat(100000))", tooDeep + "|SyntaxError", ""},
		{"eval of blocks", "eval('{'.repeat(100000))", tooDeep + "|SyntaxError", ""},
		{"eval of a long sum", "eval('1' + '+1'.repeat(200000)); throw new RangeError('it ended')", tooDeep + "|SyntaxError", ""},
		{"eval in eval", "const f = () => eval('f()'); f()", tooDeep + "|SyntaxError", ""},
		{"Function", "const f = () => new Function('f', 'return f()')(f); f()", tooDeep + "|SyntaxError", ""},
		{"rope", "let s = 'a'; for (let i = 0; i < 1000000; i++) s = s + 'b'; s.charCodeAt(5); throw new RangeError('it ended')", tooDeep, ""},
		{"freed chain", "let o = null; for (let i = 0; i < 300000; i++) o = { o }; o = null; throw new RangeError('it ended')", tooDeep, "it ended"},
		{"freed chain of promises", "let p = Promise.resolve(); for (let i = 0; i < 20000; i++) p = p.then(() => {}); p = null; throw new RangeError('it ended')", tooDeep, "it ended"},
		{"finally", "const f = () => { try { f() } finally { [].x } }; f()", tooDeep, ""},
		{"error in a deep place", "const f = () => { try { f() } catch (e) { throw new RangeError('caught ' + e.name) } }; f()", tooDeep, ""},
		{"prepareStackTrace", "Error.prepareStackTrace = () => { throw new RangeError('mine') }; try { null.x } finally { delete Error.prepareStackTrace }", "TypeError|RangeError", ""},
		{"array", "const a = []; for (;;) a.push(new Array(1000).fill(1))", noMemory, ""},
		{"objects", "let o; for (;;) o = { o }", noMemory, ""},
		{"map", "const m = new Map(); for (let i = 0; ; i++) m.set(i, String(i))", noMemory, ""},
		{"text doubling", "let s = 'xy'; for (;;) s += s", noMemory, ""},
		{"repeat", "'x'.repeat(2 ** 30)", noMemory, ""},
		{"ArrayBuffer", "new ArrayBuffer(2 ** 31 - 1)", noMemory, ""},
		{"typed array", "new Float64Array(2 ** 32)", noMemory, ""},
		{"Buffer", "Buffer.alloc(2 ** 31 - 1)", noMemory, ""},
		{"array length", "new Array(2 ** 32 - 1).fill(0)", noMemory, ""},
		{"padStart", "'x'.padStart(2 ** 30, 'ab')", noMemory, ""},
		{"BigInt", "2n ** (2n ** 40n)", noMemory, ""},
		{"closures", "const a = []; for (let i = 0; ; i++) a.push(() => i)", noMemory, ""},
		{"promises", "const a = []; for (;;) a.push(Promise.resolve(1).then(() => 1))", noMemory, ""},
		{"uncaught in a promise", "await Promise.resolve().then(() => { const a = []; for (;;) a.push([a]) })", noMemory, ""},
	}
	var code strings.Builder
	code.WriteString("const cases = {\n")
	for i, test := range cases {
		fmt.Fprintf(&code, "async case_%d() { %s },\n", i, test.code)
	}
	code.WriteString("};\nexport const handler = async (event) => event === 'ok' ? 'ok' : cases[event]();\n")
	f := languageFunction(t, RuntimeJavaScript, "app.handler", map[string]string{"app.mjs": code.String()})
	f.Limits.Timeout = 20 * time.Second
	f.Limits.Memory = 40 << 20
	testHostile(t, f, cases)
}

// Code that is wrong is refused with Lambda's name for it, and what was deployed
// before goes on serving.
func TestJavaScriptDeployErrors(t *testing.T) {
	cfg := testConfig(t)
	cfg.InitTimeout = time.Second
	r := open(t, cfg)
	deploy(t, r, javaScriptFunction(t, "export const handler = async () => 'ok';"))
	const handler = "\nexport const handler = async () => 'new';"
	for _, test := range []struct {
		name    string
		files   map[string]string
		handler string
		want    string
	}{
		{"syntax", map[string]string{"app.mjs": "export const handler = async () => {"}, "", "Runtime.UserCodeSyntaxError: SyntaxError: "},
		{"syntax of CommonJS", map[string]string{"app.js": "exports.handler = async () => {"}, "", "Runtime.UserCodeSyntaxError: SyntaxError: "},
		{"syntax of a dependency", map[string]string{"app.mjs": "import './dep.mjs'" + handler, "dep.mjs": "let x x"}, "", "Runtime.UserCodeSyntaxError: SyntaxError: "},
		{"ES module as CommonJS", map[string]string{"app.cjs": "export const handler = 1"}, "", "Runtime.UserCodeSyntaxError: SyntaxError: "},
		{"no such file", map[string]string{"other.mjs": handler}, "", "Runtime.ImportModuleError: Error: Cannot find module 'app'"},
		{"no such folder", map[string]string{"app.mjs": handler}, "src/app.handler", "Runtime.ImportModuleError: Error: Cannot find module"},
		{"no such package", map[string]string{"app.mjs": "import 'left-pad'" + handler}, "", "Runtime.ImportModuleError: Error"},
		{"no such package of CommonJS", map[string]string{"app.js": "require('left-pad')"}, "", "Runtime.ImportModuleError: Error: Cannot find module 'left-pad'"},
		{"no such relative file", map[string]string{"app.mjs": "import './nope.mjs'" + handler}, "", "Runtime.ImportModuleError: Error"},
		{"out of the code", map[string]string{"app.js": "require('../../etc/passwd')"}, "", "Runtime.ImportModuleError: Error: Cannot find module"},
		{"Node module", map[string]string{"app.mjs": "import http from 'node:http'" + handler}, "", "node:http"},
		{"net", map[string]string{"app.js": "require('net')"}, "", "Cannot find module 'net'"},
		{"native addon", map[string]string{"app.js": "require('./fast.node')", "fast.node": "\x7fELF"}, "", "fast.node"},
		{"no such name", map[string]string{"app.mjs": "import { nope } from './dep.mjs'" + handler, "dep.mjs": "export const x = 1"}, "", "SyntaxError"},
		{"bad JSON", map[string]string{"app.js": "require('./d.json')", "d.json": "{"}, "", "SyntaxError"},
		{"bad package.json", map[string]string{"app.js": "exports.handler = 1", "package.json": "{"}, "", ""},
		{"no such handler", map[string]string{"app.mjs": handler}, "app.main", "Runtime.HandlerNotFound: app.main is undefined or not exported"},
		{"handler is no function", map[string]string{"app.mjs": "export const handler = 5"}, "", "Runtime.HandlerNotFound: app.handler is not a function"},
		{"malformed", map[string]string{"app.mjs": handler}, "handler", "handler"},
		{"up", map[string]string{"app.mjs": handler}, "../app.handler", "handler"},
		{"raises", map[string]string{"app.mjs": "null.x" + handler}, "", "TypeError: Cannot read properties of null (reading 'x')"},
		{"raises its own", map[string]string{"app.js": "class Nope extends Error { name = 'Nope' }\nthrow new Nope('really')"}, "", "Nope: really"},
		{"throws text", map[string]string{"app.js": "throw 'text'"}, "", "string: text"},
		{"rejects", map[string]string{"app.mjs": "await Promise.reject(new RangeError('no'))" + handler}, "", "RangeError: no"},
		{"lost rejection", map[string]string{"app.mjs": "Promise.reject(new RangeError('no'))" + handler}, "", "Runtime.UnhandledPromiseRejection"},
		{"awaits what never comes", map[string]string{"app.mjs": "await new Promise(() => {})" + handler}, "", "never"},
		{"exits", map[string]string{"app.mjs": "process.exit(2)" + handler}, "", "Runtime.ExitError: Runtime exited with error: exit status 2"},
		{"never ends", map[string]string{"app.mjs": "for (;;) {}" + handler}, "", "did not end within 1s"},
		{"waits", map[string]string{"app.mjs": "await new Promise((done) => setTimeout(done, 3600000))" + handler}, "", "did not end within 1s"},
		{"all memory", map[string]string{"app.mjs": "const a = []; for (;;) a.push(new Array(10000).fill(1))" + handler}, "", "emory"},
		{"recursion", map[string]string{"app.mjs": "(function f() { f() })()" + handler}, "", "stack"},
		{"hook", map[string]string{"app.mjs": "ledge.registerBeforeSnapshot(() => { throw new Error('no capture') })" + handler}, "", "Error: no capture"},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := test.handler
			if name == "" {
				name = "app.handler"
			}
			f := languageFunction(t, RuntimeJavaScript, name, test.files)
			f.Limits.Memory = 16 << 20
			_, err := r.Deploy(context.Background(), f, nil)
			var refused *DeployError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("deployed with %T: %v\nwant %s", err, err, test.want)
			}
			wantServes(t, r)
		})
	}
}

// What the runtime promises of Node.js and the web's interfaces is there and works.
func TestJavaScriptLibrary(t *testing.T) {
	r := open(t, testConfig(t))
	cases := []struct{ name, body, want string }{
		{"TextEncoder", "return [[...new TextEncoder().encode('ä€😀')], new TextDecoder().decode(new Uint8Array([0xe2, 0x82, 0xac, 0xff]))]", `[[195,164,226,130,172,240,159,152,128],"€�"]`},
		{"TextDecoder fatal", "try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff])) } catch (e) { return e.name }", `"TypeError"`},
		{"URL", "const u = new URL('../b?x=1&y=ä#h', 'https://user@EXAMPLE.com:443/a/c/d'); return [u.href, u.host, u.port, u.pathname, u.search, u.searchParams.get('y')]", `["https://user@example.com/a/b?x=1&y=%C3%A4#h","example.com","","/a/b","?x=1&y=%C3%A4","ä"]`},
		{"URL is wrong", "try { new URL('nope') } catch (e) { return [e.name, e.code] }", `["TypeError","ERR_INVALID_URL"]`},
		{"URLSearchParams", "const p = new URLSearchParams('a=1&b=2&a=3'); p.append('c', 'x y&'); p.delete('b'); return [p.toString(), p.getAll('a'), [...p.keys()]]", `["a=1&a=3&c=x+y%26",["1","3"],["a","a","c"]]`},
		{"Headers", "const h = new Headers({ 'Content-Type': 'a/b' }); h.append('X-A', '1'); h.append('x-a', '2'); return [h.get('content-type'), h.get('X-A'), [...h]]", `["a/b","1, 2",[["content-type","a/b"],["x-a","1, 2"]]]`},
		{"Response", "const r = new Response('{\"a\":1}', { status: 201 }); return [r.status, r.ok, await r.json()]", `[201,true,{"a":1}]`},
		{"Request", "const q = new Request('http://x/', { method: 'post', body: 'b' }); return [q.method, q.url, await q.text()]", `["POST","http://x/","b"]`},
		{"structuredClone", "const a = { m: new Map([[1, new Set([2])]]), d: new Date(0), r: /x/gi, u: new Uint8Array([1]) }; a.self = a; const b = structuredClone(a); return [b !== a, b.self === b, b.m.get(1).has(2), b.d.getTime(), String(b.r), b.u[0]]", `[true,true,true,0,"/x/gi",1]`},
		{"base64", "return [btoa('hé'), atob('aGk='), Buffer.from('ä').toString('base64'), Buffer.from('_-8', 'base64url').toString('hex')]", `["aOk=","hi","w6Q=","ffef"]`},
		{"Buffer", "const b = Buffer.concat([Buffer.from('ab'), Buffer.from('6364', 'hex')]); return [b.toString(), b.length, b.slice(1, 3).toString('latin1'), Buffer.byteLength('€'), b.equals(Buffer.from('abcd')), b.readUInt16BE(0), Buffer.isBuffer(b), JSON.stringify(Buffer.from('a'))]",
			`["abcd",4,"bc",3,true,24930,true,"{\"type\":\"Buffer\",\"data\":[97]}"]`},
		{"digest", "const h = async (a) => Buffer.from(await crypto.subtle.digest(a, new TextEncoder().encode('x'))).toString('hex').slice(0, 8); return [await h('SHA-1'), await h('SHA-256'), await h('SHA-384'), await h('SHA-512')]", `["11f6ad8e","2d711642","d752c2c5","a4abd444"]`},
		{"randomness", "return [/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()), crypto.getRandomValues(new Uint8Array(64)).some((x) => x > 0)]", `[true,true]`},
		{"AbortController", "const c = new AbortController(); c.abort(); return [c.signal.aborted, c.signal.reason.name]", `[true,"AbortError"]`},
		{"EventTarget", "const t = new EventTarget(); let n = 0; t.addEventListener('x', () => n++, { once: true }); t.dispatchEvent(new Event('x')); t.dispatchEvent(new Event('x')); return n", `1`},
		{"ES2023", "return [[3, 1, 2].toSorted(), [1, 2].with(0, 5), [1, 2, 3].findLast((x) => x < 3), Object.groupBy ? 1 : 1, 'ab'.at(-1), [1, [2]].flat(), 2n ** 64n + '']", `[[1,2,3],[5,2],2,1,"b",[1,2],"18446744073709551616"]`},
		{"classes", "class A { #p = 1; static s = 2; get p() { return this.#p } static { this.t = 3 } } return [new A().p, A.s, A.t]", `[1,2,3]`},
		{"regular expressions", "return ['2024-02-03'.match(/(?<y>\\d+)-(?<m>\\d+)/).groups.m, 'aBc'.replace(/b/i, (x) => x + '!'), [...'a1b2'.matchAll(/\\d/g)].length, /\\p{L}/u.test('ä'), /(?<=a)b/.test('ab')]", `["02","aB!c",2,true,true]`},
		{"Date", "const d = new Date(Date.UTC(2024, 1, 29, 12)); return [d.toISOString(), d.getTimezoneOffset(), Math.abs(Date.now() - Date.parse(new Date().toISOString())) < 1000, new Date('2024-02-29T12:00').getTime() === d.getTime()]", `["2024-02-29T12:00:00.000Z",0,true,true]`},
		{"toLocaleString", "return [typeof (1234.5).toLocaleString(), typeof new Date(0).toLocaleDateString('de-DE'), typeof 'ä'.localeCompare('b')]", `["string","string","number"]`},
		{"process", "return [process.platform, process.version.startsWith('v'), typeof process.hrtime.bigint(), process.argv.length > 0, typeof process.memoryUsage().heapUsed, process.uptime() >= 0]", `["linux",true,"bigint",true,"number",true]`},
		{"performance", "const a = performance.now(); await new Promise((done) => setTimeout(done, 2)); return performance.now() - a >= 2", `true`},
		{"promise combinators", "return [await Promise.all([1, Promise.resolve(2)]), await Promise.any([Promise.reject(1), 3]), (await Promise.allSettled([Promise.reject(1)]))[0].status, await Promise.race([4, new Promise(() => {})])]", `[[1,2],3,"rejected",4]`},
		{"async iteration", "async function* g() { yield 1; yield 2 } const a = []; for await (const x of g()) a.push(x); return a", `[1,2]`},
		{"WeakRef", "const o = {}; return [new WeakRef(o).deref() === o, new WeakMap([[o, 1]]).get(o)]", `[true,1]`},
		{"globalThis", "return [typeof globalThis, typeof global, typeof window, typeof require]", `["object","object","undefined","undefined"]`},
		{"no quickjs", "return ['std', 'os', 'bjson', 'scriptArgs', '__loadScript', 'print'].filter((n) => n in globalThis)", `[]`},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			deploy(t, r, javaScriptFunction(t, "export const handler = async (event) => { "+test.body+" };"))
			if got, err := invoke(r, "f", `{}`); err != nil || got != test.want {
				t.Errorf("got %s, %v; want %s", got, err, test.want)
			}
		})
	}
}
