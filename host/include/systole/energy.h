/* Energy: what a device takes for a piece of work, measured where this machine has a
 * source for that device and modelled elsewhere, and what that means.
 *
 * Every figure is a systole_bounds with its kind; UNKNOWN means that there is none. No
 * figure is given without low <= nominal <= high. docs/energy.md has methods, sources and
 * formulas. Conventions are those of systole.h.
 */
#ifndef SYSTOLE_SYSTOLE_ENERGY_H
#define SYSTOLE_SYSTOLE_ENERGY_H

#include "systole/systole.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the technology of the activity model ---------------------------------------------
 */

typedef struct systole_technology {
  const char *name;   /* "45nm", for systole_device_options.technology */
  const char *title;  /* for legends: "45 nm CMOS (Horowitz 2014)" */
  const char *source; /* never empty */
} systole_technology;

/* All of them; static storage. */
SYSTOLE_API const systole_technology *systole_technology_list(size_t *count);

/* The title that belongs to a name; NULL when there is no such technology. */
SYSTOLE_API const char *systole_technology_title(const char *name);

/* ---- measuring ------------------------------------------------------------------------
 */

/* What is measured: a source answers for what it belongs to and for nothing else. */
typedef enum systole_energy_of {
  SYSTOLE_ENERGY_OF_CPU = 0, /* powercap, perf, hwmon, battery; else modelled */
  SYSTOLE_ENERGY_OF_GPU,     /* NVML, hwmon; else modelled where a limit is known */
  SYSTOLE_ENERGY_OF_CARD,    /* an Alveo card's sensors */
  SYSTOLE_ENERGY_OF_MACHINE  /* hwmon (ACPI power meter), battery */
} systole_energy_of;

enum { SYSTOLE_ENERGY_ADDRESS = 64 }; /* bytes of a PCIe address, with room */

/* What of this machine a device's work takes energy of, and where that is; address ""
 * when it is not known. A simulated array is a card that nothing measures. */
SYSTOLE_API void systole_energy_of_device(const systole_device *device,
                                          systole_energy_of *of,
                                          char address[SYSTOLE_ENERGY_ADDRESS]);

typedef struct systole_energy_options {
  uint32_t version; /* SYSTOLE_ENERGY_OPTIONS_VERSION */
  systole_energy_of of;
  const char *address; /* of a GPU or card: PCIe address; for NVIDIA also an index or
                          UUID; NULL or "": the only one */
  const char *source;  /* one source by name: "powercap", "perf", "hwmon", "nvml",
                          "battery", "card", "hwmon:CHIP", "hwmon:CHIP/RAIL"; NULL: the
                          best for `of` */
  double window_s;     /* of rest and of work, each; lengthened to what the source needs;
                          0: that, and half a second at least */
  int windows;         /* pairs of rest and work, 1 ... 1000; 0: 3 */
  int threads;         /* CPU threads that the work may use, for the model; 0: 1 */
  int (*asked_to_stop)(void *user); /* NULL: never */
} systole_energy_options;
#define SYSTOLE_ENERGY_OPTIONS_VERSION 1
#define SYSTOLE_ENERGY_OPTIONS_INIT \
  { SYSTOLE_ENERGY_OPTIONS_VERSION, SYSTOLE_ENERGY_OF_CPU, NULL, NULL, 0.0, 0, 0, NULL }

typedef struct systole_energy_report {
  systole_energy_of of;
  char source[224]; /* "powercap: package-0 dram"; "model: ..." */
  char why[256];    /* why nothing was measured, or not to the end; "" else */
  double step_s;    /* from one value of the source to the next; 0: a model */
  double window_s;  /* the least length of a window */
  int windows;      /* pairs of rest and work */
  uint64_t runs;    /* of the work, in all windows */
  double idle_s, busy_s;
  /* Medians over the windows. Low and high are the lowest and highest bound of any. What
   * is modelled has no rest: idle_w and the incremental figures are UNKNOWN. A low bound
   * of an incremental figure may be negative: then the difference is smaller than what
   * the source can tell. */
  systole_bounds idle_w, power_w, incremental_w;
  systole_bounds energy_j, incremental_j; /* of one run of the work */
  double spread_low_j, spread_high_j; /* energy_j of the cheapest and dearest window */
} systole_energy_report;

/* Lets the machine rest and then repeats `work`, `windows` times, and tells what was used
 * in total and beyond rest. `work` is called once before, to warm up.
 * SYSTOLE_ERR_ARGUMENT: the options make no sense; SYSTOLE_ERR_NOT_FOUND: there is no
 * source of what was asked for, and no model; SYSTOLE_ERR_DEVICE: a source was there and
 * failed, and there is no model; SYSTOLE_ERR_INTERRUPTED; or what `work` returned. */
SYSTOLE_API systole_status systole_energy_measure(systole_energy_report *out,
                                                  const systole_energy_options *options,
                                                  systole_status (*work)(void *user),
                                                  void *user);

/* One row of what this machine could tell, for `systole doctor`. */
typedef struct systole_energy_source {
  char name[16];    /* "powercap", "model" */
  const char *of;   /* "CPU", "GPU", "card" or "machine"; static storage */
  int usable;       /* 1: it can be read here and now */
  int there;        /* 1: it is there, usable or not */
  char found[448];  /* what is read; why it cannot be; or that it is not there */
  char remedy[192]; /* what to do; "": nothing */
} systole_energy_source;

/* Looks at every source; up to a second where counters are there. Free with
 * systole_energy_source_list_free. */
SYSTOLE_API systole_status systole_energy_source_list(systole_energy_source **out,
                                                      size_t *count);
SYSTOLE_API void systole_energy_source_list_free(systole_energy_source *list);

/* ---- what a figure means
 * ---------------------------------------------------------------
 */

/* Landauer's limit: erasing a bit takes at least k T ln 2 (R. Landauer, "Irreversibility
 * and heat generation in the computing process", IBM Journal 5, 1961). */
#define SYSTOLE_LANDAUER_KELVIN 300.0
/* Bits that one MAC erases: the sum it overwrites, which the new sum does not tell. 32
 * for int8 products in int32 sums and for float32; operands stay where they are. */
#define SYSTOLE_LANDAUER_BITS_PER_MAC 32

/* Joules that `macs` must take at least at 300 K: macs x 32 x k T ln 2. */
SYSTOLE_API double systole_energy_landauer_j(uint64_t macs);

/* How many times that limit an energy is; UNKNOWN when the energy is, or macs is 0. */
SYSTOLE_API systole_bounds systole_energy_landauer_times(const systole_bounds *energy_j,
                                                         uint64_t macs);

/* kWh that a thousand inferences take, from joules of one. UNKNOWN stays UNKNOWN. */
SYSTOLE_API systole_bounds
systole_energy_kwh_per_thousand(const systole_bounds *energy_j);

#ifdef __cplusplus
}
#endif

#endif
