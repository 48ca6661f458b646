// Files for guests: folders of the host that they see read-only, each below a
// preopened descriptor. Of an open file the instance keeps mount, path and
// offset, and the host's descriptor only as long as the instance lives, so that
// a snapshot can hold open files: a restored instance opens them again when it
// uses them first.
//
// A path is resolved as text before the kernel sees it: "..", however it is
// spelled, ends at the mount. Symbolic links are not followed at all.
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
#define _GNU_SOURCE
#include "ledge.h"
#include "preview1.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TYPE_DIRECTORY = 3, TYPE_REGULAR = 4 };
enum { OPEN_CREATE = 1, OPEN_DIRECTORY = 2, OPEN_TRUNCATE = 8 };
enum { SEEK_FROM_START, SEEK_FROM_HERE, SEEK_FROM_END };
enum { DIRENT_SIZE = 24, FILESTAT_SIZE = 64, FDSTAT_SIZE = 24 };
enum { READ_AT_A_TIME = 1 << 20 };
enum { PATH_SIZE = 1024 };
enum { SPARE_FILES = 8, MAX_FILES = 320 }; // open at the same time in one instance
#define RIGHT_FD_WRITE (UINT64_C(1) << 6)
// fd_read, fd_seek, fd_tell, fd_advise, path_open, fd_readdir, path_readlink,
// path_filestat_get, fd_filestat_get, poll_fd_readwrite
#define RIGHTS (UINT64_C(1) << 1 | 1 << 2 | 1 << 5 | 1 << 7 | 1 << 13 | 1 << 14 | 1 << 15 | 1 << 18 | 1 << 21 | 1 << 27)

static int32_t from_errno(int error) {
  switch (error) {
  case EACCES: case EPERM: return ERRNO_ACCES;
  case EISDIR: return ERRNO_ISDIR;
  case ELOOP: return ERRNO_LOOP;
  case EMFILE: case ENFILE: return ERRNO_MFILE;
  case ENAMETOOLONG: return ERRNO_NAMETOOLONG;
  case ENOENT: return ERRNO_NOENT;
  case ENOTDIR: return ERRNO_NOTDIR;
  case EXDEV: return ERRNO_PERM;
  }
  return ERRNO_IO;
}

// Opens a path inside a mount. The kernel is asked to stay beneath the mount and
// to follow no link; one that cannot (before Linux 5.6) follows no last link, and
// has no others to follow: code is unpacked without links.
static int open_beneath(const ledge_mount *mount, const char *path, int flags) {
  struct { uint64_t flags, mode, resolve; } how = {.flags = (uint64_t)flags, .resolve = 0x08 | 0x04 | 0x02};
  static _Atomic bool missing;
  if (mount->fd < 0) {
    errno = ENOENT;
    return -1;
  }
  if (!path[0]) path = ".";
  if (!atomic_load_explicit(&missing, memory_order_relaxed)) {
    int fd = (int)syscall(SYS_openat2, mount->fd, path, &how, sizeof how);
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return fd;
    if (errno == ENOSYS) atomic_store_explicit(&missing, true, memory_order_relaxed);
  }
  return openat(mount->fd, path, flags | O_NOFOLLOW);
}

enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

static ledge_file *file(ledge_instance *in, uint32_t fd) {
  if (fd < LEDGE_FIRST_FILE || fd - LEDGE_FIRST_FILE >= in->nfiles) return NULL;
  ledge_file *f = &in->files[fd - LEDGE_FIRST_FILE];
  return f->open ? f : NULL;
}

static const ledge_mount *mount_of(const ledge_instance *in, const ledge_file *f) {
  return &in->template->mounts[f->mount];
}

// The process has so many descriptors, and functions together may not have them all.
static bool take_descriptor(ledge_instance *in) {
  ledge_node *node = in->template->node;
  if (atomic_fetch_add_explicit(&node->files, 1, memory_order_relaxed) < node->max_files) return true;
  atomic_fetch_sub_explicit(&node->files, 1, memory_order_relaxed);
  return false;
}

static void give_descriptor(ledge_instance *in) {
  atomic_fetch_sub_explicit(&in->template->node->files, 1, memory_order_relaxed);
}

// Returns the host's descriptor, after a restore for the first time, or -1 and errno.
static int host_fd(ledge_instance *in, ledge_file *f) {
  if (f->host >= 0) return f->host;
  if (!take_descriptor(in)) {
    errno = EMFILE;
    return -1;
  }
  f->host = open_beneath(mount_of(in, f), f->path, OPEN_FLAGS | (f->directory ? O_DIRECTORY : 0));
  if (f->host < 0) give_descriptor(in);
  return f->host;
}

static void forget(ledge_instance *in, ledge_file *f) {
  if (f->host >= 0) {
    close(f->host);
    give_descriptor(in);
  }
  free(f->path);
  *f = (ledge_file){.host = -1};
}

bool ledge_files_begin(ledge_instance *in) {
  const ledge_template *t = in->template;
  if (t->nfiles == 0) return true;
  in->files = malloc((t->nfiles + SPARE_FILES) * sizeof *in->files);
  if (!in->files) return false;
  in->files_cap = t->nfiles + SPARE_FILES;
  for (size_t i = 0; i < t->nfiles; i++) {
    const ledge_file *from = &t->files[i];
    ledge_file *f = &in->files[in->nfiles++];
    *f = (ledge_file){.host = -1};
    if (!from->open) continue;
    *f = *from;
    f->host = -1;
    if (!(f->path = strdup(from->path))) f->open = false;
  }
  return true;
}

void ledge_files_end(ledge_instance *in) {
  for (size_t i = 0; i < in->nfiles; i++) forget(in, &in->files[i]);
  free(in->files);
  in->files = NULL;
  in->nfiles = in->files_cap = 0;
}

int32_t ledge_file_close(ledge_instance *in, uint32_t fd) {
  ledge_file *f = file(in, fd);
  if (!f) return ERRNO_BADF;
  forget(in, f);
  return 0;
}

int32_t ledge_file_renumber(ledge_instance *in, uint32_t from, uint32_t to) {
  ledge_file *f = file(in, from), *g = file(in, to);
  if (!f || !g) return ERRNO_BADF;
  if (f == g) return 0;
  forget(in, g);
  *g = *f;
  *f = (ledge_file){.host = -1};
  return 0;
}

int32_t ledge_file_read(ledge_instance *in, uint32_t fd, const uint8_t *iovs, uint32_t n, const uint64_t *at, uint32_t *total) {
  ledge_file *f = file(in, fd);
  *total = 0;
  if (!f) return ERRNO_BADF;
  if (f->directory) return ERRNO_ISDIR;
  int host = host_fd(in, f);
  if (host < 0) return from_errno(errno);
  uint64_t offset = at ? *at : f->offset;
  if (offset > INT64_MAX - UINT32_MAX) return ERRNO_INVAL;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t to, len;
    memcpy(&to, iovs + 8 * (size_t)i, 4);
    memcpy(&len, iovs + 8 * (size_t)i + 4, 4);
    uint8_t *bytes = ledge_guest(in, to, len);
    if (!bytes) return ERRNO_FAULT;
    for (uint32_t done = 0; done < len;) {
      uint32_t want = len - done < READ_AT_A_TIME ? len - done : READ_AT_A_TIME;
      ssize_t got = pread(host, bytes + done, want, (off_t)offset);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return from_errno(errno);
      if (got == 0) goto end;
      done += (uint32_t)got;
      offset += (uint64_t)got;
      *total += (uint32_t)got;
      if (ledge_over(in)) goto end; // the caller traps
    }
  }
end:
  if (!at) f->offset = offset;
  return 0;
}

int32_t ledge_file_seek(ledge_instance *in, uint32_t fd, int64_t by, uint32_t whence, uint64_t *now) {
  ledge_file *f = file(in, fd);
  if (!f) return ERRNO_BADF;
  int64_t from = 0;
  if (whence == SEEK_FROM_HERE) {
    from = (int64_t)f->offset;
  } else if (whence == SEEK_FROM_END) {
    struct stat s;
    int host = host_fd(in, f);
    if (host < 0 || fstat(host, &s) != 0) return from_errno(errno);
    from = s.st_size;
  } else if (whence != SEEK_FROM_START) {
    return ERRNO_INVAL;
  }
  int64_t to;
  if (__builtin_add_overflow(from, by, &to) || to < 0) return ERRNO_INVAL;
  *now = f->offset = (uint64_t)to;
  return 0;
}

static void write_stat(const ledge_file *f, const struct stat *s, uint8_t *out) {
  uint64_t words[8] = {f->mount + 1u, s->st_ino, S_ISDIR(s->st_mode) ? TYPE_DIRECTORY : TYPE_REGULAR, s->st_nlink, (uint64_t)s->st_size};
  uint64_t modified = (uint64_t)s->st_mtim.tv_sec * 1000000000 + (uint64_t)s->st_mtim.tv_nsec;
  words[5] = words[6] = words[7] = modified; // when it was read or renamed is the host's business
  memcpy(out, words, FILESTAT_SIZE);
}

int32_t ledge_file_stat(ledge_instance *in, uint32_t fd, uint8_t *out) {
  ledge_file *f = file(in, fd);
  struct stat s = {.st_mode = S_IFDIR, .st_nlink = 1};
  if (!f) return ERRNO_BADF;
  if (mount_of(in, f)->fd >= 0) { // a mount without a folder is an empty one
    int host = host_fd(in, f);
    if (host < 0 || fstat(host, &s) != 0) return from_errno(errno);
  }
  write_stat(f, &s, out);
  return 0;
}

int32_t ledge_file_fdstat(ledge_instance *in, uint32_t fd, uint8_t *out) {
  const ledge_file *f = file(in, fd);
  if (!f) return ERRNO_BADF;
  uint64_t rights = RIGHTS;
  memset(out, 0, FDSTAT_SIZE);
  out[0] = f->directory ? TYPE_DIRECTORY : TYPE_REGULAR;
  memcpy(out + 8, &rights, 8);
  memcpy(out + 16, &rights, 8);
  return 0;
}

int32_t ledge_file_check(ledge_instance *in, uint32_t fd) { return file(in, fd) ? 0 : ERRNO_BADF; }

// The mount that fd stands for, or NULL.
static const ledge_mount *preopened(ledge_instance *in, uint32_t fd) {
  const ledge_file *f = file(in, fd);
  if (!f || fd - LEDGE_FIRST_FILE >= in->template->nmounts || f->path[0]) return NULL;
  return mount_of(in, f);
}

int32_t ledge_file_prestat(ledge_instance *in, uint32_t fd, uint8_t *out) {
  const ledge_mount *m = preopened(in, fd);
  if (!m) return ERRNO_BADF;
  uint32_t words[2] = {0, (uint32_t)strlen(m->guest)}; // 0: a folder
  memcpy(out, words, sizeof words);
  return 0;
}

int32_t ledge_file_prestat_name(ledge_instance *in, uint32_t fd, uint8_t *out, uint32_t room) {
  const ledge_mount *m = preopened(in, fd);
  if (!m) return ERRNO_BADF;
  if (strlen(m->guest) > room) return ERRNO_NAMETOOLONG;
  memcpy(out, m->guest, strlen(m->guest));
  return 0;
}

// Writes where path leads from f, as a path inside of f's mount without ".", ".."
// and double slashes.
static int32_t resolve(const ledge_file *f, const uint8_t *path, uint32_t len, char out[PATH_SIZE]) {
  if (!f->directory) return ERRNO_NOTDIR;
  if (len == 0) return ERRNO_NOENT;
  if (path[0] == '/') return ERRNO_PERM; // descriptors are all that there is
  if (memchr(path, 0, len)) return ERRNO_INVAL;
  size_t n = strlen(f->path);
  if (n >= PATH_SIZE) return ERRNO_NAMETOOLONG;
  memcpy(out, f->path, n);
  for (uint32_t at = 0; at < len;) {
    const uint8_t *end = memchr(path + at, '/', len - at);
    uint32_t part = end ? (uint32_t)(end - path) - at : len - at;
    const uint8_t *name = path + at;
    at += part + 1;
    if (part == 0 || (part == 1 && name[0] == '.')) continue;
    if (part == 2 && name[0] == '.' && name[1] == '.') {
      if (n == 0) return ERRNO_PERM;
      while (n > 0 && out[n - 1] != '/') n--;
      if (n > 0) n--;
      continue;
    }
    if (n + part + 2 > PATH_SIZE) return ERRNO_NAMETOOLONG;
    if (n > 0) out[n++] = '/';
    memcpy(out + n, name, part);
    n += part;
  }
  out[n] = 0;
  return 0;
}

static int32_t grow(ledge_instance *in) {
  if (in->files_cap >= MAX_FILES) return ERRNO_MFILE;
  size_t cap = 2 * in->files_cap < MAX_FILES ? 2 * in->files_cap : MAX_FILES;
  ledge_file *grown = realloc(in->files, cap * sizeof *grown);
  if (!grown) return ERRNO_NOMEM;
  in->files = grown;
  in->files_cap = cap;
  return 0;
}

int32_t ledge_path_open(ledge_instance *in, uint32_t dir, const uint8_t *path, uint32_t len, uint32_t flags, uint64_t rights, uint32_t *opened) {
  const ledge_file *from = file(in, dir);
  char where[PATH_SIZE];
  if (!from) return ERRNO_BADF;
  uint32_t mount = from->mount; // from goes when the table grows
  int32_t error = resolve(from, path, len, where);
  if (error) return error;
  if (flags & (OPEN_CREATE | OPEN_TRUNCATE)) return ERRNO_ROFS;
  int host = open_beneath(&in->template->mounts[mount], where, OPEN_FLAGS | (flags & OPEN_DIRECTORY ? O_DIRECTORY : 0));
  if (host < 0) return from_errno(errno);
  struct stat s = {0};
  if (fstat(host, &s) != 0) error = from_errno(errno);
  else if (!S_ISDIR(s.st_mode) && !S_ISREG(s.st_mode)) error = ERRNO_ACCES;
  else if (!S_ISDIR(s.st_mode) && rights & RIGHT_FD_WRITE) error = ERRNO_ROFS;
  size_t slot = in->template->nmounts;
  while (slot < in->nfiles && in->files[slot].open) slot++;
  if (!error && slot == in->files_cap) error = grow(in);
  ledge_file f = {.open = true, .directory = S_ISDIR(s.st_mode), .mount = mount, .host = host, .path = strdup(where)};
  if (!error && !f.path) error = ERRNO_NOMEM;
  if (!error && !take_descriptor(in)) error = ERRNO_MFILE;
  if (error) {
    close(host);
    free(f.path);
    return error;
  }
  if (slot == in->nfiles) in->nfiles++;
  in->files[slot] = f;
  *opened = (uint32_t)slot + LEDGE_FIRST_FILE;
  return 0;
}

int32_t ledge_path_stat(ledge_instance *in, uint32_t dir, const uint8_t *path, uint32_t len, uint8_t *out) {
  ledge_file *from = file(in, dir);
  char where[PATH_SIZE];
  struct stat s;
  if (!from) return ERRNO_BADF;
  int32_t error = resolve(from, path, len, where);
  if (error) return error;
  if (!where[0] && mount_of(in, from)->fd < 0) { // a mount without a folder is an empty one
    write_stat(from, &(struct stat){.st_mode = S_IFDIR, .st_nlink = 1}, out);
    return 0;
  }
  int host = open_beneath(mount_of(in, from), where, O_PATH | O_CLOEXEC);
  if (host < 0) return from_errno(errno);
  if (fstat(host, &s) != 0) error = from_errno(errno);
  else if (!S_ISDIR(s.st_mode) && !S_ISREG(s.st_mode)) error = ERRNO_ACCES;
  close(host);
  if (!error) write_stat(from, &s, out);
  return error;
}

// What getdents64(2) returns.
typedef struct {
  uint64_t ino;
  int64_t next;
  uint16_t size;
  uint8_t type;
  char name[];
} host_dirent;

int32_t ledge_file_readdir(ledge_instance *in, uint32_t fd, uint8_t *out, uint32_t room, uint64_t cookie, uint32_t *used) {
  ledge_file *f = file(in, fd);
  *used = 0;
  if (!f) return ERRNO_BADF;
  if (!f->directory) return ERRNO_NOTDIR;
  if (mount_of(in, f)->fd < 0) return 0;
  int host = host_fd(in, f);
  if (host < 0) return from_errno(errno);
  if (cookie > INT64_MAX || lseek(host, (off_t)cookie, SEEK_SET) < 0) return ERRNO_INVAL;
  while (*used < room && !ledge_over(in)) {
    _Alignas(8) char buffer[4096];
    long got = syscall(SYS_getdents64, host, buffer, sizeof buffer);
    if (got < 0) return from_errno(errno);
    if (got == 0) return 0;
    for (long at = 0; at < got && *used < room;) {
      const host_dirent *e = (const host_dirent *)(buffer + at);
      at += e->size;
      uint32_t len = (uint32_t)strlen(e->name);
      uint8_t head[DIRENT_SIZE] = {0};
      memcpy(head, &e->next, 8);
      memcpy(head + 8, &e->ino, 8);
      memcpy(head + 16, &len, 4);
      head[20] = e->type == 4 ? TYPE_DIRECTORY : e->type == 8 ? TYPE_REGULAR : 0;
      // An entry that does not fit is cut off; the guest asks again from there.
      uint32_t first = room - *used < DIRENT_SIZE ? room - *used : DIRENT_SIZE;
      memcpy(out + *used, head, first);
      *used += first;
      uint32_t rest = room - *used < len ? room - *used : len;
      memcpy(out + *used, e->name, rest);
      *used += rest;
    }
  }
  return 0;
}
