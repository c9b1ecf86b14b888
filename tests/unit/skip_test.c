/* Skipping what repeats against following every event: equal in every number, over
 * products, plans, memories and buffers drawn from a seed, and over convolutions. */
#include <criterion/criterion.h>
#include <stddef.h>
#include <string.h>

#include "conv_shapes.h"
#include "engine/conv.h"
#include "model/model.h"
#include "program/conv.h"
#include "program/forecast.h"
#include "program/program.h"
#include "program/timing.h"
#include "support/random.h"

static const char *const memories[] = {"ideal", "ddr4", "hbm2"};

static systole_memory_timing timing_of(const char *memory, const systole_geometry *g) {
  systole_memory_timing timing;
  cr_assert_eq(systole_memory_timing_of(&timing, memory, g->axi_bytes, 300), SYSTOLE_OK);
  return timing;
}

/* Forecasts event by event, and with skipping. Returns 1 when the two are equal. */
static int both_agree(systole_forecast out[2], const systole_instruction *instructions,
                      uint32_t count, const systole_geometry *geometry,
                      const systole_memory_timing *timing) {
  cr_assert_eq(
      systole_forecast_every_event(&out[0], instructions, count, geometry, timing),
      SYSTOLE_OK, "%s", systole_last_error());
  cr_assert_eq(systole_forecast_make(&out[1], instructions, count, geometry, timing),
               SYSTOLE_OK, "%s", systole_last_error());
  return memcmp(&out[0], &out[1], offsetof(systole_forecast, events)) == 0;
}

static systole_status program_of(systole_program **out, systole_gemm_spec *spec,
                                 int64_t m, int64_t n, int64_t k, int int8,
                                 const systole_geometry *geometry,
                                 const systole_memory_timing *timing) {
  systole_weights_layout layout;
  cr_assert_eq(
      systole_weights_layout_make(&layout, geometry->dim, geometry->axi_bytes, n, k),
      SYSTOLE_OK);
  *spec = (systole_gemm_spec){.m = m,
                              .n_blocks = layout.n_blocks,
                              .requantise = int8,
                              .bias = int8,
                              .clamp_low = -128,
                              .clamp_high = 127};
  return systole_program_make_for(out, geometry, &layout, spec, timing);
}

static int64_t size_of(systole_random *random, int dim) {
  const uint64_t most[] = {3, 40, 100};
  return 1 + (int64_t)systole_random_below(
                 random, (uint64_t)dim * most[systole_random_below(random, 3)]);
}

Test(skip, gives_every_number_of_every_event_for_random_products, .timeout = 120) {
  const uint64_t seed = 20261120;
  systole_random random;
  systole_random_seed(&random, seed);
  int programs = 0, refused = 0;
  for (int run = 0; run < 250; run++) {
    const int dim = 4 << systole_random_below(&random, 6);
    const int64_t m = size_of(&random, dim), n = size_of(&random, dim),
                  k = size_of(&random, dim);
    const int int8 = (int)systole_random_below(&random, 2);
    const char *memory = memories[systole_random_below(&random, 3)];
    systole_geometry geometry = systole_model_geometry(dim);
    geometry.ub_rows >>= systole_random_below(&random, 3);
    geometry.acc_rows >>= systole_random_below(&random, 2);
    const systole_memory_timing timing = timing_of(memory, &geometry);
    systole_gemm_spec spec;
    systole_program *program;
    if (program_of(&program, &spec, m, n, k, int8, &geometry, &timing) != SYSTOLE_OK) {
      refused++;
      continue;
    }
    systole_forecast f[2];
    cr_expect(
        both_agree(f, program->instructions, program->count, &geometry, &timing),
        "M=%lld N=%lld K=%lld%s Dim=%d ub=%u acc=%u %s seed=%llu run=%d: %llu cycles "
        "event by event, %llu with skipping",
        (long long)m, (long long)n, (long long)k, int8 ? " int8" : "", dim,
        geometry.ub_rows, geometry.acc_rows, memory, (unsigned long long)seed, run,
        (unsigned long long)f[0].cycles, (unsigned long long)f[1].cycles);
    systole_program_free(program);
    programs++;
  }
  cr_assert_geq(programs, 200, "%d of 250 were refused", refused);
}

Test(skip, gives_every_number_of_every_event_for_convolutions, .timeout = 120) {
  const int dims[] = {8, 16, 64};
  for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++) {
    const systole_geometry geometry = systole_model_geometry(dims[d]);
    systole_conv_shape shapes[SYSTOLE_MAX_CONV_SHAPES + 40];
    size_t count = systole_conv_shapes(shapes, dims[d]);
    for (uint64_t seed = 1; seed <= 40; seed++) {
      shapes[count++] = systole_conv_shape_random(seed, dims[d], 4000000);
    }
    int programs = 0;
    for (size_t i = 0; i < count; i++) {
      const systole_memory_timing timing = timing_of(memories[i % 3], &geometry);
      systole_conv_case c;
      systole_conv_case_make(&c, &shapes[i], SYSTOLE_CONV_REQUANTISE, i);
      systole_conv_call call;
      systole_conv_layout layout;
      systole_conv_program *program = NULL;
      if (systole_conv_call_make(&call, &c.conv) == SYSTOLE_OK && call.macs > 0 &&
          systole_conv_layout_make(&layout, &geometry, &call, 0) == SYSTOLE_OK &&
          systole_conv_program_make(&program, &geometry, &call, &layout) == SYSTOLE_OK) {
        systole_forecast f[2];
        programs++;
        cr_expect(
            both_agree(f, program->instructions, program->count, &geometry, &timing),
            "%s, Dim=%d %s: %llu cycles event by event, %llu with skipping",
            shapes[i].why == NULL ? "random" : shapes[i].why, dims[d], memories[i % 3],
            (unsigned long long)f[0].cycles, (unsigned long long)f[1].cycles);
      }
      systole_conv_program_free(program);
      systole_conv_case_free(&c);
    }
    cr_assert_geq(programs, 40, "Dim=%d: only %d of %zu have a program", dims[d],
                  programs, count);
  }
}

Test(skip, passes_over_most_of_a_large_product, .timeout = 60) {
  const systole_geometry geometry = systole_model_geometry(16);
  const systole_memory_timing timing = timing_of("ideal", &geometry);
  for (int int8 = 0; int8 <= 1; int8++) {
    systole_gemm_spec spec;
    systole_program *program;
    cr_assert_eq(program_of(&program, &spec, 2048, 2048, 2048, int8, &geometry, &timing),
                 SYSTOLE_OK);
    systole_forecast f[2];
    cr_expect(both_agree(f, program->instructions, program->count, &geometry, &timing),
              "%llu cycles event by event, %llu with skipping",
              (unsigned long long)f[0].cycles, (unsigned long long)f[1].cycles);
    cr_expect_lt(5 * f[1].events, f[0].events, "%s: %llu events of %llu were followed",
                 int8 ? "int8" : "int32", (unsigned long long)f[1].events,
                 (unsigned long long)f[0].events);
    systole_program_free(program);
  }
}
