/* The sampler seam: one way to know what something used between two moments. One file per
 * row; the tables are const and append-only. A meter (energy.h) holds those that open,
 * best first.
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

/* Why a row cannot be used. */
typedef struct systole_sampler_reason {
  int there;        /* 1: the source is there and cannot be used; 0: it is not there */
  char why[448];    /* begins with the row's name: "powercap: ..." */
  char remedy[192]; /* a command, or what to do; "" when there is nothing to do */
} systole_sampler_reason;

void systole_sampler_say(systole_sampler_reason *reason, int there, const char *remedy,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

#define SYSTOLE_SAMPLER_VERSION 2

typedef struct systole_sampler_ops {
  uint32_t version; /* SYSTOLE_SAMPLER_VERSION */
  const char *name; /* "powercap" */
  unsigned of;      /* bit set of 1 << systole_energy_of: what it can speak for */

  /* *out NULL and a reason if there is nothing to read here. `root` is never NULL. A
   * counter is read until it moves, at most still_ms (energy.h). */
  void (*open)(systole_sampler **out, const char *root,
               const systole_energy_meter_options *options,
               systole_sampler_reason *reason);
  void (*close)(systole_sampler *sampler);

  void (*begin)(systole_sampler *sampler);
  void (*poll)(systole_sampler *sampler); /* NULL: not needed */

  /* Ends the span that begin began. kind UNKNOWN: this row cannot say (too short a span,
   * a counter that could not be read), ask the next. */
  void (*end)(systole_sampler *sampler, const systole_sampler_span *span,
              systole_bounds *energy_j);

  /* What exactly is read, for the result. Borrowed from the sampler. */
  const char *(*source)(const systole_sampler *sampler);

  /* Seconds from one new value of the source to the next; 0: it has no steps (a model).
   */
  double (*step_s)(const systole_sampler *sampler);
} systole_sampler_ops;

extern const systole_sampler_ops systole_sampler_powercap;
extern const systole_sampler_ops systole_sampler_perf;
extern const systole_sampler_ops systole_sampler_hwmon;
extern const systole_sampler_ops systole_sampler_nvml;
extern const systole_sampler_ops systole_sampler_battery;
extern const systole_sampler_ops systole_sampler_model;
extern const systole_sampler_ops systole_sampler_gpu_model;
extern const systole_sampler_ops systole_sampler_card;

/* All rows, best first. */
const systole_sampler_ops *const *systole_sampler_rows(int *count);

/* What stands before "/sys" and "/proc": options->root, else the environment variable
 * SYSTOLE_ROOT, else "". Never NULL. */
const char *systole_energy_root(const systole_energy_meter_options *options);

/* RAPL's counters are advanced by the CPU about once a millisecond (Intel SDM volume 3B,
 * 15.10.3). */
#define SYSTOLE_SAMPLER_STEP_S 0.001
/* Either end of a span is uncertain by one step of its source; in a span of fewer steps
 * than this the ends would be over a tenth of the answer, and there is none. */
#define SYSTOLE_SAMPLER_STEPS 20
/* Accuracy of counters and sensors themselves, a share of the reading: estimate. */
#define SYSTOLE_SAMPLER_ACCURACY 0.05

/* The bounds of `joules` read over a span from a source with steps of step_s, or UNKNOWN
 * if it is too short or nothing moved. */
systole_bounds systole_sampler_measured(double joules, const systole_sampler_span *span,
                                        double step_s);

/* Milliseconds to sleep, for those who wait for a counter to move. */
void systole_sampler_sleep_ms(int ms);

/* What follows "name:" in options->source, when it names that row; "" when it names the
 * row alone or no source is named; NULL when it names another row. */
const char *systole_sampler_choice(const systole_energy_meter_options *options,
                                   const char *name);

#endif
