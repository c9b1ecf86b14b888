#include "program/program.h"

#include <stdlib.h>

#include "program/schedule.h"
#include "support/error.h"
#include "support/memory.h"

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
