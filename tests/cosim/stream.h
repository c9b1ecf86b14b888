/* Random command streams that are right in themselves: whatever the timing, they end, no
 * two units race, and everything they read was written before. */
#ifndef SYSTOLE_TESTS_COSIM_STREAM_H
#define SYSTOLE_TESTS_COSIM_STREAM_H

#include <stdint.h>
#include <stdio.h>

#include "program/instruction.h"
#include "systole/systole.h"

typedef struct stream {
  systole_geometry geometry;
  uint64_t seed;
  systole_instruction *at;
  uint32_t count;
  uint8_t *activations, *weights; /* device memory at the start */
  uint64_t activation_bytes, weight_bytes;
} stream;

/* A stream for kernels of this geometry. All that it leaves in the unified buffer and in
 * the accumulators is stored before its END. Free with stream_free. */
stream stream_make(const systole_geometry *geometry, uint64_t seed);
void stream_free(stream *s);

/* Number of the last STORE that writes this byte of the activations, -1 for none. */
int64_t stream_writer(const stream *s, uint64_t byte);

void stream_print(FILE *out, const stream *s);

#endif
