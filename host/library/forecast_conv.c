/* systole_forecast_conv2d: the same layout, plan and schedule as a run, and the forecast
 * of the command stream in the place of the card. */
#include <string.h>

#include "engine/conv.h"
#include "library/forecast.h"
#include "program/conv.h"
#include "program/conv_merge.h"
#include "support/error.h"

/* One run; *rows counts those that enter the array, over all tiles. */
static systole_status forecast_run(systole_forecast *sum, double *rows,
                                   const systole_scenario *scenario,
                                   const systole_memory_timing *memory,
                                   const systole_conv_call *call) {
  const systole_geometry *geometry = &scenario->geometry;
  systole_conv_layout layout;
  systole_conv_program *program = NULL;
  systole_forecast one;
  systole_status status = systole_conv_layout_make(&layout, geometry, call, 0);
  layout.tile_cycles = systole_conv_tile_cycles(geometry, memory);
  if (status == SYSTOLE_OK)
    status = systole_conv_program_make(&program, geometry, call, &layout);
  if (status == SYSTOLE_ERR_UNSUPPORTED && call->conv.pool == SYSTOLE_POOLING_NONE) {
    status = systole_conv_layout_make(&layout, geometry, call, 1);
    layout.tile_cycles = systole_conv_tile_cycles(geometry, memory);
    if (status == SYSTOLE_OK)
      status = systole_conv_program_make(&program, geometry, call, &layout);
  }
  if (status == SYSTOLE_OK) {
    status = systole_forecast_make(&one, program->instructions, program->count, geometry,
                                   memory);
  }
  if (status == SYSTOLE_OK) {
    systole_forecast_add(sum, &one, 1);
    *rows += (double)layout.images * (double)layout.conv_lines *
             (double)layout.conv_columns * (double)layout.bundles *
             (double)(layout.taps_height * layout.taps_width * layout.c_blocks *
                      layout.o_blocks);
  }
  systole_conv_program_free(program);
  return status;
}

/* A batch whose program would be too long goes in halves, as on the accelerator. */
static systole_status forecast_batch(systole_forecast *sum, double *rows,
                                     const systole_scenario *scenario,
                                     const systole_memory_timing *memory,
                                     const systole_conv_call *call) {
  systole_status status = forecast_run(sum, rows, scenario, memory, call);
  if (status != SYSTOLE_ERR_ARGUMENT || call->conv.batch < 2) return status;
  for (int half = 0; half < 2; half++) {
    systole_conv2d conv = call->conv;
    systole_conv_call part;
    conv.batch =
        half == 0 ? call->conv.batch / 2 : call->conv.batch - call->conv.batch / 2;
    status = systole_conv_call_make(&part, &conv);
    if (status == SYSTOLE_OK) status = forecast_batch(sum, rows, scenario, memory, &part);
    if (status != SYSTOLE_OK) return status;
  }
  return SYSTOLE_OK;
}

systole_status systole_forecast_conv2d(systole_stats *out,
                                       const systole_scenario *scenario,
                                       const systole_conv2d *conv) {
  if (out == NULL || scenario == NULL || conv == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "a forecast needs a scenario, a convolution and a place for its "
                        "figures");
  }
  memset(out, 0, sizeof *out);
  systole_memory_timing memory;
  systole_conv_call call;
  systole_forecast f;
  double rows = 0;
  memset(&f, 0, sizeof f);
  systole_status status = systole_scenario_check(scenario);
  if (status == SYSTOLE_OK) {
    status = systole_memory_timing_of(&memory, scenario->memory,
                                      scenario->geometry.axi_bytes, scenario->clock_mhz);
  }
  if (status == SYSTOLE_OK) status = systole_conv_call_make(&call, conv);
  if (status == SYSTOLE_OK && call.macs > 0) {
    systole_conv_merge merge;
    systole_conv_call tall = call;
    if (systole_conv_merge_make(&merge, &call, &scenario->geometry, &memory)) {
      status = systole_conv_call_make(&tall, &merge.conv);
    }
    if (status == SYSTOLE_OK) {
      status = forecast_batch(&f, &rows, scenario, &memory, &tall);
    }
  }
  if (status != SYSTOLE_OK) return status;
  systole_forecast_fill(out, &f, scenario, call.macs);
  double dim = scenario->geometry.dim;
  if (rows > 0) out->utilisation_ceiling = (double)call.macs / (rows * dim * dim);
  return SYSTOLE_OK;
}
