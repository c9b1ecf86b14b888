/* Products through schedule, prover and the functional card: every shape, many
 * geometries. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "machine.h"
#include "product.h"
#include "shapes.h"
#include "support/random.h"

static systole_device *open_machine(const char *what) {
  systole_device *device;
  cr_assert_eq(systole_machine_open(&device, what, NULL), SYSTOLE_OK, "%s: %s", what,
               systole_last_error());
  return device;
}

/* One raw product; the units' turns are drawn from the seed. */
static void multiply(systole_device *device, const char *what, int64_t m, int64_t n,
                     int64_t k, uint64_t seed, systole_values values) {
  systole_product p = systole_product_make(m, n, k, (int64_t)(seed % 3), seed, values);
  systole_machine_seed(systole_machine_card(device), seed);
  systole_stats stats;
  systole_status status =
      systole_gemm_s8(device, m, n, k, p.a, p.lda, p.b, p.ldb, p.c, p.ldc, &stats);
  cr_assert_eq(status, SYSTOLE_OK, "%s M=%lld N=%lld K=%lld seed=%llu: %s", what,
               (long long)m, (long long)n, (long long)k, (unsigned long long)seed,
               systole_last_error());
  const char *wrong = systole_product_check(&p);
  cr_assert_null(wrong, "%s: %s", what, wrong);
  cr_assert_eq(stats.macs, (uint64_t)(m * n * k));
  systole_product_free(&p);
}

/* With bias alone (kind 1) or the whole epilogue (kind 2). The multipliers are such that
 * results spread over int8 and ties happen. */
static void multiply_epilogue(systole_device *device, const char *what, int64_t m,
                              int64_t n, int64_t k, uint64_t seed, int kind) {
  systole_product p =
      systole_product_make(m, n, k, (int64_t)(seed % 2), seed, SYSTOLE_VALUES_RANDOM);
  systole_random random;
  systole_random_seed(&random, seed + 1);
  int32_t *bias = malloc((size_t)(n + 1) * sizeof *bias);
  int32_t *multiplier = malloc((size_t)(n + 1) * sizeof *multiplier);
  uint8_t *shift = malloc((size_t)(n + 1));
  int depth = 0;
  while ((k >> depth) > 1) depth++;
  for (int64_t j = 0; j < n; j++) {
    bias[j] = (int32_t)systole_random_below(&random, 20001) - 10000;
    int large = (int)systole_random_below(&random, 2);
    multiplier[j] = large ? (int32_t)systole_random_below(&random, 131072) - 65536
                          : (int32_t)systole_random_below(&random, 7) - 3;
    shift[j] = (uint8_t)((large ? 15 : 0) + 6 + depth / 2 +
                         (int)systole_random_below(&random, 3));
  }
  systole_epilogue e = SYSTOLE_EPILOGUE_INIT;
  e.bias = bias;
  if (kind == 2) {
    e.multiplier = multiplier;
    e.shift = shift;
    e.zero_point = (int8_t)(seed % 11 - 5);
    e.clamp_low = -100;
    e.clamp_high = 120;
  }
  systole_product_epilogue(&p, &e);
  systole_machine_seed(systole_machine_card(device), seed);
  systole_weights *weights;
  systole_status status = systole_weights_prepare(&weights, device, n, k, p.b, p.ldb, &e);
  cr_assert_eq(status, SYSTOLE_OK, "%s: %s", what, systole_last_error());
  status = systole_gemm_s8_prepared(weights, m, p.a, p.lda, p.c, p.ldc, NULL);
  cr_assert_eq(status, SYSTOLE_OK, "%s kind=%d M=%lld N=%lld K=%lld seed=%llu: %s", what,
               kind, (long long)m, (long long)n, (long long)k, (unsigned long long)seed,
               systole_last_error());
  const char *wrong = systole_product_check(&p);
  cr_assert_null(wrong, "%s kind=%d: %s", what, kind, wrong);
  systole_weights_free(weights);
  free(bias);
  free(multiplier);
  free(shift);
  systole_product_free(&p);
}

static void all_shapes(const char *what) {
  systole_geometry g;
  cr_assert_eq(systole_machine_geometry(&g, what), SYSTOLE_OK);
  systole_device *device = open_machine(what);
  systole_shape shapes[SYSTOLE_MAX_SHAPES];
  size_t count = systole_shapes(shapes, g.dim);
  for (size_t i = 0; i < count; i++) {
    const systole_shape *s = &shapes[i];
    multiply(device, what, s->m, s->n, s->k, 100 + i, SYSTOLE_VALUES_RANDOM);
    multiply_epilogue(device, what, s->m, s->n, s->k, 200 + i, 1);
    multiply_epilogue(device, what, s->m, s->n, s->k, 300 + i, 2);
  }
  systole_device_close(device);
}

Test(shapes, at_dim_2) { all_shapes("2"); }
Test(shapes, at_dim_4) { all_shapes("4"); }
Test(shapes, at_dim_8) { all_shapes("8"); }
Test(shapes, at_dim_16) { all_shapes("16"); }
Test(shapes, at_dim_32) { all_shapes("32"); }

Test(shapes, at_dim_64_where_they_are_quick) {
  systole_device *device = open_machine("64");
  systole_shape shapes[SYSTOLE_MAX_SHAPES];
  size_t count = systole_shapes(shapes, 64);
  for (size_t i = 0; i < count; i++) {
    const systole_shape *s = &shapes[i];
    if (s->m * s->n * s->k > 16000000) continue;
    multiply(device, "64", s->m, s->n, s->k, 100 + i, SYSTOLE_VALUES_RANDOM);
    multiply_epilogue(device, "64", s->m, s->n, s->k, 200 + i, 2);
  }
  systole_device_close(device);
}

/* Small buffers: K in chunks, groups in accumulator halves, short strips, full FIFOs. */
Test(shapes, in_tiny_buffers) {
  static const char *const machines[] = {
      "2,ub=8,acc=4,tiles=1",          "2,ub=16,acc=8,tiles=2",
      "2,ub=64,acc=16,tiles=4",        "2,ub=256,acc=64,tiles=8",
      "4,ub=16,acc=8,tiles=2",         "4,ub=64,acc=32,tiles=4",
      "4,ub=128,acc=512,tiles=4",      "8,ub=32,acc=16,tiles=4,axi=4",
      "8,ub=64,acc=64,tiles=4",        "8,ub=256,acc=32,tiles=4,axi=16",
      "16,ub=64,acc=32,tiles=4",       "16,ub=256,acc=256,tiles=16,axi=32",
      "16,ub=128,acc=64,tiles=4,axi=4"};
  for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++)
    all_shapes(machines[i]);
}

/* Each M, N, K up to three arrays and one. */
static void cube(const char *what, int dim, int kinds) {
  systole_device *device = open_machine(what);
  int most = 3 * dim + 1;
  for (int m = 1; m <= most; m++) {
    for (int n = 1; n <= most; n++) {
      for (int k = 1; k <= most; k++) {
        uint64_t seed = (uint64_t)((m * 100 + n) * 100 + k);
        multiply(device, what, m, n, k, seed, SYSTOLE_VALUES_RANDOM);
        if (kinds > 1)
          multiply_epilogue(device, what, m, n, k, seed, 1 + (m + n + k) % 2);
      }
    }
  }
  systole_device_close(device);
}

Test(cube, at_dim_2) { cube("2", 2, 2); }
Test(cube, at_dim_2_in_tiny_buffers) { cube("2,ub=16,acc=8,tiles=2", 2, 2); }
Test(cube, at_dim_4) { cube("4", 4, 2); }
Test(cube, at_dim_4_in_tiny_buffers) { cube("4,ub=32,acc=16,tiles=2", 4, 1); }

Test(values, extremes_are_exact) {
  systole_device *device = open_machine("16");
  for (int v = SYSTOLE_VALUES_RANDOM; v <= SYSTOLE_VALUES_SPARSE; v++) {
    multiply(device, "16", 33, 35, 700, 5, (systole_values)v);
  }
  /* 131072 x 16384 = 2^31: the sum wraps to the most negative number. */
  multiply(device, "16", 1, 1, 131072, 5, SYSTOLE_VALUES_MIN);
  multiply(device, "16", 2, 3, 140000, 6, SYSTOLE_VALUES_MIN);
  systole_device_close(device);
}

/* Any order of the units' turns gives the same result: races would show. */
Test(order, does_not_matter) {
  static const char *const machines[] = {"4", "4,ub=64,acc=32,tiles=2",
                                         "2,ub=16,acc=8,tiles=1"};
  for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
    systole_device *device = open_machine(machines[i]);
    for (uint64_t seed = 1; seed <= 60; seed++) {
      multiply(device, machines[i], 37, 19, 41, seed, SYSTOLE_VALUES_RANDOM);
      multiply_epilogue(device, machines[i], 37, 19, 41, seed, 2);
      multiply_epilogue(device, machines[i], 3, 33, 9, seed, 1);
    }
    systole_device_close(device);
  }
}
