// The host's functions, as the guest calls them. The engine provides them under
// the import module "ledge"; they never fail, and copy what they are given.
#ifndef LEDGE_H
#define LEDGE_H

#include <stdint.h>

#define LEDGE(name) __attribute__((import_module("ledge"), import_name(#name)))
#define LEDGE_EXPORT(name) __attribute__((export_name(#name))) void name(void)

enum { LEDGE_REQUEST_SIZE = 36 }; // a UUID in text

// What ledge_call returns.
enum ledge_status { LEDGE_DONE, LEDGE_ABSENT, LEDGE_REFUSED };

LEDGE(input_size) uint32_t ledge_input_size(void);
LEDGE(input_read) void ledge_input_read(void *to);
LEDGE(output) void ledge_output(const void *text, uint32_t size);
LEDGE(fail) void ledge_fail(const void *json, uint32_t size);
// Returns the size of the details, 0 where the Invocation has none.
LEDGE(request) uint32_t ledge_request(void *to);
// The ARN that was invoked, where it is not the deploy's; a line break; the client
// context as JSON, or nothing.
LEDGE(details) void ledge_details(void *to);
LEDGE(remaining) int64_t ledge_remaining(void);
LEDGE(call)
uint32_t ledge_call(uint32_t op, const void *head, uint32_t head_size,
                    const void *body, uint32_t body_size, uint32_t sizes[2]);
LEDGE(reply) void ledge_reply(void *to);

#endif
