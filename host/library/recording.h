/* A recording as a file in memory, known to be whole. */
#ifndef SYSTOLE_LIBRARY_RECORDING_H
#define SYSTOLE_LIBRARY_RECORDING_H

#include "card/record/format.h"
#include "systole/systole.h"

enum { SYSTOLE_RECORDING_REGISTERS = 7 };

typedef struct systole_recording {
  const uint8_t *data; /* the whole file, mapped; unmapped by close */
  uint64_t bytes;
  uint64_t first; /* offset of the event after OPEN */
  char device[64], memory[32];
  int simulated, cut;
  uint64_t runs;
  uint64_t stall_seed, memory_bytes;
  /* Identity, version, geometry, UbRows, AccRows, WeightTiles and features. */
  uint32_t registers[SYSTOLE_RECORDING_REGISTERS];
} systole_recording;

/* Maps the file, checks its digest and that events follow one another to the end.
 * SYSTOLE_ERR_IO: it cannot be read; SYSTOLE_ERR_ARGUMENT: it is no recording, one of
 * another version, or damaged. */
systole_status systole_recording_open(systole_recording *out, const char *path);
void systole_recording_close(systole_recording *recording);

/* The event at offset *at, which moves on to the next one. *payload points into the file.
 * The caller stops at END. */
systole_record_event systole_recording_next(const systole_recording *recording,
                                            uint64_t *at, const uint8_t **payload);

#endif
