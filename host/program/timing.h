/* How fast the memory behind a port is, as planning and forecasting need it. */
#ifndef SYSTOLE_PROGRAM_TIMING_H
#define SYSTOLE_PROGRAM_TIMING_H

#include <stdint.h>

#include "systole/systole.h"

/* The timing law of one port (sim/memory/axi_memory.h); both ports of a device obey the
 * same. Beats go at `rate_beats` in `rate_cycles` cycles. */
typedef struct systole_memory_timing {
  uint32_t latency; /* cycles from an address to its first beat, 1 or more */
  uint32_t rate_beats, rate_cycles;
} systole_memory_timing;

/* The preset "ideal". */
#define SYSTOLE_MEMORY_TIMING_IDEAL \
  { 64, 1, 1 }

/* Of preset `name` (NULL: "ideal") for beats of `axi_bytes` at `clock_mhz` (0: 300).
 * SYSTOLE_ERR_ARGUMENT: there is no such preset. */
systole_status systole_memory_timing_of(systole_memory_timing *out, const char *name,
                                        int axi_bytes, double clock_mhz);

/* Bytes that a port moves in a cycle. */
double systole_memory_rate(const systole_memory_timing *timing, int axi_bytes);

#endif
