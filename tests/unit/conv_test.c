/* Convolutions through layout, plan, schedule, prover and the functional card, which
 * notices any access that tokens do not order; and on the CPU's engines. */
#include "program/conv.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv_shapes.h"
#include "machine.h"

static systole_device *open_machine(const char *what) {
  systole_device *device;
  cr_assert_eq(systole_machine_open(&device, what, NULL), SYSTOLE_OK, "%s: %s", what,
               systole_last_error());
  return device;
}

static void run_case(systole_device *device, const char *what,
                     const systole_conv_shape *shape, unsigned kinds, uint64_t seed) {
  systole_conv_case c;
  systole_conv_case_make(&c, shape, kinds, seed);
  systole_machine_seed(systole_machine_card(device), seed);
  const char *wrong = systole_conv_case_run(&c, device, NULL);
  cr_assert_null(wrong, "%s (%s): %s", what, shape->why, wrong);
  systole_conv_case_free(&c);
}

/* Kinds whose pool fits the shape's convolution. */
static int pool_fits(const systole_conv_shape *shape) {
  systole_conv_case c;
  systole_conv_case_make(&c, shape, 0, 1);
  int64_t height = 0, width = 0;
  const int good = systole_conv2d_output(&height, &width, &c.conv) == SYSTOLE_OK &&
                   height >= 2 && width >= 2;
  systole_conv_case_free(&c);
  return good;
}

static void all_shapes(const char *what) {
  systole_geometry g;
  cr_assert_eq(systole_machine_geometry(&g, what), SYSTOLE_OK);
  systole_device *device = open_machine(what);
  systole_conv_shape shapes[SYSTOLE_MAX_CONV_SHAPES];
  const size_t count = systole_conv_shapes(shapes, g.dim);
  for (size_t i = 0; i < count; i++) {
    const systole_conv_shape *s = &shapes[i];
    run_case(device, what, s, 0, 100 + i);
    run_case(device, what, s, SYSTOLE_CONV_BIAS | SYSTOLE_CONV_ZERO_POINT, 200 + i);
    run_case(device, what, s, SYSTOLE_CONV_REQUANTISE | SYSTOLE_CONV_ZERO_POINT, 300 + i);
  }
  systole_device_close(device);
}

Test(shapes, at_dim_2) { all_shapes("2"); }
Test(shapes, at_dim_4) { all_shapes("4"); }
Test(shapes, at_dim_8) { all_shapes("8"); }
Test(shapes, at_dim_16) { all_shapes("16"); }
Test(shapes, at_dim_32_with_narrow_memory) { all_shapes("32,axi=4"); }

/* Small buffers: channels in chunks, strips of a line or of a part of one, windows that
 * do not fit at all. */
Test(shapes, in_tiny_buffers) {
  static const char *const machines[] = {
      "2,ub=64,acc=16,tiles=4",          "2,ub=256,acc=64,tiles=8",
      "4,ub=64,acc=8,tiles=2",           "4,ub=128,acc=32,tiles=4",
      "4,ub=1024,acc=64,tiles=4,axi=8",  "8,ub=64,acc=16,tiles=4,axi=4",
      "8,ub=256,acc=512,tiles=4,axi=16", "16,ub=256,acc=64,tiles=4"};
  for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
    all_shapes(machines[i]);
  }
}

static void fused(const char *what) {
  systole_geometry g;
  cr_assert_eq(systole_machine_geometry(&g, what), SYSTOLE_OK);
  systole_device *device = open_machine(what);
  systole_conv_shape shapes[SYSTOLE_MAX_CONV_SHAPES];
  const size_t count = systole_conv_shapes(shapes, g.dim);
  const unsigned q = SYSTOLE_CONV_REQUANTISE;
  for (size_t i = 0; i < count; i++) {
    const systole_conv_shape *s = &shapes[i];
    run_case(device, what, s, q | SYSTOLE_CONV_RESIDUAL, 400 + i);
    if (!pool_fits(s)) continue;
    run_case(device, what, s, q | SYSTOLE_CONV_MAX_POOL, 500 + i);
    run_case(device, what, s, q | SYSTOLE_CONV_AVERAGE_POOL | SYSTOLE_CONV_ZERO_POINT,
             600 + i);
    run_case(device, what, s, q | SYSTOLE_CONV_MAX_POOL | SYSTOLE_CONV_RESIDUAL, 700 + i);
  }
  systole_device_close(device);
}

Test(fused, residual_and_pool_at_dim_4) { fused("4,features=3"); }
Test(fused, residual_and_pool_at_dim_16) { fused("16,features=3"); }
Test(fused, residual_and_pool_in_small_buffers) {
  fused("2,ub=512,acc=64,tiles=4,features=3");
  fused("4,ub=512,acc=64,tiles=4,features=3");
}

Test(random, sizes_and_geometries) {
  static const char *const machines[] = {"4,features=3", "8,features=3",
                                         "4,ub=256,acc=64,tiles=4,features=3",
                                         "2,ub=256,acc=64,tiles=2,features=3"};
  const char *one = getenv("SYSTOLE_TEST_SEED");
  for (size_t m = 0; m < sizeof machines / sizeof machines[0]; m++) {
    systole_geometry g;
    cr_assert_eq(systole_machine_geometry(&g, machines[m]), SYSTOLE_OK);
    systole_device *device = open_machine(machines[m]);
    for (uint64_t seed = 1; seed <= 120; seed++) {
      const uint64_t use = one != NULL ? strtoull(one, NULL, 10) : seed;
      const systole_conv_shape s = systole_conv_shape_random(use, g.dim, 300000);
      unsigned kinds = (unsigned)(use % 8);
      if (kinds & SYSTOLE_CONV_REQUANTISE && use % 3 == 0) kinds |= SYSTOLE_CONV_RESIDUAL;
      run_case(device, machines[m], &s, kinds, use);
      if (one != NULL) break;
    }
    systole_device_close(device);
  }
}

/* ---- the CPU ------------------------------------------------------------------------
 */

static const char *const cpus[] = {"cpu", "cpu:plain-c", "cpu:sse2-pmaddwd"};

static void on_cpu(systole_device *device, systole_conv_case *c, const char *name,
                   const char *why) {
  const char *wrong = systole_conv_case_run(c, device, NULL);
  cr_assert_null(wrong, "%s (%s): %s", name, why, wrong);
}

Test(cpu, every_shape_whatever_computes) {
  for (size_t d = 0; d < sizeof cpus / sizeof cpus[0]; d++) {
    systole_device *device;
    if (systole_device_open(&device, cpus[d], NULL) != SYSTOLE_OK) continue;
    systole_conv_shape shapes[SYSTOLE_MAX_CONV_SHAPES];
    const size_t count = systole_conv_shapes(shapes, 8);
    for (size_t i = 0; i < count; i++) {
      const unsigned kinds[] = {SYSTOLE_CONV_ZERO_POINT,
                                SYSTOLE_CONV_REQUANTISE | SYSTOLE_CONV_RESIDUAL};
      for (int k = 0; k < 2; k++) {
        systole_conv_case c;
        systole_conv_case_make(&c, &shapes[i], kinds[k], 800 + i);
        on_cpu(device, &c, cpus[d], shapes[i].why);
        systole_conv_case_free(&c);
      }
    }
    systole_device_close(device);
  }
}

/* Odd sums far beyond 2^24, which no float holds and oneDNN passes through floats. */
Test(cpu, large_sums_are_exact) {
  const systole_conv_shape shape = {1, 4, 4, 2048, 5, 3, 3, 1,      1,
                                    1, 1, 1, 1,    1, 1, 1, "large"};
  for (size_t d = 0; d < sizeof cpus / sizeof cpus[0]; d++) {
    systole_device *device;
    if (systole_device_open(&device, cpus[d], NULL) != SYSTOLE_OK) continue;
    systole_conv_case c;
    systole_conv_case_make(&c, &shape, 0, 1);
    memset(c.input, 127, 4 * 4 * 2048);
    for (int i = 0; i < 5 * 9 * 2048; i++) c.weights[i] = (int8_t)(127 - i % 3);
    systole_conv_call call;
    cr_assert_eq(systole_conv_call_make(&call, &c.conv), SYSTOLE_OK);
    call.input = c.input;
    call.weights = c.weights;
    call.output = c.expected;
    cr_assert_eq(systole_conv_reference(&call), SYSTOLE_OK);
    on_cpu(device, &c, cpus[d], "large");
    systole_conv_case_free(&c);
    systole_device_close(device);
  }
}

/* ---- the interface ------------------------------------------------------------------
 */

static void refused(systole_device *device, const systole_conv2d *conv,
                    systole_status code, const char *sentence) {
  int8_t x[64] = {0}, w[64] = {0};
  int32_t y[64];
  cr_assert_eq(systole_conv2d_s8(device, conv, x, w, y, NULL), code, "%s", sentence);
  cr_assert_not_null(strstr(systole_last_error(), sentence), "'%s' is not in: %s",
                     sentence, systole_last_error());
}

Test(interface, refuses_what_makes_no_sense) {
  systole_device *device = open_machine("4");
  systole_conv2d good = SYSTOLE_CONV2D_INIT;
  good.height = good.width = 4;
  good.channels = good.out_channels = 2;
  int64_t height, width;
  cr_assert_eq(systole_conv2d_output(&height, &width, &good), SYSTOLE_OK);
  cr_assert(height == 4 && width == 4);

  systole_conv2d c = good;
  c.version = 99;
  refused(device, &c, SYSTOLE_ERR_ARGUMENT, "version 99");
  c = good;
  c.kernel_height = 5;
  refused(device, &c, SYSTOLE_ERR_ARGUMENT, "does not fit");
  c = good;
  c.groups = 3;
  refused(device, &c, SYSTOLE_ERR_ARGUMENT, "3 groups");
  c = good;
  c.pad_left = -1;
  refused(device, &c, SYSTOLE_ERR_ARGUMENT, "padding on the left");
  c = good;
  c.height = c.width = c.channels = c.batch = 1 << 30;
  refused(device, &c, SYSTOLE_ERR_ARGUMENT, "larger than any memory");
  c = good;
  const int8_t residual[32] = {0};
  c.residual = residual;
  refused(device, &c, SYSTOLE_ERR_ARGUMENT, "needs multipliers");

  const int32_t multiplier[] = {1, 1};
  const uint8_t shift[] = {0, 0};
  systole_epilogue e = SYSTOLE_EPILOGUE_INIT;
  e.multiplier = multiplier;
  e.shift = shift;
  c.epilogue = &e;
  refused(device, &c, SYSTOLE_ERR_UNSUPPORTED, "adds no residual");
  c.residual_multiplier = 70000;
  refused(device, &c, SYSTOLE_ERR_ARGUMENT, "17-bit");
  c = good;
  c.epilogue = &e;
  c.pool = SYSTOLE_POOLING_MAX;
  refused(device, &c, SYSTOLE_ERR_UNSUPPORTED, "no pools");
  c.pool_height = 16;
  refused(device, &c, SYSTOLE_ERR_ARGUMENT, "the most is 15");
  c.pool_height = 2;
  c.pool_pad_top = 2;
  refused(device, &c, SYSTOLE_ERR_ARGUMENT, "less than its window");
  int8_t x[32] = {0};
  cr_assert_eq(systole_conv2d_s8(device, &good, x, NULL, x, NULL), SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_conv2d_s8(NULL, &good, x, x, x, NULL), SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(systole_conv2d_s8(device, NULL, x, x, x, NULL), SYSTOLE_ERR_ARGUMENT);
  systole_device_close(device);
}

/* A pool whose windows need more sums than an accumulator half holds. */
Test(interface, says_what_does_not_fit) {
  systole_device *device = open_machine("4,ub=1024,acc=16,features=3");
  const systole_conv_shape shape = {
      1, 9, 9, 4, 4, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, "nine sums and a half of eight"};
  systole_conv_case c;
  systole_conv_case_make(&c, &shape, SYSTOLE_CONV_REQUANTISE | SYSTOLE_CONV_MAX_POOL, 3);
  const char *wrong = systole_conv_case_run(&c, device, NULL);
  cr_assert_not_null(wrong);
  cr_assert_not_null(strstr(wrong, "its pool's window"), "%s", wrong);
  systole_conv_case_free(&c);
  systole_device_close(device);
}

/* Memory for one image of the batch, or for some of its lines, is enough. */
Test(interface, goes_in_parts_where_device_memory_is_short) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.memory_bytes = 36 << 10;
  systole_device *device;
  cr_assert_eq(systole_machine_open(&device, "4,features=3", &options), SYSTOLE_OK);
  const systole_conv_shape shape = {
      3, 40, 41, 8, 8, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, "as large as the memory"};
  const unsigned kinds[] = {SYSTOLE_CONV_ZERO_POINT,
                            SYSTOLE_CONV_REQUANTISE | SYSTOLE_CONV_RESIDUAL,
                            SYSTOLE_CONV_REQUANTISE | SYSTOLE_CONV_MAX_POOL};
  for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
    const uint64_t before = systole_machine_runs(systole_machine_card(device));
    run_case(device, "36 KiB", &shape, kinds[k], 900 + k);
    cr_assert_gt(systole_machine_runs(systole_machine_card(device)), before + 1,
                 "in several runs");
  }
  systole_device_close(device);
}

/* ---- what a packed pixel is ---------------------------------------------------------
 */

static systole_conv_layout layout_of(const systole_conv_shape *shape, const char *what) {
  systole_geometry g;
  systole_conv_case c;
  systole_conv_call call;
  systole_conv_layout layout;
  cr_assert_eq(systole_machine_geometry(&g, what), SYSTOLE_OK);
  systole_conv_case_make(&c, shape, 0, 1);
  cr_assert_eq(systole_conv_call_make(&call, &c.conv), SYSTOLE_OK);
  cr_assert_eq(systole_conv_layout_make(&layout, &g, &call, 0), SYSTOLE_OK);
  systole_conv_case_free(&c);
  return layout;
}

Test(layout, fills_lanes_and_leaves_out_what_no_output_sees) {
  const systole_conv_shape stem = {
      1, 32, 32, 3, 16, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3, 1, "the stem of ResNet-50"};
  systole_conv_layout l = layout_of(&stem, "16");
  cr_assert_eq(l.taps_height * l.taps_width * l.c_blocks, 12, "of 49 without folding");
  cr_assert_leq(l.input_bytes, 32 * 32 * 16, "never more than the plain image");

  const systole_conv_shape shortcut = {
      1, 8, 8, 32, 16, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1, "a 1 x 1 kernel of stride 2"};
  l = layout_of(&shortcut, "16");
  cr_assert(l.flat);
  cr_assert_eq(l.input_bytes, 4 * 4 * 32, "a quarter of the pixels");

  const systole_conv_shape depthwise = {
      1, 8, 8, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 32, "the diagonal of each tile"};
  l = layout_of(&depthwise, "16");
  cr_assert_eq(l.bundle, 16);
  cr_assert_eq(l.bundles * l.taps_height * l.taps_width * l.c_blocks * l.o_blocks, 18);

  const systole_conv_shape usual = {
      1, 8, 8, 32, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, "full lanes: nothing to fold"};
  l = layout_of(&usual, "16");
  cr_assert(!l.packed_padding && !l.flat);
  cr_assert_eq(l.input_bytes, 8 * 8 * 32, "as it is, without a halo");
}
