/* The OpenCL engine on whatever device is here; on most test machines that is PoCL, which
 * plays a device on the CPU. Without one the tests are skipped and say so. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "product.h"
#include "shapes.h"
#include "support/random.h"

static const systole_engine_ops *const opencl = &systole_engine_opencl;

static systole_engine *open_device(void) {
  systole_engine *engine = NULL;
  const systole_status status = opencl->open(&engine, "opencl", NULL);
  if (status == SYSTOLE_ERR_NOT_FOUND) cr_skip_test("%s", systole_last_error());
  cr_assert_eq(status, SYSTOLE_OK, "%s", systole_last_error());
  return engine;
}

static void check(systole_engine *engine, systole_product *p,
                  const systole_epilogue *epilogue) {
  systole_engine_weights *weights = NULL;
  systole_stats stats = {0};
  cr_assert_eq(opencl->prepare(&weights, engine, p->n, p->k, p->b, p->ldb, epilogue),
               SYSTOLE_OK, "%s", systole_last_error());
  cr_assert_eq(opencl->gemm(weights, p->m, p->a, p->lda, p->c, p->ldc, &stats),
               SYSTOLE_OK, "%s", systole_last_error());
  const char *wrong = systole_product_check(p);
  cr_assert_null(wrong, "%s: %s", stats.kernel != NULL ? stats.kernel : "opencl",
                 wrong != NULL ? wrong : "");
  if (p->m > 0 && p->n > 0 && p->k > 0) {
    cr_assert_not_null(stats.kernel);
    cr_expect_gt(stats.compute_s, 0, "profiling events tell the kernel's time");
    cr_expect_gt(stats.transfer_s, 0, "and the copies'");
    cr_expect_leq(stats.compute_s, stats.seconds);
  }
  opencl->weights_free(weights);
}

Test(opencl, shared_shapes_are_exact) {
  systole_engine *engine = open_device();
  systole_shape shapes[SYSTOLE_MAX_SHAPES];
  const size_t count = systole_shapes(shapes, 16);
  for (size_t i = 0; i < count; i++) {
    systole_product p = systole_product_make(shapes[i].m, shapes[i].n, shapes[i].k, 3, 5,
                                             SYSTOLE_VALUES_RANDOM);
    check(engine, &p, NULL);
    systole_product_free(&p);
  }
  opencl->close(engine);
}

Test(opencl, largest_sums_are_exact) {
  systole_engine *engine = open_device();
  const systole_values values[] = {SYSTOLE_VALUES_MIN, SYSTOLE_VALUES_EXTREME,
                                   SYSTOLE_VALUES_SPARSE};
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    systole_product p = systole_product_make(65, 67, 2049, 0, 9, values[i]);
    check(engine, &p, NULL);
    systole_product_free(&p);
  }
  opencl->close(engine);
}

Test(opencl, epilogue_is_bit_exact) {
  enum { N = 77 };
  systole_engine *engine = open_device();
  int32_t bias[N], multiplier[N];
  uint8_t shift[N];
  const uint64_t seed = 11;
  systole_random random;
  systole_random_seed(&random, seed);
  for (int round = 0; round < 12; round++) {
    for (int j = 0; j < N; j++) {
      bias[j] = (int32_t)systole_random_next(&random);
      multiplier[j] = (int32_t)(systole_random_next(&random) % 131072) - 65536;
      /* Every shift there is, and mostly those that leave results inside int8. */
      shift[j] = (uint8_t)(round < 4 ? (round * N + j) % 48 : 24 + j % 24);
    }
    systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
    epilogue.bias = bias;
    epilogue.multiplier = multiplier;
    epilogue.shift = shift;
    epilogue.zero_point = (int8_t)(round * 9 - 50);
    epilogue.clamp_low = (int8_t)(round % 3 == 0 ? epilogue.zero_point : -128);
    epilogue.clamp_high = (int8_t)(round % 4 == 0 ? 100 : 127);
    systole_product p = systole_product_make(50, N, round == 5 ? 0 : 90, round, seed + 1,
                                             SYSTOLE_VALUES_RANDOM);
    systole_product_epilogue(&p, &epilogue);
    check(engine, &p, &epilogue);
    systole_product_free(&p);
  }
  opencl->close(engine);
}

Test(opencl, a_bias_alone_wraps) {
  systole_engine *engine = open_device();
  const int32_t bias[5] = {INT32_MAX, INT32_MIN, -1, 0, 123456789};
  systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
  epilogue.bias = bias;
  for (int64_t k = 0; k <= 40; k += 20) {
    systole_product p = systole_product_make(3, 5, k, 0, 2, SYSTOLE_VALUES_EXTREME);
    systole_product_epilogue(&p, &epilogue);
    check(engine, &p, &epilogue);
    systole_product_free(&p);
  }
  opencl->close(engine);
}

static int stop_at_once(void *user, uint64_t done, uint64_t total) {
  *(int *)user += 1;
  return done < total;
}

Test(opencl, long_work_reports_and_stops) {
  systole_engine *engine = open_device();
  int calls = 0;
  systole_engine_weights *weights = NULL;
  systole_stats stats = {0};
  /* Rows of 2^26 MACs: a slice is a tile of rows, two are needed. */
  const int64_t n = 8192, k = 8192, m = 65;
  int8_t *b = calloc((size_t)(n * k), 1), *a = calloc((size_t)(m * k), 1);
  int32_t *c = calloc((size_t)(m * n), sizeof *c);
  cr_assert(a != NULL && b != NULL && c != NULL);
  opencl->set_progress(engine, stop_at_once, &calls);
  cr_assert_eq(opencl->prepare(&weights, engine, n, k, b, n, NULL), SYSTOLE_OK);
  cr_expect_eq(opencl->gemm(weights, m, a, k, c, n, &stats), SYSTOLE_ERR_INTERRUPTED);
  cr_expect_eq(calls, 1);
  opencl->weights_free(weights);
  opencl->close(engine);
  free(a);
  free(b);
  free(c);
}

Test(opencl, an_unknown_device_is_not_found) {
  systole_engine *engine = NULL;
  cr_assert_eq(opencl->open(&engine, "opencl:no such device anywhere", NULL),
               SYSTOLE_ERR_NOT_FOUND);
  cr_assert_null(engine);
  cr_assert(strstr(systole_last_error(), "OpenCL") != NULL, "%s", systole_last_error());
  cr_assert(opencl->claims("opencl") && opencl->claims("opencl:x"));
  cr_assert(!opencl->claims("openclx") && !opencl->claims("cpu"));
}

/* A stand-in is marked, so that nobody takes its speed for a GPU's. */
static int functional, others;
static void look(void *user, const systole_device_info *info) {
  (void)user;
  cr_expect_eq(info->usable, info->reason[0] == '\0');
  if (!info->usable) return;
  if (strcmp(info->kind, "functional") == 0) {
    functional++;
    cr_expect_not_null(strstr(info->about, "a CPU plays the device"));
  } else {
    others++;
    cr_expect_str_eq(info->kind, "gpu");
  }
}

Test(opencl, a_cpu_that_plays_the_device_is_marked) {
  opencl->list(look, NULL);
  if (functional + others == 0) cr_skip_test("no OpenCL device is here");
}
