/* Random command streams on the kernel and on the interpreter of tests/support: device
 * memory must be the same in every bit, and what they count, too. The interpreter lets
 * the units take turns at random and ends a run in which two of them race. A stream that
 * fails is made small, and left in the build's tests/failures with a waveform. */
#include "stream.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "finding.h"
#include "kernel.h"
#include "machine.h"
#include "trial.h"

static const char *const models[] = {COSIM_MODELS};
enum { MODELS = sizeof models / sizeof models[0] };

static struct criterion_test_params every_model(void) {
  return kernel_models(models, MODELS);
}

static systole_device *open_device(const trial_bench *bench) {
  systole_device *device = NULL;
  cr_assert_eq(trial_device(&device, bench, NULL, 0, 0), SYSTOLE_OK, "%s",
               systole_last_error());
  return device;
}

/* Makes the failure small and ends the test. `kept`: it was on a device that had run
 * others before. */
static void refuse(const stream *s, const trial_bench *bench, trial_verdict verdict,
                   int kept) {
  finding f;
  if (kept) {
    const trial_verdict before = verdict;
    trial_run(&verdict, s, bench, NULL);
    if (verdict.kind == TRIAL_GOOD) {
      stream_print(stderr, s);
      cr_assert_fail("rtl:%s, seed %" PRIu64
                     ", only after the streams before it on the same handle: %s",
                     bench->what, s->seed, before.story);
    }
  }
  if (verdict.kind == TRIAL_UNFIT) {
    stream_print(stderr, s);
    cr_assert_fail("seed %" PRIu64 ": %s", s->seed, verdict.story);
  }
  finding_make(&f, s, bench, &verdict, COSIM_FAILURES);
  finding_print(stderr, &f);
  cr_assert_fail("%s", f.story);
}

ParameterizedTestParameters(stream, kernel_and_interpreter_agree) {
  return every_model();
}

ParameterizedTest(int *model, stream, kernel_and_interpreter_agree) {
  systole_geometry g;
  trial_bench bench = trial_open(models[*model]);
  systole_device *kept = open_device(&bench);
  cr_assert_eq(systole_device_geometry(kept, &g), SYSTOLE_OK);
  const uint64_t count = kernel_long() ? 1000 : g.dim > 64 ? 40 : 120;
  for (seeds n = kernel_seeds(count); n.seed <= n.last; n.seed++) {
    stream s = stream_make(&g, n.seed);
    trial_verdict verdict;
    /* Every other stream runs on one handle, as fast as it goes; the others each on a
     * fresh one with a memory of their own, so that the seed alone repeats them. */
    trial_bench own = bench;
    if (n.seed % 2) trial_draw_memory(&own, n.seed);
    trial_run(&verdict, &s, &own, n.seed % 2 ? NULL : kept);
    if (verdict.kind != TRIAL_GOOD) refuse(&s, &own, verdict, n.seed % 2 == 0);
    stream_free(&s);
  }
  systole_device_close(kept);
  trial_close(&bench);
}

/* ---- the two arrays -----------------------------------------------------------------
 */

static struct criterion_test_params every_readable(void) {
  static int numbers[MODELS + 1];
  size_t count = 0;
  for (int i = 0; i < MODELS; i++) {
    if (strstr(models[i], ":readable") != NULL) numbers[count++] = i;
  }
  return cr_make_param_array(int, numbers, count);
}

ParameterizedTestParameters(stream, both_arrays_take_the_same_cycles) {
  return every_readable();
}

/* Not only results: every cycle of the ledger, on every memory. */
ParameterizedTest(int *model, stream, both_arrays_take_the_same_cycles) {
  systole_geometry g;
  trial_bench readable = trial_open(models[*model]);
  char name[32];
  (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(readable.what, ":"),
                 readable.what);
  trial_bench flat = trial_open(name);
  systole_device *device = open_device(&flat);
  cr_assert_eq(systole_device_geometry(device, &g), SYSTOLE_OK);
  systole_device_close(device);
  /* Seeds that the test above does not have. */
  for (seeds n = kernel_seeds_from(100001, kernel_long() ? 300 : 30); n.seed <= n.last;
       n.seed++) {
    stream s = stream_make(&g, n.seed);
    trial_verdict of_readable, of_flat;
    trial_draw_memory(&readable, n.seed);
    trial_draw_memory(&flat, n.seed);
    trial_run(&of_flat, &s, &flat, NULL);
    if (of_flat.kind != TRIAL_GOOD) refuse(&s, &flat, of_flat, 0);
    trial_run(&of_readable, &s, &readable, NULL);
    if (of_readable.kind != TRIAL_GOOD) refuse(&s, &readable, of_readable, 0);
    const char *difference = kernel_compare_stats(&of_readable.stats, &of_flat.stats);
    cr_assert_null(difference, "SYSTOLE_TEST_SEED=%" PRIu64 ": %s, readable and flat",
                   n.seed, difference);
    stream_free(&s);
  }
  trial_close(&flat);
  trial_close(&readable);
}

/* ---- the streams themselves ---------------------------------------------------------
 */

static const systole_geometry geometries[] = {
    {.dim = 2, .axi_bytes = 4, .ub_rows = 512, .acc_rows = 256, .weight_tiles = 128},
    {.dim = 4, .axi_bytes = 8, .ub_rows = 256, .acc_rows = 256, .weight_tiles = 16},
    {.dim = 8, .axi_bytes = 4, .ub_rows = 4096, .acc_rows = 2048, .weight_tiles = 4},
    {.dim = 16, .axi_bytes = 32, .ub_rows = 1024, .acc_rows = 512, .weight_tiles = 16},
};
enum { GEOMETRIES = sizeof geometries / sizeof geometries[0] };

static uint32_t every_feature(void) {
  return 1u << SYSTOLE_FEATURE_RESIDUAL | 1u << SYSTOLE_FEATURE_POOL;
}

/* With all features, whatever today's kernels have. */
Test(stream, interpreter_agrees_with_itself_in_any_order) {
  for (int k = 0; k < GEOMETRIES; k++) {
    systole_geometry g = geometries[k];
    g.features = every_feature();
    trial_bench bench = {.interpreter = trial_interpreter(&g)};
    cr_assert_not_null(bench.interpreter, "%s", systole_last_error());
    for (seeds n = kernel_seeds(kernel_long() ? 1000 : 100); n.seed <= n.last; n.seed++) {
      stream s = stream_make(&g, n.seed);
      uint8_t *first = malloc((size_t)s.activation_bytes);
      uint8_t *second = malloc((size_t)s.activation_bytes);
      cr_assert(first && second);
      cr_assert_eq(trial_expect(&s, &bench, first), SYSTOLE_OK,
                   "SYSTOLE_TEST_SEED=%" PRIu64 ": %s", n.seed, systole_last_error());
      s.seed ^= UINT64_C(1) << 60; /* another order */
      cr_assert_eq(trial_expect(&s, &bench, second), SYSTOLE_OK, "%s",
                   systole_last_error());
      cr_assert_eq(memcmp(first, second, (size_t)s.activation_bytes), 0,
                   "SYSTOLE_TEST_SEED=%" PRIu64, n.seed);
      free(second);
      free(first);
      stream_free(&s);
    }
    trial_close(&bench);
  }
}

/* What a stream may hold, each found in enough of them: a generator that has stopped
 * making something makes every test above weaker without a sound. */
typedef struct coverage {
  const char *name;
  int (*has)(const systole_instruction *i);
} coverage;

#define HAS(name, condition) \
  static int name(const systole_instruction *i) { return (condition); }
#define OP(name) (SYSTOLE_GET(i, OPCODE) == SYSTOLE_OP_##name)
#define U(field) SYSTOLE_GET(i, field)
#define S(field) SYSTOLE_GET_SIGNED(i, field)

HAS(load_fills, OP(LOAD) && U(COPY_FILL_BEFORE) && U(COPY_FILL_AFTER) && U(COPY_ROWS))
HAS(load_fill_alone, OP(LOAD) && !U(COPY_ROWS))
HAS(load_blocks, OP(LOAD) && U(COPY_BLOCKS) > 1 && U(COPY_LINES) > 1)
HAS(load_last_lanes, OP(LOAD) && U(COPY_LAST_LANES))
HAS(load_backwards, OP(LOAD) && U(COPY_LINES) > 1 && S(COPY_UB_LINE_STRIDE) < 0)
HAS(load_memory_backwards, OP(LOAD) && U(COPY_LINES) > 1 && S(COPY_MEM_LINE_STRIDE) < 0)
HAS(store_blocks, OP(STORE) && U(COPY_BLOCKS) > 1 && U(COPY_LINES) > 1)
HAS(store_backwards, OP(STORE) && U(COPY_BLOCKS) > 1 && S(COPY_MEM_BLOCK_STRIDE) < 0)
HAS(store_raw, OP(STORE) && U(COPY_RAW))
HAS(store_raw_lanes, OP(STORE) && U(COPY_RAW) && U(COPY_RAW_LANES))
HAS(params_0, OP(WEIGHTS) && U(WEIGHTS_PARAMS) && !U(WEIGHTS_BANK))
HAS(params_1, OP(WEIGHTS) && U(WEIGHTS_PARAMS) && U(WEIGHTS_BANK))
HAS(matmul_all_loops, OP(MATMUL) && U(MATMUL_ROWS0) > 1 && U(MATMUL_ROWS1) > 1 &&
                          U(MATMUL_RED0) > 1 && U(MATMUL_RED1) > 1 && U(MATMUL_RED2) > 1)
HAS(matmul_backwards, OP(MATMUL) && U(MATMUL_RED0) > 1 && S(MATMUL_RED_STRIDE0) < 0)
HAS(matmul_accumulate, OP(MATMUL) && U(MATMUL_ACCUMULATE))
HAS(activate_2d, OP(ACTIVATE) && !U(ACTIVATE_RAW) && U(ACTIVATE_ROWS1) > 1 &&
                     S(ACTIVATE_UB_STRIDE1) >
                         (int64_t)U(ACTIVATE_ROWS0) * S(ACTIVATE_UB_STRIDE0)) /* a halo */
HAS(activate_raw_bias, OP(ACTIVATE) && U(ACTIVATE_RAW) && U(ACTIVATE_BIAS))
HAS(activate_residual, OP(ACTIVATE) && U(ACTIVATE_RESIDUAL))
HAS(activate_in_place,
    OP(ACTIVATE) && U(ACTIVATE_RESIDUAL) && U(ACTIVATE_RES_ROW) == U(ACTIVATE_UB_ROW))
HAS(pool_max, OP(ACTIVATE) && U(ACTIVATE_POOL) == SYSTOLE_POOL_MAX)
HAS(pool_average, OP(ACTIVATE) && U(ACTIVATE_POOL) == SYSTOLE_POOL_AVERAGE)
HAS(pool_raw, OP(ACTIVATE) && U(ACTIVATE_POOL) && U(ACTIVATE_RAW))
HAS(pool_residual, OP(ACTIVATE) && U(ACTIVATE_POOL) && U(ACTIVATE_RESIDUAL))
HAS(pool_padded, OP(ACTIVATE) && U(ACTIVATE_POOL) && U(ACTIVATE_POOL_PAD_TOP) &&
                     U(ACTIVATE_POOL_PAD_LEFT))
HAS(pool_strided, OP(ACTIVATE) && U(ACTIVATE_POOL) && U(ACTIVATE_POOL_STRIDE_H) > 1 &&
                      U(ACTIVATE_POOL_STRIDE_W) > 1 && U(ACTIVATE_ROWS1) > 1)

Test(stream, every_feature_is_drawn) {
  const coverage all[] = {
      {"LOAD with fill rows on both sides", load_fills},
      {"LOAD of fill rows alone", load_fill_alone},
      {"LOAD of lines and blocks", load_blocks},
      {"LOAD with last lanes", load_last_lanes},
      {"LOAD with a negative buffer stride", load_backwards},
      {"LOAD with a negative memory stride", load_memory_backwards},
      {"STORE of lines and blocks", store_blocks},
      {"STORE with a negative memory stride", store_backwards},
      {"raw STORE", store_raw},
      {"raw STORE of some lanes", store_raw_lanes},
      {"parameters into bank 0", params_0},
      {"parameters into bank 1", params_1},
      {"MATMUL with all five loops", matmul_all_loops},
      {"MATMUL with a negative stride", matmul_backwards},
      {"MATMUL that adds", matmul_accumulate},
      {"ACTIVATE that leaves a halo", activate_2d},
      {"raw ACTIVATE with bias", activate_raw_bias},
      {"residual", activate_residual},
      {"residual in place", activate_in_place},
      {"max pool", pool_max},
      {"average pool", pool_average},
      {"raw average pool", pool_raw},
      {"pool with a residual", pool_residual},
      {"padded pool", pool_padded},
      {"strided pool", pool_strided},
  };
  enum { COUNT = sizeof all / sizeof all[0], STREAMS = 200, LEAST = 8 };
  int found[COUNT] = {0};
  systole_geometry g = geometries[0];
  g.features = every_feature();
  for (uint64_t seed = 1; seed <= STREAMS; seed++) {
    stream s = stream_make(&g, seed);
    for (int c = 0; c < COUNT; c++) {
      int here = 0;
      for (uint32_t n = 0; n < s.count; n++) here |= all[c].has(&s.at[n]);
      found[c] += here;
    }
    stream_free(&s);
  }
  for (int c = 0; c < COUNT; c++) {
    cr_expect_geq(found[c], LEAST, "%s: in %d of %d streams", all[c].name, found[c],
                  (int)STREAMS);
  }
}
