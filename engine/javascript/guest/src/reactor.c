// The exports that the engine calls, and the event loop.
//
// ledge_start runs once in the life of a node, and its memory is captured; ledge_load
// runs once a deploy, and its memory is captured again; every Instance continues
// from there. So nothing may live outside linear memory, and what must differ
// between Instances (randomness) is made new in ledge_restored.
//
// An Invocation is: the event parsed, the handler called, promise jobs and timers run
// until there is a reply, the reply as JSON. Where Node.js would write the reply to a
// socket the function's promise is looked at directly, so a handler costs no wrapper
// in JavaScript.
#include <stdlib.h>
#include <string.h>
#include "guest.h"

// QuickJS knows the stack in linear memory only, but each call also takes of the
// machine stack, of which the engine gives 4 MiB: that is used up when QuickJS has
// used 1.3 to 1.5 MiB (nested lookaheads of a RegExp) or more by its own measure, which a
// patch makes proportional. So deep recursion ends as a RangeError, and a quarter of
// the machine stack is left for what calls deeper without being measured.
#ifndef STACK_KIB
#define STACK_KIB 1024
#endif

// What the base image has of spare heap, so that a deploy need not grow the memory.
enum { SPARE_HEAP = 2 << 20 };

// No garbage collection until a function has allocated this much: in a fresh
// Instance it would write to each object of the heap for nothing.
enum { GC_SLACK = 4 << 20 };

static JSRuntime *runtime;
static JSContext *context;

// Thrown when there is no memory to make an error, see patches/quickjs.patch.
extern JSValue js_out_of_memory_error;
extern int js_ran_out_of_memory;

// Given back while an error object is made, which may be about all memory being used: enough
// for a chunk of small blocks, see quickjs_alloc.h, and some larger ones.
enum { RESERVE = 256 << 10 };
static void *reserve;

// Functions and objects of the sources in js/.
static JSValue js_load, js_error, js_turn, js_restored, js_exited, js_unhandled, js_adopt, js_never_settled, js_is_async;
static JSValue handler = JS_UNDEFINED;
static bool takes_callback; // the handler has a third parameter
static bool is_async;       // the handler is an async function
static JSValue context_prototype = JS_UNDEFINED;
static JSValue restored_hooks = JS_UNDEFINED; // undefined while there are none

// The context object's members, in AWS Lambda's order. Values come from the deploy,
// but for awsRequestId.
enum { WAITS, VERSION, NAME, MEMORY, LOG_GROUP, LOG_STREAM, CLIENT, IDENTITY, ARN, REQUEST_ID, MEMBERS };
static const char *const member_names[MEMBERS] = {
    "callbackWaitsForEmptyEventLoop", "functionVersion", "functionName", "memoryLimitInMB", "logGroupName",
    "logStreamName", "clientContext", "identity", "invokedFunctionArn", "awsRequestId"};
static JSAtom member_atoms[MEMBERS];
static JSValue context_pattern = JS_UNDEFINED; // what a context object is a copy of
static JSValue own_arn = JS_UNDEFINED;         // the function's, where no other was invoked

// The running Invocation. Callbacks carry its number, so that those of one that is
// over do nothing.
static uint32_t number;
static enum { NOTHING, REPLIED, REPLIED_WHEN_IDLE, FAILED } outcome;
static JSValue outcome_value = JS_UNDEFINED;
static JSValue invocation_context = JS_UNDEFINED;
static bool calls_back; // it asked for a callback, so a value that the handler returns is not the reply

static bool exiting; // process.exit was called
static int exit_code;

// Promises that were rejected while nobody listened.
static struct rejection {
  struct rejection *next;
  JSValue promise, reason;
} *rejections;

static void rejection_free(struct rejection *r) {
  JS_FreeValue(context, r->promise);
  JS_FreeValue(context, r->reason);
  js_free_rt(runtime, r);
}

void rejection_handled(JSContext *ctx, JSValueConst promise) {
  for (struct rejection **at = &rejections; *at; at = &(*at)->next)
    if (JS_VALUE_GET_PTR((*at)->promise) == JS_VALUE_GET_PTR(promise)) {
      struct rejection *r = *at;
      *at = r->next;
      rejection_free(r);
      return;
    }
}

static void rejections_clear(void) {
  while (rejections) {
    struct rejection *r = rejections;
    rejections = r->next;
    rejection_free(r);
  }
}

static void track(JSContext *ctx, JSValueConst promise, JSValueConst reason, JS_BOOL handled, void *opaque) {
  if (handled) {
    rejection_handled(ctx, promise);
    return;
  }
  struct rejection *r = js_malloc_rt(runtime, sizeof *r), **at = &rejections;
  if (!r) return;
  *r = (struct rejection){NULL, JS_DupValue(ctx, promise), JS_DupValue(ctx, reason)};
  while (*at) at = &(*at)->next;
  *at = r;
}

// Replies with the error object for a thrown value, which it frees. phase says who
// asks: 0 a load, 1 an Invocation.
static void fail(JSValue thrown, int phase) {
  if (exiting) {
    JS_FreeValue(context, thrown);
    JS_FreeValue(context, JS_GetException(context));
    JSValue code = JS_NewInt32(context, exit_code);
    thrown = JS_Call(context, js_exited, JS_UNDEFINED, 1, &code);
    exiting = false;
  }
  js_free_rt(runtime, reserve);
  if (js_ran_out_of_memory) JS_RunGC(runtime);
  JSValue args[2] = {thrown, JS_NewInt32(context, phase)};
  JSValue text = JS_Call(context, js_error, JS_UNDEFINED, 2, args);
  size_t n;
  const char *s = JS_IsException(text) ? NULL : JS_ToCStringLen(context, &n, text);
  if (!s) {
    static const char memory[] = "{\"errorType\":\"InternalError\",\"errorMessage\":\"out of memory\",\"trace\":[]}";
    static const char other[] =
        "{\"errorType\":\"handled\",\"errorMessage\":\"the function failed, and its error could not be read\",\"trace\":[]}";
    JS_FreeValue(context, JS_GetException(context));
    if (js_ran_out_of_memory)
      ledge_fail(memory, sizeof memory - 1);
    else
      ledge_fail(other, sizeof other - 1);
  } else {
    ledge_fail(s, (uint32_t)n);
    JS_FreeCString(context, s);
  }
  reserve = js_malloc_rt(runtime, RESERVE);
  exiting = false; // the error's own code may have called process.exit
  JS_FreeValue(context, text);
  JS_FreeValue(context, thrown);
}

// Replies with a value, which it frees: JSON, and null for what JSON has no text for.
static void reply(JSValue value) {
  if (JS_IsUndefined(value)) {
    ledge_output("null", 4);
    return;
  }
  size_t size;
  const char *fast = ledge_reply_text(context, value, &size);
  if (fast) {
    JS_FreeValue(context, value);
    ledge_output(fast, (uint32_t)size);
    ledge_reply_done(context);
    return;
  }
  ledge_reply_done(context);
  JSValue text = JS_JSONStringify(context, value, JS_UNDEFINED, JS_UNDEFINED);
  JS_FreeValue(context, value);
  if (JS_IsException(text)) {
    JSValue why = JS_GetException(context);
    if (!exiting) {
      JSValue error = JS_NewError(context), message = JS_GetPropertyStr(context, why, "message");
      const char *s = JS_ToCString(context, message);
      char said[200] = "Unable to stringify response body";
      if (s) {
        strlcat(said, ": ", sizeof said);
        strlcat(said, s, sizeof said);
      }
      JS_FreeCString(context, s);
      JS_FreeValue(context, message);
      JS_DefinePropertyValueStr(context, error, "name", JS_NewString(context, "Runtime.MarshalError"), JS_PROP_C_W_E);
      JS_DefinePropertyValueStr(context, error, "message", JS_NewString(context, said), JS_PROP_CONFIGURABLE | JS_PROP_WRITABLE);
      JS_FreeValue(context, why);
      why = error;
    }
    fail(why, 1);
    return;
  }
  size_t n;
  const char *s = JS_IsUndefined(text) ? NULL : JS_ToCStringLen(context, &n, text);
  if (s)
    ledge_output(s, (uint32_t)n);
  else
    ledge_output("null", 4);
  JS_FreeCString(context, s);
  JS_FreeValue(context, text);
}

// Runs promise jobs until there are none. False with an exception if one failed itself,
// not what it called: there was no memory to settle a promise, or process.exit was called.
static bool drain(void) {
  JSContext *ctx;
  int more = 1;
  while (!exiting && more > 0) more = JS_ExecutePendingJob(runtime, &ctx);
  return more >= 0;
}

// Runs the event loop until it is known how it ends, and replies unless quiet.
// promise, which it frees, is what the handler or the load gave: its state decides.
// Undefined: the callbacks decide. Returns the promise's value if quiet.
static JSValue settle(JSValue promise, int phase, bool quiet) {
  for (;;) {
    bool drained = drain();
    if (exiting) break;
    if (!drained) {
      JS_FreeValue(context, promise);
      rejections_clear();
      fail(JS_GetException(context), phase);
      return JS_EXCEPTION;
    }
    JSPromiseStateEnum state = JS_IsUndefined(promise) ? JS_PROMISE_PENDING : JS_PromiseState(context, promise);
    if (state == JS_PROMISE_REJECTED && outcome == NOTHING) {
      rejection_handled(context, promise);
      JSValue reason = JS_PromiseResult(context, promise);
      JS_FreeValue(context, promise);
      rejections_clear();
      fail(reason, phase);
      return JS_EXCEPTION;
    }
    if (rejections) {
      JSValue args[2] = {JS_DupValue(context, rejections->reason), JS_DupValue(context, rejections->promise)};
      rejections_clear();
      JSValue error = JS_Call(context, js_unhandled, JS_UNDEFINED, 2, args);
      JS_FreeValue(context, args[0]);
      JS_FreeValue(context, args[1]);
      JS_FreeValue(context, promise);
      fail(JS_IsException(error) ? JS_GetException(context) : error, phase);
      return JS_EXCEPTION;
    }
    if (outcome == FAILED || outcome == REPLIED) {
      JSValue value = outcome_value;
      bool failed = outcome == FAILED;
      outcome_value = JS_UNDEFINED;
      JS_FreeValue(context, promise);
      if (failed)
        fail(value, phase);
      else
        reply(value);
      return JS_UNDEFINED;
    }
    if (state == JS_PROMISE_FULFILLED && outcome == NOTHING) {
      JSValue value = JS_PromiseResult(context, promise);
      JS_FreeValue(context, promise);
      if (quiet) return value;
      reply(value);
      return JS_UNDEFINED;
    }
    JSValue turned = JS_Call(context, js_turn, JS_UNDEFINED, 0, NULL);
    if (JS_IsException(turned)) {
      if (exiting) break;
      JS_FreeValue(context, promise);
      rejections_clear();
      fail(JS_GetException(context), phase);
      return JS_EXCEPTION;
    }
    double wait = 0;
    JS_ToFloat64(context, &wait, turned);
    if (wait > 0) {
      sleep_ms(wait);
    } else if (wait < 0) { // nothing left that could run
      JS_FreeValue(context, promise);
      if (js_ran_out_of_memory && outcome == NOTHING) {
        fail(JS_DupValue(context, js_out_of_memory_error), phase);
        return JS_EXCEPTION;
      }
      if (quiet) return JS_UNDEFINED;
      if (is_async && outcome == NOTHING) {
        JSValue error = JS_Call(context, js_never_settled, JS_UNDEFINED, 0, NULL);
        fail(JS_IsException(error) ? JS_GetException(context) : error, phase);
        return JS_EXCEPTION;
      }
      JSValue value = outcome_value;
      outcome_value = JS_UNDEFINED;
      reply(value);
      return JS_UNDEFINED;
    }
  }
  JS_FreeValue(context, promise);
  rejections_clear();
  fail(JS_UNDEFINED, phase);
  return JS_EXCEPTION;
}

// callback(error, value), context.done, succeed and fail: magic says which.
enum { CALLBACK, DONE, SUCCEED, FAIL };

static JSValue finish(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic, JSValue *data) {
  JSValueConst error = JS_UNDEFINED, value = JS_UNDEFINED;
  if ((uint32_t)JS_VALUE_GET_INT(data[0]) != number || outcome != NOTHING) return JS_UNDEFINED;
  if (magic == SUCCEED)
    value = argc > 0 ? argv[0] : value;
  else
    error = argc > 0 ? argv[0] : error, value = argc > 1 ? argv[1] : value;
  bool failed = !JS_IsUndefined(error) && !JS_IsNull(error);
  if (magic == FAIL && !failed) {
    failed = true;
    outcome_value = JS_NewString(ctx, "handled");
  } else {
    outcome_value = JS_DupValue(ctx, failed ? error : value);
  }
  outcome = failed ? FAILED : REPLIED;
  if (!failed && magic == CALLBACK) {
    JSValue waits = JS_GetProperty(ctx, invocation_context, member_atoms[WAITS]);
    if (JS_ToBool(ctx, waits)) outcome = REPLIED_WHEN_IDLE;
    JS_FreeValue(ctx, waits);
  }
  return JS_UNDEFINED;
}

static JSValue finisher(JSContext *ctx, int which) {
  JSValue mine = JS_NewInt32(ctx, (int32_t)number);
  return JS_NewCFunctionData(ctx, finish, which == CALLBACK || which == DONE ? 2 : 1, which, 1, &mine);
}

// The context's done, succeed and fail are made when they are asked for.
static JSValue get_finisher(JSContext *ctx, JSValueConst this_val, int magic) {
  calls_back = true;
  return finisher(ctx, magic);
}

static JSValue remaining_time(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  return JS_NewInt64(ctx, ledge_remaining());
}

static JSValue js_exit(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  exit_code = 0;
  if (!JS_IsUndefined(argv[0])) JS_ToInt32(ctx, &exit_code, argv[0]);
  exiting = true;
  JSValue error = JS_NewError(ctx);
  JS_SetUncatchableError(ctx, error, true);
  return JS_Throw(ctx, error);
}

// promiseState(promise): [0 pending, 1 fulfilled or 2 rejected, value or reason].
static JSValue promise_state(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  JSValue pair = JS_NewArray(ctx);
  JS_SetPropertyUint32(ctx, pair, 0, JS_NewInt32(ctx, (int32_t)JS_PromiseState(ctx, argv[0])));
  JS_SetPropertyUint32(ctx, pair, 1, JS_PromiseResult(ctx, argv[0]));
  return pair;
}

// hooksSet(true): ledge_restored has hooks to run.
static JSValue hooks_set(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  JS_FreeValue(ctx, restored_hooks);
  restored_hooks = JS_DupValue(ctx, argv[0]);
  return JS_UNDEFINED;
}

static JSValue collect(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv) {
  JS_RunGC(runtime);
  return JS_UNDEFINED;
}

// The sources, in the order in which they are evaluated. Each is a function
// (native, internal) that defines globals and members of internal.
#define SOURCE(name) static const char name##_js[] = {
#define END , 0 };
SOURCE(core)
#embed "../js/core.js"
END
SOURCE(inspect)
#embed "../js/inspect.js"
END
SOURCE(console)
#embed "../js/console.js"
END
SOURCE(timers)
#embed "../js/timers.js"
END
SOURCE(events)
#embed "../js/events.js"
END
SOURCE(encoding)
#embed "../js/encoding.js"
END
SOURCE(buffer)
#embed "../js/buffer.js"
END
SOURCE(url)
#embed "../js/url.js"
END
SOURCE(clone)
#embed "../js/clone.js"
END
SOURCE(crypto)
#embed "../js/crypto.js"
END
SOURCE(fetch)
#embed "../js/fetch.js"
END
SOURCE(ledge)
#embed "../js/ledge.js"
END
SOURCE(process)
#embed "../js/process.js"
END
SOURCE(builtins)
#embed "../js/builtins.js"
END
SOURCE(modules)
#embed "../js/modules.js"
END
SOURCE(lambda)
#embed "../js/lambda.js"
END

static const struct {
  const char *name, *text;
  size_t size;
} sources[] = {
#define ENTRY(name) {"node:internal/" #name, name##_js, sizeof name##_js - 1}
    ENTRY(core),  ENTRY(inspect), ENTRY(console), ENTRY(timers),  ENTRY(events),   ENTRY(encoding),
    ENTRY(buffer), ENTRY(url),    ENTRY(clone),   ENTRY(crypto),  ENTRY(fetch),    ENTRY(ledge),
    ENTRY(process), ENTRY(builtins), ENTRY(modules), ENTRY(lambda)};

static JSValue take(JSValueConst internal, const char *name) {
  JSValue v = JS_GetPropertyStr(context, internal, name);
  if (!JS_IsFunction(context, v)) abort(); // our own sources are wrong: the build's tests see it
  return v;
}

// An InternalError that is kept, so its stack says nothing of where.
static JSValue take_error(const char *message) {
  JS_ThrowInternalError(context, "%s", message);
  JSValue error = JS_GetException(context);
  char stack[64] = "InternalError: ";
  strlcat(stack, message, sizeof stack);
  JS_DefinePropertyValueStr(context, error, "stack", JS_NewString(context, stack), JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
  return error;
}

// Gives the value to a member of the context objects to come.
static void set_member(int member, JSValue value) {
  JS_DefinePropertyValue(context, context_pattern, member_atoms[member], value, JS_PROP_C_W_E);
}

__attribute__((export_name("ledge_start"))) void ledge_start(void) {
  runtime = JS_NewRuntime();
  context = runtime ? JS_NewContext(runtime) : NULL;
  if (!context) abort();
  JS_SetMaxStackSize(runtime, STACK_KIB << 10);
  JS_SetHostPromiseRejectionTracker(runtime, track, NULL);
  JS_SetCanBlock(runtime, false);

  JSValue native = JS_NewObject(context), internal = JS_NewObject(context);
  natives_define(context, native);
  random_define(context, native);
  system_define(context, native);
  modules_define(context, native);
  JS_SetPropertyStr(context, native, "exit", JS_NewCFunction(context, js_exit, "exit", 1));
  JS_SetPropertyStr(context, native, "hooksSet", JS_NewCFunction(context, hooks_set, "hooksSet", 1));
  JS_SetPropertyStr(context, native, "promiseState", JS_NewCFunction(context, promise_state, "promiseState", 1));
  JS_SetPropertyStr(context, native, "gc", JS_NewCFunction(context, collect, "gc", 0));

  JS_SetStripInfo(runtime, JS_STRIP_SOURCE); // nobody needs the text of ours
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
    JSValue f = JS_Eval(context, sources[i].text, sources[i].size, sources[i].name, JS_EVAL_TYPE_GLOBAL);
    JSValue args[2] = {native, internal};
    JSValue done = JS_IsException(f) ? JS_EXCEPTION : JS_Call(context, f, JS_UNDEFINED, 2, args);
    if (JS_IsException(done)) {
      fail(JS_GetException(context), 0);
      return;
    }
    JS_FreeValue(context, f);
    JS_FreeValue(context, done);
  }
  JS_SetStripInfo(runtime, 0);
  js_out_of_memory_error = take_error("out of memory");
  reserve = js_malloc_rt(runtime, RESERVE);

  js_load = take(internal, "load");
  js_error = take(internal, "errorText");
  js_turn = take(internal, "turn");
  js_restored = take(internal, "restored");
  js_exited = take(internal, "exited");
  js_unhandled = take(internal, "unhandled");
  js_adopt = take(internal, "adopt");
  js_never_settled = take(internal, "neverSettled");
  js_is_async = take(internal, "isAsync");
  modules_hooks(context, internal);

  context_prototype = JS_NewObject(context);
  static const JSCFunctionListEntry members[] = {
      JS_CGETSET_MAGIC_DEF("done", get_finisher, NULL, DONE),
      JS_CGETSET_MAGIC_DEF("succeed", get_finisher, NULL, SUCCEED),
      JS_CGETSET_MAGIC_DEF("fail", get_finisher, NULL, FAIL),
      JS_CFUNC_DEF("getRemainingTimeInMillis", 0, remaining_time),
  };
  JS_SetPropertyFunctionList(context, context_prototype, members, sizeof members / sizeof *members);
  context_pattern = JS_NewObjectProto(context, context_prototype);
  for (int i = 0; i < MEMBERS; i++) {
    member_atoms[i] = JS_NewAtom(context, member_names[i]);
    set_member(i, i == WAITS ? JS_TRUE : JS_UNDEFINED);
  }
  JS_FreeValue(context, native);
  JS_FreeValue(context, internal);
  JS_RunGC(runtime);
  void *volatile spare = malloc(SPARE_HEAP); // volatile: or the compiler sees that it is for nothing
  free(spare);
}

// The input as a JSON value; null when there is none.
static JSValue input(const char *name) {
  uint32_t n = ledge_input_size();
  if (!n) return JS_NULL;
  static char small[4096];
  char *text = n < sizeof small ? small : js_malloc_rt(runtime, (size_t)n + 1);
  if (!text) return JS_ThrowOutOfMemory(context);
  ledge_input_read(text);
  text[n] = 0;
  JSValue v = ledge_parse_event(context, text, n);
  if (JS_IsException(v)) v = JS_ParseJSON(context, text, n, name);
  if (text != small) js_free_rt(runtime, text);
  return v;
}

__attribute__((export_name("ledge_load"))) void ledge_load(void) {
  JS_UpdateStackTop(runtime);
  random_seed();
  outcome = NOTHING;
  number++;
  JSValue config = input("config");
  if (JS_IsException(config)) {
    fail(JS_GetException(context), 0);
    return;
  }
  static const struct { int member; const char *key; } from[] = {
      {VERSION, "version"}, {NAME, "function"}, {LOG_GROUP, "log_group"}, {LOG_STREAM, "log_stream"}, {ARN, "arn"}};
  for (size_t i = 0; i < sizeof from / sizeof *from; i++)
    set_member(from[i].member, JS_GetPropertyStr(context, config, from[i].key));
  own_arn = JS_GetProperty(context, context_pattern, member_atoms[ARN]);
  JSValue memory = JS_GetPropertyStr(context, config, "memory");
  set_member(MEMORY, JS_ToString(context, memory));
  JS_FreeValue(context, memory);

  JSValue promise = JS_Call(context, js_load, JS_UNDEFINED, 1, &config);
  JS_FreeValue(context, config);
  if (JS_IsException(promise)) {
    fail(JS_GetException(context), 0);
    return;
  }
  JSValue found = settle(promise, 0, true);
  if (JS_IsException(found)) return;
  if (!JS_IsFunction(context, found)) {
    static const char never[] =
        "{\"errorType\":\"Runtime.ImportModuleError\",\"errorMessage\":\"the module awaits something at its top level that never "
        "comes: nothing is left that could settle the promise\",\"trace\":[]}";
    ledge_fail(never, sizeof never - 1);
    return;
  }
  handler = found;
  JSValue length = JS_GetPropertyStr(context, handler, "length");
  int32_t parameters = 0;
  JS_ToInt32(context, &parameters, length);
  takes_callback = parameters >= 3;
  JSValue async = JS_Call(context, js_is_async, JS_UNDEFINED, 1, &handler);
  if (JS_IsException(async)) JS_FreeValue(context, JS_GetException(context)); // a getter of the function's own
  is_async = JS_VALUE_GET_TAG(async) == JS_TAG_BOOL && JS_VALUE_GET_BOOL(async);
  JS_FreeValue(context, async);
  JS_FreeValue(context, length);

  JS_RunGC(runtime);
  JSMemoryUsage used;
  JS_ComputeMemoryUsage(runtime, &used);
  JS_SetGCThreshold(runtime, (size_t)used.malloc_size + GC_SLACK);
  ledge_heap_settle();
}

__attribute__((export_name("ledge_restored"))) void ledge_restored(void) {
  random_seed();
  if (JS_IsUndefined(restored_hooks)) return;
  JSValue promise = JS_Call(context, js_restored, JS_UNDEFINED, 0, NULL);
  if (JS_IsException(promise))
    fail(JS_GetException(context), 1);
  else
    JS_FreeValue(context, settle(promise, 1, true));
}

// The context object of an Invocation that was made by an alias or has a client context.
static JSValue detailed_context(uint32_t n) {
  char *text = js_malloc_rt(runtime, (size_t)n + 1);
  if (!text) return JS_ThrowOutOfMemory(context);
  ledge_details(text);
  text[n] = 0;
  const char *end = memchr(text, '\n', n);
  size_t arn = end ? (size_t)(end - text) : n, at = end ? arn + 1 : n;
  JSValue client = at < n ? JS_ParseJSON(context, text + at, n - at, "clientContext") : JS_UNDEFINED;
  JSValue made = client;
  if (!JS_IsException(client)) {
    set_member(ARN, JS_NewStringLen(context, text, arn));
    set_member(CLIENT, client);
    made = ledge_copy(context, context_pattern);
    set_member(ARN, JS_DupValue(context, own_arn));
    set_member(CLIENT, JS_UNDEFINED);
  }
  js_free_rt(runtime, text);
  return made;
}

__attribute__((export_name("ledge_invoke"))) void ledge_invoke(void) {
  JSValue args[3];
  args[0] = input("event");
  if (JS_IsException(args[0])) {
    JSValue error = JS_GetException(context);
    JS_DefinePropertyValueStr(context, error, "name", JS_NewString(context, "Runtime.UnmarshalError"), JS_PROP_C_W_E);
    fail(error, 1);
    return;
  }
  number = (number + 1) & 0x7fffffff;
  outcome = NOTHING;
  calls_back = takes_callback;
  char id[36];
  uint32_t more = ledge_request(id);
  set_member(REQUEST_ID, JS_NewStringLen(context, id, sizeof id));
  args[1] = more ? detailed_context(more) : ledge_copy(context, context_pattern);
  if (JS_IsException(args[1])) {
    JS_FreeValue(context, args[0]);
    fail(JS_GetException(context), 1);
    return;
  }
  args[2] = finisher(context, CALLBACK);
  invocation_context = args[1];

  JSValue result = JS_Call(context, handler, JS_UNDEFINED, 3, args);
  if (JS_IsException(result)) {
    rejections_clear();
    fail(JS_GetException(context), 1);
  } else {
    JSValue promise = JS_UNDEFINED;
    bool object = JS_IsObject(result), then = false;
    if (object && JS_PromiseState(context, result) != (JSPromiseStateEnum)-1) {
      promise = result;
    } else if (object) {
      JSValue f = JS_GetPropertyStr(context, result, "then");
      then = JS_IsFunction(context, f);
      JS_FreeValue(context, f);
      if (then) {
        promise = JS_Call(context, js_adopt, JS_UNDEFINED, 1, &result);
        JS_FreeValue(context, result);
      }
    }
    if (JS_IsUndefined(promise) && !JS_IsUndefined(result) && !then && !calls_back && outcome == NOTHING) {
      outcome = REPLIED;
      outcome_value = result;
    } else if (JS_IsUndefined(promise)) {
      JS_FreeValue(context, result);
    }
    settle(promise, 1, false);
  }
  JS_FreeValue(context, outcome_value);
  outcome_value = JS_UNDEFINED;
  invocation_context = JS_UNDEFINED;
  for (int i = 0; i < 3; i++) JS_FreeValue(context, args[i]);
  if (js_ran_out_of_memory) { // cycles are not collected when memory is short, but when much was allocated
    JS_RunGC(runtime);
    js_ran_out_of_memory = false;
  }
}
