#include "support/memory.h"

#include <stdlib.h>
#include <string.h>

#include "support/error.h"

enum { kAlignment = 64 };

/* Address space of a process on today's machines (47 bits). */
static const uint64_t kMostBytes = (uint64_t)1 << 47;

int systole_multiply(uint64_t *out, uint64_t a, uint64_t b) {
  if (a != 0 && b > UINT64_MAX / a) {
    *out = 0;
    return 0;
  }
  *out = a * b;
  return 1;
}

int systole_add(uint64_t *out, uint64_t a, uint64_t b) {
  if (b > UINT64_MAX - a) {
    *out = 0;
    return 0;
  }
  *out = a + b;
  return 1;
}

systole_status systole_allocate(void **out, uint64_t count, uint64_t size,
                                const char *what) {
  *out = NULL;
  uint64_t bytes;
  if (!systole_multiply(&bytes, count, size) || bytes > kMostBytes ||
      bytes > SIZE_MAX - kAlignment) {
    return systole_fail(
        SYSTOLE_ERR_HOST_MEMORY,
        "%s would need %llu times %llu bytes, more than this machine can address", what,
        (unsigned long long)count, (unsigned long long)size);
  }
  if (bytes == 0) bytes = kAlignment;
  *out = aligned_alloc(kAlignment, (size_t)systole_round_up(bytes, kAlignment));
  if (*out == NULL) {
    return systole_fail(
        SYSTOLE_ERR_HOST_MEMORY,
        "this machine has no %.1f MB for %s; close something or make it smaller",
        (double)bytes / 1e6, what);
  }
  return SYSTOLE_OK;
}

systole_status systole_allocate_zeroed(void **out, uint64_t count, uint64_t size,
                                       const char *what) {
  systole_status status = systole_allocate(out, count, size, what);
  if (status == SYSTOLE_OK) memset(*out, 0, (size_t)(count * size));
  return status;
}

void systole_release(void *memory) { free(memory); }
