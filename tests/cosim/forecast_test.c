/* The forecast against the RTL, through the public API: cycles, every part of the ledger
 * and the bytes of every port are the same. (cycles_test.c has random programs.) */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "shapes.h"

static const char *const models[] = {COSIM_MODELS};
static const char *const memories[] = {"ideal", "ddr4", "hbm2"};
enum {
  MODELS = sizeof models / sizeof models[0],
  MEMORIES = sizeof memories / sizeof memories[0]
};

static struct criterion_test_params every_model(void) {
  return kernel_models(models, MODELS);
}

typedef struct pair { /* what the device did, what was forecast */
  systole_stats ran, forecast;
} pair;

static void run(pair *out, systole_device *device, const systole_scenario *s) {
  const size_t n = (size_t)s->n, mn = (size_t)s->m * n;
  int8_t *a = calloc((size_t)s->m * (size_t)s->k + 1, 1);
  int8_t *b = calloc((size_t)s->k * n + 1, 1);
  void *c = malloc(mn * sizeof(int32_t) + 1);
  int32_t *columns = calloc(n + 1, sizeof *columns);
  uint8_t *shift = calloc(n + 1, 1);
  cr_assert(a && b && c && columns && shift);
  systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
  systole_weights *weights;
  if (s->bias) epilogue.bias = columns;
  if (s->int8_results) {
    epilogue.multiplier = columns;
    epilogue.shift = shift;
  }
  cr_assert_eq(systole_weights_prepare(&weights, device, s->n, s->k, b, s->n, &epilogue),
               SYSTOLE_OK, "%s", systole_last_error());
  cr_assert_eq(systole_gemm_s8_prepared(weights, s->m, a, s->k, c, s->n, &out->ran),
               SYSTOLE_OK, "%s", systole_last_error());
  cr_assert_eq(systole_forecast_gemm(&out->forecast, s), SYSTOLE_OK, "%s",
               systole_last_error());
  systole_weights_free(weights);
  free(a);
  free(b);
  free(c);
  free(columns);
  free(shift);
}

/* NULL when cycles and every part of the ledger are the same, else a sentence. */
static const char *apart(const systole_stats *forecast, const systole_stats *ran) {
  static const char *const parts[] = {"active",       "start",       "drain",
                                      "output_stall", "input_stall", "weight_stall",
                                      "weight_shift", "other"};
  static _Thread_local char message[128];
  const uint64_t *x = (const uint64_t *)&forecast->ledger;
  const uint64_t *y = (const uint64_t *)&ran->ledger;
  _Static_assert(sizeof forecast->ledger == 8 * sizeof *x, "all parts are here");
  if (forecast->cycles != ran->cycles) {
    (void)snprintf(message, sizeof message,
                   "%" PRIu64 " cycles are forecast, %" PRIu64 " were taken",
                   forecast->cycles, ran->cycles);
    return message;
  }
  for (int i = 0; i < 8; i++) {
    if (x[i] == y[i]) continue;
    (void)snprintf(message, sizeof message,
                   "%s is forecast as %" PRIu64 " cycles and was %" PRIu64, parts[i],
                   x[i], y[i]);
    return message;
  }
  return NULL;
}

/* Shapes beside the shared table: every way to be limited. */
static const systole_shape limited[] = {
    {512, 64, 64, "stores and the buffer's port"},
    {64, 512, 64, "the same, wide"},
    {48, 48, 1024, "loads"},
    {1, 512, 512, "weights"},
    {8, 256, 300, "weights, padding"},
    {200, 200, 200, "start and drain"},
};

ParameterizedTestParameters(forecast, has_the_cycles_of_the_rtl) { return every_model(); }
ParameterizedTest(int *model, forecast, has_the_cycles_of_the_rtl, .timeout = 600) {
  int runs = 0;
  for (int memory = 0; memory < MEMORIES; memory++) {
    systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
    options.memory = memories[memory];
    systole_device *device = kernel_open(models[*model], &options);
    systole_scenario scenario = SYSTOLE_SCENARIO_INIT;
    cr_assert_eq(systole_device_geometry(device, &scenario.geometry), SYSTOLE_OK);
    scenario.memory = memories[memory];
    systole_shape shapes[SYSTOLE_MAX_SHAPES + sizeof limited / sizeof limited[0]];
    size_t count = systole_shapes(shapes, scenario.geometry.dim);
    memcpy(&shapes[count], limited, sizeof limited);
    count += sizeof limited / sizeof limited[0];
    for (size_t i = 0; i < count; i++) {
      const systole_shape *s = &shapes[i];
      const int64_t steps = (s->m + 1) * (s->n + 1) * (s->k + 1) / scenario.geometry.dim /
                            scenario.geometry.dim;
      if (s->m < 1 || s->n < 1 || s->k < 1 || (steps > 200000 && !kernel_long()))
        continue;
      for (int int8 = 0; int8 <= 1; int8++) {
        scenario.m = s->m;
        scenario.n = s->n;
        scenario.k = s->k;
        scenario.int8_results = int8;
        scenario.bias = (int)(i % 2);
        pair p;
        run(&p, device, &scenario);
        const char *difference = apart(&p.forecast, &p.ran);
        cr_expect_null(difference,
                       "rtl:%s %s, %" PRId64 " x %" PRId64 " x %" PRId64 "%s: %s",
                       models[*model], memories[memory], s->m, s->n, s->k,
                       int8 ? ", int8" : "", difference);
        cr_expect_eq(kernel_ledger_sum(&p.forecast), p.forecast.cycles);
        cr_expect_eq(p.forecast.gmem0_read_bytes, p.ran.gmem0_read_bytes);
        cr_expect_eq(p.forecast.gmem0_write_bytes, p.ran.gmem0_write_bytes);
        cr_expect_eq(p.forecast.gmem1_read_bytes, p.ran.gmem1_read_bytes);
        cr_expect_eq(p.forecast.instructions, p.ran.instructions);
        cr_expect_float_eq(p.forecast.utilisation_ceiling, p.ran.utilisation_ceiling,
                           1e-9);
        runs++;
      }
    }
    systole_device_close(device);
  }
  cr_expect_geq(runs, 60, "rtl:%s: only %d runs", models[*model], runs);
}

/* ---- convolutions
 * ------------------------------------------------------------------------ */

typedef struct layer {
  int64_t size, channels, out_channels, kernel, stride, pad, dilation, groups;
  int int8;
} layer;

/* Layers of the kinds that networks have, small enough for any array. */
static const layer layers[] = {
    {14, 64, 64, 3, 1, 1, 1, 1, 0},  {14, 64, 64, 3, 1, 1, 1, 1, 1},
    {28, 3, 32, 7, 2, 3, 1, 1, 1},   {14, 32, 128, 1, 1, 0, 1, 1, 0},
    {14, 128, 32, 1, 1, 0, 1, 1, 1}, {7, 96, 96, 3, 1, 1, 1, 1, 1},
    {15, 40, 24, 3, 2, 1, 1, 1, 0},  {16, 32, 32, 3, 1, 2, 2, 1, 1},
    {12, 32, 32, 3, 1, 1, 1, 4, 1},  {10, 17, 33, 5, 1, 2, 1, 1, 0},
};
enum { LAYERS = sizeof layers / sizeof layers[0] };

static void convolve(systole_device *device, const systole_scenario *scenario,
                     const layer *l) {
  systole_conv2d conv = SYSTOLE_CONV2D_INIT;
  systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
  systole_stats ran, forecast;
  int64_t height, width;
  conv.height = conv.width = l->size;
  conv.channels = l->channels;
  conv.out_channels = l->out_channels;
  conv.kernel_height = conv.kernel_width = l->kernel;
  conv.stride_height = conv.stride_width = l->stride;
  conv.dilation_height = conv.dilation_width = l->dilation;
  conv.pad_top = conv.pad_bottom = conv.pad_left = conv.pad_right = l->pad;
  conv.groups = l->groups;
  cr_assert_eq(systole_conv2d_output(&height, &width, &conv), SYSTOLE_OK);
  int32_t *multiplier = calloc((size_t)l->out_channels, sizeof *multiplier);
  uint8_t *shift = calloc((size_t)l->out_channels, 1);
  int8_t *input = calloc((size_t)(l->size * l->size * l->channels), 1);
  int8_t *weights =
      calloc((size_t)(l->kernel * l->kernel * l->channels * l->out_channels), 1);
  void *output = malloc((size_t)(height * width * l->out_channels) * sizeof(int32_t));
  cr_assert(multiplier && shift && input && weights && output);
  epilogue.multiplier = l->int8 ? multiplier : NULL;
  epilogue.shift = l->int8 ? shift : NULL;
  conv.epilogue = &epilogue;
  cr_assert_eq(systole_conv2d_s8(device, &conv, input, weights, output, &ran), SYSTOLE_OK,
               "%s", systole_last_error());
  cr_assert_eq(systole_forecast_conv2d(&forecast, scenario, &conv), SYSTOLE_OK, "%s",
               systole_last_error());
  const char *difference = apart(&forecast, &ran);
  cr_expect_null(difference,
                 "%d x %d array, memory %s, %" PRId64 " x %" PRId64 " x %" PRId64
                 " to %" PRId64 ", kernel %" PRId64 ": %s",
                 scenario->geometry.dim, scenario->geometry.dim, scenario->memory,
                 l->size, l->size, l->channels, l->out_channels, l->kernel, difference);
  cr_expect_eq(forecast.macs, ran.macs);
  cr_expect_eq(kernel_ledger_sum(&forecast), forecast.cycles);
  cr_expect_eq(forecast.dram_read_bytes, ran.dram_read_bytes);
  cr_expect_float_eq(forecast.utilisation_ceiling, ran.utilisation_ceiling, 1e-9);
  free(multiplier);
  free(shift);
  free(input);
  free(weights);
  free(output);
}

ParameterizedTestParameters(forecast, of_a_convolution_has_the_cycles_of_the_rtl) {
  return every_model();
}
ParameterizedTest(int *model, forecast, of_a_convolution_has_the_cycles_of_the_rtl,
                  .timeout = 300) {
  for (int memory = 0; memory < MEMORIES; memory++) {
    systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
    options.memory = memories[memory];
    systole_device *device = kernel_open(models[*model], &options);
    systole_scenario scenario = SYSTOLE_SCENARIO_INIT;
    cr_assert_eq(systole_device_geometry(device, &scenario.geometry), SYSTOLE_OK);
    scenario.memory = memories[memory];
    for (int i = 0; i < LAYERS; i++) {
      if (scenario.geometry.dim < 8 && i % 4 != memory && !kernel_long()) continue;
      convolve(device, &scenario, &layers[i]);
    }
    systole_device_close(device);
  }
}

Test(forecast, refuses_what_cannot_be) {
  systole_stats stats;
  systole_scenario s = SYSTOLE_SCENARIO_INIT;
  s.m = s.n = s.k = 16;
  cr_expect_eq(systole_forecast_gemm(NULL, &s), SYSTOLE_ERR_ARGUMENT);
  cr_expect_eq(systole_forecast_gemm(&stats, NULL), SYSTOLE_ERR_ARGUMENT);
  cr_expect_eq(systole_forecast_gemm(&stats, &s), SYSTOLE_ERR_ARGUMENT); /* no geometry */
  cr_expect(strstr(systole_last_error(), "powers of two"), "%s", systole_last_error());
  s.geometry = (systole_geometry){16, 16, 1, 16384, 2048, 16, 0, 1};
  cr_expect_eq(systole_forecast_gemm(&stats, &s), SYSTOLE_OK);
  s.memory = "sram";
  cr_expect_eq(systole_forecast_gemm(&stats, &s), SYSTOLE_ERR_ARGUMENT);
  cr_expect(strstr(systole_last_error(), "sram"), "%s", systole_last_error());
  s.memory = NULL;
  s.k = -1;
  cr_expect_eq(systole_forecast_gemm(&stats, &s), SYSTOLE_ERR_ARGUMENT);
  s.k = 0;
  cr_expect_eq(systole_forecast_gemm(&stats, &s), SYSTOLE_OK);
  cr_expect_eq(stats.cycles, 0);
  s.k = 16;
  s.version = 9;
  cr_expect_eq(systole_forecast_gemm(&stats, &s), SYSTOLE_ERR_ARGUMENT);
}
