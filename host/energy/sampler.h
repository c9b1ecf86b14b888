/* The sampler seam: one way to know what the CPU used between two moments. One file per
 * row; the table is const and append-only. A meter (energy.h) holds those that open, best
 * first.
 */
#ifndef SYSTOLE_ENERGY_SAMPLER_H
#define SYSTOLE_ENERGY_SAMPLER_H

#include <stddef.h>

#include "energy.h"

typedef struct systole_sampler systole_sampler; /* each row defines its own */

/* What the meter itself knows of a span. */
typedef struct systole_sampler_span {
  double wall_s;
  double cpu_s; /* of this process, all threads */
} systole_sampler_span;

#define SYSTOLE_SAMPLER_VERSION 1

typedef struct systole_sampler_ops {
  uint32_t version; /* SYSTOLE_SAMPLER_VERSION */
  const char *name; /* "powercap" */

  /* *out NULL and a sentence in `why` if there is nothing to read here. `root` is never
   * NULL. A counter is read until it moves, at most still_ms (energy.h). */
  void (*open)(systole_sampler **out, const char *root,
               const systole_energy_meter_options *options, char *why, size_t why_bytes);
  void (*close)(systole_sampler *sampler);

  void (*begin)(systole_sampler *sampler);
  void (*poll)(systole_sampler *sampler); /* NULL: not needed */

  /* Ends the span that begin began. kind UNKNOWN: this row cannot say (too short a span,
   * a counter that could not be read), ask the next. */
  void (*end)(systole_sampler *sampler, const systole_sampler_span *span,
              systole_bounds *energy_j);

  /* What exactly is read, for the result. Borrowed from the sampler. */
  const char *(*source)(const systole_sampler *sampler);
} systole_sampler_ops;

extern const systole_sampler_ops systole_sampler_powercap;
extern const systole_sampler_ops systole_sampler_perf;
extern const systole_sampler_ops systole_sampler_model;
extern const systole_sampler_ops systole_sampler_card;

/* Both hardware counters are advanced by the CPU about once a millisecond (Intel SDM
 * volume 3B, 15.10.3), so either end of a span is uncertain by one step; below this
 * length the steps would be a tenth of the answer, and there is none. */
#define SYSTOLE_SAMPLER_STEP_S 0.001
#define SYSTOLE_SAMPLER_SHORTEST_S 0.02
/* Accuracy of the counters themselves, a share of the reading: estimate. */
#define SYSTOLE_SAMPLER_ACCURACY 0.05

/* The bounds of `joules` read over a span, or UNKNOWN if it is too short or nothing
 * moved. */
systole_bounds systole_sampler_measured(double joules, const systole_sampler_span *span);

/* Milliseconds to sleep, for those who wait for a counter to move. */
void systole_sampler_sleep_ms(int ms);

#endif
