/* MAP_ANONYMOUS and MAP_NORESERVE are outside POSIX. */
#define _DEFAULT_SOURCE
#include "axi_store.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Blocks from this size on are handed back to the operating system when they are
 * released; below it the page faults of the next use would cost more than the memory is
 * worth. */
#define RETURN_BYTES (UINT64_C(1) << 20)

typedef struct systole_axi_segment segment;

struct systole_axi_segment {
  segment *previous, *next;
  uint64_t offset, bytes;
  int used;
};

systole_axi_store *systole_axi_store_create(uint64_t base, uint64_t bytes) {
  const uint64_t unit = SYSTOLE_AXI_STORE_ALIGN;
  systole_axi_store *store = NULL;
  segment *all = NULL;
  void *data = MAP_FAILED;
  if (bytes == 0 || bytes > UINT64_MAX - (unit - 1)) {
    errno = EINVAL;
    return NULL;
  }
  bytes = (bytes + unit - 1) / unit * unit;
  if (base == 0 || base % unit != 0 || bytes > UINT64_MAX - base || bytes > SIZE_MAX) {
    errno = EINVAL;
    return NULL;
  }
  data = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) return NULL;
  store = malloc(sizeof *store);
  all = malloc(sizeof *all);
  if (!store || !all) {
    munmap(data, (size_t)bytes);
    free(all);
    free(store);
    errno = ENOMEM;
    return NULL;
  }
  *all = (segment){NULL, NULL, 0, bytes, 0};
  *store = (systole_axi_store){data, base, bytes, all};
  return store;
}

void systole_axi_store_free(systole_axi_store *store) {
  if (!store) return;
  for (segment *s = store->segments; s;) {
    segment *next = s->next;
    free(s);
    s = next;
  }
  munmap(store->data, (size_t)store->bytes);
  free(store);
}

/* Cuts the segment so that it ends at `offset` bytes from the store's begin and a free
 * one follows. 0 when this machine is out of memory. */
static int cut(segment *s, uint64_t offset) {
  segment *rest = malloc(sizeof *rest);
  if (!rest) return 0;
  *rest = (segment){s, s->next, offset, s->offset + s->bytes - offset, 0};
  if (s->next) s->next->previous = rest;
  s->next = rest;
  s->bytes = offset - s->offset;
  return 1;
}

uint64_t systole_axi_store_alloc_in(systole_axi_store *store, uint64_t bytes,
                                    uint64_t first, uint64_t end) {
  const uint64_t unit = SYSTOLE_AXI_STORE_ALIGN;
  if (first < store->base) first = store->base;
  if (end > store->base + store->bytes) end = store->base + store->bytes;
  if (end <= first || bytes > store->bytes) return 0;
  /* Offsets from here on, on borders of units. */
  first = (first - store->base + unit - 1) / unit * unit;
  end = (end - store->base) / unit * unit;
  bytes = bytes ? (bytes + unit - 1) / unit * unit : unit;
  for (segment *s = store->segments; s && s->offset < end; s = s->next) {
    const uint64_t begin = s->offset < first ? first : s->offset;
    const uint64_t last = s->offset + s->bytes < end ? s->offset + s->bytes : end;
    if (s->used || last <= begin || last - begin < bytes) continue;
    if (begin > s->offset) {
      if (!cut(s, begin)) return 0;
      s = s->next;
    }
    if (s->bytes > bytes && !cut(s, begin + bytes)) return 0;
    s->used = 1;
    return store->base + s->offset;
  }
  return 0;
}

uint64_t systole_axi_store_alloc(systole_axi_store *store, uint64_t bytes) {
  return systole_axi_store_alloc_in(store, bytes, store->base,
                                    store->base + store->bytes);
}

/* Joins the free segment `s` with the free segment after it. */
static void join_next(segment *s) {
  segment *next = s->next;
  if (!next || next->used || s->used) return;
  s->bytes += next->bytes;
  s->next = next->next;
  if (s->next) s->next->previous = s;
  free(next);
}

int systole_axi_store_release(systole_axi_store *store, uint64_t address) {
  for (segment *s = store->segments; s; s = s->next) {
    if (!s->used || store->base + s->offset != address) continue;
    if (s->bytes >= RETURN_BYTES) {
      /* Advice only: when it fails, the pages simply stay. */
      (void)madvise(store->data + s->offset, (size_t)s->bytes, MADV_DONTNEED);
    }
    s->used = 0;
    join_next(s);
    if (s->previous) join_next(s->previous);
    return 0;
  }
  return -1;
}

void systole_axi_store_usage(const systole_axi_store *store, uint64_t *used,
                             uint64_t *longest) {
  *used = 0;
  *longest = 0;
  for (const segment *s = store->segments; s; s = s->next) {
    if (s->used) {
      *used += s->bytes;
    } else if (s->bytes > *longest) {
      *longest = s->bytes;
    }
  }
}
