/* A report: all runs of one workload, and the files that show them. */
#ifndef SYSTOLE_REPORT_REPORT_H
#define SYSTOLE_REPORT_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "report/folder.h"
#include "report/machine.h"
#include "report/result.h"
#include "report/table.h"

typedef struct systole_report_device {
  char name[64];
  char kind[16];
  char about[160];
  systole_geometry geometry;
  double peak_gops; /* 2 dim^2 clock, or measured; 0: not known */
  systole_kind peak_kind;
  double bandwidth_gbs; /* all memory channels together; 0: not known */
  systole_kind bandwidth_kind;
} systole_report_device;

typedef struct systole_comparison systole_comparison; /* change.h */

typedef struct systole_report {
  const char *version;
  const char *command; /* as typed */
  const char *workload, *title;
  char date[32]; /* ISO 8601, UTC */
  systole_machine machine;
  const systole_report_device *devices;
  size_t device_count;
  const systole_result
      *results; /* in the order of the workload, devices within a product */
  size_t result_count;
  double wall_s;                /* of the whole comparison */
  char note[192];               /* what a reader must know about this run; "": nothing */
  const systole_tables *tables; /* that the workload adds; NULL: none */
  const systole_comparison *comparison; /* with a baseline; NULL: none */
  const uint8_t *pictures;
  int picture_count, picture_side;
} systole_report;

/* Fills the date: now, or SOURCE_DATE_EPOCH when that is set (reproducible-builds.org).
 */
void systole_report_date(systole_report *report);

/* Writes results.json, results.csv, tables/, figures/ and report.html into the folder
 * that is being made. Figures that cannot be drawn are left out; *warning then says why
 * (a borrowed text, NULL when all is well). Returns an exit code. */
int systole_report_write(const systole_report *report, systole_folder *folder,
                         const char **warning);

/* A table that the workload added, for the figures that draw it; NULL: there is none. */
const systole_table *systole_report_table(const systole_report *report, const char *name);

/* Peak of a simulated array in GOP/s: 2 operations x dim^2 x clock. */
double systole_report_array_peak(const systole_result *result);

/* GB/s of the array's three memory channels (activations in, weights in, results out)
 * together, by the memory preset's law. 0 when it is not known. */
double systole_report_array_bandwidth(const systole_result *result);

#endif
