/* Sets a device's result beside another's. */
#ifndef SYSTOLE_CLI_VERIFY_H
#define SYSTOLE_CLI_VERIFY_H

#include "check.h"
#include "check_float.h"
#include "measure.h"

/* Raw results of `device` against the CPU engine, or, for a CPU device, against code that
 * shares nothing with it. Fills checked, checked_by and mismatches of *result and
 * *mismatch. A wrong result is no failure here: returns 0 then, too. */
int systole_verify_raw(systole_result *result, systole_mismatch *mismatch,
                       const char *device, const systole_job *job, const int32_t *c);

/* The same for raw or int8 results, as the job says. */
int systole_verify(systole_result *result, systole_mismatch *mismatch, const char *device,
                   const systole_job *job, const void *c);

/* Float results against sums in double; a result beyond the bound counts as a mismatch.
 * Fills largest_error and error_bound, too. */
int systole_verify_f32(systole_result *result, systole_float_mismatch *mismatch,
                       systole_format format, const systole_job *job, const float *c);
int systole_wrong_float_story(const systole_result *result,
                              const systole_float_mismatch *mismatch);

/* Stores the sentence for wrong results; returns SYSTOLE_EXIT_WRONG. seed may be NULL. */
int systole_wrong_story(const systole_result *result, const systole_mismatch *mismatch,
                        const systole_job *job);

#endif
