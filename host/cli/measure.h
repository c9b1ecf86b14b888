/* Runs one product on one device, often enough for a steady figure. */
#ifndef SYSTOLE_CLI_MEASURE_H
#define SYSTOLE_CLI_MEASURE_H

#include <stdint.h>

#include "report/result.h"
#include "systole/systole.h"

typedef struct systole_job {
  int64_t m, n, k;
  const int8_t *a, *b;              /* row-major without gaps */
  const systole_epilogue *epilogue; /* NULL: raw int32 */
  /* The operands of devices of float formats, likewise; NULL when there are none. Such
   * devices know no epilogue: their results are the sums. */
  const float *a_f32, *b_f32;
} systole_job;

/* 1: the results are int8. */
int systole_job_is_s8(const systole_job *job);

typedef struct systole_samples {
  systole_stats *stats;
  size_t count, capacity;
} systole_samples;

/* Returns an exit code. */
int systole_samples_add(systole_samples *samples, const systole_stats *stats);
void systole_samples_free(systole_samples *samples);

/* A device that is open, and what stays the same over its runs. */
typedef struct systole_station {
  systole_device *device;
  systole_format format; /* which operands of a job it takes, and what comes out */
  systole_geometry geometry;
  int threads;      /* 0: does not apply */
  double peak_gops; /* 0: not known */
  const char *peak_instruction;
  const char *record_path; /* NULL: nothing is recorded. Borrowed from the options */
} systole_station;

/* Opens the device and asks for its geometry and measured peak. Returns an exit code. */
int systole_station_open(systole_station *out, const char *name,
                         const systole_device_options *options);
void systole_station_close(systole_station *station);

/* Saves the recording, if one was asked for, and closes. `code` is the exit code so far:
 * a run that was good, wrong or failed on the device is saved, one that was refused or
 * interrupted is not. Says what was written on standard output unless `quiet`, and on
 * standard error that a recording was cut. Returns `code`, or the code of a failed save.
 */
int systole_station_finish(systole_station *station, int code, int quiet);

/* 1: timings vary from run to run and are repeated; 0: cycles are exact, one run says
 * all. */
int systole_station_varies(const systole_station *station);

/* The weights of the job in the device's form: int8 with the epilogue, or float32.
 * Returns an exit code. */
int systole_station_prepare(systole_weights **out, const systole_station *station,
                            const systole_job *job);

/* Once, everything included that a person waits for: packing of weights, run, unpacking.
 * Adds one sample. c holds int32_t or int8_t as the job says, or float. */
int systole_measure_once(systole_samples *samples, const systole_station *station,
                         const systole_job *job, void *c);

/* Weights are prepared by the caller; runs until `runs` are counted or, when runs is 0,
 * at least once and until budget_s is spent. */
int systole_measure_prepared(systole_samples *samples, const systole_weights *weights,
                             const systole_job *job, void *c, int runs, double budget_s);

/* Two warm-ups (the second is left out when the first took over a second): the first
 * calls of a library compile kernels and start threads. */
int systole_warm_up(const systole_weights *weights, const systole_job *job, void *c);

/* Fills the measured part of *result: the statistics of the run with the median wall
 * time, and the quartiles. */
void systole_summarise(systole_result *result, const systole_station *station,
                       const systole_job *job, systole_samples *samples);

#endif
