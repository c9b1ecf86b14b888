#include "number.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "story.h"

static int parse_digits(uint64_t *out, uint64_t limit, const char *text,
                        const char *what) {
  *out = 0;
  if (text[0] == '-' && text[1] >= '0' && text[1] <= '9') {
    return systole_story(SYSTOLE_EXIT_USAGE, "%s is %s, and a size cannot be negative",
                         what, text);
  }
  if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text)) {
    return systole_story(
        SYSTOLE_EXIT_USAGE,
        "%s is '%s', which is not a whole number; write decimal digits only", what, text);
  }
  uint64_t value = 0;
  for (const char *c = text; *c != '\0'; c++) {
    const uint64_t digit = (uint64_t)(*c - '0');
    if (value > (limit - digit) / 10) {
      return systole_story(SYSTOLE_EXIT_USAGE,
                           "%s is %s, which is too large; the limit is %" PRIu64, what,
                           text, limit);
    }
    value = 10 * value + digit;
  }
  *out = value;
  return 0;
}

int systole_parse_size(int64_t *out, const char *text, const char *what) {
  uint64_t value = 0;
  const int code = parse_digits(&value, INT64_MAX, text, what);
  *out = (int64_t)value;
  return code;
}

int systole_parse_u64(uint64_t *out, const char *text, const char *what) {
  return parse_digits(out, UINT64_MAX, text, what);
}

int systole_parse_positive(double *out, const char *text, const char *what) {
  char *end = NULL;
  *out = 0;
  errno = 0;
  const double value = strtod(text, &end);
  if (text[0] == '\0' || *end != '\0' || errno != 0 || !isfinite(value) || !(value > 0)) {
    return systole_story(SYSTOLE_EXIT_USAGE, "%s is '%s'; it must be a number above zero",
                         what, text);
  }
  *out = value;
  return 0;
}

int systole_bytes_of(uint64_t *out, int64_t rows, int64_t cols, uint64_t element_bytes,
                     const char *what) {
  *out = 0;
  if (rows < 0 || cols < 0) {
    return systole_story(SYSTOLE_EXIT_USAGE, "%s has a negative size", what);
  }
  uint64_t elements, bytes;
  if (__builtin_mul_overflow((uint64_t)rows, (uint64_t)cols, &elements) ||
      __builtin_mul_overflow(elements, element_bytes, &bytes) || bytes > INT64_MAX) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "%s would have %" PRId64 " x %" PRId64 " elements of %" PRIu64
                         " byte(s), more than a 64-bit machine can address",
                         what, rows, cols, element_bytes);
  }
  *out = bytes;
  return 0;
}

static int read_number(const char *path, uint64_t *out) {
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  const int found = fscanf(file, "%" SCNu64, out) == 1;
  fclose(file);
  return found;
}

uint64_t systole_memory_available(void) {
  uint64_t available = UINT64_MAX;
  FILE *file = fopen("/proc/meminfo", "r");
  if (file != NULL) {
    char line[128];
    uint64_t kib;
    while (fgets(line, sizeof line, file) != NULL) {
      if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1) available = kib * 1024;
    }
    fclose(file);
  }
  /* A container's limit is often far below what the kernel reports for the machine. */
  uint64_t limit, used;
  if ((read_number("/sys/fs/cgroup/memory.max", &limit) &&
       read_number("/sys/fs/cgroup/memory.current", &used)) ||
      (read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes", &limit) &&
       read_number("/sys/fs/cgroup/memory/memory.usage_in_bytes", &used))) {
    /* `used` includes page cache, which gives way; count half of it as free. */
    const uint64_t left = limit > used / 2 ? limit - used / 2 : 0;
    if (left < available) available = left;
  }
  return available;
}

int systole_memory_check(uint64_t bytes, const char *what) {
  const uint64_t available = systole_memory_available();
  if (bytes <= available) return 0;
  return systole_story(
      SYSTOLE_EXIT_EXHAUSTED,
      "%s needs %.1f GiB of memory and this machine has %.1f GiB free; take a "
      "smaller size or a larger machine",
      what, (double)bytes / 1073741824.0, (double)available / 1073741824.0);
}
