package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCallKV(t *testing.T) {
	cfg := testConfig(t)
	data := &memoryData{}
	cfg.Data = data
	r := open(t, cfg)
	for i := range 2500 {
		data.put(t, "function.f", fmt.Sprintf("many/%04d", i), nil)
	}
	data.put(t, "function.f", "wild/\xff\xfe", nil)
	data.put(t, "function.f", "wild/\xff\xff", nil)
	data.put(t, "function.g", "secret", []byte("g's"))
	data.put(t, "function.f", "binary", []byte{0, 255, 254, 'a'})
	evaluate(t, r, func(f *Function) {}, []expression{
		{"absent", "ledge.kv.get('nope')", "ledge.kv.get('nope')", `null`},
		{"absent with a default", "ledge.kv.get('nope', 7)", "ledge.kv.get('nope').then((x) => x ?? 7)", `7`},
		{"another function's", "ledge.kv.get('secret')", "ledge.kv.get('secret')", `null`},
		{"put and get", "[ledge.kv.put('k', b'v') > 0, ledge.kv.get('k').decode()]", "ledge.kv.put('k', 'v').then(async (x) => [x > 0, await ledge.kv.getText('k')])", `[true,"v"]`},
		{"replaced", "[ledge.kv.put('k', 'w') > 0, ledge.kv.get_text('k')]", "ledge.kv.put('k', 'w').then(async (x) => [x > 0, await ledge.kv.getText('k')])", `[true,"w"]`},
		{"unicode", "[ledge.kv.put('ключ 😀\\n', 'ö') > 0, ledge.kv.get_text('ключ 😀\\n')]", "ledge.kv.put('ключ 😀\\n', 'ö').then(async (x) => [x > 0, await ledge.kv.getText('ключ 😀\\n')])", `[true,"ö"]`},
		{"JSON", "[ledge.kv.put_json('j', {'a': [1, 'ö']}) > 0, ledge.kv.get_json('j')]", "ledge.kv.putJSON('j', { a: [1, 'ö'] }).then(async (x) => [x > 0, await ledge.kv.getJSON('j')])", `[true,{"a":[1,"ö"]}]`},
		{"bytes", "list(ledge.kv.get('binary'))", "ledge.kv.get('binary').then((b) => [...b])", `[0,255,254,97]`},
		{"parts of bytes", "[ledge.kv.put('p', memoryview(b'abcd')[1:3]) > 0, ledge.kv.get_text('p')]", "ledge.kv.put('p', new Uint8Array([97, 98, 99, 100]).subarray(1, 3)).then(async (x) => [x > 0, await ledge.kv.getText('p')])", `[true,"bc"]`},
		{"empty value", "[ledge.kv.put('e', b'') > 0, list(ledge.kv.get('e'))]", "ledge.kv.put('e', '').then(async (x) => [x > 0, [...await ledge.kv.get('e')]])", `[true,[]]`},
		{"large value", "[ledge.kv.put('big', b'x' * 3000000) > 0, len(ledge.kv.get('big')), ledge.kv.delete('big')]", "ledge.kv.put('big', new Uint8Array(3000000)).then(async (x) => [x > 0, (await ledge.kv.get('big')).length, await ledge.kv.delete('big')])", `[true,3000000,true]`},
		{"delete", "[ledge.kv.put('d', '1') > 0, ledge.kv.delete('d'), ledge.kv.get('d'), ledge.kv.delete('d')]", "ledge.kv.put('d', '1').then(async (x) => [x > 0, await ledge.kv.delete('d'), await ledge.kv.get('d') ?? null, await ledge.kv.delete('d')])", `[true,true,null,false]`},
		{"a method alone", "(lambda get: get('nope'))(ledge.kv.get)", "(({ get, getText }) => getText('nope'))(ledge.kv)", `null`},

		{"list of all pages", "[len(k := list(ledge.kv.list('many/'))), k[0], k[999], k[1000], k[-1], k == sorted(k)]", "ledge.kv.list('many/').then((k) => [k.length, k[0], k[999], k[1000], k.at(-1), true])", `[2500,"many/0000","many/0999","many/1000","many/2499",true]`},
		{"list with a limit", "[len(list(ledge.kv.list('many/', n))) for n in (0, 1, 999, 1000, 1001, 2500, 9999)]", "Promise.all([0, 1, 999, 1000, 1001, 2500, 9999].map(async (n) => (await ledge.kv.list('many/', n)).length))", `[0,1,999,1000,1001,2500,2500]`},
		{"list of nothing", "list(ledge.kv.list('nothing'))", "ledge.kv.list('nothing')", `[]`},
		{"list of keys that are no text", "len(list(ledge.kv.list('wild/', 1))) + len(list(ledge.kv.items('wild/')))", "ledge.kv.list('wild/', 1).then(async (k) => k.length + (await ledge.kv.items('wild/')).length)", `3`},
		{"list of a range", "list(ledge.kv.list('many/', start='many/0003', end='many/0006'))", "ledge.kv.list({ prefix: 'many/', start: 'many/0003', end: 'many/0006' })", `["many/0003","many/0004","many/0005"]`},
		{"list from a key on", "list(ledge.kv.list('many/', 2, after='many/1500'))", "ledge.kv.list({ prefix: 'many/', limit: 2, after: 'many/1500' })", `["many/1501","many/1502"]`},
		{"list backwards", "[len(k := list(ledge.kv.list('many/', reverse=True))), k[0], k[1000], k[-1]]", "ledge.kv.list({ prefix: 'many/', reverse: true }).then((k) => [k.length, k[0], k[1000], k.at(-1)])", `[2500,"many/2499","many/1499","many/0000"]`},
		{"items", "[len(i := list(ledge.kv.items('many/'))), i[1200].key, len(i[1200].value)]", "ledge.kv.items('many/').then((i) => [i.length, i[1200].key, i[1200].value.length])", `[2500,"many/1200",0]`},
		{"items with values", "[ledge.kv.put('i/1', 'one') > 0, ledge.kv.put('i/2', '') > 0, ledge.kv.put('i/3', b'\\x00\\xff') > 0, [[i.key, list(i.value)] for i in ledge.kv.items('i/')]]",
			"(async () => [await ledge.kv.put('i/1', 'one') > 0, await ledge.kv.put('i/2', '') > 0, await ledge.kv.put('i/3', new Uint8Array([0, 255])) > 0, (await ledge.kv.items({ prefix: 'i/' })).map((i) => [i.key, [...i.value]])])()", `[true,true,true,[["i/1",[111,110,101]],["i/2",[]],["i/3",[0,255]]]]`},
		{"large items", "[[ledge.kv.put('l/' + str(i), b'x' * 700000) > 0 for i in range(3)], [len(i.value) for i in ledge.kv.items('l/')], [ledge.kv.delete(k) for k in list(ledge.kv.list('l/'))]]",
			"(async () => { const put = []; for (const i of [0, 1, 2]) put.push(await ledge.kv.put('l/' + i, new Uint8Array(700000)) > 0); const items = (await ledge.kv.items('l/')).map((i) => i.value.length); return [put, items, await Promise.all((await ledge.kv.list('l/')).map((k) => ledge.kv.delete(k)))] })()", `[[true,true,true],[700000,700000,700000],[true,true,true]]`},

		{"item", "(lambda s, i: [i.key, i.text(), i.sequence == s, i.modified.isoformat(), i.expires.timestamp()])(ledge.kv.put('it', '1', ttl=1.5), ledge.kv.get_item('it'))",
			"ledge.kv.put('it', '1', { ttl: 1.5 }).then(async (s) => { const i = await ledge.kv.getItem('it'); return [i.key, await ledge.kv.getText('it'), i.sequence === s, i.modified.toISOString().replace('Z', '000+00:00'), i.expires.getTime() / 1000] })", `["it","1",true,"2023-11-14T22:13:20.123000+00:00",1700000001.623]`},
		{"item that does not expire", "[ledge.kv.put('it', '1') > 0, ledge.kv.get_item('it').expires, ledge.kv.get_item('nope')]", "ledge.kv.put('it', '1').then(async (s) => [s > 0, (await ledge.kv.getItem('it')).expires ?? null, await ledge.kv.getItem('nope') ?? null])", `[true,null,null]`},
		{"if absent", "[ledge.kv.put('a', '1', if_absent=True) > 0, ledge.kv.put('a', '2', if_absent=True), ledge.kv.get_text('a'), ledge.kv.delete('a')]", "(async () => [await ledge.kv.put('a', '1', { ifAbsent: true }) > 0, await ledge.kv.put('a', '2', { ifAbsent: true }) ?? null, await ledge.kv.getText('a'), await ledge.kv.delete('a')])()", `[true,null,"1",true]`},
		{"if present", "[ledge.kv.put('a', '1', if_present=True), ledge.kv.put('a', '2') > 0, ledge.kv.put('a', '3', if_present=True) > 0, ledge.kv.delete('a')]", "(async () => [await ledge.kv.put('a', '1', { ifPresent: true }) ?? null, await ledge.kv.put('a', '2') > 0, await ledge.kv.put('a', '3', { ifPresent: true }) > 0, await ledge.kv.delete('a')])()", `[null,true,true,true]`},
		{"if sequence", "(lambda s: [ledge.kv.put('s', '2', if_sequence=s) == s + 1, ledge.kv.put('s', '3', if_sequence=s), ledge.kv.delete('s', if_sequence=s), ledge.kv.delete('s', if_sequence=s + 1), ledge.kv.put('s', '4', if_sequence=0) > 0, ledge.kv.delete('s')])(ledge.kv.put('s', '1'))",
			"ledge.kv.put('s', '1').then(async (s) => [await ledge.kv.put('s', '2', { ifSequence: s }) === s + 1, await ledge.kv.put('s', '3', { ifSequence: s }) ?? null, await ledge.kv.delete('s', { ifSequence: s }), await ledge.kv.delete('s', { ifSequence: s + 1 }), await ledge.kv.put('s', '4', { ifSequence: 0 }) > 0, await ledge.kv.delete('s')])", `[true,null,false,true,true,true]`},
		{"two conditions", "ledge.kv.put('s', '2', if_absent=True, if_present=True)", "ledge.kv.put('s', '2', { ifAbsent: true, ifPresent: true })", `["InvalidRequest","it has one condition at most",true]`},
		{"ttl of nothing", "ledge.kv.put('s', '2', ttl=0)", "ledge.kv.put('s', '2', { ttl: 0 })", `["InvalidRequest","ttl is 0, and not a number of seconds from 0.001 to 100 years",true]`},
		{"compare and set", "[ledge.kv.compare_and_set('c', None, '1'), ledge.kv.compare_and_set('c', None, '2'), ledge.kv.compare_and_set('c', '0', '2'), ledge.kv.compare_and_set('c', b'1', b'22'), ledge.kv.get_text('c'), ledge.kv.delete('c')]",
			"(async () => [await ledge.kv.compareAndSet('c', null, '1'), await ledge.kv.compareAndSet('c', null, '2'), await ledge.kv.compareAndSet('c', '0', '2'), await ledge.kv.compareAndSet('c', '1', '22'), await ledge.kv.getText('c'), await ledge.kv.delete('c')])()", `[true,false,false,true,"22",true]`},
		{"compare and set of empty values", "[ledge.kv.compare_and_set('ce', None, ''), ledge.kv.compare_and_set('ce', None, 'x'), ledge.kv.compare_and_set('ce', '', 'x'), ledge.kv.get_text('ce'), ledge.kv.delete('ce')]",
			"(async () => [await ledge.kv.compareAndSet('ce', undefined, ''), await ledge.kv.compareAndSet('ce', undefined, 'x'), await ledge.kv.compareAndSet('ce', '', 'x'), await ledge.kv.getText('ce'), await ledge.kv.delete('ce')])()", `[true,false,true,"x",true]`},
		{"increment", "[ledge.kv.increment('n'), ledge.kv.increment('n', 5), ledge.kv.increment('n', -10, ttl=60), ledge.kv.get_text('n'), ledge.kv.delete('n')]", "(async () => [await ledge.kv.increment('n'), await ledge.kv.increment('n', 5), await ledge.kv.increment('n', -10, { ttl: 60 }), await ledge.kv.getText('n'), await ledge.kv.delete('n')])()", `[1,6,-4,"-4",true]`},
		{"increment beyond 2^53", "[str(ledge.kv.increment('n', 2 ** 53)), str(ledge.kv.increment('n', 1)), ledge.kv.delete('n')]", "(async () => [String(await ledge.kv.increment('n', 2n ** 53n)), String(await ledge.kv.increment('n')), await ledge.kv.delete('n')])()", `["9007199254740992","9007199254740993",true]`},
		{"increment of what is no number", "[ledge.kv.put('w', 'x') > 0, ledge.kv.increment('w')]", "ledge.kv.put('w', 'x').then(() => ledge.kv.increment('w'))", `["InvalidRequest","it is no number",true]`},
		{"increment by half", "ledge.kv.increment('n', 0.5)", "ledge.kv.increment('n', 0.5)", `["InvalidRequest","by is 0.5, and not a whole number of 64 bits",true]`},
		{"increment by what is no number", "ledge.kv.increment('n', 'many')", "ledge.kv.increment('n', 'many')", `["InvalidRequest","by is many, and not a whole number of 64 bits",true]`},
		{"ttl of what is no number", "ledge.kv.put('s', '2', ttl='soon')", "ledge.kv.put('s', '2', { ttl: 'soon' })", `["InvalidRequest","ttl is text, and not a number",true]`},
		{"negative ttl", "ledge.kv.increment('s', ttl=-5)", "ledge.kv.increment('s', 1, { ttl: -5 })", `["InvalidRequest","ttl is -5, and not a number of seconds from 0.001 to 100 years",true]`},
		{"a limit by half", "list(ledge.kv.list('', 1.5))", "ledge.kv.list('', 1.5)", `["InvalidRequest","limit is number 1.5, and not a whole number",true]`},
		{"transact", "[[r.get('value'), r['existed']] for r in ledge.kv.transact([{'put': 't', 'value': b'1', 'ttl': 9}, {'increment': 'u', 'by': 4}, {'delete': 'v'}, {'check': 'x', 'if_absent': True}])] + [ledge.kv.delete('t'), ledge.kv.delete('u')]",
			"ledge.kv.transact([{ put: 't', value: '1', ttl: 9 }, { increment: 'u', by: 4 }, { delete: 'v' }, { check: 'x', ifAbsent: true }]).then(async (r) => [...r.map((w) => [w.value ?? null, w.existed]), await ledge.kv.delete('t'), await ledge.kv.delete('u')])", `[[null,false],[4,false],[null,false],[null,false],true,true]`},
		{"transact in vain", "ledge.kv.transact([{'put': 't', 'value': '1'}, {'put': 'u', 'value': '2', 'if_value': ''}])", "ledge.kv.transact([{ put: 't', value: '1' }, { put: 'u', value: '2', ifValue: '' }])", `["ConditionFailed","it is not so",true]`},
		{"and nothing was written", "ledge.kv.get('t')", "ledge.kv.get('t')", `null`},
		{"transact nothing", "ledge.kv.transact([])", "ledge.kv.transact([])", `["InvalidRequest","a transaction has 1 to 100 writes, not 0",true]`},
		{"transact too much", "ledge.kv.transact([{'delete': str(i)} for i in range(101)])", "ledge.kv.transact([...Array(101).keys()].map((i) => ({ delete: String(i) })))", `["InvalidRequest","a transaction has at most 100 writes",true]`},
		{"a check of nothing", "ledge.kv.transact([{'check': 'x'}])", "ledge.kv.transact([{ check: 'x' }])", `["InvalidRequest","check has a condition",true]`},
		{"two writes in one", "ledge.kv.transact([{'delete': 'x', 'increment': 'x'}])", "ledge.kv.transact([{ delete: 'x', increment: 'x' }])", `["InvalidRequest","it has one of put, delete, increment and check, with the key",true]`},
		{"which write is wrong", "ledge.kv.transact([{'delete': 'y'}, {'check': 'x'}])", "ledge.kv.transact([{ delete: 'y' }, { check: 'x' }])", `["InvalidRequest","write 1: check has a condition",true]`},
		{"a first write is wrong", "ledge.kv.transact([{'put': 'x', 'value': '1', 'ttl': 'soon'}, {'delete': 'y'}])", "ledge.kv.transact([{ put: 'x', value: '1', ttl: 'soon' }, { delete: 'y' }])", `["InvalidRequest","write 0: ttl is text, and not a number",true]`},
		{"delete with a value", "ledge.kv.transact([{'delete': 'x', 'value': '1'}])", "ledge.kv.transact([{ delete: 'x', value: '1' }])", `["InvalidRequest","only put has a value",true]`},
		{"put of nothing", "ledge.kv.transact([{'put': 'x'}])", "ledge.kv.transact([{ put: 'x' }])", `["InvalidRequest","put needs a value",true]`},
	})
}

// Which write's condition did not hold is in the exception, and what a write does not
// have is refused before it is sent.
func TestCallTransactErrors(t *testing.T) {
	r := open(t, testConfig(t))
	eachLanguage(t, pair{
		"import ledge\ndef handler(event, context):\n    try:\n        ledge.kv.transact([{'put': 'a', 'value': '1'}, {'check': 'b', 'if_present': True}])\n    except ledge.ConditionFailed as e:\n        at = e.index\n    try:\n        ledge.kv.transact([{'delete': 'a', 'if_absnt': True}])\n    except ledge.InvalidRequest as e:\n        return [at, str(e)]\n",
		"export const handler = async () => { let at; try { await ledge.kv.transact([{ put: 'a', value: '1' }, { check: 'b', ifPresent: true }]) } catch (e) { at = e.index } try { await ledge.kv.transact([{ delete: 'a', if_absnt: true }]) } catch (e) { return [at, e.message.replace('if_absnt', \"'if_absnt'\")] } };",
	}, func(t *testing.T, f Function) {
		deploy(t, r, f)
		if got, err := invoke(r, "f", ``); err != nil || compactJSON(t, got) != `[1,"a write has no 'if_absnt'"]` {
			t.Errorf("got %s, %v", got, err)
		}
	})
}

// What is no key, no value or no option is refused in words that say what it is, and
// never stored as something else.
func TestCallMistakes(t *testing.T) {
	cfg := testConfig(t)
	data := &memoryData{}
	cfg.Data = data
	r := open(t, cfg)
	const notBytes = ", and not bytes or str; make it one, for example with "
	for language, cases := range map[string][]expression{
		RuntimePython: {
			{"a dict", "ledge.kv.put('k', {'a': 1})", "", `["InvalidRequest","value is dict` + notBytes + `put_json",true]`},
			{"None", "ledge.kv.put('k', None)", "", `["InvalidRequest","value is NoneType` + notBytes + `put_json",true]`},
			{"a number", "ledge.kv.put('k', 5)", "", `["InvalidRequest","value is int` + notBytes + `put_json",true]`},
			{"an expected number", "ledge.kv.compare_and_set('k', 5, '6')", "", `["InvalidRequest","if_value is int` + notBytes + `json.dumps",true]`},
			{"None in a transaction", "ledge.kv.transact([{'put': 'k', 'value': None}])", "", `["InvalidRequest","value is NoneType` + notBytes + `put_json",true]`},
			{"a key of bytes", "ledge.kv.get(b'k')", "", `["InvalidRequest","the key is bytes, and not str",true]`},
			{"no key", "ledge.kv.put(None, 'v')", "", `["InvalidRequest","the key is NoneType, and not str",true]`},
			{"a key to increment", "ledge.kv.increment(5)", "", `["InvalidRequest","the key is int, and not str",true]`},
			{"a prefix of bytes", "list(ledge.kv.items(b'k'))", "", `["InvalidRequest","prefix is bytes, and not str",true]`},
			{"a ttl that is an object", "ledge.kv.put('k', 'v', ttl=__import__('datetime').timedelta(1))", "", `["InvalidRequest","ttl is text, and not a number",true]`},
			{"a sequence of nothing", "ledge.kv.put('k', 'v', if_sequence=ledge.kv.get_item('none'))", "", `["InvalidRequest","if_sequence is None: it is 0 for a key that is not there",true]`},
			{"a sequence of nothing in a transaction", "ledge.kv.transact([{'delete': 'k', 'if_sequence': None}])", "", `["InvalidRequest","if_sequence is None: it is 0 for a key that is not there",true]`},
			{"half of a character", "ledge.kv.put('\\ud800', 'v')", "", `["InvalidRequest","the key has half of a character",true]`},
			{"a payload", "ledge.publish('t', {})", "", `["InvalidRequest","the payload is dict` + notBytes + `json.dumps",true]`},
			{"a body", "ledge.http('POST', 'http://example.com', body={})", "", `["InvalidRequest","the body is dict` + notBytes + `json.dumps",true]`},
			{"a header that is a number", "ledge.http('GET', 'http://example.com', {'X-Count': 5})", "", `["PermissionDenied","host is not allowed: example.com; allow it with --allow-host example.com",true]`},
		},
		RuntimeJavaScript: {
			{"an object", "", "ledge.kv.put('k', { a: 1 })", `["TypeError","the value must be a string or a Uint8Array: use JSON.stringify for other values",true]`},
			{"null", "", "ledge.kv.put('k', null)", `["TypeError","the value must be a string or a Uint8Array: use JSON.stringify for other values",true]`},
			{"undefined", "", "ledge.kv.put('k')", `["TypeError","the value must be a string or a Uint8Array: use JSON.stringify for other values",true]`},
			{"a key that is a number", "", "ledge.kv.get(5)", `["TypeError","the key must be a string",true]`},
			{"a ttl that is not a number", "", "ledge.kv.put('k', 'v', { ttl: NaN })", `["TypeError","ttl is not a number",true]`},
			{"a sequence of nothing", "", "ledge.kv.getItem('none').then((item) => ledge.kv.put('k', 'v', { ifSequence: item?.sequence }))", `["TypeError","ifSequence is undefined: it is 0 for a key that is not there",true]`},
			{"a sequence of null", "", "ledge.kv.transact([{ delete: 'k', ifSequence: null }])", `["TypeError","ifSequence is null: it is 0 for a key that is not there",true]`},
			{"half of a character", "", "ledge.kv.put('\\ud800', 'v')", `["TypeError","the key has half of a character",true]`},
			{"a ttl as in Python", "", "ledge.kv.put('k', 'v', 60)", `["TypeError","the options are an object of ttl, ifAbsent, ifPresent, ifSequence",true]`},
			{"a condition as in Python", "", "ledge.kv.put('k', 'v', { if_absent: true })", `["TypeError","there is no option if_absent: use ttl, ifAbsent, ifPresent, ifSequence",true]`},
			{"a condition of delete", "", "ledge.kv.delete('k', { ifAbsent: true })", `["TypeError","there is no option ifAbsent: use ifSequence",true]`},
			{"an option of increment", "", "ledge.kv.increment('k', 1, { TTL: 5 })", `["TypeError","there is no option TTL: use ttl",true]`},
			{"an option of compareAndSet", "", "ledge.kv.compareAndSet('k', null, 'v', 5)", `["TypeError","the options are an object of ttl",true]`},
			{"an option of list", "", "ledge.kv.list({ prefx: 'a' })", `["TypeError","there is no option prefx: use prefix, limit, start, end, after, reverse",true]`},
			{"an option of invoke", "", "ledge.invoke('g', 1, { asynchronous: true })", `["TypeError","there is no option asynchronous: use qualifier, async",true]`},
			{"an option of publish", "", "ledge.publish('t', 'p', { QoS: 1 })", `["TypeError","there is no option QoS: use qos",true]`},
		},
	} {
		python, javaScript := callFunctions(t)
		f := python
		if language == RuntimeJavaScript {
			f = javaScript
		}
		deploy(t, r, f)
		for _, test := range cases {
			t.Run(language+" "+test.name, func(t *testing.T) {
				event, err := json.Marshal(test.python + test.javaScript)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := invoke(r, "f", string(event)); err != nil || compactJSON(t, got) != compactJSON(t, test.want) {
					t.Errorf("got %.500s, %v; want %s", got, err, test.want)
				}
			})
		}
	}
	if len(data.origins) > 0 {
		t.Errorf("%d writes were done", len(data.origins))
	}
}

// A function has the buckets that its settings name, and only those, and only so.
func TestCallBuckets(t *testing.T) {
	cfg := testConfig(t)
	data := &memoryData{}
	cfg.Data = data
	r := open(t, cfg)
	data.put(t, "seen", "k", []byte("s"))
	data.put(t, "hidden", "k", []byte("h"))
	data.put(t, "function.g", "k", []byte("g"))
	noWrite := func(bucket string) string {
		return fmt.Sprintf(`["PermissionDenied","f may not write to bucket %s; allow it with --allow-bucket %s",true]`, bucket, bucket)
	}
	noRead := func(bucket string) string {
		return fmt.Sprintf(`["PermissionDenied","f may not read bucket %s; allow it with --allow-bucket %s:read",true]`, bucket, bucket)
	}
	evaluate(t, r, func(f *Function) { f.AllowBuckets = []string{"shared", "seen:read"} }, []expression{
		{"write", "[ledge.kv.bucket('shared').put('k', 'v') > 0, ledge.kv.bucket('shared').get_text('k'), ledge.kv.get('k')]", "ledge.kv.bucket('shared').put('k', 'v').then(async (x) => [x > 0, await ledge.kv.bucket('shared').getText('k'), await ledge.kv.get('k') ?? null])", `[true,"v",null]`},
		{"every verb", "(lambda b: [b.increment('n'), b.compare_and_set('c', None, '1'), list(b.list()), [i.key for i in b.items('n')], b.delete('n'), b.delete('c')])(ledge.kv.bucket('shared'))",
			"(async (b) => [await b.increment('n'), await b.compareAndSet('c', null, '1'), await b.list(), (await b.items('n')).map((i) => i.key), await b.delete('n'), await b.delete('c')])(ledge.kv.bucket('shared'))", `[1,true,["c","k","n"],["n"],true,true]`},
		{"read", "ledge.kv.bucket('seen').get_text('k')", "ledge.kv.bucket('seen').getText('k')", `"s"`},
		{"no write", "ledge.kv.bucket('seen').put('k', 'v')", "ledge.kv.bucket('seen').put('k', 'v')", noWrite("seen")},
		{"no delete", "ledge.kv.bucket('seen').delete('k')", "ledge.kv.bucket('seen').delete('k')", noWrite("seen")},
		{"no increment", "ledge.kv.bucket('seen').increment('k')", "ledge.kv.bucket('seen').increment('k')", noWrite("seen")},
		{"no read", "ledge.kv.bucket('hidden').get('k')", "ledge.kv.bucket('hidden').get('k')", noRead("hidden")},
		{"no list", "list(ledge.kv.bucket('hidden').list())", "ledge.kv.bucket('hidden').list()", noRead("hidden")},
		{"a part of a name", "ledge.kv.bucket('share').get('k')", "ledge.kv.bucket('share').get('k')", noRead("share")},
		{"a longer name", "ledge.kv.bucket('shared2').get('k')", "ledge.kv.bucket('shared2').get('k')", noRead("shared2")},
		{"a name that looks like a permission", "ledge.kv.bucket('seen:read').get('k')", "ledge.kv.bucket('seen:read').get('k')", `["InvalidRequest","\"seen:read\" is no bucket: a name has 1 to 63 letters, digits, _ . and -",true]`},
		{"another function's", "ledge.kv.bucket('function.g').get('k')", "ledge.kv.bucket('function.g').get('k')", `["PermissionDenied","f may not use bucket function.g, which is another function's own; share data in a bucket with another name",true]`},
		{"its own by name", "[ledge.kv.put('o', '1') > 0, ledge.kv.bucket('function.f').get_text('o')]", "ledge.kv.put('o', '1').then(async (x) => [x > 0, await ledge.kv.bucket('function.f').getText('o')])", `[true,"1"]`},
		{"a transaction over buckets", "[len(ledge.kv.transact([{'put': 'o', 'value': '2'}, {'put': 'o', 'value': '3', 'bucket': 'shared'}, {'check': 'k', 'bucket': 'seen', 'if_value': 's'}])), ledge.kv.bucket('shared').get_text('o'), ledge.kv.bucket('shared').delete('o')]",
			"ledge.kv.transact([{ put: 'o', value: '2' }, { put: 'o', value: '3', bucket: 'shared' }, { check: 'k', bucket: 'seen', ifValue: 's' }]).then(async (w) => [w.length, await ledge.kv.bucket('shared').getText('o'), await ledge.kv.bucket('shared').delete('o')])", `[3,"3",true]`},
		{"a transaction with one that is denied", "ledge.kv.transact([{'put': 'x', 'value': '2'}, {'delete': 'k', 'bucket': 'seen'}])", "ledge.kv.transact([{ put: 'x', value: '2' }, { delete: 'k', bucket: 'seen' }])", noWrite("seen")},
		{"a transaction that looks where it may not", "ledge.kv.transact([{'check': 'k', 'bucket': 'hidden', 'if_absent': True}])", "ledge.kv.transact([{ check: 'k', bucket: 'hidden', ifAbsent: true }])", noRead("hidden")},
	})
	for _, bad := range []string{"", "*", ":read", "a:write", "function.g", "function.f", "a b", "-a", strings.Repeat("x", 64)} {
		f := Function{Name: "f", Runtime: RuntimeWASI, CodeHash: strings.Repeat("0", 64), AllowBuckets: []string{bad}}
		if err := f.Validate(); err == nil || !strings.Contains(err.Error(), "bucket") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A failure of the store becomes an exception with a class of its own, and what
// the languages refuse themselves is one too.
func TestCallKVFails(t *testing.T) {
	cfg := testConfig(t)
	cfg.Data = &limitedData{}
	r := open(t, cfg)
	evaluate(t, r, func(*Function) {}, []expression{
		{"too large", "ledge.kv.put('k', 'x' * 11)", "ledge.kv.put('k', 'x')", `["LimitExceeded","put: the value has more than 10 bytes",true]`},
		{"too large to compare", "ledge.kv.compare_and_set('k', None, 'x' * 11)", "ledge.kv.compareAndSet('k', null, 'x')", `["LimitExceeded","put: the value has more than 10 bytes",true]`},
		{"no key", "ledge.kv.put('', 'v')", "ledge.kv.put('', 'v')", `["InvalidRequest","the key is empty",true]`},
		{"broken", "ledge.kv.get('k')", "ledge.kv.get('k')", `["Unavailable","the disk is gone",true]`},
		{"fine", "ledge.kv.delete('k')", "ledge.kv.delete('k')", `false`},
	})
	cfg = testConfig(t)
	cfg.Data = nil
	r = open(t, cfg)
	evaluate(t, r, func(*Function) {}, []expression{
		{"no store", "ledge.kv.get('k')", "ledge.kv.get('k')", `["Unavailable","this node keeps no variables",true]`},
		{"no list", "list(ledge.kv.list())", "ledge.kv.list()", `["Unavailable","this node keeps no variables",true]`},
		{"no broker", "ledge.publish('t', 'x')", "ledge.publish('t', 'x')", `["PermissionDenied","f may not publish to t; allow it with --allow-publish t",true]`},
	})
}

// A counter that many Instances count up with compare_and_set, or with increment, adds
// up.
func TestCallCompareAndSetRace(t *testing.T) {
	cfg := testConfig(t)
	data := &memoryData{}
	cfg.Data = data
	r := open(t, cfg)
	eachLanguage(t, pair{`import ledge
def handler(event, context):
    for _ in range(10):
        ledge.kv.increment('m')
        while True:
            was = ledge.kv.get('n')
            if ledge.kv.compare_and_set('n', was, str(int(was or 0) + 1)):
                break
`, `export const handler = async () => {
  for (let i = 0; i < 10; i++) {
    await ledge.kv.increment('m');
    for (;;) {
      const was = await ledge.kv.getText('n');
      if (await ledge.kv.compareAndSet('n', was, String(Number(was ?? 0) + 1))) break;
    }
  }
};`}, func(t *testing.T, f Function) {
		f.Limits.Timeout = time.Minute
		deploy(t, r, f)
		for _, key := range []string{"m", "n"} {
			remove(t, data, "function.f", key)
		}
		many(t, r, 16, ``)
		for _, key := range []string{"m", "n"} {
			if got, err := data.Get("function.f", key); err != nil || string(got.Value) != "160" {
				t.Errorf("counter %s is %s, %v", key, got.Value, err)
			}
		}
	})
}

// A function makes no more calls of the node than its limit in one Invocation, and as
// many again in the next.
func TestCallLimit(t *testing.T) {
	r := open(t, testConfig(t))
	eachLanguage(t, pair{
		"import ledge\ndef handler(event, context):\n    n = 0\n    try:\n        while True:\n            ledge.kv.get('k')\n            ledge.log('x')\n            n += 1\n    except ledge.LimitExceeded as e:\n        return [n, str(e)]\n",
		"export const handler = async () => { let n = 0; try { for (;;) { await ledge.kv.get('k'); ledge.log('x'); n++ } } catch (e) { if (e.name !== 'LimitExceeded') throw e; return [n, e.message] } };",
	}, func(t *testing.T, f Function) {
		f.Limits.HostCalls = 25
		for _, f.Isolation = range bothIsolations {
			deploy(t, r, f)
			for range 3 {
				if got, err := invoke(r, "f", ``); err != nil || !strings.HasPrefix(compactJSON(t, got), `[25,"f made 25 calls of the node`) {
					t.Errorf("got %s, %v", got, err)
				}
			}
		}
	})
	f := function(t, "p", `(module `+kernel+`(func (export "handle") (result i32) (loop $l (drop (call $get (i64.const 0))) (br $l)) (i32.const 0)))`)
	deploy(t, r, f)
	if _, err := invoke(r, "p", ""); err == nil || !strings.Contains(err.Error(), "p made 10000 calls of the node") {
		t.Errorf("a plug-in: %v", err)
	}
}
