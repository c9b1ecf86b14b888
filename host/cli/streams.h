/* Independent streams of one seed: operand A is stream 1, B is stream 2, and so on, so
 * that a change of one shape does not change the other operand. */
#ifndef SYSTOLE_CLI_STREAMS_H
#define SYSTOLE_CLI_STREAMS_H

#include "support/random.h"

enum {
  SYSTOLE_STREAM_A = 1,
  SYSTOLE_STREAM_B = 2,
  SYSTOLE_STREAM_BIAS = 3,
  SYSTOLE_STREAM_RESIDUAL = 4,
  SYSTOLE_STREAM_CHECK = 1000,  /* + round */
  SYSTOLE_STREAM_DIGIT = 100000 /* + index of the picture */
};

static inline systole_random systole_stream(uint64_t seed, uint64_t stream) {
  systole_random random;
  /* An odd multiplier keeps streams apart for every seed; seeding mixes the bits. */
  systole_random_seed(&random, seed ^ (stream * UINT64_C(0xd1342543de82ef95)));
  return random;
}

#endif
