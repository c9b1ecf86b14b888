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
