/* --energy: what a device takes for one product, in total and beyond rest. */
#ifndef SYSTOLE_CLI_ENERGY_RUN_H
#define SYSTOLE_CLI_ENERGY_RUN_H

#include "measure.h"

/* What `--energy SECONDS` and `--energy-source NAME` ask for. */
typedef struct systole_energy_wish {
  double window_s;    /* 0: nothing is asked for */
  const char *source; /* NULL: the best of the device */
  int windows;        /* 0: 3 */
} systole_energy_wish;

/* Reads "SECONDS"; returns an exit code. */
int systole_energy_wish_parse(systole_energy_wish *wish, const char *text);

/* What of this machine the station's device is, and its PCIe address, "" when it is not
 * known. `reason` gets a sentence and 0 is returned for a device that draws nothing: a
 * simulated one, by the `stats` of a run. */
int systole_energy_place(systole_energy_of *of, char address[SYSTOLE_ENERGY_ADDRESS],
                         const systole_station *station, const systole_stats *stats,
                         char *reason, size_t reason_bytes);

/* What is measured without being asked for: short windows, where this machine has a quick
 * source for such a device. window_s stays 0 where it has none. */
systole_energy_wish systole_energy_unasked(systole_energy_of of);

/* Repeats the product in windows, after as much rest each, and completes *result: the
 * report, and in place of the run's own power and energy what was found for the windows.
 * `c` is overwritten with the same product. Returns an exit code. */
int systole_energy_run(systole_result *result, const systole_station *station,
                       const systole_job *job, void *c, const systole_energy_wish *wish);

/* Lines for people, when there is a report. */
void systole_energy_show(const systole_result *result);

#endif
