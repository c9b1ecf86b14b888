/* MAP_ANONYMOUS and MAP_NORESERVE are outside POSIX. */
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#include "board.h"

#include <errno.h>
#include <ert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <xrt_mem.h>

#include "axi_store.h"
#include "card/systole_kernel.h"
#include "card/xrt/xclbin.h"
#include "support/error.h"
#include "unit.h"

enum {
  kMostBuffers = 1 << 16,
  kSlotBits = 16,    /* of a buffer's number; the rest counts how often it was used */
  kMostRegions = 64, /* stretches of device memory without a hole */
  kMostExports = 256
};

/* Addresses below this are left out of a memory that begins at 0, as pointers that were
 * never set shall be refused. */
#define FIRST_ADDRESS UINT64_C(4096)

typedef struct region {
  uint64_t base, end;
  systole_axi_store *store;
} region;

typedef struct buffer {
  systole_handle *owner; /* NULL: the slot is free */
  uint16_t generation;
  systole_buffer_kind kind;
  uint32_t flags;
  uint64_t bytes, address;
  uint8_t *host;   /* NULL: none yet */
  uint8_t *device; /* where `address` is in this process; NULL: no device memory */
  systole_axi_store *store; /* that it was allocated from; NULL: imported */
} buffer;

typedef struct context {
  int shared, exclusive;
} context;

struct systole_handle {
  systole_board *board;
  void *slot;
  int open, number;
  int locks;         /* contexts that keep the xclbin */
  context *contexts; /* one a unit */
  pthread_mutex_t lock;
  pthread_cond_t ended;
  uint64_t events; /* commands that have ended and were not yet waited for */
  systole_handle *next;
};

struct systole_board {
  unsigned index;
  pthread_mutex_t lock; /* of all below; taken before a handle's and a unit's */
  systole_handle *handles;
  systole_xclbin *xclbin;
  region regions[kMostRegions];
  int region_count;
  systole_sim_unit **units; /* made when first opened */
  buffer *buffers;
  uint32_t buffer_room;
};

static pthread_mutex_t boards_lock = PTHREAD_MUTEX_INITIALIZER;
static systole_board *boards[SYSTOLE_BOARDS];

/* Buffers that have a file descriptor. */
static struct {
  int file;
  systole_board *board;
  uint32_t buffer;
} exports[kMostExports];
static int export_count;

static int refuse(int error, const char *sentence) {
  (void)fprintf(stderr, "systole card: %s\n", sentence);
  return -error;
}

static int error_of(systole_status status) {
  switch (status) {
    case SYSTOLE_OK:
      return 0;
    case SYSTOLE_ERR_NOT_FOUND:
      return ENODEV;
    case SYSTOLE_ERR_HOST_MEMORY:
    case SYSTOLE_ERR_DEVICE_MEMORY:
      return ENOMEM;
    case SYSTOLE_ERR_ARGUMENT:
      return EINVAL;
    default:
      return EIO;
  }
}

/* ---- boards and handles --------------------------------------------------------------
 */

unsigned systole_board_count(void) {
  const char *text = getenv("SYSTOLE_SIM_CARDS");
  if (!text) return 1;
  char *end = NULL;
  const unsigned long count = strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end || count > SYSTOLE_BOARDS) {
    (void)fprintf(stderr,
                  "systole card: SYSTOLE_SIM_CARDS is \"%s\"; it is 0 to %d cards, and 1 "
                  "is taken\n",
                  text, SYSTOLE_BOARDS);
    return 1;
  }
  return (unsigned)count;
}

static systole_board *board_at(unsigned index) {
  systole_board *board = NULL;
  pthread_mutex_lock(&boards_lock);
  if (index < systole_board_count()) {
    if (!boards[index]) {
      boards[index] = calloc(1, sizeof *boards[index]);
      if (boards[index]) {
        boards[index]->index = index;
        pthread_mutex_init(&boards[index]->lock, NULL);
      }
    }
    board = boards[index];
  }
  pthread_mutex_unlock(&boards_lock);
  return board;
}

systole_handle *systole_handle_check(void *pointer) {
  systole_handle *found = NULL;
  pthread_mutex_lock(&boards_lock);
  for (int i = 0; i < SYSTOLE_BOARDS && !found; i++) {
    if (!boards[i]) continue;
    pthread_mutex_lock(&boards[i]->lock);
    for (systole_handle *h = boards[i]->handles; h && !found; h = h->next) {
      if (h == pointer && h->open) found = h;
    }
    pthread_mutex_unlock(&boards[i]->lock);
  }
  pthread_mutex_unlock(&boards_lock);
  return found;
}

/* A handle that was closed is opened again before a new one is made: XRT keeps a thread
 * for every device object that it has ever seen. */
systole_handle *systole_handle_open(unsigned index) {
  systole_board *board = board_at(index);
  if (!board) return NULL;
  pthread_mutex_lock(&board->lock);
  systole_handle *handle = board->handles;
  while (handle && handle->open) handle = handle->next;
  if (!handle && (handle = calloc(1, sizeof *handle)) != NULL) {
    pthread_condattr_t monotonic;
    handle->board = board;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&handle->lock, NULL);
    pthread_cond_init(&handle->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    handle->next = board->handles;
    board->handles = handle;
  }
  if (handle) {
    const size_t units = board->xclbin ? board->xclbin->unit_count : 0;
    free(handle->contexts);
    handle->contexts = calloc(units + 1, sizeof *handle->contexts);
    handle->open = handle->contexts != NULL;
    handle->locks = 0;
    handle->events = 0;
  }
  pthread_mutex_unlock(&board->lock);
  return handle && handle->open ? handle : NULL;
}

void **systole_handle_slot(systole_handle *handle) { return &handle->slot; }
unsigned systole_handle_index(const systole_handle *handle) {
  return handle->board->index;
}

static void drop_buffer(systole_board *board, buffer *b);

void systole_handle_close(systole_handle *handle) {
  systole_board *board = handle->board;
  pthread_mutex_lock(&board->lock);
  for (size_t i = 0; board->xclbin && i < board->xclbin->unit_count; i++) {
    if (board->units[i]) systole_sim_unit_abort(board->units[i], handle);
    handle->contexts[i] = (context){0, 0};
  }
  for (uint32_t i = 0; i < board->buffer_room; i++) {
    if (board->buffers[i].owner == handle) drop_buffer(board, &board->buffers[i]);
  }
  handle->locks = 0;
  handle->open = 0;
  pthread_mutex_unlock(&board->lock);
}

/* ---- memory --------------------------------------------------------------------------
 */

static void free_memory(systole_board *board) {
  for (int i = 0; i < board->region_count; i++) {
    systole_axi_store_free(board->regions[i].store);
  }
  board->region_count = 0;
}

/* One region for every stretch of used banks without a hole between them. */
static int make_memory(systole_board *board, const systole_xclbin *x) {
  char sentence[256];
  for (size_t i = 0; i < x->bank_count; i++) {
    const systole_xclbin_bank *bank = &x->banks[i];
    uint64_t base = bank->base, end = bank->base + bank->bytes;
    if (!bank->used) continue;
    for (int r = 0; r < board->region_count;) { /* join what it touches */
      const region *old = &board->regions[r];
      if (old->end < base || end < old->base) {
        r++;
        continue;
      }
      if (old->base < base) base = old->base;
      if (old->end > end) end = old->end;
      board->regions[r] = board->regions[--board->region_count];
      r = 0;
    }
    if (board->region_count == kMostRegions) {
      return refuse(EINVAL, "the xclbin scatters its memory too much");
    }
    board->regions[board->region_count++] = (region){base, end, NULL};
  }
  for (int r = 0; r < board->region_count; r++) {
    region *one = &board->regions[r];
    const uint64_t base = one->base < FIRST_ADDRESS ? FIRST_ADDRESS : one->base;
    one->store = systole_axi_store_create(base, one->end - base);
    if (one->store) continue;
    (void)snprintf(sentence, sizeof sentence,
                   "cannot reserve %llu bytes of address space for the card's memory "
                   "(%s); raise the limit (ulimit -v)",
                   (unsigned long long)(one->end - base), strerror(errno));
    board->region_count = r;
    free_memory(board);
    return refuse(ENOMEM, sentence);
  }
  return 0;
}

static systole_axi_store *store_at(const systole_board *board, uint64_t address) {
  for (int r = 0; r < board->region_count; r++) {
    if (board->regions[r].base <= address && address < board->regions[r].end) {
      return board->regions[r].store;
    }
  }
  return NULL;
}

typedef struct pointer {
  int number;
  const char *port;
} pointer;

/* The kernel's arguments; `port` of one that is no pointer is the control port. */
#define SYSTOLE_POINTER(name, id, at, size, is_pointer, through) {id, through},
static const pointer kPointers[] = {SYSTOLE_KERNEL_ARGUMENTS(SYSTOLE_POINTER)};
#undef SYSTOLE_POINTER

static int goes_through(int argument, const char *port) {
  for (size_t i = 0; i < sizeof kPointers / sizeof kPointers[0]; i++) {
    if (kPointers[i].number == argument) return strcmp(kPointers[i].port, port) == 0;
  }
  return 0;
}

/* What a port of a unit sees: the bank, or group of banks, of the pointers that go
 * through it, and nothing else. */
static int make_view(const systole_board *board, int unit, const char *port,
                     systole_axi_store *view) {
  const systole_xclbin *x = board->xclbin;
  uint64_t base = UINT64_MAX, end = 0;
  for (size_t i = 0; i < x->connection_count; i++) {
    const systole_xclbin_connection *c = &x->connections[i];
    const systole_xclbin_bank *bank = &x->banks[c->bank];
    if (c->unit != unit || !goes_through(c->argument, port)) continue;
    if (bank->base < base) base = bank->base;
    if (bank->base + bank->bytes > end) end = bank->base + bank->bytes;
  }
  const systole_axi_store *store = end ? store_at(board, base) : NULL;
  if (base < FIRST_ADDRESS) base = FIRST_ADDRESS;
  if (!store || base < store->base || end > store->base + store->bytes) {
    return refuse(EINVAL, "the xclbin connects a port of the kernel to no memory");
  }
  *view = *store;
  view->data = store->data + (base - store->base);
  view->base = base;
  view->bytes = end - base;
  return 0;
}

/* ---- xclbin --------------------------------------------------------------------------
 */

static int is_used(const systole_board *board) {
  for (const systole_handle *h = board->handles; h; h = h->next) {
    if (h->open && h->locks > 0) return 1;
  }
  for (uint32_t i = 0; i < board->buffer_room; i++) {
    if (board->buffers[i].owner && board->buffers[i].device) return 1;
  }
  return 0;
}

static void unload(systole_board *board) {
  for (size_t i = 0; board->xclbin && i < board->xclbin->unit_count; i++) {
    systole_sim_unit_destroy(board->units[i]);
  }
  free(board->units);
  board->units = NULL;
  free_memory(board);
  systole_xclbin_free(board->xclbin);
  board->xclbin = NULL;
}

/* Takes `x` over. */
static int replace(systole_board *board, systole_xclbin *x) {
  unload(board);
  int error = make_memory(board, x);
  board->units = calloc(x->unit_count + 1, sizeof *board->units);
  if (!board->units) error = -ENOMEM;
  for (systole_handle *h = board->handles; h && !error; h = h->next) {
    context *contexts = calloc(x->unit_count + 1, sizeof *contexts);
    if (!contexts) error = -ENOMEM;
    if (!contexts) break;
    free(h->contexts);
    h->contexts = contexts;
  }
  if (error) {
    free_memory(board);
    free(board->units);
    board->units = NULL;
    systole_xclbin_free(x);
  } else {
    board->xclbin = x;
  }
  return error;
}

int systole_board_load(systole_handle *handle, const void *data, uint64_t bytes) {
  systole_board *board = handle->board;
  systole_xclbin *x = NULL;
  systole_status status = systole_xclbin_parse(&x, data, bytes, "the xclbin");
  if (status == SYSTOLE_OK) status = systole_xclbin_check_kernel(x, "the xclbin");
  if (status == SYSTOLE_OK && !x->simulated) {
    status =
        systole_fail(SYSTOLE_ERR_ARGUMENT,
                     "the xclbin is for a real card (%s), and this one is simulated; "
                     "take one of the simulated card's folder",
                     x->platform);
  }
  if (status != SYSTOLE_OK) {
    systole_xclbin_free(x);
    return refuse(error_of(status), systole_last_error());
  }
  int error = 0;
  pthread_mutex_lock(&board->lock);
  if (board->xclbin && memcmp(board->xclbin->uuid, x->uuid, sizeof x->uuid) == 0) {
    systole_xclbin_free(x);
  } else if (is_used(board)) {
    systole_xclbin_free(x);
    error = refuse(EBUSY, "another xclbin is in use on this card");
  } else {
    error = replace(board, x);
  }
  pthread_mutex_unlock(&board->lock);
  return error;
}

void systole_board_describe(systole_handle *handle, systole_board_info *out) {
  systole_board *board = handle->board;
  memset(out, 0, sizeof *out);
  pthread_mutex_lock(&board->lock);
  if (board->xclbin) {
    (void)snprintf(out->platform, sizeof out->platform, "%s", board->xclbin->platform);
    out->clock_mhz = board->xclbin->clock_mhz;
    out->banks = (int)board->xclbin->bank_count;
  }
  for (int r = 0; r < board->region_count; r++) {
    uint64_t used, longest;
    systole_axi_store_usage(board->regions[r].store, &used, &longest);
    out->bytes += board->regions[r].store->bytes;
    out->free_bytes += board->regions[r].store->bytes - used;
  }
  pthread_mutex_unlock(&board->lock);
}

/* ---- compute units -------------------------------------------------------------------
 */

static int check_unit(const systole_board *board, const uint8_t uuid[16], int unit) {
  if (!board->xclbin || memcmp(board->xclbin->uuid, uuid, 16) != 0) return -EBUSY;
  if (unit != SYSTOLE_NO_UNIT &&
      (unit < 0 || (size_t)unit >= board->xclbin->unit_count)) {
    return -EINVAL;
  }
  return 0;
}

static int make_unit(systole_board *board, int unit) {
  systole_axi_store views[2];
  if (board->units[unit]) return 0;
  if (strcmp(board->xclbin->units[unit].kernel, SYSTOLE_KERNEL_NAME) != 0) {
    return refuse(EINVAL, "the simulated card plays no other kernel than systole");
  }
  int error = make_view(board, unit, "m_axi_gmem0", &views[0]);
  if (!error) error = make_view(board, unit, "m_axi_gmem1", &views[1]);
  if (error) return error;
  const systole_status status = systole_sim_unit_create(
      &board->units[unit], board->xclbin->units[unit].name, &board->xclbin->image, views);
  return status == SYSTOLE_OK ? 0 : refuse(error_of(status), systole_last_error());
}

int systole_unit_open(systole_handle *handle, const uint8_t uuid[16], int unit,
                      int exclusive) {
  systole_board *board = handle->board;
  pthread_mutex_lock(&board->lock);
  int error = check_unit(board, uuid, unit);
  if (!error && unit != SYSTOLE_NO_UNIT) {
    for (const systole_handle *h = board->handles; h && !error; h = h->next) {
      const context *c = &h->contexts[unit];
      if (h->open && (c->exclusive || (exclusive && c->shared))) error = -EBUSY;
    }
    if (!error) error = make_unit(board, unit);
    if (!error)
      *(exclusive ? &handle->contexts[unit].exclusive : &handle->contexts[unit].shared) +=
          1;
  }
  if (!error) handle->locks++;
  pthread_mutex_unlock(&board->lock);
  return error;
}

int systole_unit_close(systole_handle *handle, const uint8_t uuid[16], int unit) {
  systole_board *board = handle->board;
  pthread_mutex_lock(&board->lock);
  int error = check_unit(board, uuid, unit);
  if (!error && handle->locks == 0) error = -EINVAL;
  if (!error && unit != SYSTOLE_NO_UNIT) {
    context *c = &handle->contexts[unit];
    if (!c->exclusive && !c->shared) {
      error = -EINVAL;
    } else {
      *(c->exclusive ? &c->exclusive : &c->shared) -= 1;
      if (!c->exclusive && !c->shared) {
        systole_sim_unit_abort(board->units[unit], handle);
      }
    }
  }
  if (!error) handle->locks--;
  pthread_mutex_unlock(&board->lock);
  return error;
}

/* The unit, if this handle has opened it, else NULL. The board's lock is not kept: a unit
 * stays as long as a context is open on it. */
static systole_sim_unit *opened_unit(systole_handle *handle, int unit) {
  systole_board *board = handle->board;
  systole_sim_unit *found = NULL;
  pthread_mutex_lock(&board->lock);
  if (board->xclbin && unit >= 0 && (size_t)unit < board->xclbin->unit_count &&
      (handle->contexts[unit].shared || handle->contexts[unit].exclusive)) {
    found = board->units[unit];
  }
  pthread_mutex_unlock(&board->lock);
  return found;
}

int systole_register_read(systole_handle *handle, int unit, uint32_t offset,
                          uint32_t *value) {
  *value = 0;
  systole_sim_unit *one = opened_unit(handle, unit);
  if (!one) return -EPERM;
  if (offset % 4 != 0 || offset >= SYSTOLE_KERNEL_CONTROL_RANGE) return -EINVAL;
  return -error_of(systole_sim_unit_read(one, offset, value));
}

int systole_register_write(systole_handle *handle, int unit, uint32_t offset,
                           uint32_t value) {
  systole_sim_unit *one = opened_unit(handle, unit);
  if (!one) return -EPERM;
  if (offset % 4 != 0 || offset >= SYSTOLE_KERNEL_CONTROL_RANGE) return -EINVAL;
  return -error_of(systole_sim_unit_write(one, offset, value));
}

int systole_unit_at(systole_handle *handle, uint64_t address, uint32_t *offset) {
  systole_board *board = handle->board;
  int found = SYSTOLE_NO_UNIT;
  pthread_mutex_lock(&board->lock);
  for (size_t i = 0; board->xclbin && i < board->xclbin->unit_count; i++) {
    const uint64_t base = board->xclbin->units[i].base;
    if (base <= address && address - base < SYSTOLE_KERNEL_CONTROL_RANGE) {
      found = (int)i;
      *offset = (uint32_t)(address - base);
    }
  }
  pthread_mutex_unlock(&board->lock);
  return found;
}

/* ---- buffers -------------------------------------------------------------------------
 * A number is the slot, and how often the slot was used: XRT may free a buffer after it
 * has closed the handle, when the slot may be somebody else's. */

static buffer *find_buffer(const systole_board *board, uint32_t number) {
  const uint32_t slot = number & ((1u << kSlotBits) - 1);
  buffer *b = slot < board->buffer_room ? &board->buffers[slot] : NULL;
  return b && b->owner && b->generation == number >> kSlotBits ? b : NULL;
}

static uint32_t new_slot(systole_board *board) {
  uint32_t slot = 0;
  while (slot < board->buffer_room && board->buffers[slot].owner) slot++;
  if (slot == board->buffer_room) {
    const uint32_t room = board->buffer_room ? 2 * board->buffer_room : 64;
    if (room > kMostBuffers) return SYSTOLE_NO_BUFFER;
    buffer *more = realloc(board->buffers, room * sizeof *more);
    if (!more) return SYSTOLE_NO_BUFFER;
    memset(more + board->buffer_room, 0, (room - board->buffer_room) * sizeof *more);
    board->buffers = more;
    board->buffer_room = room;
  }
  return slot;
}

static uint8_t *map_pages(uint64_t bytes) {
  void *pages = mmap(NULL, (size_t)(bytes ? bytes : 1), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return pages == MAP_FAILED ? NULL : pages;
}

static void drop_buffer(systole_board *board, buffer *b) {
  if (b->host && b->kind != SYSTOLE_BUFFER_USER) {
    (void)munmap(b->host, (size_t)(b->bytes ? b->bytes : 1));
  }
  if (b->store) (void)systole_axi_store_release(b->store, b->address);
  const uint16_t generation = b->generation;
  memset(b, 0, sizeof *b);
  /* The last generation is left out: with the last slot it would be SYSTOLE_NO_BUFFER. */
  b->generation = (uint16_t)(generation + 1 == UINT16_MAX ? 0 : generation + 1);
  (void)board;
}

/* Device memory for `b` in the bank that its flags name. 0 or an errno. */
static int place_buffer(systole_board *board, buffer *b) {
  const uint32_t bank = b->flags & XRT_BO_FLAGS_MEMIDX_MASK;
  const systole_xclbin *x = board->xclbin;
  if (!x) {
    (void)refuse(EINVAL, "a buffer was asked for before an xclbin was loaded");
    return EINVAL;
  }
  if (bank >= x->bank_count || !x->banks[bank].used) {
    char sentence[128];
    (void)snprintf(
        sentence, sizeof sentence,
        "a buffer was asked for in bank %u, which no kernel of the xclbin uses", bank);
    (void)refuse(EINVAL, sentence);
    return EINVAL;
  }
  const uint64_t base = x->banks[bank].base;
  b->store = store_at(board, base);
  b->address =
      systole_axi_store_alloc_in(b->store, b->bytes, base, base + x->banks[bank].bytes);
  if (b->address == 0) return ENOMEM;
  b->device = systole_axi_store_at(b->store, b->address, b->bytes);
  return 0;
}

uint32_t systole_buffer_alloc(systole_handle *handle, systole_buffer_kind kind,
                              void *user, uint64_t bytes, uint32_t flags) {
  systole_board *board = handle->board;
  int error = 0;
  uint32_t number = SYSTOLE_NO_BUFFER;
  pthread_mutex_lock(&board->lock);
  const uint32_t slot = new_slot(board);
  if (slot == SYSTOLE_NO_BUFFER || bytes == 0) {
    error = slot == SYSTOLE_NO_BUFFER ? ENOMEM : EINVAL;
  } else {
    buffer *b = &board->buffers[slot];
    const uint16_t generation = b->generation;
    *b = (buffer){handle, generation, kind, flags, bytes, 0, user, NULL, NULL};
    if (kind != SYSTOLE_BUFFER_COMMAND) error = place_buffer(board, b);
    if (error) {
      b->store = NULL; /* nothing was allocated */
      b->kind = SYSTOLE_BUFFER_USER;
      drop_buffer(board, b);
    } else {
      number = slot | (uint32_t)generation << kSlotBits;
    }
  }
  pthread_mutex_unlock(&board->lock);
  errno = error;
  return number;
}

void systole_buffer_release(systole_handle *handle, uint32_t number) {
  pthread_mutex_lock(&handle->board->lock);
  buffer *b = find_buffer(handle->board, number);
  if (b) drop_buffer(handle->board, b);
  pthread_mutex_unlock(&handle->board->lock);
}

static uint8_t *host_of(buffer *b) {
  if (!b->host && b->kind != SYSTOLE_BUFFER_DEVICE) b->host = map_pages(b->bytes);
  return b->host;
}

void *systole_buffer_map(systole_handle *handle, uint32_t number) {
  pthread_mutex_lock(&handle->board->lock);
  buffer *b = find_buffer(handle->board, number);
  void *at = b ? host_of(b) : NULL;
  pthread_mutex_unlock(&handle->board->lock);
  if (!at) errno = b ? ENOMEM : EINVAL;
  return at;
}

static int outside(const buffer *b, uint64_t bytes, uint64_t offset) {
  return offset > b->bytes || bytes > b->bytes - offset;
}

int systole_buffer_sync(systole_handle *handle, uint32_t number, int to_device,
                        uint64_t bytes, uint64_t offset) {
  pthread_mutex_lock(&handle->board->lock);
  buffer *b = find_buffer(handle->board, number);
  uint8_t *host = b && b->device && !outside(b, bytes, offset) ? host_of(b) : NULL;
  uint8_t *device = host ? b->device : NULL;
  pthread_mutex_unlock(&handle->board->lock);
  if (!host) return -EINVAL;
  /* Large copies run at once, as on a card with several DMA channels. */
  if (to_device) {
    memcpy(device + offset, host + offset, (size_t)bytes);
  } else {
    memcpy(host + offset, device + offset, (size_t)bytes);
  }
  return 0;
}

int systole_buffer_copy(systole_handle *handle, uint32_t to, uint32_t from,
                        uint64_t bytes, uint64_t to_offset, uint64_t from_offset) {
  int error = -EINVAL;
  pthread_mutex_lock(&handle->board->lock);
  const buffer *target = find_buffer(handle->board, to);
  const buffer *source = find_buffer(handle->board, from);
  if (target && source && target->device && source->device &&
      !outside(target, bytes, to_offset) && !outside(source, bytes, from_offset)) {
    memmove(target->device + to_offset, source->device + from_offset, (size_t)bytes);
    error = 0;
  }
  pthread_mutex_unlock(&handle->board->lock);
  return error;
}

int systole_buffer_properties(systole_handle *handle, uint32_t number, uint32_t *flags,
                              uint64_t *bytes, uint64_t *address) {
  int error = -EINVAL;
  pthread_mutex_lock(&handle->board->lock);
  const buffer *b = find_buffer(handle->board, number);
  if (b) {
    *flags = b->flags;
    *bytes = b->bytes;
    *address = b->device ? b->address : UINT64_MAX;
    error = 0;
  }
  pthread_mutex_unlock(&handle->board->lock);
  return error;
}

int systole_buffer_export(systole_handle *handle, uint32_t number) {
  int file = -1;
  pthread_mutex_lock(&boards_lock);
  pthread_mutex_lock(&handle->board->lock);
  if (!find_buffer(handle->board, number)) {
    errno = EINVAL;
  } else if (export_count == kMostExports) {
    errno = EMFILE;
  } else if ((file = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) {
    exports[export_count].file = file;
    exports[export_count].board = handle->board;
    exports[export_count++].buffer = number;
  }
  pthread_mutex_unlock(&handle->board->lock);
  pthread_mutex_unlock(&boards_lock);
  return file;
}

/* The new buffer stands for the same memory. It must be freed before the other one. */
uint32_t systole_buffer_import(systole_handle *handle, int file) {
  buffer copy;
  memset(&copy, 0, sizeof copy);
  pthread_mutex_lock(&boards_lock);
  for (int i = 0; i < export_count; i++) {
    if (exports[i].file != file) continue;
    pthread_mutex_lock(&exports[i].board->lock);
    buffer *b = find_buffer(exports[i].board, exports[i].buffer);
    if (b && host_of(b)) copy = *b;
    pthread_mutex_unlock(&exports[i].board->lock);
  }
  pthread_mutex_unlock(&boards_lock);
  uint32_t number = SYSTOLE_NO_BUFFER;
  errno = EINVAL;
  if (!copy.device) return number;
  pthread_mutex_lock(&handle->board->lock);
  const uint32_t slot = new_slot(handle->board);
  if (slot != SYSTOLE_NO_BUFFER) {
    copy.generation = handle->board->buffers[slot].generation;
    copy.owner = handle;
    copy.kind = SYSTOLE_BUFFER_USER; /* its host memory is the other's */
    copy.store = NULL;
    handle->board->buffers[slot] = copy;
    number = slot | (uint32_t)copy.generation << kSlotBits;
  }
  pthread_mutex_unlock(&handle->board->lock);
  return number;
}

int systole_buffer_close_export(int file) {
  int known = 0;
  pthread_mutex_lock(&boards_lock);
  for (int i = 0; i < export_count && !known; i++) {
    if (exports[i].file != file) continue;
    exports[i] = exports[--export_count];
    known = 1;
  }
  pthread_mutex_unlock(&boards_lock);
  if (!known) return -EINVAL;
  return close(file) == 0 ? 0 : -errno;
}

int64_t systole_memory_move(systole_handle *handle, int to_device, void *data,
                            uint64_t bytes, uint64_t address) {
  int64_t moved = -EINVAL;
  pthread_mutex_lock(&handle->board->lock);
  systole_axi_store *store = store_at(handle->board, address);
  uint8_t *at = store ? systole_axi_store_at(store, address, bytes) : NULL;
  if (at) {
    memcpy(to_device ? (void *)at : data, to_device ? data : (void *)at, (size_t)bytes);
    moved = (int64_t)bytes;
  }
  pthread_mutex_unlock(&handle->board->lock);
  return moved;
}

/* ---- execution -----------------------------------------------------------------------
 */

static void note_end(void *owner) {
  systole_handle *handle = owner;
  pthread_mutex_lock(&handle->lock);
  handle->events++;
  pthread_cond_broadcast(&handle->ended);
  pthread_mutex_unlock(&handle->lock);
}

/* The least busy unit of the mask that this handle has opened. */
static systole_sim_unit *choose(systole_handle *handle,
                                const struct ert_start_kernel_cmd *packet) {
  systole_sim_unit *best = NULL;
  int least = 0;
  const uint32_t masks = 1 + packet->extra_cu_masks;
  for (uint32_t m = 0; m < masks; m++) {
    const uint32_t mask = m == 0 ? packet->cu_mask : packet->data[m - 1];
    for (int bit = 0; bit < 32; bit++) {
      if (!(mask >> bit & 1)) continue;
      systole_sim_unit *unit = opened_unit(handle, (int)(32 * m) + bit);
      if (!unit) continue;
      const int load = systole_sim_unit_load(unit);
      if (!best || load < least) best = unit, least = load;
    }
  }
  return best;
}

static int copy_command(systole_handle *handle, const struct ert_start_copybo_cmd *c) {
  const uint64_t bytes = c->size | (uint64_t)c->size_hi << 32;
  /* The addresses are offsets into the buffers until the driver replaces them. */
  return systole_buffer_copy(handle, c->dst_bo_hdl, c->src_bo_hdl, bytes,
                             c->dst_addr_lo | (uint64_t)c->dst_addr_hi << 32,
                             c->src_addr_lo | (uint64_t)c->src_addr_hi << 32);
}

int systole_exec(systole_handle *handle, uint32_t number) {
  pthread_mutex_lock(&handle->board->lock);
  buffer *b = find_buffer(handle->board, number);
  struct ert_start_kernel_cmd *packet =
      b && b->kind == SYSTOLE_BUFFER_COMMAND
          ? (struct ert_start_kernel_cmd *)(void *)host_of(b)
          : NULL;
  const uint64_t room = b ? b->bytes : 0;
  pthread_mutex_unlock(&handle->board->lock);
  if (!packet || 4 + 4 * (uint64_t)packet->count > room) return -EINVAL;
  switch (packet->opcode) {
    case ERT_START_CU:
    case ERT_EXEC_WRITE: {
      systole_sim_unit *unit = choose(handle, packet);
      if (!unit) return -EINVAL;
      return -systole_sim_unit_submit(unit, packet, note_end, handle);
    }
    case ERT_START_COPYBO: {
      const int error =
          copy_command(handle, (const struct ert_start_copybo_cmd *)(void *)packet);
      packet->state = error ? ERT_CMD_STATE_ERROR : ERT_CMD_STATE_COMPLETED;
      note_end(handle);
      return 0;
    }
    case ERT_CONFIGURE: /* of a scheduler that this card does not need */
      packet->state = ERT_CMD_STATE_COMPLETED;
      note_end(handle);
      return 0;
    default:
      return -ENOSYS;
  }
}

int systole_exec_wait(systole_handle *handle, int timeout_ms) {
  struct timespec until;
  int ended, error = 0;
  clock_gettime(CLOCK_MONOTONIC, &until);
  if (timeout_ms > 0) {
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) until.tv_sec++, until.tv_nsec -= 1000000000L;
  }
  pthread_mutex_lock(&handle->lock);
  while (handle->events == 0 && error == 0) {
    error = timeout_ms < 0
                ? pthread_cond_wait(&handle->ended, &handle->lock)
                : pthread_cond_timedwait(&handle->ended, &handle->lock, &until);
  }
  ended = handle->events > 0;
  handle->events = 0; /* one look covers all that has ended so far */
  pthread_mutex_unlock(&handle->lock);
  return ended;
}
