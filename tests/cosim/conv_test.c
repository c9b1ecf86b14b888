/* Convolutions on the whole kernel through the public API, against the plain loops: every
 * shape of the shared table on every model of the build, and random ones under random
 * stalls. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "card/systole_isa.h"
#include "conv_shapes.h"
#include "kernel.h"

/* The models of this build, as in a device's name: {"16", "16:readable", "64"}. */
static const char *const models[] = {COSIM_MODELS};
enum { MODELS = sizeof models / sizeof models[0] };

/* A parameter is the number of a model: names would be pointers into another process. */
static struct criterion_test_params every_model(void) {
  static int numbers[MODELS];
  for (int i = 0; i < MODELS; i++) numbers[i] = i;
  return cr_make_param_array(int, numbers, MODELS);
}

static systole_geometry geometry_of(systole_device *device) {
  systole_geometry g;
  cr_assert_eq(systole_device_geometry(device, &g), SYSTOLE_OK);
  return g;
}

/* The figures of a run agree with each other. */
static void check_stats(const systole_stats *s, const systole_geometry *g,
                        const systole_conv_case *c, const char *why) {
  const double peak = (double)g->dim * g->dim * (double)s->cycles;
  cr_assert_eq(kernel_ledger_sum(s), s->cycles, "%s: the ledger's parts are all cycles",
               why);
  cr_assert(fabs(s->utilisation - (double)s->macs / peak) < 1e-9, "%s", why);
  cr_assert(s->utilisation <= s->utilisation_ceiling + 1e-9 &&
                s->utilisation_ceiling <= 1 + 1e-9,
            "%s: %g of at most %g", why, s->utilisation, s->utilisation_ceiling);
  (void)c;
}

static void run_case(systole_device *device, const systole_geometry *g,
                     const systole_conv_shape *shape, unsigned kinds, uint64_t seed) {
  systole_conv_case c;
  systole_stats stats;
  systole_conv_case_make(&c, shape, kinds, seed);
  const char *wrong = systole_conv_case_run(&c, device, &stats);
  cr_assert_null(wrong, "dim %d (%s): %s", g->dim, shape->why, wrong);
  check_stats(&stats, g, &c, shape->why);
  systole_conv_case_free(&c);
}

/* What this model's activation unit can do, beside int32 results. */
static unsigned kinds_of(const systole_geometry *g, uint64_t number, int pool) {
  unsigned kinds = SYSTOLE_CONV_REQUANTISE | SYSTOLE_CONV_ZERO_POINT;
  if (g->features >> SYSTOLE_FEATURE_RESIDUAL & number & 1u) {
    kinds |= SYSTOLE_CONV_RESIDUAL;
  }
  if (pool && g->features >> SYSTOLE_FEATURE_POOL & 1u) {
    if (number % 3 == 1) kinds |= SYSTOLE_CONV_MAX_POOL;
    if (number % 3 == 2) kinds |= SYSTOLE_CONV_AVERAGE_POOL;
  }
  return kinds;
}

/* A pool needs an output of 2 x 2 at least. */
static int pool_fits(const systole_conv_shape *s) {
  const int64_t high =
      s->height + s->top + s->bottom - ((s->kernel_height - 1) * s->dilation_height + 1);
  const int64_t wide =
      s->width + s->left + s->right - ((s->kernel_width - 1) * s->dilation_width + 1);
  return high / s->stride_height + 1 >= 2 && wide / s->stride_width + 1 >= 2;
}

ParameterizedTestParameters(conv, every_shape_is_exact) { return every_model(); }
ParameterizedTest(int *model, conv, every_shape_is_exact) {
  systole_device *device = kernel_open(models[*model], NULL);
  const systole_geometry g = geometry_of(device);
  systole_conv_shape shapes[SYSTOLE_MAX_CONV_SHAPES];
  const size_t count = systole_conv_shapes(shapes, g.dim);
  for (size_t i = 0; i < count; i++) {
    run_case(device, &g, &shapes[i], (unsigned)(i % 2) * SYSTOLE_CONV_BIAS, 100 + i);
    run_case(device, &g, &shapes[i], kinds_of(&g, i, pool_fits(&shapes[i])), 200 + i);
  }
  systole_device_close(device);
}

ParameterizedTestParameters(conv, random_shapes_under_stalls) { return every_model(); }
ParameterizedTest(int *model, conv, random_shapes_under_stalls) {
  for (seeds s = kernel_seeds(kernel_long() ? 200 : 10); s.seed <= s.last; s.seed++) {
    systole_device_options options = kernel_options();
    static const char *const presets[] = {"ideal", "ddr4", "hbm2"};
    options.stall_seed = s.seed;
    options.memory = presets[s.seed % 3];
    systole_device *device = kernel_open(models[*model], &options);
    const systole_geometry g = geometry_of(device);
    const systole_conv_shape shape =
        systole_conv_shape_random(s.seed, g.dim, 20000 * (int64_t)g.dim);
    const unsigned kinds = s.seed % 4 == 0 ? (unsigned)(s.seed / 4 % 2)
                                           : kinds_of(&g, s.seed, pool_fits(&shape));
    run_case(device, &g, &shape, kinds, s.seed);
    systole_device_close(device);
  }
}

/* The array is fed: what the schedule promises on a layer that has everything, a halo,
 * several strips, several blocks, int8 results. */
ParameterizedTestParameters(conv, keeps_the_array_busy) { return every_model(); }
ParameterizedTest(int *model, conv, keeps_the_array_busy) {
  systole_device_options options = kernel_options();
  options.check_protocol = 0;
  systole_device *device = kernel_open(models[*model], &options);
  const systole_geometry g = geometry_of(device);
  const int64_t d = g.dim, side = d > 16 ? 28 : 14;
  const systole_conv_shape shape = {1,
                                    side,
                                    side,
                                    2 * d,
                                    4 * d,
                                    3,
                                    3,
                                    1,
                                    1,
                                    1,
                                    1,
                                    1,
                                    1,
                                    1,
                                    1,
                                    1,
                                    "a layer in the middle"};
  systole_conv_case c;
  systole_stats stats;
  systole_conv_case_make(&c, &shape, SYSTOLE_CONV_REQUANTISE, 5);
  const char *wrong = systole_conv_case_run(&c, device, &stats);
  cr_assert_null(wrong, "%s", wrong);
  /* A tile serves every pixel once; wide arrays wait for it when its bytes take longer to
   * come than the pixels to pass. */
  const double fed = (double)(side * side * g.axi_bytes) / (double)(d * d);
  cr_assert_geq(stats.utilisation, 0.92 * (fed < 1.0 ? fed : 1.0),
                "%s: %.3f in %" PRIu64 " cycles", models[*model], stats.utilisation,
                stats.cycles);
  systole_conv_case_free(&c);
  systole_device_close(device);
}
