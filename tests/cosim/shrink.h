/* Makes a stream that fails as small as it gets. */
#ifndef SYSTOLE_TESTS_COSIM_SHRINK_H
#define SYSTOLE_TESTS_COSIM_SHRINK_H

#include <stddef.h>

#include "stream.h"

/* 1 when the candidate fails as the original does. Must not depend on anything else. A
 * candidate may be no right stream any more; that is no failure. */
typedef int shrink_predicate(void *user, const stream *candidate);

typedef struct shrink_report {
  uint32_t trials;
  uint32_t instructions_before, instructions_after;
  int exhausted; /* 1: it gave up after SHRINK_MOST_TRIALS; smaller may be possible */
} shrink_report;

enum { SHRINK_MOST_TRIALS = 6000 };

/* The smallest stream found for which `fails` holds, as it does for `s`: no instruction,
 * token, turn of a loop or feature of it can be left out, and 64-byte pieces of memory
 * that do not matter are zero. Free with stream_free. `report` may be NULL. */
stream shrink(const stream *s, shrink_predicate *fails, void *user,
              shrink_report *report);

/* A copy of `s` without instruction `n` and what cannot be without it: the other half of
 * a raw pair, the tiles of a MATMUL. What is left keeps its order in time. 0 when `n`
 * only goes with others (END, WEIGHTS of tiles). Free with stream_free. */
int shrink_without(stream *out, const stream *s, uint32_t n);

#endif
