#include "program/program.h"

#include <stdlib.h>
#include <string.h>

#include "program/forecast.h"
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

/* ---- which plan
 * --------------------------------------------------------------------------- */

/* What is tried beside the usual plan: other strips where the product is so small that
 * its beginning and end count, and chunks that roll where the usual plan is bound by a
 * port. */
enum {
  kSmallTiles = 1500,   /* a forecast takes 0.1 ms */
  kLargeTiles = 400000, /* 40 ms; beyond, bounds decide alone */
  kChoices = 48
};

static int64_t tiles_of(const systole_plan *plan, const systole_weights_layout *weights,
                        const systole_gemm_spec *spec) {
  return plan->strips * spec->n_blocks * weights->k_blocks;
}

static int small_choices(systole_plan_choice *choices, const systole_geometry *geometry,
                         const systole_memory_timing *memory) {
  /* Rows in which a tile of weights arrives; fewer leave the array waiting for it. */
  const systole_memory_timing gmem1 = systole_memory_timing_gmem1(memory);
  double rate = systole_memory_rate(&gmem1, geometry->axi_bytes);
  int64_t dim = geometry->dim, tile = (int64_t)((double)dim * (double)dim / rate);
  if (tile < dim) tile = dim;
  const int64_t eighths[] = {8, 12, 16, 32, 64, 128, 256};
  int count = 0;
  for (size_t i = 0; i < sizeof eighths / sizeof eighths[0]; i++) {
    systole_plan_choice choice = {.rows = tile * eighths[i] / 8};
    choices[count++] = choice;
    choice.first_parts = 2;
    choices[count++] = choice;
  }
  /* Where loading, weights, array and stores all take about as long: a first strip so
   * short that the first results leave early, and work for the array meanwhile. */
  for (int64_t sixteenths = 15; sixteenths >= 14 && dim > geometry->axi_bytes;
       sixteenths--) {
    for (int64_t ahead = 2; ahead <= 4; ahead += 2) {
      choices[count++] = (systole_plan_choice){
          .rows = tile, .first_rows = tile * sixteenths / 16, .ahead = ahead};
    }
  }
  return count;
}

static int rolling_choices(systole_plan_choice *choices,
                           const systole_geometry *geometry) {
  const int64_t parts[] = {8, 6, 4}; /* of an accumulator half, in sixteenths */
  int count = 0;
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    const int64_t rows = (int64_t)geometry->acc_rows / 2 * parts[i] / 16;
    choices[count++] = (systole_plan_choice){.rows = rows, .rolling = 1};
    choices[count++] = (systole_plan_choice){.rows = rows, .rolling = 2};
  }
  return count;
}

/* Schedules program->plan and forecasts it. */
static systole_status schedule_and_forecast(systole_program *program, uint64_t *cycles,
                                            const systole_geometry *geometry,
                                            const systole_weights_layout *weights,
                                            const systole_memory_timing *memory) {
  systole_forecast forecast;
  program->count = 0;
  program->instructions = NULL;
  systole_status status = systole_schedule(program, geometry, weights);
  if (status == SYSTOLE_OK) {
    status = systole_forecast_make(&forecast, program->instructions, program->count,
                                   geometry, memory);
  }
  *cycles = status == SYSTOLE_OK ? forecast.cycles : UINT64_MAX;
  return status;
}

/* Tries `choices` and keeps in *program what is fastest. The usual plan is scheduled. */
static systole_status try_choices(systole_program *program,
                                  const systole_plan_choice *choices, int count,
                                  const systole_geometry *geometry,
                                  const systole_weights_layout *weights,
                                  const systole_memory_timing *memory) {
  systole_forecast forecast;
  systole_status status = systole_forecast_make(&forecast, program->instructions,
                                                program->count, geometry, memory);
  uint64_t best = forecast.cycles;
  systole_plan tried = program->plan;
  for (int i = 0; i < count && status == SYSTOLE_OK; i++) {
    systole_program other = {.spec = program->spec};
    uint64_t cycles = 0;
    systole_plan before = tried;
    if (systole_plan_choose(&other.plan, geometry, weights, &program->spec,
                            &choices[i]) != SYSTOLE_OK) {
      continue;
    }
    tried = other.plan;
    if (memcmp(&tried, &before, sizeof tried) == 0 ||
        other.plan.steps > SYSTOLE_PROGRAM_MAX_STEPS ||
        systole_plan_bound(&other.plan, geometry, weights, &program->spec, memory) >=
            (double)best) {
      continue;
    }
    status = schedule_and_forecast(&other, &cycles, geometry, weights, memory);
    if (status == SYSTOLE_OK && cycles < best) {
      best = cycles;
      systole_release(program->instructions);
      *program = other;
    } else {
      systole_release(other.instructions);
    }
  }
  return status;
}

static systole_status choose_plan(systole_program *program,
                                  const systole_geometry *geometry,
                                  const systole_weights_layout *weights,
                                  const systole_memory_timing *memory) {
  const systole_gemm_spec *spec = &program->spec;
  systole_plan_choice choices[kChoices];
  int count = 0;
  int64_t tiles = tiles_of(&program->plan, weights, spec);
  double bound = systole_plan_bound(&program->plan, geometry, weights, spec, memory);
  double array = (double)spec->m * (double)spec->n_blocks * (double)weights->k_blocks;
  if (tiles <= kSmallTiles) count = small_choices(choices, geometry, memory);
  if (tiles <= kLargeTiles && program->plan.chunks > 1 && bound > 1.01 * array) {
    count += rolling_choices(&choices[count], geometry);
  }
  if (count == 0) return SYSTOLE_OK;
  return try_choices(program, choices, count, geometry, weights, memory);
}

systole_status systole_program_make(systole_program **out,
                                    const systole_geometry *geometry,
                                    const systole_weights_layout *weights,
                                    const systole_gemm_spec *spec) {
  const systole_memory_timing ideal = SYSTOLE_MEMORY_TIMING_IDEAL;
  return systole_program_make_for(out, geometry, weights, spec, &ideal);
}

systole_status systole_program_make_for(systole_program **out,
                                        const systole_geometry *geometry,
                                        const systole_weights_layout *weights,
                                        const systole_gemm_spec *spec,
                                        const systole_memory_timing *memory) {
  *out = NULL;
  void *room;
  systole_status status =
      systole_allocate_zeroed(&room, 1, sizeof(systole_program), "a program");
  if (status != SYSTOLE_OK) return status;
  systole_program *program = room;
  program->spec = *spec;
  status = systole_plan_make(&program->plan, geometry, weights, spec);
  if (status == SYSTOLE_OK && program->plan.steps > SYSTOLE_PROGRAM_MAX_STEPS) {
    status = systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "a program of %lld steps is longer than the %d that one run may have",
        (long long)program->plan.steps, SYSTOLE_PROGRAM_MAX_STEPS);
  }
  if (status == SYSTOLE_OK) status = systole_schedule(program, geometry, weights);
  if (status == SYSTOLE_OK && memory != NULL) {
    status = choose_plan(program, geometry, weights, memory);
  }
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
