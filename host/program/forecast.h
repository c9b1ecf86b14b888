/* What a command stream will cost on a device: its cycles, the whole ledger, and the
 * bytes on each port, from the instructions, the geometry and the timing of memory alone.
 *
 * The units are followed event by event (an instruction, a burst, a weight tile, a few
 * rows), not cycle by cycle: a product of 1024 x 1024 x 1024 takes milliseconds. What
 * each unit does between two events is the law that hw/README.md states for it; the
 * constants of those laws stand in one table in forecast.c. A test holds the forecast to
 * the RTL.
 */
#ifndef SYSTOLE_PROGRAM_FORECAST_H
#define SYSTOLE_PROGRAM_FORECAST_H

#include <stdint.h>

#include "program/instruction.h"
#include "program/timing.h"
#include "systole/systole.h"

typedef struct systole_forecast {
  uint64_t cycles;
  systole_ledger ledger; /* sums to cycles */
  uint64_t gmem0_read_bytes, gmem0_write_bytes, gmem1_read_bytes;
  uint64_t instructions; /* END left out, as the device counts them */
} systole_forecast;

/* `instructions` end with END. SYSTOLE_ERR_ARGUMENT: the stream does not run to its end.
 * Errors that a device would find in a field are not looked for (systole_prove does). */
systole_status systole_forecast_make(systole_forecast *out,
                                     const systole_instruction *instructions,
                                     uint32_t count, const systole_geometry *geometry,
                                     const systole_memory_timing *memory);

#endif
