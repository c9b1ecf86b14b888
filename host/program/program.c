#include "program/program.h"

#include <stdlib.h>

#include "program/schedule.h"
#include "support/error.h"
#include "support/memory.h"

/* A column block of results larger than this is cut by rows. */
enum { kMaxBlockBytes = 64 << 20 };

int systole_portion_fits(const systole_plan *plan, int64_t steps) {
  return plan->steps <= steps && plan->c_block_bytes <= kMaxBlockBytes;
}

int systole_portion_shrink(systole_portion *portion, int dim) {
  /* A strip of rows is the least that uses the array well, and a block the least at all.
   */
  int64_t strip = 4 * (int64_t)dim < 256 ? 256 : 4 * (int64_t)dim;
  if (portion->rows > strip) {
    portion->rows = systole_ceil_div(systole_ceil_div(portion->rows, 2), strip) * strip;
  } else if (portion->blocks > 1) {
    portion->blocks = systole_ceil_div(portion->blocks, 2);
  } else if (portion->rows > 1) {
    portion->rows = systole_ceil_div(portion->rows, 2);
  } else {
    return 0;
  }
  return 1;
}

systole_status systole_program_make(systole_program **out,
                                    const systole_geometry *geometry,
                                    const systole_weights_layout *weights,
                                    const systole_gemm_spec *spec) {
  *out = NULL;
  void *memory;
  systole_status status =
      systole_allocate_zeroed(&memory, 1, sizeof(systole_program), "a program");
  if (status != SYSTOLE_OK) return status;
  systole_program *program = memory;
  program->spec = *spec;
  status = systole_plan_make(&program->plan, geometry, weights, spec);
  if (status == SYSTOLE_OK && program->plan.steps > SYSTOLE_PROGRAM_MAX_STEPS) {
    status = systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "a program of %lld steps is longer than the %d that one run may have",
        (long long)program->plan.steps, SYSTOLE_PROGRAM_MAX_STEPS);
  }
  if (status == SYSTOLE_OK) status = systole_schedule(program, geometry, weights);
  if (status == SYSTOLE_OK) {
    status = systole_prove(program->instructions, program->count, geometry);
    if (status != SYSTOLE_OK) {
      status = systole_fail_in(
          SYSTOLE_ERR_INTERNAL,
          "the schedule of M = %lld, N = %lld, K = %lld is not sound", (long long)spec->m,
          (long long)weights->n, (long long)weights->k);
    }
  }
  if (status == SYSTOLE_OK) {
    *out = program;
  } else {
    systole_program_free(program);
  }
  return status;
}

void systole_program_free(systole_program *program) {
  if (program == NULL) return;
  systole_release(program->instructions);
  systole_release(program);
}
