/* Energy of a run: measured where a counter is readable, else modelled, and always said
 * which.
 *
 * Two questions are answered here:
 *   - what did a CPU, GPU or card draw between two moments?   systole_energy_meter_*
 *     (rows: sampler.h)
 *   - what would the accelerator have drawn?   systole_energy_accelerator
 *
 * Every answer is a systole_bounds with its kind; UNKNOWN means that there is no figure.
 * No figure is ever given without low <= nominal <= high. docs/energy.md says what they
 * mean.
 */
#ifndef SYSTOLE_ENERGY_H
#define SYSTOLE_ENERGY_H

#include <stddef.h>

#include "systole/energy.h"

/* ---- the accelerator's activity model
 * -------------------------------------------------- */

/* E = sum(events x energy per event) + static power x time, from the events that the
 * device counted, in the technology that stats->technology names (NULL: the default of
 * simulated devices). power_w is energy_j over stats->seconds. Both have kind MODELLED,
 * or UNKNOWN when the run has no cycle counts (has_cycles = 0), took no time, is no array
 * (dim = 0), or the technology is not known. Either out-pointer may be NULL. A pure
 * function of its arguments. */
void systole_energy_accelerator(const systole_stats *stats,
                                const systole_geometry *geometry, systole_bounds *power_w,
                                systole_bounds *energy_j);

/* The name of the technology that is meant where none was asked for. Static storage. */
const char *systole_technology_default(int simulated);

/* The same name in static storage; NULL when there is no such technology. */
const char *systole_technology_named(const char *name);

/* One line of host/energy/data/coefficients.csv. */
typedef struct systole_energy_coefficient {
  const char *technology; /* "45nm"; "any": of all of them */
  const char *name;
  const char *unit;
  double low, nominal, high;
  const char *kind; /* "published": the nominal value is the source's; "estimate": ours */
  const char *source; /* never empty; says also where the bounds come from */
} systole_energy_coefficient;

/* All coefficients; static storage. */
const systole_energy_coefficient *systole_energy_coefficients(size_t *count);

/* ---- what was used between two moments ------------------------------------------------
 */

typedef struct systole_energy_meter systole_energy_meter;

typedef struct systole_energy_meter_options {
  uint32_t version;   /* SYSTOLE_ENERGY_METER_OPTIONS_VERSION */
  const char *root;   /* put before "/sys/..." and "/proc/..."; NULL: the environment
                         variable SYSTOLE_ROOT, or this machine; "": this machine */
  int threads;        /* threads that the work may use, >= 1 */
  int model_only;     /* 1: do not look for counters */
  int still_ms;       /* how long a counter may stand still before it is taken for dead;
                         0: 50; negative: any counter is trusted */
  const char *card;   /* PCIe address of an Alveo card to measure instead of the CPU; "":
                         the only one; NULL: see `of` */
  int card_period_ms; /* between looks at it; 0: 1000, the driver's own */
  systole_energy_of of;
  const char *address; /* of a GPU or card: PCIe address, for NVML also an index or UUID;
                          NULL or "": the only one */
  const char *source;  /* one row by name: "powercap", "perf", "hwmon", "nvml",
                          "battery", "hwmon:CHIP", "hwmon:CHIP/RAIL"; NULL: the best */
} systole_energy_meter_options;
#define SYSTOLE_ENERGY_METER_OPTIONS_VERSION 1
#define SYSTOLE_ENERGY_METER_OPTIONS_INIT                                                \
  {                                                                                      \
    SYSTOLE_ENERGY_METER_OPTIONS_VERSION, NULL, 1, 0, 0, NULL, 0, SYSTOLE_ENERGY_OF_CPU, \
        NULL, NULL                                                                       \
  }

/* Opens every sampler that works here, best first. Takes up to 50 ms (a GPU: 0.5 s) where
 * counters exist (they are read until they move). options may be NULL.
 * SYSTOLE_ERR_NOT_FOUND: nothing measures what was asked for, or not by the source that
 * was named, and it is no CPU; the sentence says why. Else it fails for want of memory.
 */
systole_status systole_energy_meter_open(systole_energy_meter **out,
                                         const systole_energy_meter_options *options);
void systole_energy_meter_close(systole_energy_meter *meter);

/* Begins a span. A second begin starts over. */
void systole_energy_meter_begin(systole_energy_meter *meter);

/* Call at least once a minute in a longer span, so that no counter wraps twice unseen. */
void systole_energy_meter_poll(systole_energy_meter *meter);

/* Ends the span. The first sampler that can answer for a span of this length does. Kind
 * MEASURED: all of what the source measures (other processes and idle power included),
 * over the span. Kind MODELLED: the share of this process. Either out-pointer may be
 * NULL. */
void systole_energy_meter_end(systole_energy_meter *meter, systole_bounds *power_w,
                              systole_bounds *energy_j);

/* Which sampler gave the last answer, e.g. "powercap: package-0 dram" or "model: ...",
 * and before any answer which one would. Borrowed from the meter. */
const char *systole_energy_meter_source(const systole_energy_meter *meter);

/* What the best sampler is, whatever answered last. Borrowed from the meter. */
const char *systole_energy_meter_best(const systole_energy_meter *meter);

/* Why the samplers before the chosen one cannot be used here, as sentences; "" when the
 * first is used. For `systole doctor`. Borrowed from the meter. */
const char *systole_energy_meter_missing(const systole_energy_meter *meter);

/* Seconds from one new value of the best sampler to its next, and the shortest span that
 * it answers for (20 steps, so that the two ends are at most a tenth); 0: any (a model).
 */
double systole_energy_meter_step_s(const systole_energy_meter *meter);
double systole_energy_meter_shortest_s(const systole_energy_meter *meter);

#endif
