/* The one definition in C of the epilogue of systole.h. Every engine that requantises on
 * the CPU uses it, and the tests hold the accelerator's activation unit to it. */
#ifndef SYSTOLE_ENGINE_EPILOGUE_H
#define SYSTOLE_ENGINE_EPILOGUE_H

#include <stdint.h>

#include "systole/systole.h"

/* One int32 sum of a column -> int8:
 *   x = sum + bias (wraps);  y = round_half_to_even(x * multiplier / 2^shift) +
 * zero_point; clamp. multiplier is a signed 17-bit number and shift 0 ... 47, so no
 * intermediate leaves 49 bits. */
int8_t systole_epilogue_value(int32_t sum, int32_t bias, int32_t multiplier,
                              uint8_t shift, int8_t zero_point, int8_t clamp_low,
                              int8_t clamp_high);

/* `count` columns of one row, the first being column `first` of the epilogue's arrays.
 * The epilogue must have a multiplier. `out` and `sums` point at column `first`. */
void systole_epilogue_row(int8_t *out, const int32_t *sums, int64_t first, int64_t count,
                          const systole_epilogue *epilogue);

/* Deep copy of an epilogue for N columns: one block of memory, freed by free(*memory).
 * `from` NULL gives the initial epilogue (no bias, no multiplier) and *memory NULL.
 * SYSTOLE_ERR_HOST_MEMORY when there is none. */
systole_status systole_epilogue_copy(systole_epilogue *to, void **memory,
                                     const systole_epilogue *from, int64_t n);

#endif
