// Hello-c-reactor is an Extism plug-in in C without a PDK and without a C
// library: all that such a function needs of its host is declared below. It
// compiles to two kilobytes.
//
// What it shows:
//   - the ABI itself: bytes live in blocks of the host's memory, which the guest
//     addresses by 64-bit offsets and reads and writes with host calls;
//   - memory that outlives an invocation: the counter below goes up as long as
//     the same Instance serves, and starts again in the next one. That is what
//     AWS Lambda does too; with --isolation fresh it is always 1.
//
// The ABI: https://extism.org/docs/concepts/pdk
//
//   clang --target=wasm32 -O2 -nostdlib -Wl,--no-entry -o hello-c.wasm hello.c
//   ledge deploy hello-c hello-c.wasm --route 'POST /hello-c' --payload raw
//       --content-type text/plain
//   curl -d Ada localhost:8080/hello-c
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define EXTISM(name) __attribute__((import_module("extism:host/env"), import_name(#name)))

EXTISM(input_length) u64 input_length(void);
EXTISM(input_load_u8) u32 input_load_u8(u64 at);
EXTISM(alloc) u64 host_alloc(u64 length); // 0 where there is no memory left
EXTISM(free) void host_free(u64 block);
EXTISM(store_u8) void store_u8(u64 at, u32 byte);
EXTISM(output_set) void output_set(u64 block, u64 length);
EXTISM(error_set) void error_set(u64 block);
EXTISM(log_info) void log_info(u64 block);

enum { MAX_NAME = 64, MAX_REPLY = 192 };

static u32 calls; // by this Instance

// A text under construction. What does not fit is left out. It is started with
// start and not with an initialiser, which would clear all of it and call memset.
typedef struct {
  u8 bytes[MAX_REPLY];
  u32 length;
} reply;

static void start(reply *r) { r->length = 0; }

static void put(reply *r, u8 byte) {
  if (r->length < MAX_REPLY) r->bytes[r->length++] = byte;
}

static void put_text(reply *r, const char *text) {
  while (*text) put(r, (u8)*text++);
}

static void put_number(reply *r, u32 n) {
  if (n >= 10) put_number(r, n / 10);
  put(r, (u8)('0' + n % 10));
}

// Copies a reply to a new block of the host; 0 where there is no memory left.
static u64 hand_over(const reply *r) {
  u64 block = host_alloc(r->length);
  if (block == 0) return 0;
  for (u32 i = 0; i < r->length; i++) store_u8(block + i, r->bytes[i]);
  return block;
}

// Answers one event: the input is a name. Returns 0 when it went well; any
// other number fails the invocation, with the error that was set.
__attribute__((export_name("handle"))) int handle(void) {
  reply r;
  start(&r);
  u64 length = input_length();
  if (length > MAX_NAME) {
    put_text(&r, "a name has at most 64 bytes");
    error_set(hand_over(&r));
    return 1;
  }

  put_text(&r, "Hello, ");
  if (length == 0) put_text(&r, "world");
  for (u64 i = 0; i < length; i++) put(&r, (u8)input_load_u8(i));
  put_text(&r, "! Call ");
  put_number(&r, ++calls);
  put_text(&r, " of this instance.\n");

  u64 block = hand_over(&r);
  if (block == 0) return 1;
  output_set(block, r.length);

  reply note;
  start(&note);
  put_text(&note, "greeted in call ");
  put_number(&note, calls);
  u64 line = hand_over(&note);
  log_info(line);
  host_free(line);
  return 0;
}
