// What the Go half of this package and its C half share.
#ifndef LEDGE_H
#define LEDGE_H

#include "abi.h"
#include <pthread.h>
#include <stdatomic.h>

// A growing byte buffer with a ceiling. At the ceiling it refuses (over is set)
// and counts what it refused.
typedef struct {
  uint8_t *data;
  size_t len, cap, max;
  size_t refused;
} ledge_buffer;

struct ledge_slot {
  const uint8_t *slot;
  size_t maps;
};

// What the node's instances use together. In C memory, because the epoch
// callback updates it without a crossing into Go.
typedef struct {
  _Atomic int64_t used; // bytes of linear memory charged
  int64_t budget;       // bytes; 0 means no budget
  bool renice;          // lower the priority of long invocations
  _Atomic int64_t files; // descriptors that guests have open
  int64_t max_files;
  // Mappings of overlays. The kernel limits those of a process.
  pthread_mutex_t mapping;
  struct ledge_slot *slots; // by the memory's place; open addressing
  size_t nslots, maps, max_maps;
} ledge_node;

typedef struct {
  const char *module, *name;
  size_t module_len, name_len;
  bool memory; // this is the memory that the image provides
} ledge_import;

typedef struct {
  const char *name;
  size_t name_len;
  wasmtime_val_t value;
} ledge_global;

enum { LEDGE_ABI_COMMAND, LEDGE_ABI_EXTISM, LEDGE_ABI_LANGUAGE };

// A folder of the host that guests read below the name guest.
typedef struct {
  const char *guest;
  int fd; // -1: an empty one
} ledge_mount;

// What a guest's descriptor stands for, from LEDGE_FIRST_FILE on.
enum { LEDGE_FIRST_FILE = 3 };
typedef struct {
  bool open, directory;
  uint32_t mount; // index of the template's
  int host;       // the host's descriptor, -1 until it is needed
  uint64_t offset;
  char *path; // below the mount, "" for the mount itself
} ledge_file;

// Bytes of a linear memory, whole pages of the host.
typedef struct { uint64_t offset, len; } ledge_range;

// A part of a linear memory that a file holds.
typedef struct { uint64_t offset, len, at; } ledge_patch;
enum { LEDGE_MARK = 32 };

typedef struct {
  size_t n;
  ledge_range *ranges;
  const uint8_t *content; // what the snapshot has there, one range behind the other; NULL: not known
} ledge_prefault_set;

// Everything that is the same for all instances of one function version. Go
// fills it once and never changes it while instances exist.
typedef struct {
  wasm_engine_t *engine;
  const wasmtime_linker_t *linker;
  ledge_node *node;
  int abi;
  bool starts;   // the module has a start function

  // Either the whole module is instantiated from pre,
  wasmtime_instance_pre_t *pre;
  // or its memory from image_pre and its code with that memory as an import.
  wasmtime_instance_pre_t *image_pre;
  const wasmtime_module_t *code;
  const ledge_import *imports;
  size_t nimports;
  const ledge_global *globals; // set after instantiation
  size_t nglobals;
  uint64_t clock; // guest's monotonic clock when the snapshot was taken, ns
  // The function's own pages on top of an image that it shares, see overlay.c.
  int delta; // a file; -1: none
  const ledge_patch *patches;
  size_t npatches;
  uint64_t mark_at; // where the last patch has mark
  uint8_t mark[LEDGE_MARK];

  const char *entry; // export to call
  size_t entry_len;
  bool entry_returns; // its type is () -> i32 and not () -> ()
  const char **init;  // exports to call after instantiation, in order
  size_t ninit;

  const char **env; // NAME=value; the last one, the request id's, without a value
  const char **env_names, **env_values; // the same, apart
  size_t nenv;
  const char *argv0;
  const ledge_mount *mounts;
  size_t nmounts;
  const ledge_file *files; // that an instance starts with: the mounts, and what a snapshot had open
  size_t nfiles;

  bool resettable; // memory and globals are all that the guest can change
  // Pages to copy before a restored guest runs; NULL: not known. Set once.
  const ledge_prefault_set *_Atomic prefault;

  int64_t memory_limit; // bytes
  size_t output_limit, log_limit, kernel_limit;
} ledge_template;

// Why a call ended.
enum {
  LEDGE_OK,
  LEDGE_TRAP,
  LEDGE_EXIT,       // exit status other than 0
  LEDGE_FAILED,     // the handler reported an error
  LEDGE_TIMEOUT,    // the deadline passed
  LEDGE_CANCELLED,  // the caller went away
  LEDGE_NO_MEMORY,  // the node's memory budget is used up
  LEDGE_TOO_LARGE,  // the reply passed its limit
  LEDGE_ERROR,      // the engine refused: linking, no free slot
};

// One block that the guest allocated in the kernel's memory.
typedef struct {
  uint64_t offset, len, cap;
  bool free;
} ledge_block;

// The memory that an Extism plug-in and the host exchange bytes through.
typedef struct {
  uint8_t *data;
  uint64_t cap, top, max; // top: first byte that no block owns
  ledge_block *blocks;    // by offset
  size_t nblocks, nfree, blocks_cap;
  uint64_t output_offset, output_len, error_offset, input_offset;
  bool has_output, has_error;
} ledge_kernel;

typedef struct {
  const ledge_template *template;
  wasmtime_store_t *store; // NULL: an empty shell
  wasmtime_context_t *context;
  wasmtime_instance_t instance;
  wasmtime_func_t entry;
  wasmtime_memory_t memory;
  bool has_memory;
  bool pristine;          // as restored: put back after a call, and initialisers have yet to run
  uint64_t restored_size; // of the memory, bytes
  bool starting; // the start function may run, and its memory cannot be seen

  _Atomic uint32_t stop; // the outcome with which the running call must end; 0: run on
  int64_t started, deadline, ended; // CLOCK_MONOTONIC, ns
  int64_t created;                  // when the store was made
  int64_t charged;                  // bytes of node->used
  uint32_t ticks;                   // epochs that this call has seen
  int nice; // of the thread before it was reniced
  bool reniced;
  bool wanting; // it grew past the node's budget at the last epoch

  const uint8_t *input; // borrowed from Go during a call
  size_t input_len;
  ledge_buffer output, log;
  ledge_kernel kernel;
  uint64_t host; // Go's handle for host calls
  uint32_t http_status;
  uint64_t http_headers; // kernel offset
  uint32_t host_status;  // of the last host call of a language
  uint64_t host_reply, host_head, host_body; // its reply: kernel offset, and lengths
  int32_t user_status;    // of the last call of extism:host/user
  int64_t user_sequence;  // of what it read or wrote; 0: nothing
  uint64_t user_error;    // kernel offset of why the last call failed; 0: it did not
  bool failed;           // a language's handler failed; message says how

  // Outcome of the last call or instantiation.
  int outcome;
  const uint8_t *reply; // into output or kernel; good until the next call
  size_t reply_len;
  bool unwound; // the guest did not return: it trapped, exited or was stopped
  int exit_status, trap_code; // trap_code -1: none
  char *message;              // malloc'ed, or NULL
  size_t message_len;
  char *frames; // malloc'ed lines, innermost first, or NULL
  size_t frames_len;
  int64_t init_ns;      // part of the call that went into instantiation
  int64_t memory_bytes; // linear memory at the end of the call
  char request_variable[128]; // NAME=id
  uint8_t *details;           // what a language's context object shows of this call alone; malloc'ed, or NULL
  size_t details_len, details_cap;
  bool exited;                // by proc_exit, with exit_status
  uint8_t closed;             // standard streams that the guest closed, a bit each
  size_t input_at;            // bytes of input that standard input has given
  ledge_file *files;
  size_t nfiles, files_cap;
} ledge_instance;

// config.c
enum { LEDGE_THREAD_STACK = 8 << 20 }; // bytes that every thread has
typedef struct {
  uint32_t instances;   // stores at the same time
  uint64_t max_memory;  // bytes of one linear memory
  uint64_t reservation; // bytes of address space for each
  uint64_t guard;
  uint64_t keep_resident; // bytes of a memory that stay mapped between uses
  uint32_t warm_slots;
  uint64_t wasm_stack;
} ledge_pool_config;
void ledge_configure(wasm_config_t *, const ledge_pool_config *);
wasmtime_linker_t *ledge_linker_new(wasm_engine_t *, char **message, size_t *message_len);
char *ledge_take_error(wasmtime_error_t *, size_t *len); // deletes the error
bool ledge_can_reserve(uint64_t bytes);
bool ledge_can_renice(void);
bool ledge_stacks_are_wide(void); // false: the user's hard limit is in the way

// instance.c
ledge_instance *ledge_instance_alloc(const ledge_template *, uint64_t host);
void ledge_instance_free(ledge_instance *);
// Gives the shell a store with the function in it. Returns the outcome.
int ledge_instantiate(ledge_instance *, const uint8_t *input, size_t input_len, int64_t timeout_ns);
// Calls the entry of a live instance.
int ledge_call(ledge_instance *, const uint8_t *input, size_t input_len, int64_t timeout_ns);
// Calls another export of type () -> () of a live instance.
int ledge_run(ledge_instance *, const char *name, size_t len, const uint8_t *input, size_t input_len, int64_t timeout_ns);
// Both, and puts the instance back to what it was or, where that cannot be done,
// drops the store again: a fresh instance in one crossing.
int ledge_call_fresh(ledge_instance *, const uint8_t *input, size_t input_len, int64_t timeout_ns);
// Returns room for so many bytes of details, or NULL.
uint8_t *ledge_details(ledge_instance *, size_t len);
// Drops the store; buffers stay for the next one.
void ledge_drop(ledge_instance *);
// Gives back what the last call needed of buffers, but for a little.
void ledge_trim(ledge_instance *);
// Reports whether the node has so many bytes more to give.
bool ledge_affordable(const ledge_instance *, uint64_t bytes);
// Reports whether the running call must end, because it was told to or because
// its deadline has passed. A guest looks at the epoch in loops and at the start of
// functions; host calls that take their time ask this, for code that is nothing
// but calls.
bool ledge_over(ledge_instance *);
int64_t ledge_memory_size(const ledge_instance *);
const uint8_t *ledge_memory_data(const ledge_instance *);
bool ledge_global_read(ledge_instance *, const char *name, size_t len, wasmtime_val_t *);
// A hash over the content of a table of functions; false where the table holds
// something else or does not exist.
bool ledge_table_hash(ledge_instance *, const char *name, size_t len, uint64_t *hash);
int64_t ledge_now(void); // CLOCK_MONOTONIC, ns
uint64_t ledge_guest_clock(const ledge_instance *);

// workingset.c
enum { LEDGE_MAX_RANGES = 512 };
// Writes the pages that the guest wrote to, at most *n ranges in order, and their
// number to *n. Returns false where they cannot be told or are too many.
bool ledge_working_set(ledge_instance *, ledge_range *ranges, size_t *n, size_t max_pages);
void ledge_prefault(ledge_instance *);
// Restores an instance and runs nothing in it.
int ledge_restore(ledge_instance *, int64_t timeout_ns);

// putback.c
// Makes the memory what it was before the guest first ran. Returns false where
// that cannot be done for sure.
bool ledge_put_back(ledge_instance *);

// overlay.c
// Puts the patches of the template on the memory of a new instance. Returns false
// where the system refuses.
bool ledge_overlay(ledge_instance *);
bool ledge_grow(ledge_instance *, uint64_t pages);

// wasi.c
wasmtime_error_t *ledge_define_wasi(wasmtime_linker_t *);
// wasifiles.c
bool ledge_files_begin(ledge_instance *); // false: out of memory
void ledge_files_end(ledge_instance *);

// language.c
wasmtime_error_t *ledge_define_language(wasmtime_linker_t *);

// kernel.c
void ledge_kernel_reset(ledge_kernel *);
void ledge_kernel_free(ledge_kernel *);
// Returns the offset of a new zeroed block, 0 when the kernel is full.
uint64_t ledge_kernel_alloc(ledge_instance *, uint64_t len);
// What the block at offset holds; NULL and 0 for no block.
const uint8_t *ledge_kernel_content(ledge_kernel *, uint64_t offset, size_t *len);
wasmtime_error_t *ledge_define_extism(wasmtime_linker_t *);

// user.c
wasmtime_error_t *ledge_define_user(wasmtime_linker_t *);

// buffer.c
void ledge_append(ledge_buffer *, const void *, size_t);

// func.c
typedef struct {
  const char *name, *params, *results; // types as characters: 'i' i32, 'l' i64
  wasmtime_func_unchecked_callback_t callback;
} ledge_host_func;
wasmtime_error_t *ledge_define(wasmtime_linker_t *, const char *module, const ledge_host_func *, size_t n);
static inline ledge_instance *ledge_caller(wasmtime_caller_t *caller) {
  return (ledge_instance *)wasmtime_context_get_data(wasmtime_caller_context(caller));
}

// Host calls that Go answers (host.go). request and extra are borrowed; the
// reply is a kernel block's offset, 0 for none.
enum { LEDGE_HOST_VAR_GET, LEDGE_HOST_VAR_SET, LEDGE_HOST_VAR_DELETE, LEDGE_HOST_HTTP };
// The calls of a language, which has numbers of its own from here on.
enum { LEDGE_HOST_LANGUAGE = 1 << 16 };
// The calls of plug-ins (user.c), and a block that one was given.
enum {
  LEDGE_USER_GET, LEDGE_USER_PUT, LEDGE_USER_DELETE, LEDGE_USER_CAS, LEDGE_USER_INCREMENT,
  LEDGE_USER_LIST, LEDGE_USER_TRANSACT, LEDGE_USER_PUBLISH, LEDGE_USER_INVOKE
};
enum { LEDGE_USER_BLOCKS = 4 };
typedef struct {
  const uint8_t *data; // NULL: there is no such block
  size_t len;
  bool given; // the offset is not 0
} ledge_bytes;
// Sets the message of the last outcome to a copy of at most max bytes.
enum { LEDGE_MESSAGE = 64 << 10, LEDGE_ERROR_OBJECT = 1 << 20 };
void ledge_set_message(ledge_instance *, const char *text, size_t len, size_t max);

#endif
