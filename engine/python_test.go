package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// What AWS Lambda's Python runtime documents, and what its interface client does:
// https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html,
// https://github.com/aws/aws-lambda-python-runtime-interface-client
func TestPythonHandlers(t *testing.T) {
	const reply = "def handler(event, context):\n    return "
	returns := func(expression string) string { return reply + expression + "\n" }
	object := func(message, kind, trace string) string {
		return fmt.Sprintf(`{"errorMessage": %q, "errorType": %q, "requestId": %q, "stackTrace": [%s]}`, message, kind, knownText, trace)
	}
	big := `"` + strings.Repeat("x", 1<<20) + `"`
	testHandlers(t, open(t, testConfig(t)), RuntimePython, "app.py", []handlerCase{
		{name: "documented", code: "import json\n\ndef handler(event, context):\n    return {'statusCode': 200, 'body': json.dumps('Hello, ' + event['name'])}\n",
			event: `{"name":"edge"}`, reply: `{"statusCode": 200, "body": "\"Hello, edge\""}`},
		{name: "echo of every kind", code: returns("event"), event: `{"a":[1,-2.5,1e300,true,false,null,"",{}],"b":{"c":[]}}`,
			reply: `{"a": [1, -2.5, 1e+300, true, false, null, "", {}], "b": {"c": []}}`},
		{name: "no reply", code: "def handler(event, context):\n    pass\n", event: `{}`, reply: `null`},
		{name: "no event", code: returns("event is None"), reply: `true`},
		{name: "null", code: returns("event is None"), event: `null`, reply: `true`},
		{name: "scalar event", code: returns("event + 1"), event: ` 41 `, reply: `42`},
		{name: "large integer", code: returns("event + 1"), event: `123456789012345678901234567890`, reply: `123456789012345678901234567891`},
		{name: "float", code: returns("[event, 0.1 + 0.2, 1.0, 1e22, -0.0]"), event: `1.5`, reply: `[1.5, 0.30000000000000004, 1.0, 1e+22, -0.0]`},
		{name: "NaN", code: returns("[float('nan'), float('inf'), -float('inf')]"), event: `0`, reply: `[NaN, Infinity, -Infinity]`},
		{name: "Decimal", code: "from decimal import Decimal\n" + returns("[Decimal('1.10'), Decimal('NaN'), {'a': Decimal('12345678901234567890.5')}]"), event: `0`,
			reply: `[1.10, NaN, {"a": 12345678901234567890.5}]`},
		{name: "named tuple", code: "from collections import namedtuple\nP = namedtuple('P', 'x y')\n" + returns("[P(1, 2), (3, 4)]"), event: `0`, reply: `[{"x": 1, "y": 2}, [3, 4]]`},
		{name: "keys", code: returns("{1: 'a', None: 'b', True: 'c', 1.5: 'd'}"), event: `0`, reply: `{"1": "c", "null": "b", "1.5": "d"}`},
		{name: "bytes inside", code: returns("{'b': b'raw'}"), event: `0`, reply: `{"b": "raw"}`},
		{name: "bytes", code: returns("b'raw'"), event: `0`, reply: `raw`},
		{name: "int subclass", code: "import enum, http\nclass C(enum.IntEnum):\n    RED = 7\n" + returns("[C.RED, http.HTTPStatus.OK]"), event: `0`, reply: `[7, 200]`},
		{name: "unicode", code: returns("event + 'ß€😀'"), event: `"\u00e4\ud83d\ude00"`, reply: `"ä😀ß€😀"`},
		{name: "control characters", code: returns("event"), event: `"\u0000\u001f\"\\\/\n"`, reply: `"\u0000\u001f\"\\/\n"`},
		{name: "half a surrogate pair", code: returns("event"), event: `"\ud83d"`, reply: `"\ud83d"`},
		{name: "large event and reply", code: returns("event"), event: big, reply: big},
		{name: "large reply", code: returns("'y' * event"), event: `3000000`, reply: `"` + strings.Repeat("y", 3000000) + `"`},
		{name: "duplicate keys", code: returns("event"), event: `{"a":1,"a":2}`, reply: `{"a": 2}`},

		{name: "context", code: returns(`[context.function_name, context.function_version, context.invoked_function_arn, context.memory_limit_in_mb,
        context.aws_request_id, context.log_group_name, context.log_stream_name, context.client_context,
        context.identity.cognito_identity_id, 0 < context.get_remaining_time_in_millis() <= 3000]`), event: `{}`,
			reply: `["f", "$LATEST", "arn:aws:lambda:us-east-1:000000000000:function:f", "128", "` + knownText + `", "/aws/lambda/f", "$LATEST", null, null, true]`},
		{name: "environment", code: "import os\n" + returns(`[os.environ[k] for k in ('GREETING', 'AWS_LAMBDA_FUNCTION_NAME', 'AWS_LAMBDA_FUNCTION_VERSION', 'AWS_LAMBDA_FUNCTION_MEMORY_SIZE', 'LAMBDA_TASK_ROOT', '_HANDLER')] + [os.getenv('TZ')]`),
			event: `{}`, reply: `["hei ö", "f", "$LATEST", "128", "/var/task", "app.handler", ":UTC"]`},
		{name: "working directory", code: "import os, sys\n" + returns("[os.getcwd(), sys.path[0], __file__, __name__, open('data.txt').read()]"), files: map[string]string{"data.txt": "data"},
			event: `{}`, reply: `["/var/task", "/var/task", "/var/task/app.py", "app", "data"]`},
		{name: "context is new each time", code: "seen = []\ndef handler(event, context):\n    was = hasattr(context, 'mark')\n    context.mark = 1\n    return was\n", event: `{}`, reply: `false`},

		{name: "package", handler: "pkg.sub.mod.main", files: map[string]string{"pkg/__init__.py": "", "pkg/sub/__init__.py": "from . import other\n",
			"pkg/sub/other.py": "X = 5\n", "pkg/sub/mod.py": "from .other import X\ndef main(event, context):\n    return [X, __name__]\n"}, event: `{}`, reply: `[5, "pkg.sub.mod"]`},
		{name: "folder", handler: "src/app.main", files: map[string]string{"src/app.py": "def main(event, context):\n    return __name__\n"}, event: `{}`, reply: `"src.app"`},
		{name: "dependency", code: "import dep.core\n" + returns("dep.core.f(event)"), files: map[string]string{"dep/__init__.py": "", "dep/core.py": "def f(x):\n    return x * 2\n"}, event: `21`, reply: `42`},
		{name: "own module before the library's", code: "import calendar\n" + returns("calendar.mine"), files: map[string]string{"calendar.py": "mine = 1\n"}, event: `0`, reply: `1`},
		{name: "callable object", code: "class H:\n    def __call__(self, event, context):\n        return 'called'\nhandler = H()\n", event: `0`, reply: `"called"`},
		{name: "lambda", code: "handler = lambda event, context: 3\n", event: `0`, reply: `3`},
		{name: "decorated", code: "import functools\ndef d(f):\n    @functools.wraps(f)\n    def g(*a):\n        return [f(*a)]\n    return g\n@d\ndef handler(event, context):\n    return 1\n", event: `0`, reply: `[1]`},
		{name: "default arguments", code: "def handler(event, context, more=5):\n    return more\n", event: `0`, reply: `5`},

		{name: "print", code: "import sys\ndef handler(event, context):\n    print('one', 2)\n    print('err ö', file=sys.stderr)\n    print('no end', end='')\n", event: `0`, reply: `null`,
			log: "one 2\nerr ö\nno end\n"},
		{name: "logging", code: "import logging\nlogging.getLogger().setLevel('INFO')\ndef handler(event, context):\n    logging.debug('no')\n    logging.info('a %s', 1)\n    logging.getLogger('x.y').warning('b')\n", event: `0`, reply: `null`,
			log: "[INFO]\tT\t" + knownText + "\ta 1\n[WARNING]\tT\t" + knownText + "\tb\n"},
		{name: "logging is at WARNING at first", code: "import logging\ndef handler(event, context):\n    return logging.getLogger().getEffectiveLevel()\n", event: `0`, reply: `30`},
		{name: "logging an exception", code: "import logging\ndef handler(event, context):\n    try:\n        1 / 0\n    except ZeroDivisionError:\n        logging.exception('caught')\n", event: `0`, reply: `null`,
			log: "[ERROR]\tT\t" + knownText + "\tcaught\nTraceback (most recent call last):\n  File \"/var/task/app.py\", line 4, in handler\n    1 / 0\n    ~~^~~\nZeroDivisionError: division by zero"},

		{name: "exception", code: "def handler(event, context):\n    raise Exception('I failed!')\n", event: `{}`,
			failure: object("I failed!", "Exception", `"  File \"/var/task/app.py\", line 2, in handler\n    raise Exception('I failed!')\n"`),
			log:     "[ERROR] Exception: I failed!\nTraceback (most recent call last):\n"},
		{name: "frames", code: "def inner(x):\n    return x['missing']\n\ndef handler(event, context):\n    return inner(event)\n", event: `{}`,
			failure: object("'missing'", "KeyError", `"  File \"/var/task/app.py\", line 5, in handler\n    return inner(event)\n", "  File \"/var/task/app.py\", line 2, in inner\n    return x['missing']\n"`)},
		{name: "class of the function's", code: "class Broken(Exception):\n    def __str__(self):\n        return 'so broken'\n\ndef handler(event, context):\n    raise Broken\n", event: `{}`,
			failure: object("so broken", "Broken", `"  File \"/var/task/app.py\", line 6, in handler\n    raise Broken\n"`)},
		{name: "nested", code: "def handler(event, context):\n    try:\n        1 / 0\n    except ZeroDivisionError as e:\n        raise ValueError('outer') from e\n", event: `{}`,
			failure: object("outer", "ValueError", `"  File \"/var/task/app.py\", line 5, in handler\n    raise ValueError('outer') from e\n"`)},
		{name: "no message", code: "def handler(event, context):\n    raise RuntimeError\n", event: `{}`,
			failure: object("", "RuntimeError", `"  File \"/var/task/app.py\", line 2, in handler\n    raise RuntimeError\n"`)},
		{name: "assertion", code: "def handler(event, context):\n    assert event, 'empty'\n", event: `{}`,
			failure: object("empty", "AssertionError", `"  File \"/var/task/app.py\", line 2, in handler\n    assert event, 'empty'\n"`)},
		{name: "no library frames", code: "import json\n\ndef handler(event, context):\n    return json.dumps(event, default=1, cls=int)\n", event: `{}`,
			failure: object("int() takes at most 2 keyword arguments (8 given)", "TypeError",
				`"  File \"/var/task/app.py\", line 4, in handler\n    return json.dumps(event, default=1, cls=int)\n"`)},
		{name: "too few arguments", code: "def handler(event):\n    pass\n", event: `{}`,
			failure: object("handler() takes 1 positional argument but 2 were given", "TypeError", "")},
		{name: "handler is no function", code: "handler = 5\n", event: `{}`, failure: object("'int' object is not callable", "TypeError", "")},
		{name: "not JSON", code: returns("{1, 2}"), event: `{}`, failure: object("Unable to marshal response: Object of type set is not JSON serializable", "Runtime.MarshalError", "")},
		{name: "cycle", code: "def handler(event, context):\n    a = []\n    a.append(a)\n    return a\n", event: `{}`, failure: object("Unable to marshal response: Circular reference detected", "Runtime.MarshalError", "")},
		{name: "bytes that are no text", code: returns("{'b': b'\\xff'}"), event: `{}`,
			failure: object("Unable to marshal response: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte", "Runtime.MarshalError", "")},
		{name: "event that is no JSON", code: returns("1"), event: `{"a":`, failure: object("Unable to unmarshal input: Expecting value: line 1 column 6 (char 5)", "Runtime.UnmarshalError", "")},
		{name: "event with something behind", code: returns("1"), event: `1 2`, failure: object("Unable to unmarshal input: Extra data: line 1 column 3 (char 2)", "Runtime.UnmarshalError", "")},
	})
}

// Errors whose text differs from Lambda's in what no program can depend on.
func TestPythonFailures(t *testing.T) {
	r := open(t, testConfig(t))
	for _, test := range []struct{ name, body, types, message string }{
		{"unicode", "raise ValueError('ß😀\\ud800')", "ValueError", "ß😀"},
		{"very long", "raise ValueError('x' * 5000000)", "ValueError", "xxxx"},
		{"str fails", "class E(Exception):\n        def __str__(self): raise KeyError(1)\n    raise E()", "E", ""},
		{"str gives no text", "class E(Exception):\n        def __str__(self): return 5\n    raise E()", "E", ""},
		{"str never ends", "class E(Exception):\n        def __str__(self): return str(self)\n    raise E()", "E", ""},
		{"name that is no text", "E = type('E', (Exception,), {})\n    E.__name__ = 'Ü\\n'\n    raise E('x')", "Ü\n", "x"},
		{"group", "raise ExceptionGroup('several', [ValueError(1), TypeError(2)])", "ExceptionGroup", "several (2 sub-exceptions)"},
		{"base exception", "raise BaseException('base')", "BaseException", "base"},
		{"keyboard interrupt", "raise KeyboardInterrupt", "KeyboardInterrupt", ""},
		{"generator exit", "raise GeneratorExit('g')", "GeneratorExit", "g"},
		{"stop iteration", "return next(iter([]))", "StopIteration", ""},
		{"cycle of causes", "a, b = ValueError('a'), ValueError('b')\n    a.__cause__ = b; b.__cause__ = a\n    raise a", "ValueError", "a"},
		{"sys.exit", "import sys; sys.exit(3)", "Runtime.ExitError", "exit status 3"},
		{"sys.exit with text", "import sys; sys.exit('bye')", "Runtime.ExitError", "exit status 1"},
		{"exit", "raise SystemExit", "Runtime.ExitError", "exit status 0"},
		{"os._exit", "import os; os._exit(4)", "Runtime.ExitError", "exit status 4"},
		{"os._exit in vain", "import os\n    try:\n        os._exit(4)\n    except BaseException:\n        pass\n    raise ValueError('still here')", "ValueError|Runtime.ExitError", ""},
		{"os.abort", "import os; os.abort()", "Runtime.ExitError", ""},
		{"os.kill", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "AttributeError|OSError|Runtime.ExitError", ""},
		{"a thread", "import threading; threading.Thread(target=print).start()", "RuntimeError", "thread"},
		{"a process", "import subprocess; subprocess.run(['ls'])", "OSError|ModuleNotFoundError|RuntimeError|AttributeError|PermissionError|FileNotFoundError", ""},
		{"write", "open('/var/task/x', 'w')", "OSError|PermissionError", ""},
		{"write to /tmp", "open('/tmp/x', 'w')", "OSError|PermissionError|FileNotFoundError", ""},
		{"coroutine", "async def f(): pass\n    return f()", "Runtime.MarshalError", "asyncio.run"},
		{"closed output", "import sys; sys.stdout.close(); raise ValueError('after')", "ValueError", "after"},
		{"replaced output", "import sys; sys.stdout = None; print(1); raise ValueError('after')", "ValueError", "after"},
		{"output that fails", "import sys\n    class S:\n        def write(self, x): raise OSError('no')\n        def flush(self): raise OSError('no')\n    sys.stdout = S()\n    raise ValueError('after')", "ValueError", "after"},
		{"profile that fails", "import sys\n    def p(*a): raise KeyError('p')\n    sys.setprofile(p)\n    raise ValueError('after')", "ValueError|KeyError", ""},
		{"broken json module", "import json; json.dumps = json.loads = None; raise ValueError('after')", "ValueError", "after"},
		{"broken traceback module", "import traceback; traceback.extract_tb = traceback.format_list = None; raise ValueError('after')", "ValueError", "after"},
		{"broken builtins", "import builtins; s = builtins.str; builtins.str = builtins.len = builtins.isinstance = None; raise ValueError('after')", "ValueError", "after"},
	} {
		t.Run(test.name, func(t *testing.T) {
			deploy(t, r, pythonFunction(t, "def handler(event, context):\n    if event == 'ok':\n        return 'ok'\n    "+test.body+"\n"))
			for range 2 {
				_, err := invoke(r, "f", `{}`)
				wantRaised(t, err, test.types, test.message)
			}
			wantServes(t, r)
		})
	}
}

// Recursion and memory: what is too much is an exception, whoever recurses.
func TestPythonExhaustion(t *testing.T) {
	const tooDeep, noMemory = "RecursionError", "MemoryError|Runtime.OutOfMemory"
	const nest = "x = []\n    for _ in range(100000): x = [x]\n    "
	var code strings.Builder
	code.WriteString("import json, re, pickle, copy, ast, sys\n")
	cases := []hostileCase{
		{"function", "def f(n): return f(n + 1)\n    f(0)", tooDeep, "maximum recursion depth exceeded"},
		{"function without a limit", "sys.setrecursionlimit(100000)\n    def f(n): return f(n + 1)\n    try:\n        f(0)\n    finally:\n        sys.setrecursionlimit(1000)", tooDeep + "|MemoryError|SystemError", ""},
		{"method", "class C:\n        def __getattr__(self, name): return getattr(self, name + 'x')\n    C().a", tooDeep, ""},
		{"repr method", "class C:\n        def __repr__(self): return repr(self)\n    repr(C())", tooDeep, ""},
		{"eq", "class C:\n        def __eq__(self, o): return self == o\n    C() == C()", tooDeep, ""},
		{"hash", "class C:\n        def __hash__(self): return hash(self)\n    hash(C())", tooDeep, ""},
		{"call", "class C: pass\n    C.__call__ = C()\n    C()()", tooDeep, ""},
		{"sort key", "def k(x): return sorted([1], key=k)\n    k(1)", tooDeep, ""},
		{"map", "x = iter([])\n    for _ in range(100000): x = map(int, x)\n    list(x)", "Runtime.Trap", ""}, // of which CPython itself dies
		{"property", "class C:\n        @property\n        def p(self): return self.p\n    C().p", tooDeep, ""},
		{"format", "class C:\n        def __format__(self, s): return format(self, s)\n    f'{C()}'", tooDeep, ""},
		{"repr of a list", nest + "repr(x)", tooDeep, ""},
		{"comparison of lists", nest + "y = []\n    for _ in range(100000): y = [y]\n    x == y", tooDeep, ""},
		{"repr of a dict", "x = {}\n    for _ in range(200000): x = {1: x}\n    repr(x)", tooDeep, ""},
		{"json.dumps", nest + "json.dumps(x)", tooDeep, ""},
		{"json.loads", "json.loads('[' * 200000)", tooDeep, ""},
		{"json.loads of objects", "json.loads('{\"a\":' * 200000)", tooDeep, ""},
		{"reply", "x = []\n    for _ in range(100000): x = [x]\n    return x", "Runtime.MarshalError|RecursionError", ""},
		{"pickle", nest + "pickle.dumps(x)", tooDeep, ""},
		{"unpickle", "pickle.loads(b'\\x80\\x04' + b']' * 10 + b'(' * 100000 + b'.')", "UnpicklingError|RecursionError|TypeError|IndexError|MemoryError", ""},
		{"deepcopy", "x = []\n    for _ in range(3000): x = [x]\n    copy.deepcopy(x)", tooDeep, ""},
		{"regular expression", "re.compile('(' * 5000 + ')' * 5000)", tooDeep + "|error|PatternError|OverflowError", ""},
		{"compile", "compile('(' * 100000 + ')' * 100000, 'x', 'eval')", "SyntaxError|MemoryError|RecursionError", ""},
		{"compile of operators", "compile('-' * 100000 + '1', 'x', 'eval')", "MemoryError|RecursionError|SyntaxError", ""},
		{"compile of attributes", "compile('a' + '.a' * 100000, 'x', 'eval')", "MemoryError|RecursionError|SyntaxError", ""},
		{"compile of calls", "compile('f(' * 5000 + ')' * 5000, 'x', 'eval')", "SyntaxError|MemoryError|RecursionError", ""},
		{"compile of a sum", "compile('+'.join(['a'] * 100000), 'x', 'eval')", "MemoryError|RecursionError|SyntaxError", ""},
		{"literal_eval", "ast.literal_eval('[' * 150 + ']' * 150); ast.literal_eval('-' * 50000 + '1')", "SyntaxError|MemoryError|RecursionError|ValueError", ""},
		{"compile of a tree", "x = ast.Constant(1, lineno=1, col_offset=0)\n    for _ in range(100000): x = ast.UnaryOp(ast.USub(), x, lineno=1, col_offset=0)\n    compile(ast.Expression(x), 'x', 'eval')", "RecursionError|MemoryError", ""},
		{"isinstance of tuples", "x = (int,)\n    for _ in range(100000): x = (x,)\n    isinstance('', x)\n    raise RecursionError('it ended')", tooDeep, ""},
		{"freed chain", "class N: pass\n    x = None\n    for _ in range(100000):\n        n = N(); n.next = x; x = n\n    n = None\n    x = None\n    raise RecursionError('it ended')", tooDeep, "it ended"},
		{"generators", "def g(n):\n        yield from g(n + 1)\n    list(g(0))", tooDeep, ""},
		{"exec", "def f(): exec('f()', {'f': f})\n    f()", tooDeep, ""},
		{"str.join", "class C(str):\n        def __str__(self): return str(C(self))\n    str(C('a'))", tooDeep, ""},
		{"decimal", "import decimal\n    decimal.Decimal(10) ** decimal.Decimal(10**20)", "Overflow|InvalidOperation|MemoryError", ""},
		{"xml", "import xml.etree.ElementTree as E\n    E.fromstring('<a>' * 300000)", "ParseError|MemoryError|RecursionError", ""},
		{"list", "x = []\n    while True: x.append('x' * 1000000)", noMemory, ""},
		{"small objects", "x = []\n    while True: x.append([x])", noMemory, ""},
		{"dict", "d = {}\n    i = 0\n    while True:\n        d[i] = str(i)\n        i += 1", noMemory, ""},
		{"bytes", "b'x' * (1 << 30)", noMemory, ""},
		{"bytes of more than an address", "b'x' * (1 << 33)", noMemory + "|OverflowError", ""},
		{"text doubling", "s = 'x'\n    while True: s += s", noMemory, ""},
		{"bytearray", "b = bytearray()\n    while True: b.extend(bytes(1 << 20))", noMemory, ""},
		{"range list", "list(range(10**10))", noMemory + "|OverflowError", ""},
		{"integer", "1 << (1 << 34)", noMemory + "|OverflowError", ""},
		{"repeat", "'%*d' % (2**30, 1)", noMemory + "|OverflowError|ValueError", ""},
		{"zlib bomb", "import zlib\n    b = zlib.compress(bytes(60000000))\n    x = [zlib.decompress(b) for _ in range(20)]", noMemory, ""},
		{"stored in a global", "global hoard\n    hoard = []\n    try:\n        while True: hoard.append(bytes(1 << 16))\n    except MemoryError:\n        pass\n    return [0] * 10**7", noMemory, ""},
	}
	for i, test := range cases {
		fmt.Fprintf(&code, "def case_%d():\n    %s\n", i, test.code)
	}
	code.WriteString("def handler(event, context):\n    return 'ok' if event == 'ok' else globals()[event]()\n")
	f := pythonFunction(t, code.String())
	f.Limits.Timeout = 20 * time.Second
	f.Limits.Memory = 40 << 20
	testHostile(t, f, cases)
}

// Code that is wrong is refused with Lambda's name for it, and what was deployed
// before goes on serving.
func TestPythonDeployErrors(t *testing.T) {
	cfg := testConfig(t)
	cfg.InitTimeout = time.Second
	r := open(t, cfg)
	v1 := pythonFunction(t, "def handler(event, context):\n    return 'ok'\n")
	deploy(t, r, v1)
	const handler = "\ndef handler(event, context):\n    return 'new'\n"
	for _, test := range []struct {
		name    string
		files   map[string]string
		handler string
		want    string // in the error
	}{
		{"syntax", map[string]string{"app.py": "def handler(event, context)\n    return 1\n"}, "", "Runtime.UserCodeSyntaxError: Syntax error in module 'app': expected ':' (app.py, line 1)"},
		{"tabs", map[string]string{"app.py": "def handler(event, context):\n\tif 1:\n        return 1\n"}, "", "Runtime.UserCodeSyntaxError: Syntax error in module 'app': inconsistent use of tabs and spaces in indentation (app.py, line 3)"},
		{"syntax of a dependency", map[string]string{"app.py": "import dep" + handler, "dep.py": "x = = 1"}, "", "Runtime.UserCodeSyntaxError: Syntax error in module 'app': invalid syntax (dep.py, line 1)"},
		{"no UTF-8", map[string]string{"app.py": "x = '\xff'" + handler}, "", "Runtime.UserCodeSyntaxError: Syntax error in module 'app': (unicode error)"},
		{"zero byte", map[string]string{"app.py": "x = 1\x00" + handler}, "", "Runtime.UserCodeSyntaxError: Syntax error in module 'app': source code string cannot contain null bytes"},
		{"no such file", map[string]string{"other.py": handler}, "", "Runtime.ImportModuleError: Unable to import module 'app': No module named 'app'"},
		{"no such dependency", map[string]string{"app.py": "import requests" + handler}, "", "Runtime.ImportModuleError: Unable to import module 'app': No module named 'requests'"},
		{"no such name", map[string]string{"app.py": "from os import nonsense" + handler}, "", "Runtime.ImportModuleError: Unable to import module 'app': cannot import name 'nonsense' from 'os'"},
		{"circular import", map[string]string{"app.py": "from dep import x" + handler, "dep.py": "from app import y\nx = 1"}, "", "Runtime.ImportModuleError: Unable to import module 'app': cannot import name 'y' from partially initialized module 'app'"},
		{"no such handler", map[string]string{"app.py": handler}, "app.main", "Runtime.HandlerNotFound: Handler 'main' missing on module 'app'"},
		{"no such package", map[string]string{"app.py": handler}, "pkg.sub.app.handler", "Runtime.ImportModuleError: Unable to import module 'pkg.sub.app': No module named 'pkg'"},
		{"no such folder", map[string]string{"app.py": handler}, "sub/app.handler", "Runtime.ImportModuleError: Unable to import module 'sub/app': No module named 'sub'"},
		{"built-in module", map[string]string{"sys.py": handler}, "sys.handler", "Runtime.BuiltInModuleConflict: Cannot use built-in module sys as a handler module"},
		{"malformed", map[string]string{"app.py": handler}, "handler", "handler"},
		{"dots", map[string]string{"app.py": handler}, "..app.handler", "handler"},
		{"up", map[string]string{"app.py": handler}, "../app.handler", ""},
		{"empty", map[string]string{"app.py": handler}, " ", "handler"},
		{"raises", map[string]string{"app.py": "x = {}['key']" + handler}, "", "KeyError: 'key'"},
		{"raises its own", map[string]string{"app.py": "class Nope(Exception): pass\nraise Nope('really')" + handler}, "", "Nope: really"},
		{"exits", map[string]string{"app.py": "import sys; sys.exit(2)" + handler}, "", "Runtime.ExitError: Runtime exited with error: exit status 2"},
		{"os._exit", map[string]string{"app.py": "import os; os._exit(2)" + handler}, "", "Runtime.ExitError: Runtime exited with error: exit status 2"},
		{"never ends", map[string]string{"app.py": "while True: pass" + handler}, "", "did not end within 1s"},
		{"sleeps", map[string]string{"app.py": "import time; time.sleep(3600)" + handler}, "", "did not end within 1s"},
		{"all memory", map[string]string{"app.py": "x = []\nwhile True: x.append(bytes(1 << 20))" + handler}, "", "emory"},
		{"recursion", map[string]string{"app.py": "def f(): f()\nf()" + handler}, "", "RecursionError: maximum recursion depth exceeded"},
		{"socket", map[string]string{"app.py": "import socket" + handler}, "", "Runtime.ImportModuleError: Unable to import module 'app': No module named 'socket': functions have no sockets here. Use ledge.http"},
		{"ssl", map[string]string{"app.py": "import ssl" + handler}, "", "Runtime.ImportModuleError: Unable to import module 'app': No module named 'ssl'"},
		{"ctypes", map[string]string{"app.py": "import ctypes" + handler}, "", "Runtime.ImportModuleError: Unable to import module 'app': No module named 'ctypes': native libraries cannot be loaded here"},
		{"urllib.request", map[string]string{"app.py": "import urllib.request" + handler}, "", "ledge.http"},
		{"multiprocessing", map[string]string{"app.py": "import multiprocessing" + handler}, "", "Runtime.ImportModuleError"},
		{"C extension", map[string]string{"app.py": "import fast" + handler, "fast.cpython-313-x86_64-linux-gnu.so": "\x7fELF"}, "", "C extension fast.cpython-313-x86_64-linux-gnu.so"},
		{"C extension in a package", map[string]string{"app.py": "import pkg" + handler, "pkg/__init__.py": "from . import _fast", "pkg/_fast.abi3.so": "\x7fELF"}, "", "C extension pkg/_fast.abi3.so"},
		{"hook", map[string]string{"app.py": "import snapshot_restore_py\ndef bad(): raise ValueError('no capture')\nsnapshot_restore_py.register_before_snapshot(bad)" + handler}, "", "ValueError: no capture"},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := test.handler
			if name == "" {
				name = "app.handler"
			}
			f := languageFunction(t, RuntimePython, name, test.files)
			f.Limits.Memory = 32 << 20
			_, err := r.Deploy(context.Background(), f, nil)
			var refused *DeployError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("deployed with %T: %v\nwant %s", err, err, test.want)
			}
			wantServes(t, r)
		})
	}
}

// What the runtime promises of the standard library is there and works.
func TestPythonLibrary(t *testing.T) {
	r := open(t, testConfig(t))
	for _, test := range []struct{ name, body, want string }{
		{"json", "import json; return json.loads(json.dumps({'ä': [1.5, None]}))", `{"ä": [1.5, null]}`},
		{"re", "import re; return re.findall(r'(\\w)(\\d+)', 'a12 b3')", `[["a", "12"], ["b", "3"]]`},
		{"datetime", "from datetime import datetime, timezone, timedelta; return (datetime(2024, 2, 28, tzinfo=timezone.utc) + timedelta(days=2)).isoformat()", `"2024-03-01T00:00:00+00:00"`},
		{"zoneinfo", "from datetime import datetime; from zoneinfo import ZoneInfo; return datetime(2024, 7, 1, tzinfo=ZoneInfo('Europe/Berlin')).isoformat()", `"2024-07-01T00:00:00+02:00"`},
		{"local time is UTC", "import time; return [time.localtime(0)[:4], time.tzname[0]]", `[[1970, 1, 1, 0], "UTC"]`},
		{"hashlib", "import hashlib; return [hashlib.new(n, b'x').hexdigest()[:8] for n in ('md5', 'sha1', 'sha256', 'sha512', 'sha3_256', 'blake2b')]", `["9dd4e461", "11f6ad8e", "2d711642", "a4abd444", "741efa31", "0909377a"]`},
		{"hmac", "import hmac; return hmac.new(b'k', b'm', 'sha256').hexdigest()[:16]", `"b60090e3052297ae"`},
		{"base64", "import base64; return base64.b64encode(b'\\xff\\x00').decode()", `"/wA="`},
		{"csv", "import csv, io; return list(csv.reader(io.StringIO('a,\"b,c\"\\n1,2')))", `[["a", "b,c"], ["1", "2"]]`},
		{"sqlite3", "import sqlite3; c = sqlite3.connect(':memory:'); c.execute('create table t(a, b)'); c.executemany('insert into t values(?, ?)', [(1, 'x'), (2, 'y')]); return c.execute('select sum(a), group_concat(b) from t').fetchall()", `[[3, "x,y"]]`},
		{"zlib", "import zlib; return zlib.decompress(zlib.compress(b'abc' * 1000)) == b'abc' * 1000", `true`},
		{"gzip", "import gzip; return gzip.decompress(gzip.compress(b'abc')).decode()", `"abc"`},
		{"decimal", "from decimal import Decimal; return str(Decimal('0.1') + Decimal('0.2'))", `"0.3"`},
		{"fractions", "from fractions import Fraction; return str(Fraction(1, 3) + Fraction(1, 6))", `"1/2"`},
		{"urllib.parse", "from urllib.parse import urlencode, parse_qs; return [urlencode({'a': 'ö &'}), parse_qs('a=1&a=2')]", `["a=%C3%B6+%26", {"a": ["1", "2"]}]`},
		{"asyncio", "import asyncio\n    async def f(x):\n        await asyncio.sleep(0.001)\n        return x\n    async def main():\n        return await asyncio.gather(f(1), f(2))\n    return asyncio.run(main())", `[1, 2]`},
		{"asyncio timeout", "import asyncio\n    async def main():\n        try:\n            await asyncio.wait_for(asyncio.sleep(10), 0.001)\n        except TimeoutError:\n            return 'late'\n    return asyncio.run(main())", `"late"`},
		{"asyncio queue", "import asyncio\n    async def main():\n        q = asyncio.Queue()\n        async def put():\n            for i in range(3): await q.put(i)\n        async with asyncio.TaskGroup() as g:\n            g.create_task(put())\n            return [await q.get() for _ in range(3)]\n    return asyncio.run(main())", `[0, 1, 2]`},
		{"xml", "import xml.etree.ElementTree as E; return E.fromstring('<a><b x=\"1\">t</b></a>').find('b').attrib", `{"x": "1"}`},
		{"dataclasses", "from dataclasses import dataclass, asdict\n    @dataclass\n    class P:\n        x: int = 1\n    return asdict(P())", `{"x": 1}`},
		{"typing and enum", "import typing, enum, abc, collections, itertools, functools, heapq, bisect, statistics, string, textwrap, operator, struct, array, contextlib, secrets, uuid, html, logging, unittest, email.message, configparser, argparse, difflib, pprint, inspect, tomllib, ipaddress; return statistics.mean([1, 2, 3])", `2`},
		{"pickle", "import pickle; return pickle.loads(pickle.dumps({'a': (1, 2)}))", `{"a": [1, 2]}`},
		{"unicodedata", "import unicodedata; return unicodedata.normalize('NFD', 'ä')", "\"a\u0308\""},
		{"io", "import io; return io.TextIOWrapper(io.BytesIO('ä'.encode('latin-1')), 'latin-1').read()", `"ä"`},
		{"codecs", "return ['ä'.encode(c).hex() for c in ('utf-16-le', 'cp1252', 'idna', 'utf-7')]", `["e400", "e4", "786e2d2d346361", "2b414f512d"]`},
		{"large numbers", "return len(str(2 ** 10000))", `3011`},
		{"math", "import math, cmath; return [math.gcd(12, 18), round(math.sin(1), 6), abs(cmath.exp(1j * cmath.pi) + 1) < 1e-9]", `[6, 0.841471, true]`},
		{"os", "import os; return [os.name, os.listdir('/var/task'), os.path.exists('app.py'), os.stat('app.py').st_size > 0]", `["posix", ["app.py"], true, true]`},
		{"pathlib", "from pathlib import Path; return sorted(p.name for p in Path('/var/task').iterdir())", `["app.py"]`},
		{"version", "import sys; return [list(sys.version_info[:2]), sys.implementation.name]", `[[3, 13], "cpython"]`},
		{"warnings do not fail", "import warnings; warnings.warn('w'); return 1", `1`},
		{"time", "import time; a = time.monotonic(); b = time.perf_counter(); time.sleep(0.002); return [time.monotonic() - a >= 0.002, time.perf_counter() - b >= 0.002]", `[true, true]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			deploy(t, r, pythonFunction(t, "def handler(event, context):\n    "+test.body+"\n"))
			if got, err := invoke(r, "f", `{}`); err != nil || got != test.want {
				t.Errorf("got %s, %v; want %s", got, err, test.want)
			}
		})
	}
}
