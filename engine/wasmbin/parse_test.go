package wasmbin

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// wat compiles WebAssembly text.
func wat(t testing.TB, text string) []byte {
	t.Helper()
	wasm, err := wasmtime.Wat2Wasm(text)
	if err != nil {
		t.Fatalf("compile text: %v\n%s", err, text)
	}
	return wasm
}

const everything = `(module
	(type $two (func (param i32 i64) (result i32)))
	(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
	(import "env" "base" (global $base i32))
	(import "env" "oops" (tag (param i32)))
	(memory (export "memory") 2 17)
	(table $t (export "table") 3 funcref)
	(table 1 4 externref)
	(global $sp (mut i32) (i32.const 1024))
	(global f64 (f64.const 1.5))
	(global v128 (v128.const i64x2 1 2))
	(global funcref (ref.func $main))
	(export "sp" (global $sp))
	(start $main)
	(elem (i32.const 1) $main)
	(func $main)
	(func $pair (export "pair") (type $two) i32.const 7)
	(func (export "swap") (param f32 v128) (result v128 f32) local.get 1 local.get 0)
	(data (i32.const 16) "hello")
	(data "later"))`

func TestParseQueries(t *testing.T) {
	m, err := Parse(wat(t, everything))
	if err != nil {
		t.Fatal(err)
	}
	imports := []Import{
		{"wasi_snapshot_preview1", "fd_write", KindFunc, 0, "(i32,i32,i32,i32)->(i32)"},
		{"env", "base", KindGlobal, 0, "i32"},
		{"env", "oops", KindTag, 0, "(i32)->()"},
	}
	if !slices.Equal(m.Imports(), imports) {
		t.Errorf("imports %v\nwant %v", m.Imports(), imports)
	}
	exports := []Export{
		{"memory", KindMemory, 0, "2..17"},
		{"table", KindTable, 0, "funcref 3.."},
		{"sp", KindGlobal, 1, "mut i32"},
		{"pair", KindFunc, 2, "(i32,i64)->(i32)"},
		{"swap", KindFunc, 3, "(f32,v128)->(v128,f32)"},
	}
	for _, want := range exports {
		if got, ok := m.Export(want.Name); !ok || got != want {
			t.Errorf("export %q is %v, want %v", want.Name, got, want)
		}
	}
	if len(m.Exports()) != len(exports) {
		t.Errorf("%d exports, want %d", len(m.Exports()), len(exports))
	}
	if _, ok := m.Export("absent"); ok {
		t.Error("found an export that is absent")
	}
	limits, ok := m.Memory()
	if want := (Limits{Min: 2, Max: 17, HasMax: true}); !ok || limits != want {
		t.Errorf("memory %v, want %v", limits, want)
	}
	if !m.HasStart() || m.ImportsMemory() {
		t.Error("start or own memory not seen")
	}
	if active, passive := m.DataSegments(); active != 1 || passive != 1 {
		t.Errorf("%d active and %d passive data segments, want 1 and 1", active, passive)
	}
	if m.Functions() != 3 || m.ElementSegments() != 1 {
		t.Errorf("%d functions and %d element segments, want 3 and 1", m.Functions(), m.ElementSegments())
	}
	for i, want := range []string{"write", "main", "pair", "swap", ""} {
		if got := m.FuncName(uint32(i)); got != want {
			t.Errorf("function %d is called %q, want %q", i, got, want)
		}
	}
	if _, ok := m.FuncType(4); ok {
		t.Error("a function past the last has a type")
	}
}

func TestParseMemoryKinds(t *testing.T) {
	for text, want := range map[string]Limits{
		`(module (import "env" "memory" (memory 3)))`: {Min: 3},
		`(module (memory i64 1 5))`:                   {Min: 1, Max: 5, HasMax: true, Is64: true},
		`(module (memory 1 2 shared))`:                {Min: 1, Max: 2, HasMax: true, Shared: true},
		`(module (memory 65536))`:                     {Min: 65536},
	} {
		m, err := Parse(wat(t, text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, ok := m.Memory(); !ok || got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	m, err := Parse(wat(t, `(module)`))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := m.Memory(); ok {
		t.Error("an empty module has a memory")
	}
}

func TestParseNotWasm(t *testing.T) {
	for _, c := range []struct{ input, want string }{
		{"", "empty"},
		{"\x7fELF\x02\x01", "ELF"},
		{"PK\x03\x04....", "zip"},
		{"\x1f\x8b\x08", "gzip"},
		{"  \n(module $x)", "text"},
		{";; a comment\n(module)", "text"},
		{"(component)", "component"},
		{"#!/bin/sh\n", "script"},
		{"<!DOCTYPE html><html>", "HTML"},
		{"\r\n<HTML>", "HTML"},
		{"{\"a\": 1}", "JSON"},
		{"MZ\x90", "Windows"},
		{"version https://git-lfs.github.com/spec/v1\n", "LFS"},
		{"\x00as", "starts with 00 61 73"},
		{"hi", "starts with 68 69"},
	} {
		_, err := Parse([]byte(c.input))
		if !errors.Is(err, ErrNotWasm) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want ErrNotWasm that says %q", c.input, err, c.want)
		}
	}
	if _, err := Parse(wat(t, `(component)`)); !errors.Is(err, ErrComponent) {
		t.Errorf("a component gives %v", err)
	}
}

func TestParseDamaged(t *testing.T) {
	const types = "\x01\x04\x01\x60\x00\x00" // (type (func))
	for name, c := range map[string]struct {
		body string // after the preamble
		want SyntaxError
	}{
		"size missing":          {"\x01", SyntaxError{9, "type", "truncated: section size is missing"}},
		"section cut":           {"\x01\x05\x01", SyntaxError{10, "type", "truncated: section needs 5 bytes, 1 are left"}},
		"bytes too many":        {"\x01\x02\x00\x00", SyntaxError{11, "type", "1 bytes too many"}},
		"out of order":          {"\x03\x01\x00\x01\x01\x00", SyntaxError{11, "type", "the section is unknown, repeated or out of order"}},
		"repeated":              {"\x01\x01\x00\x01\x01\x00", SyntaxError{11, "type", "the section is unknown, repeated or out of order"}},
		"unknown section":       {"\x63\x00", SyntaxError{8, "unknown (99)", "the section is unknown, repeated or out of order"}},
		"count too large":       {"\x01\x05\xff\xff\xff\xff\x0f", SyntaxError{10, "type", "truncated: 4294967295 entries cannot fit in the 0 bytes left"}},
		"number too wide":       {"\x01\x05\xff\xff\xff\xff\x1f", SyntaxError{10, "type", "vector"}},
		"not a type":            {"\x01\x04\x01\x33\x00\x00", SyntaxError{11, "type", "0x33 is not a type form"}},
		"not a value type":      {"\x01\x05\x01\x60\x01\x11\x00", SyntaxError{13, "type", "0x11 is not a value type (parameter)"}},
		"type absent":           {"\x03\x02\x01\x00", SyntaxError{11, "function", "type 0 does not exist; there are 0"}},
		"import kind":           {"\x02\x05\x01\x00\x00\x09\x00", SyntaxError{13, "import", "kind(9) is not a kind of import"}},
		"name not UTF-8":        {"\x02\x05\x01\x01\xff\x00\x00", SyntaxError{12, "import", "module name is not valid UTF-8"}},
		"name cut":              {"\x02\x05\x01\x09\x61\x00\x00", SyntaxError{12, "import", "truncated: module name needs 9 bytes, 3 are left"}},
		"limits flags":          {"\x05\x03\x01\x90\x00", SyntaxError{11, "memory", "0x90 are not the flags of memory limits"}},
		"limits reversed":       {"\x05\x04\x01\x01\x05\x02", SyntaxError{11, "memory", "memory maximum 2 is less than its minimum 5"}},
		"mutability":            {"\x06\x06\x01\x7f\x02\x41\x00\x0b", SyntaxError{12, "global", "mutability must be 0 or 1, not 0x2"}},
		"not constant":          {"\x06\x06\x01\x7f\x00\x10\x00\x0b", SyntaxError{13, "global", "instruction 0x10 is not constant"}},
		"constant without end":  {"\x06\x05\x01\x7f\x00\x41\x00", SyntaxError{15, "global", "truncated: constant expression is missing"}},
		"export absent":         {"\x07\x04\x01\x00\x00\x00", SyntaxError{13, "export", "function 0 does not exist; there are 0"}},
		"export kind":           {"\x07\x04\x01\x00\x07\x00", SyntaxError{12, "export", "kind(7) is not a kind of export"}},
		"start absent":          {"\x08\x01\x03", SyntaxError{10, "start", "function 3 does not exist; there are 0"}},
		"code missing":          {types + "\x03\x02\x01\x00", SyntaxError{18, "code", "1 functions have no code; the module may be truncated"}},
		"code without function": {"\x0a\x04\x01\x02\x00\x0b", SyntaxError{10, "code", "0 functions are declared, 1 have code"}},
		"body cut":              {types + "\x03\x02\x01\x00\x0a\x03\x01\x05\x00", SyntaxError{22, "code", "truncated: function body needs 5 bytes, 1 are left"}},
		"data form":             {"\x05\x03\x01\x00\x01\x0b\x03\x01\x04\x00", SyntaxError{16, "data", "4 is not a form of data segment"}},
		"data cut":              {"\x05\x03\x01\x00\x01\x0b\x06\x01\x00\x41\x00\x0b\x05", SyntaxError{21, "data", "truncated: data segment needs 5 bytes, 0 are left"}},
		"data count":            {"\x0c\x01\x02", SyntaxError{11, "data", "2 data segments were announced, there are 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(preamble + c.body))
			var got *SyntaxError
			if !errors.As(err, &got) {
				t.Fatalf("error %v, want a *SyntaxError", err)
			}
			if c.want.Why == "vector" { // the count's own name is of no interest
				c.want.Why = "type count does not fit in 32 bits"
			}
			if *got != c.want {
				t.Errorf("error %+v\nwant %+v", *got, c.want)
			}
		})
	}
	for _, header := range []string{"\x00asm", "\x00asm\x01\x00", "\x00asm\x02\x00\x00\x00"} {
		var got *SyntaxError
		if _, err := Parse([]byte(header)); !errors.As(err, &got) || got.Section != "header" {
			t.Errorf("%q: error %v, want a *SyntaxError of the header", header, err)
		}
	}
}

func TestParseUnsupported(t *testing.T) {
	for _, text := range []string{
		`(module (type (struct (field i32))))`,
		`(module (rec (type (func)) (type (func))))`,
		`(module (type $f (func)) (func (param (ref null $f))))`,
		`(module (table 1 anyref))`,
		`(module (memory 1 (pagesize 1)))`,
	} {
		var unsupported *UnsupportedError
		if _, err := Parse(wat(t, text)); !errors.As(err, &unsupported) {
			t.Errorf("%s: error %v, want an *UnsupportedError", text, err)
		}
	}
}

// TestParseEveryCut cuts a module at each byte. Only a cut between sections can
// go unnoticed, and only where nothing in the rest was announced.
func TestParseEveryCut(t *testing.T) {
	wasm := wat(t, everything)
	whole, err := Parse(wasm)
	if err != nil {
		t.Fatal(err)
	}
	between := map[int]bool{len(preamble): true}
	for _, s := range whole.sections {
		between[s.at+len(s.body)] = true
	}
	for n := range len(wasm) {
		_, err := Parse(wasm[:n])
		var syntax *SyntaxError
		switch {
		case n < 4:
			if !errors.Is(err, ErrNotWasm) {
				t.Errorf("cut at %d: error %v, want ErrNotWasm", n, err)
			}
		case between[n]: // any result is right
		case !errors.As(err, &syntax):
			t.Errorf("cut at %d: error %v, want a *SyntaxError", n, err)
		case !strings.Contains(syntax.Why, "truncated"):
			t.Errorf("cut at %d: error %v does not say that the module is truncated", n, err)
		}
	}
}

// TestParseAllocatesInProportion gives counts that the input does not back.
func TestParseAllocatesInProportion(t *testing.T) {
	body := strings.Repeat("\x60\x00\x00", 1000)
	wasm := []byte(preamble)
	wasm = appendSection(wasm, idType, appendUnsigned(nil, 1000), []byte(body))
	wasm = appendSection(wasm, idFunction, appendUnsigned(nil, 1<<32-1))
	result := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, err := Parse(wasm); err == nil {
				b.Fatal("4294967295 functions in an empty section were accepted")
			}
		}
	})
	if perByte := float64(result.AllocedBytesPerOp()) / float64(len(wasm)); perByte > 64 {
		t.Errorf("%.0f bytes were allocated per byte of input", perByte)
	}
}

func TestFuncNameDamaged(t *testing.T) {
	wasm := wat(t, `(module (func (export "f")))`)
	for _, names := range []string{"", "\x01", "\x01\x05", "\x01\x05\x01\x00\x09ab", "\x01\x05\xff\xff\xff\xff\x0f", "\x01\x03\x01\x00\x01\xff"} {
		m, err := Parse(appendSection(slices.Clone(wasm), idCustom, appendName(nil, "name"), []byte(names)))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.FuncName(0); got != "f" {
			t.Errorf("name section %q: function is called %q, want the export's name", names, got)
		}
	}
}
