// What the parts of the guest know of each other. The contract with the engine
// (exports, imports, what is captured when) is described in reactor.c.
#ifndef LEDGE_GUEST_H
#define LEDGE_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "quickjs.h"

// The engine's functions, module "ledge".
#define LEDGE(name) __attribute__((import_module("ledge"), import_name(#name)))
LEDGE(input_size) uint32_t ledge_input_size(void);
LEDGE(input_read) void ledge_input_read(void *to);
LEDGE(output) void ledge_output(const void *p, uint32_t n);
LEDGE(fail) void ledge_fail(const void *json, uint32_t n);
// Returns the size of the details, 0 where the Invocation has none.
LEDGE(request) uint32_t ledge_request(void *to36);
// The ARN that was invoked, where it is not the deploy's; a line break; the client
// context as JSON, or nothing.
LEDGE(details) void ledge_details(void *to);
LEDGE(remaining) int64_t ledge_remaining(void);
LEDGE(call) uint32_t ledge_call(uint32_t op, const void *head, uint32_t head_len,
                                const void *body, uint32_t body_len, uint32_t sizes[2]);
LEDGE(reply) void ledge_reply(void *to);

// quickjs_alloc.h: what is free stays behind when the memory is captured.
void ledge_heap_settle(void);
// quickjs_json.h. The value of JSON text after which there is a 0; an exception, of which
// none is pending, means to ask JS_ParseJSON.
JSValue ledge_parse_event(JSContext *ctx, const char *text, size_t n);
// The JSON text of a value until ledge_reply_done; NULL, and no exception, means to ask JS_JSONStringify.
const char *ledge_reply_text(JSContext *ctx, JSValueConst v, size_t *n);
void ledge_reply_done(JSContext *ctx);
// A new object with the values of a plain one that has no accessors.
JSValue ledge_copy(JSContext *ctx, JSValueConst from);

// bytes.c: the native functions that the sources in js/ build upon.
void natives_define(JSContext *ctx, JSValueConst native);
// The bytes of an ArrayBuffer or a view of one; false and no exception when it is neither.
bool bytes_of(JSContext *ctx, JSValueConst v, uint8_t **p, size_t *n);

// random.c
void random_define(JSContext *ctx, JSValueConst native);
void random_seed(void);

// system.c: files, environment, clocks, streams and calls to the engine.
void system_define(JSContext *ctx, JSValueConst native);
uint8_t *file_read(const char *path, size_t *n); // malloc; a NUL follows; NULL with errno
void sleep_ms(double ms);

// modules.c: ES modules, and CommonJS modules that they import.
void modules_define(JSContext *ctx, JSValueConst native);
// The functions of js/modules.js that resolve names and give the exports of a CommonJS module.
void modules_hooks(JSContext *ctx, JSValueConst internal);

// reactor.c: the rejected promise has found somebody who deals with it.
void rejection_handled(JSContext *ctx, JSValueConst promise);

// digest.c
enum { DIGEST_MAX = 64 };
// Digest of n bytes into out; its length in bytes, or 0 if there is no such algorithm.
size_t digest(const char *algorithm, const uint8_t *p, size_t n, uint8_t out[DIGEST_MAX]);

#endif
