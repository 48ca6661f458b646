// Debounce-c lets the first alarm of a sensor through and holds back those that follow
// within a minute: an Extism plug-in in C, without a PDK and without a C library, that
// uses the data of the node through ../ledge.h.
//
// What it shows:
//   - a key that goes by itself: put with a time to live;
//   - put if absent, which of many instances at the same moment lets only one through;
//   - what a refused call says, handed on as the function's own error.
//
//   clang --target=wasm32 -O2 -nostdlib -Wl,--no-entry -I.. -o debounce.wasm debounce.c
//   ledge deploy debounce debounce.wasm --route 'POST /alarm' --payload raw
//       --content-type text/plain
//   curl -d hall localhost:8080/alarm
#include "ledge.h"

#define EXTISM(name) __attribute__((import_module("extism:host/env"), import_name(#name))) extern

EXTISM(input_length) uint64_t input_length(void);
EXTISM(input_offset) ledge_block input_offset(void);
EXTISM(alloc) ledge_block host_alloc(uint64_t length); // 0 where there is no memory left
EXTISM(store_u8) void store_u8(uint64_t at, uint32_t byte);
EXTISM(output_set) void output_set(ledge_block block, uint64_t length);
EXTISM(error_set) void error_set(ledge_block block);

static uint64_t length(const char *text) {
  uint64_t n = 0;
  while (text[n]) n++;
  return n;
}

// Copies a text to a new block of the host.
static ledge_block block(const char *text) {
  uint64_t n = length(text);
  ledge_block at = host_alloc(n);
  for (uint64_t i = 0; at != 0 && i < n; i++) store_u8(at + i, (uint8_t)text[i]);
  return at;
}

static int fail(ledge_block why) {
  error_set(why);
  return 1;
}

static int reply(const char *text) {
  output_set(block(text), length(text));
  return 0;
}

// The event is the name of the sensor.
__attribute__((export_name("handle"))) int handle(void) {
  if (input_length() == 0) return fail(block("the event is the name of a sensor"));
  ledge_kv_put(0, input_offset(), block("1"), block("{\"ttl\": 60, \"ifAbsent\": true}"));
  switch (ledge_status()) {
  case LEDGE_DONE: return reply("alarm");
  case LEDGE_ABSENT: return reply("held back");
  default: return fail(ledge_error());
  }
}
