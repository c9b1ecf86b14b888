/* One small command stream on an rtl card, checked against the plain product:
 * C[Rows x Dim] = A[Rows x Dim] * (W_0 + ... + W_{tiles-1}), raw int32 results. */
#ifndef SYSTOLE_TESTS_COSIM_JOB_H
#define SYSTOLE_TESTS_COSIM_JOB_H

#include <stdint.h>

#include "card/rtl/rtl.h"

typedef struct job {
  systole_card *card;
  const systole_rtl_api *api; /* of the model underneath, for faults */
  systole_rtl *model;
  systole_launch launch;
  uint32_t rows, tiles;
  int dim;
  int8_t *a, *w;
  int32_t *c, *expected;
} job;

/* Defaults, with the checkers on. */
systole_device_options job_options(void);

/* Opens rtl:`what` and puts the operands (from `seed`), weights and program into its
 * memory. rows at most 512. Aborts the test on failure. */
job job_open(const char *what, const systole_device_options *options, uint32_t rows,
             uint32_t tiles, uint64_t seed);
void job_close(job *j);

/* Where the results lie on gmem0, and how many bytes they are. */
uint64_t job_results(const job *j);
uint64_t job_result_bytes(const job *j);

/* Spoils the results in device memory, so that an old run's cannot pass. */
void job_spoil(job *j);

void job_start(job *j);

/* Waits in slices of `slice_ms`; returns the first status that is not good. */
systole_status job_wait(job *j, uint32_t slice_ms);

/* Spoils, starts, waits. */
systole_status job_run(job *j);

/* Asserts that the run ended without an error code and that every result is right. */
void job_expect_right(job *j);

uint32_t job_register(job *j, uint32_t offset);
/* The 64-bit counter SYSTOLE_COUNTER_... */
uint64_t job_counter(job *j, int counter);

#endif
