/* How fast the memory behind a port is, as planning and forecasting need it. */
#ifndef SYSTOLE_PROGRAM_TIMING_H
#define SYSTOLE_PROGRAM_TIMING_H

#include <stdint.h>

#include "systole/systole.h"

/* The timing law of a device's ports (sim/memory/axi_memory.h). Beats go at `rate_beats`
 * in `rate_cycles` cycles, on gmem0 in each direction and, where nothing else is said, on
 * gmem1. */
typedef struct systole_memory_timing {
  uint32_t latency; /* cycles from an address to its first beat, 1 or more */
  uint32_t rate_beats, rate_cycles;
  /* gmem1, where it differs; all 0: as above. */
  uint32_t gmem1_latency, gmem1_rate_beats, gmem1_rate_cycles;
} systole_memory_timing;

/* The preset "ideal". */
#define SYSTOLE_MEMORY_TIMING_IDEAL \
  { 64, 1, 1, 0, 0, 0 }

/* The law of gmem1 in the first three fields. */
static inline systole_memory_timing systole_memory_timing_gmem1(
    const systole_memory_timing *timing) {
  systole_memory_timing out = *timing;
  if (timing->gmem1_rate_cycles > 0) {
    out.latency = timing->gmem1_latency;
    out.rate_beats = timing->gmem1_rate_beats;
    out.rate_cycles = timing->gmem1_rate_cycles;
  }
  return out;
}

/* Of preset `name` (NULL: "ideal"), or a preset with changes behind it as
 * systole_axi_ports reads them ("ideal+gmem1=34GB/s"), for beats of `axi_bytes` at
 * `clock_mhz` (0: 300). SYSTOLE_ERR_ARGUMENT: there is no such preset. */
systole_status systole_memory_timing_of(systole_memory_timing *out, const char *name,
                                        int axi_bytes, double clock_mhz);

/* Bytes that gmem0 moves in a cycle and direction. */
double systole_memory_rate(const systole_memory_timing *timing, int axi_bytes);

#endif
