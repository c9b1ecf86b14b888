#include "verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "signals.h"
#include "story.h"

int systole_verify_raw(systole_result *result, systole_mismatch *mismatch,
                       const char *device, const systole_job *job, const int32_t *c) {
  int code = 0;
  systole_device *cpu = NULL;
  int32_t *expected = NULL;
  memset(mismatch, 0, sizeof *mismatch);
  if (strncmp(device, "cpu", 3) == 0) {
    const systole_status status = systole_check_product(
        mismatch, &result->checked_by, c, job->a, job->b, job->m, job->n, job->k);
    if (status == SYSTOLE_ERR_INTERRUPTED) {
      code = systole_interrupted_story();
    } else if (status != SYSTOLE_OK) {
      code = systole_story_errno(ENOMEM, "cannot check the result");
    }
  } else {
    const systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
    const int64_t lda = job->k > 0 ? job->k : 1, ldb = job->n > 0 ? job->n : 1;
    expected = malloc((size_t)job->m * (size_t)job->n * sizeof *expected + 1);
    if (expected == NULL) {
      code = systole_story_errno(ENOMEM, "cannot check the result");
      goto done;
    }
    if ((code = systole_open(&cpu, "cpu", &options)) != 0) goto done;
    code = systole_story_of(systole_gemm_s8(cpu, job->m, job->n, job->k, job->a, lda,
                                            job->b, ldb, expected, ldb, NULL),
                            "the CPU reference failed");
    if (code != 0) goto done;
    result->checked_by = "cpu";
    systole_compare_s32(mismatch, c, expected, job->m, job->n);
  }
  if (code == 0) {
    result->checked = 1;
    result->mismatches = mismatch->count;
  }

done:
  free(expected);
  systole_device_close(cpu);
  return code;
}

/* int8 results against the CPU's int32 ones, themselves checked, and the epilogue written
 * out. */
static int verify_s8(systole_result *result, systole_mismatch *mismatch,
                     const systole_job *job, const int8_t *c) {
  const systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  const size_t count = (size_t)job->m * (size_t)job->n;
  const int64_t lda = job->k > 0 ? job->k : 1, ldb = job->n > 0 ? job->n : 1;
  systole_device *cpu = NULL;
  const char *method = NULL;
  int32_t *raw = malloc(count * sizeof *raw + 1);
  int8_t *expected = malloc(count + 1);
  int code = 0;
  memset(mismatch, 0, sizeof *mismatch);
  if (raw == NULL || expected == NULL) {
    code = systole_story_errno(ENOMEM, "cannot check the result");
    goto done;
  }
  if ((code = systole_open(&cpu, "cpu", &options)) != 0) goto done;
  code = systole_story_of(systole_gemm_s8(cpu, job->m, job->n, job->k, job->a, lda,
                                          job->b, ldb, raw, ldb, NULL),
                          "the CPU reference failed");
  if (code != 0) goto done;
  const systole_status status = systole_check_product(mismatch, &method, raw, job->a,
                                                      job->b, job->m, job->n, job->k);
  if (status == SYSTOLE_ERR_INTERRUPTED) {
    code = systole_interrupted_story();
  } else if (status != SYSTOLE_OK) {
    code = systole_story_errno(ENOMEM, "cannot check the result");
  }
  if (code != 0) goto done;
  if (mismatch->count > 0)
    systole_plain_product(raw, job->a, job->b, job->m, job->n, job->k);
  memset(mismatch, 0, sizeof *mismatch);
  systole_plain_epilogue(expected, raw, job->m, job->n, job->epilogue);
  systole_compare_s8(mismatch, c, expected, job->m, job->n);
  result->checked_by = strncmp(result->device, "cpu", 3) == 0 ? method : "cpu";
  result->checked = 1;
  result->mismatches = mismatch->count;

done:
  free(raw);
  free(expected);
  systole_device_close(cpu);
  return code;
}

int systole_verify(systole_result *result, systole_mismatch *mismatch, const char *device,
                   const systole_job *job, const void *c) {
  return systole_job_is_s8(job) ? verify_s8(result, mismatch, job, c)
                                : systole_verify_raw(result, mismatch, device, job, c);
}

int systole_verify_f32(systole_result *result, systole_float_mismatch *mismatch,
                       systole_format format, const systole_job *job, const float *c) {
  const systole_status status = systole_check_float(mismatch, format, c, job->a_f32,
                                                    job->b_f32, job->m, job->n, job->k);
  if (status == SYSTOLE_ERR_INTERRUPTED) return systole_interrupted_story();
  if (status != SYSTOLE_OK) return systole_story_errno(ENOMEM, "cannot check the result");
  result->checked = 1;
  result->checked_by = mismatch->method;
  result->mismatches = mismatch->count;
  result->largest_error = mismatch->largest_error;
  result->error_bound = mismatch->bound;
  return 0;
}

int systole_wrong_float_story(const systole_result *result,
                              const systole_float_mismatch *mismatch) {
  char seed[48] = "operands from files";
  if (result->has_seed) snprintf(seed, sizeof seed, "seed %" PRIu64, result->seed);
  return systole_story(
      SYSTOLE_EXIT_WRONG,
      "wrong result on %s, M %" PRId64 ", N %" PRId64 ", K %" PRId64 ", %s: %" PRIu64
      " of %" PRIu64
      " elements are further than %.3g |a| |b| from the sum in double; the "
      "first is C[%" PRId64 "][%" PRId64 "] = %.9g, expected %.9g",
      result->device, result->m, result->n, result->k, seed, mismatch->count,
      (uint64_t)result->m * (uint64_t)result->n, mismatch->bound, mismatch->i,
      mismatch->j, (double)mismatch->got, mismatch->expected);
}

int systole_wrong_story(const systole_result *result, const systole_mismatch *mismatch,
                        const systole_job *job) {
  char seed[48] = "operands from files";
  char third[64] = "";
  if (result->has_seed) snprintf(seed, sizeof seed, "seed %" PRIu64, result->seed);
  if (!systole_job_is_s8(job)) {
    snprintf(
        third, sizeof third, "; three plain loops give %" PRId32,
        systole_plain_element(job->a, job->b, job->n, job->k, mismatch->i, mismatch->j));
  }
  return systole_story(
      SYSTOLE_EXIT_WRONG,
      "wrong result on %s, M %" PRId64 ", N %" PRId64 ", K %" PRId64 ", %s: %" PRIu64
      " of %" PRIu64
      " elements differ from %s; the first is "
      "C[%" PRId64 "][%" PRId64 "] = %" PRId64 ", expected %" PRId64 "%s",
      result->device, result->m, result->n, result->k, seed, mismatch->count,
      (uint64_t)result->m * (uint64_t)result->n, result->checked_by, mismatch->i,
      mismatch->j, mismatch->got, mismatch->expected, third);
}
