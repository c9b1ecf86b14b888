#include "epilogue.h"

#include <stdlib.h>
#include <string.h>

#include "epilogue_body.h"
#include "support/error.h"

int8_t systole_epilogue_value(int32_t sum, int32_t bias, int32_t multiplier,
                              uint8_t shift, int8_t zero_point, int8_t clamp_low,
                              int8_t clamp_high) {
  return systole_epilogue_element(sum, bias, multiplier, shift, zero_point, clamp_low,
                                  clamp_high);
}

void systole_epilogue_row(int8_t *out, const int32_t *sums, int64_t first, int64_t count,
                          const systole_epilogue *epilogue) {
  systole_epilogue_span(out, sums, epilogue->bias != NULL ? epilogue->bias + first : NULL,
                        epilogue->multiplier + first, epilogue->shift + first, count,
                        epilogue->zero_point, epilogue->clamp_low, epilogue->clamp_high);
}

systole_status systole_epilogue_copy(systole_epilogue *to, void **memory,
                                     const systole_epilogue *from, int64_t n) {
  const systole_epilogue initial = SYSTOLE_EPILOGUE_INIT;
  *to = initial;
  *memory = NULL;
  if (from == NULL) return SYSTOLE_OK;
  *to = *from;
  to->bias = NULL;
  to->multiplier = NULL;
  to->shift = NULL;
  const size_t count = (size_t)n;
  const size_t words =
      (from->bias != NULL ? count : 0) + (from->multiplier != NULL ? count : 0);
  const size_t bytes = words * sizeof(int32_t) + (from->multiplier != NULL ? count : 0);
  if (words == 0 && from->bias == NULL && from->multiplier == NULL) return SYSTOLE_OK;

  /* At least one byte, so that arrays of no columns still say that they are there. */
  int32_t *next = malloc(bytes > 0 ? bytes : 1);
  if (next == NULL) {
    *to = initial;
    return systole_fail(
        SYSTOLE_ERR_HOST_MEMORY,
        "an epilogue for %lld columns needs %zu bytes, and this machine has no "
        "memory left; use fewer columns at a time",
        (long long)n, bytes);
  }
  *memory = next;
  if (from->bias != NULL) {
    memcpy(next, from->bias, count * sizeof(int32_t));
    to->bias = next;
    next += count;
  }
  if (from->multiplier != NULL) {
    memcpy(next, from->multiplier, count * sizeof(int32_t));
    to->multiplier = next;
    next += count;
    memcpy(next, from->shift, count);
    to->shift = (const uint8_t *)next;
  }
  return SYSTOLE_OK;
}
