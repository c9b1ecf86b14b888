/* The fast model's arithmetic against plain loops, and the model as a device: shapes,
 * epilogues, sizes that no RTL is built for, and what it refuses. Its cycles are held to
 * the RTL's in tests/cosim/model_test.c. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "card/systole_isa.h"
#include "model/array.h"
#include "product.h"
#include "shapes.h"
#include "support/random.h"
#include "systole/systole.h"

/* ---- the array ------------------------------------------------------------------------
 */

typedef struct case_of_rows {
  systole_model_rows rows;
  int64_t ub_rows;
  uint8_t *ub;
  uint8_t *tiles;
  const uint8_t **tile_at;
  int64_t *starts;
  int32_t *acc, *expected;
  uint64_t zeros;
} case_of_rows;

static int64_t below(systole_random *random, int64_t bound) {
  return (int64_t)systole_random_below(random, (uint64_t)bound);
}

/* Mostly small numbers of everything, now and then a stride that goes back. */
static case_of_rows make_case(systole_random *random, int dim) {
  case_of_rows c = {.ub_rows = 512};
  systole_model_rows *r = &c.rows;
  const size_t tile = (size_t)dim * (size_t)dim;
  r->dim = dim;
  r->rows0 = 1 + below(random, 30);
  r->rows1 = 1 + below(random, 3);
  r->stride0 = below(random, 4);
  r->stride1 = below(random, 40) - 8;
  r->steps = 1 + below(random, dim > 64 ? 3 : 40);
  r->overwrite = (int)below(random, 2);
  const int64_t count = r->rows0 * r->rows1;
  c.ub = malloc((size_t)c.ub_rows * (size_t)dim);
  c.tiles = malloc((size_t)r->steps * tile);
  c.tile_at = malloc((size_t)r->steps * sizeof *c.tile_at);
  c.starts = malloc((size_t)r->steps * sizeof *c.starts);
  c.acc = malloc((size_t)count * (size_t)dim * sizeof *c.acc);
  c.expected = malloc((size_t)count * (size_t)dim * sizeof *c.expected);
  cr_assert(c.ub && c.tiles && c.tile_at && c.starts && c.acc && c.expected);
  const int sparse = (int)below(random, 3);
  for (size_t i = 0; i < (size_t)c.ub_rows * (size_t)dim; i++) {
    const int value = below(random, 3) < sparse ? 0 : (int)below(random, 256) - 128;
    c.ub[i] = (uint8_t)(value ^ SystoleModelTurn);
  }
  for (size_t i = 0; i < (size_t)r->steps * tile; i++) {
    c.tiles[i] = (uint8_t)(below(random, 3) < sparse ? 0 : below(random, 256));
  }
  for (int64_t s = 0; s < r->steps; s++) {
    c.tile_at[s] = c.tiles + (size_t)s * tile;
    c.starts[s] = 20 + below(random, 250);
  }
  for (int64_t i = 0; i < count * dim; i++) {
    c.acc[i] = c.expected[i] = (int32_t)systole_random_next(random);
  }
  r->ub = c.ub;
  r->tiles = c.tile_at;
  r->starts = c.starts;
  r->acc = c.acc;
  for (int64_t n = 0; n < count; n++) {
    for (int col = 0; col < dim; col++) {
      uint32_t sum = r->overwrite ? 0 : (uint32_t)c.expected[n * dim + col];
      for (int64_t s = 0; s < r->steps; s++) {
        const int64_t row =
            c.starts[s] + n / r->rows0 * r->stride1 + n % r->rows0 * r->stride0;
        for (int k = 0; k < dim; k++) {
          const int a = (int8_t)(c.ub[row * dim + k] ^ SystoleModelTurn);
          const int w = (int8_t)c.tile_at[s][k * dim + col];
          sum += (uint32_t)(a * w);
          c.zeros += a == 0 || w == 0;
        }
      }
      c.expected[n * dim + col] = (int32_t)sum;
    }
  }
  return c;
}

static void free_case(case_of_rows *c) {
  free(c->ub);
  free(c->tiles);
  free(c->tile_at);
  free(c->starts);
  free(c->acc);
  free(c->expected);
}

static void array_is_exact(int portable) {
  static const int dims[] = {4, 8, 16, 32, 64, 128, 256};
  for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++) {
    systole_model_array *array = NULL;
    cr_assert_eq(systole_model_array_create(&array, dims[d], portable), SYSTOLE_OK);
    for (uint64_t seed = 1; seed <= (dims[d] > 64 ? 3u : 25u); seed++) {
      systole_random random;
      systole_random_seed(&random, seed * 1000 + (uint64_t)dims[d]);
      case_of_rows c = make_case(&random, dims[d]);
      c.rows.generation = seed;
      const uint64_t zeros = systole_model_array_run(array, &c.rows);
      const int64_t count = c.rows.rows0 * c.rows.rows1 * dims[d];
      for (int64_t i = 0; i < count; i++) {
        cr_assert_eq(c.acc[i], c.expected[i],
                     "%s, Dim %d, seed %" PRIu64 ", %" PRId64 " x %" PRId64
                     " rows, %" PRId64 " steps: element %" PRId64 " is %d, not %d",
                     systole_model_array_kernel(array), dims[d], seed, c.rows.rows1,
                     c.rows.rows0, c.rows.steps, i, c.acc[i], c.expected[i]);
      }
      cr_assert_eq(zeros, c.zeros,
                   "%s, Dim %d, seed %" PRIu64 ": %" PRIu64
                   " products with a zero operand, not %" PRIu64,
                   systole_model_array_kernel(array), dims[d], seed, zeros, c.zeros);
      free_case(&c);
    }
    systole_model_array_free(array);
  }
}

Test(model, portable_array_is_exact) { array_is_exact(1); }

Test(model, fastest_array_is_exact) { array_is_exact(0); }

/* ---- the device
 * ------------------------------------------------------------------------ */

static systole_device *open_model(const char *name) {
  systole_device *device = NULL;
  cr_assert_eq(systole_device_open(&device, name, NULL), SYSTOLE_OK, "%s",
               systole_last_error());
  return device;
}

static uint64_t ledger_sum(const systole_ledger *l) {
  return l->active + l->start + l->drain + l->output_stall + l->input_stall +
         l->weight_stall + l->weight_shift + l->other;
}

static void run_product(systole_device *device, systole_product *p,
                        const systole_epilogue *epilogue) {
  systole_weights *weights = NULL;
  systole_stats stats;
  cr_assert_eq(
      systole_weights_prepare(&weights, device, p->n, p->k, p->b, p->ldb, epilogue),
      SYSTOLE_OK, "%s", systole_last_error());
  cr_assert_eq(
      systole_gemm_s8_prepared(weights, p->m, p->a, p->lda, p->c, p->ldc, &stats),
      SYSTOLE_OK, "%s", systole_last_error());
  const char *wrong = systole_product_check(p);
  cr_assert_null(wrong, "%s: %s", systole_device_name(device), wrong);
  if (stats.has_cycles) {
    cr_assert_eq(ledger_sum(&stats.ledger), stats.cycles, "%s: the ledger does not sum",
                 systole_device_name(device));
  }
  systole_weights_free(weights);
}

Test(model, shared_shapes_are_exact_at_every_size) {
  static const char *const names[] = {"model:4",  "model:8",  "model:16",
                                      "model:32", "model:64", "model:256"};
  static const int dims[] = {4, 8, 16, 32, 64, 64};
  for (size_t d = 0; d < sizeof names / sizeof names[0]; d++) {
    systole_device *device = open_model(names[d]);
    systole_shape shapes[SYSTOLE_MAX_SHAPES];
    const size_t count = systole_shapes(shapes, dims[d]);
    for (size_t i = 0; i < count; i++) {
      systole_product p = systole_product_make(shapes[i].m, shapes[i].n, shapes[i].k, 2,
                                               i + 1, SYSTOLE_VALUES_RANDOM);
      run_product(device, &p, NULL);
      systole_product_free(&p);
    }
    systole_device_close(device);
  }
}

Test(model, epilogue_is_bit_exact) {
  enum { N = 45 };
  int32_t bias[N], multiplier[N];
  uint8_t shift[N];
  systole_random random;
  systole_random_seed(&random, 21);
  systole_device *device = open_model("model:16");
  for (int round = 0; round < 6; round++) {
    for (int j = 0; j < N; j++) {
      bias[j] = (int32_t)systole_random_next(&random);
      multiplier[j] = (int32_t)below(&random, 131072) - 65536;
      shift[j] = (uint8_t)below(&random, 48);
    }
    systole_epilogue e = SYSTOLE_EPILOGUE_INIT;
    e.bias = bias;
    e.multiplier = multiplier;
    e.shift = shift;
    e.zero_point = (int8_t)(round * 20 - 60);
    systole_product p =
        systole_product_make(33 + round, N, 70, 1, 22, SYSTOLE_VALUES_RANDOM);
    systole_product_epilogue(&p, &e);
    run_product(device, &p, &e);
    systole_product_free(&p);
  }
  systole_device_close(device);
}

/* The largest array in hardware terms, and one that only a model can be. */
Test(model, sizes_beyond_the_rtl_run) {
  systole_device *device = open_model("model:1024,ub=8192,acc=512");
  systole_product p = systole_product_make(70, 1100, 1030, 0, 4, SYSTOLE_VALUES_EXTREME);
  run_product(device, &p, NULL);
  systole_product_free(&p);
  systole_device_close(device);
}

Test(model, cycles_without_data_are_the_same) {
  systole_stats with, without;
  systole_device *device = open_model("model:16");
  systole_product p = systole_product_make(100, 90, 80, 0, 4, SYSTOLE_VALUES_RANDOM);
  cr_assert_eq(
      systole_gemm_s8(device, p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, p.c, p.ldc, &with),
      SYSTOLE_OK);
  systole_device_close(device);
  device = open_model("model:16,data=0");
  cr_assert_eq(systole_gemm_s8(device, p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, p.c, p.ldc,
                               &without),
               SYSTOLE_OK);
  cr_expect_eq(with.cycles, without.cycles);
  cr_expect_eq(memcmp(&with.ledger, &without.ledger, sizeof with.ledger), 0);
  systole_product_free(&p);
  systole_device_close(device);
}

Test(model, skipping_what_repeats_changes_no_figure) {
  systole_stats with, without;
  systole_device *device = open_model("model:8");
  systole_product p = systole_product_make(300, 700, 200, 0, 4, SYSTOLE_VALUES_RANDOM);
  cr_assert_eq(
      systole_gemm_s8(device, p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, p.c, p.ldc, &with),
      SYSTOLE_OK);
  systole_device_close(device);
  device = open_model("model:8,skip=0");
  cr_assert_eq(systole_gemm_s8(device, p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, p.c, p.ldc,
                               &without),
               SYSTOLE_OK);
  cr_expect_eq(with.cycles, without.cycles);
  cr_expect_eq(memcmp(&with.ledger, &without.ledger, sizeof with.ledger), 0);
  cr_expect_eq(with.gmem0_read_bytes, without.gmem0_read_bytes);
  cr_expect_eq(with.gmem0_write_bytes, without.gmem0_write_bytes);
  cr_expect_eq(with.gmem1_read_bytes, without.gmem1_read_bytes);
  systole_product_free(&p);
  systole_device_close(device);
}

Test(model, bad_names_and_options_get_a_sentence) {
  static const struct {
    const char *name, *says;
    systole_status status;
  } wrong[] = {{"model:", "power of two", SYSTOLE_ERR_ARGUMENT},
               {"model:0", "power of two", SYSTOLE_ERR_ARGUMENT},
               {"model:2", "power of two", SYSTOLE_ERR_ARGUMENT},
               {"model:5", "power of two", SYSTOLE_ERR_ARGUMENT},
               {"model:24", "power of two", SYSTOLE_ERR_ARGUMENT},
               {"model:2048", "power of two", SYSTOLE_ERR_ARGUMENT},
               {"model:-16", "power of two", SYSTOLE_ERR_ARGUMENT},
               {"model:016", "power of two", SYSTOLE_ERR_ARGUMENT},
               {"model:16x", "power of two", SYSTOLE_ERR_ARGUMENT},
               {"model:99999999999999999999", "power of two", SYSTOLE_ERR_ARGUMENT},
               {"model:16,", "power of two", SYSTOLE_ERR_ARGUMENT},
               {"model:16,ub", "power of two", SYSTOLE_ERR_ARGUMENT},
               {"model:16,rows=4", "rows", SYSTOLE_ERR_ARGUMENT},
               {"model:tpu-v2", "tpu-v1", SYSTOLE_ERR_ARGUMENT},
               {"model:tpu-v1,", "power of two", SYSTOLE_ERR_ARGUMENT},
               {"model:16,ub=0", "unified buffer", SYSTOLE_ERR_ARGUMENT},
               {"model:16,ub=8", "unified buffer of 8", SYSTOLE_ERR_ARGUMENT},
               {"model:16,ub=-8", "whole number", SYSTOLE_ERR_ARGUMENT},
               {"model:16,acc=999999999", "accumulators", SYSTOLE_ERR_ARGUMENT},
               {"model:16,acc=255", "two equal halves", SYSTOLE_ERR_ARGUMENT},
               {"model:16,tiles=3", "weight FIFO", SYSTOLE_ERR_ARGUMENT},
               {"model:16,axi=64", "ports of 64", SYSTOLE_ERR_ARGUMENT},
               {"model:16,axi=5", "ports of 5", SYSTOLE_ERR_ARGUMENT},
               {"model:16,data=2", "0 or 1", SYSTOLE_ERR_ARGUMENT},
               {"model:16,skip=2", "0 or 1", SYSTOLE_ERR_ARGUMENT},
               {"model:16,clock=0", "no clock", SYSTOLE_ERR_ARGUMENT},
               {"model:16,clock=-3", "no clock", SYSTOLE_ERR_ARGUMENT},
               {"model:16,clock=3G", "no clock", SYSTOLE_ERR_ARGUMENT},
               {"model:16,clock=3T", "no clock", SYSTOLE_ERR_ARGUMENT},
               {"model:16,clock=nan", "no clock", SYSTOLE_ERR_ARGUMENT},
               {"model:16,memory=tape", "tape", SYSTOLE_ERR_ARGUMENT},
               {"model:16,gmem1=0", "makes no sense", SYSTOLE_ERR_ARGUMENT},
               {"model:16,gmem1=34TB/s", "makes no sense", SYSTOLE_ERR_ARGUMENT},
               {"model:16,latency0=1.5", "makes no sense", SYSTOLE_ERR_ARGUMENT},
               {"model:16,latency0=9999999", "makes no sense", SYSTOLE_ERR_ARGUMENT}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    systole_device *device = NULL;
    cr_expect_eq(systole_device_open(&device, wrong[i].name, NULL), wrong[i].status, "%s",
                 wrong[i].name);
    cr_expect_null(device);
    cr_expect_not_null(strstr(systole_last_error(), wrong[i].says), "%s: %s",
                       wrong[i].name, systole_last_error());
  }
  systole_device *device = NULL;
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.trace_path = "wave.fst";
  cr_expect_eq(systole_device_open(&device, "model:16", &options),
               SYSTOLE_ERR_UNSUPPORTED);
  options.trace_path = NULL;
  options.stall_seed = 3;
  cr_expect_eq(systole_device_open(&device, "model:16", &options),
               SYSTOLE_ERR_UNSUPPORTED);
  options.stall_seed = 0;
  options.memory = "tape";
  cr_expect_eq(systole_device_open(&device, "model:16", &options), SYSTOLE_ERR_ARGUMENT);
}

Test(model, device_memory_runs_out_in_words) {
  systole_device *device = NULL;
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.memory_bytes = 1 << 16;
  cr_assert_eq(systole_device_open(&device, "model:16", &options), SYSTOLE_OK);
  systole_product p = systole_product_make(600, 600, 600, 0, 4, SYSTOLE_VALUES_MIN);
  cr_expect_eq(
      systole_gemm_s8(device, p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, p.c, p.ldc, NULL),
      SYSTOLE_ERR_DEVICE_MEMORY);
  systole_product_free(&p);
  systole_device_close(device);
}

/* ---- presets
 * ----------------------------------------------------------------------- */

static double clock_of(systole_device *device, systole_kind *kind) {
  systole_stats stats;
  cr_assert_eq(systole_gemm_s8(device, 1, 1, 1, NULL, 1, NULL, 1, NULL, 1, &stats),
               SYSTOLE_OK, "%s", systole_last_error());
  *kind = stats.clock_kind;
  return stats.clock_mhz;
}

Test(model, presets_are_what_they_say) {
  static const struct {
    const char *name;
    int dim;
    uint32_t ub_rows, acc_rows, tiles;
    int axi;
    double clock;
    const char *memory;
  } known[] = {
      {"tpu-v1", 256, 98304, 4096, 4, 64, 700, "ideal+gmem1=34GB/s+latency1=100ns"},
      {"edge-tpu", 64, 131072, 2048, 4, 64, 480, "ideal"},
      {"u50", 32, 8192, 2048, 8, 32, 300, "hbm2"},
      {"u250", 32, 8192, 2048, 8, 32, 300, "ddr4"},
      {"u280", 32, 8192, 2048, 8, 32, 300, "hbm2"}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    char name[64];
    systole_geometry g;
    systole_kind kind;
    snprintf(name, sizeof name, "model:%s,data=0", known[i].name);
    systole_device *device = open_model(name);
    cr_assert(systole_device_timing_only(device));
    cr_assert_eq(systole_device_geometry(device, &g), SYSTOLE_OK);
    cr_expect_eq(g.dim, known[i].dim, "%s", name);
    cr_expect_eq(g.ub_rows, known[i].ub_rows, "%s: %u", name, g.ub_rows);
    cr_expect_eq(g.acc_rows, known[i].acc_rows, "%s", name);
    cr_expect_eq(g.weight_tiles, known[i].tiles, "%s", name);
    cr_expect_eq(g.axi_bytes, known[i].axi, "%s", name);
    cr_expect_float_eq(clock_of(device, &kind), known[i].clock, 1e-9, "%s", name);
    cr_expect_eq(kind == SYSTOLE_KIND_PUBLISHED, i == 0, "%s", name);
    systole_stats stats;
    cr_assert_eq(systole_gemm_s8(device, 1, 1, 1, NULL, 1, NULL, 1, NULL, 1, &stats),
                 SYSTOLE_OK);
    cr_expect_str_eq(stats.memory, known[i].memory);
    systole_device_close(device);
  }
}

/* A preset is listed, and every one that is listed opens. */
Test(model, presets_are_listed) {
  systole_device_info *list;
  size_t count, presets = 0;
  cr_assert_eq(systole_device_list(&list, &count), SYSTOLE_OK);
  for (size_t i = 0; i < count; i++) {
    if (strncmp(list[i].name, "model:", 6) != 0) continue;
    systole_device_close(open_model(list[i].name));
    cr_expect(strlen(list[i].about) > 10, "%s", list[i].name);
    presets++;
  }
  cr_expect_geq(presets, 6);
  systole_device_list_free(list, count);
}

static void write_preset(const char *path, const char *json) {
  FILE *file = fopen(path, "w");
  cr_assert_not_null(file);
  cr_assert_geq(fputs(json, file), 0);
  cr_assert_eq(fclose(file), 0);
}

Test(model, a_file_says_everything) {
  char path[] = "systole-preset-XXXXXX.json", name[128];
  const int handle = mkstemps(path, 5);
  cr_assert(handle >= 0);
  close(handle);
  write_preset(path,
               "{\"about\": \"a, b\", \"sources\": [\"none\"], \"dim\": 8,"
               " \"ub_bytes\": 8008, \"acc_rows\": 46, \"weight_tiles\": 5,"
               " \"axi_bytes\": 16, \"clock_mhz\": 123.5, \"residual\": true,"
               " \"pool\": false, \"memory\": \"hbm2\", \"memory_bytes\": 1048576,"
               " \"gmem0\": {\"gb_per_s\": 1.5, \"latency_ns\": 200},"
               " \"gmem1\": {\"latency_cycles\": 7}}\n");
  snprintf(name, sizeof name, "model:%s", path);
  systole_device *device = open_model(name);
  systole_geometry g;
  cr_assert_eq(systole_device_geometry(device, &g), SYSTOLE_OK);
  cr_expect(g.dim == 8 && g.ub_rows == 1001 && g.acc_rows == 46 && g.weight_tiles == 5 &&
            g.axi_bytes == 16 && g.features == 1u << SYSTOLE_FEATURE_RESIDUAL);
  systole_product p = systole_product_make(61, 53, 47, 0, 4, SYSTOLE_VALUES_RANDOM);
  systole_stats stats;
  cr_assert_eq(
      systole_gemm_s8(device, p.m, p.n, p.k, p.a, p.lda, p.b, p.ldb, p.c, p.ldc, &stats),
      SYSTOLE_OK, "%s", systole_last_error());
  cr_expect_null(systole_product_check(&p));
  cr_expect_str_eq(stats.memory, "hbm2+gmem0=1.5GB/s+latency0=200ns+latency1=7");
  cr_expect_float_eq(stats.clock_mhz, 123.5, 1e-9);
  systole_product_free(&p);
  systole_device_close(device);
  /* Changes stand behind a file's name as behind any other. */
  snprintf(name, sizeof name, "model:%s,ub=500,clock=1G", path);
  device = open_model(name);
  cr_assert_eq(systole_device_geometry(device, &g), SYSTOLE_OK);
  cr_expect_eq(g.ub_rows, 500);
  systole_device_close(device);
  unlink(path);
}

Test(model, bad_files_get_a_sentence) {
  static const struct {
    const char *json, *says;
  } wrong[] = {{"", "no JSON"},
               {"{\"dim\": 16,}", "no JSON"},
               {"{\"dim\": 16} trailing", "no JSON"},
               {"[1, 2]", "no object"},
               {"{}", "\"dim\" is missing"},
               {"{\"dim\": 5}", "power of two from 4 to 1024"},
               {"{\"dim\": \"16\"}", "no number"},
               {"{\"dim\": 16, \"colour\": 3}", "no key \"colour\""},
               {"{\"dim\": 16, \"Dim\": 16}", "no key \"Dim\""},
               {"{\"dim\": 16, \"dim\": 32}", "twice"},
               {"{\"dim\": 16, \"clock_mhz\": 0}", "clock_mhz"},
               {"{\"dim\": 16, \"clock_mhz\": 1e999}", "clock_mhz"},
               {"{\"dim\": 16, \"clock_mhz\": \"fast\"}", "no number"},
               {"{\"dim\": 16, \"clock_kind\": \"measured\"}", "published or assumed"},
               {"{\"dim\": 16, \"ub_rows\": 1.5}", "whole number"},
               {"{\"dim\": 16, \"ub_rows\": 1e12}", "ub_rows"},
               {"{\"dim\": 16, \"ub_rows\": 2}", "unified buffer of 2"},
               {"{\"dim\": 16, \"ub_bytes\": 1000}", "multiple of a row's 16 bytes"},
               {"{\"dim\": 16, \"acc_rows\": 7}", "two equal halves"},
               {"{\"dim\": 16, \"weight_tiles\": 0}", "weight_tiles"},
               {"{\"dim\": 16, \"axi_bytes\": 24}", "ports of 24"},
               {"{\"dim\": 16, \"pool\": 1}", "true nor false"},
               {"{\"dim\": 16, \"about\": 1}", "no text"},
               {"{\"dim\": 16, \"sources\": [1]}", "list of texts"},
               {"{\"dim\": 16, \"memory\": \"tape\"}", "tape"},
               {"{\"dim\": 16, \"memory_bytes\": 1}", "memory_bytes"},
               {"{\"dim\": 16, \"gmem1\": 34}", "no object"},
               {"{\"dim\": 16, \"gmem1\": {\"mb_per_s\": 34}}", "mb_per_s"},
               {"{\"dim\": 16, \"gmem1\": {\"gb_per_s\": 0}}", "gb_per_s"},
               {"{\"dim\": 16, \"gmem1\": {\"latency_cycles\": 0}}", "latency_cycles"}};
  char path[] = "systole-preset-XXXXXX.json", name[128];
  const int handle = mkstemps(path, 5);
  cr_assert(handle >= 0);
  close(handle);
  snprintf(name, sizeof name, "model:%s", path);
  systole_device *device = NULL;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    write_preset(path, wrong[i].json);
    cr_expect_eq(systole_device_open(&device, name, NULL), SYSTOLE_ERR_ARGUMENT, "%s",
                 wrong[i].json);
    cr_expect_not_null(strstr(systole_last_error(), wrong[i].says), "%s: %s",
                       wrong[i].json, systole_last_error());
  }
  unlink(path);
  cr_expect_eq(systole_device_open(&device, name, NULL), SYSTOLE_ERR_ARGUMENT);
  cr_expect_not_null(strstr(systole_last_error(), "cannot be read"));
  cr_expect_eq(systole_device_open(&device, "model:/.json", NULL), SYSTOLE_ERR_ARGUMENT);
}

/* Buffers that no RTL has: any number of rows will do. */
Test(model, odd_buffers_compute_right) {
  static const char *const names[] = {"model:4,ub=17,acc=4,axi=4",
                                      "model:4,ub=1001,acc=90,tiles=7",
                                      "model:16,ub=777,acc=54,tiles=5",
                                      "model:32,ub=300,acc=74,tiles=9,axi=8",
                                      "model:64,ub=3001,acc=1022,tiles=4,axi=16",
                                      "model:128,ub=1500,acc=510,axi=64"};
  for (size_t d = 0; d < sizeof names / sizeof names[0]; d++) {
    systole_device *device = open_model(names[d]);
    for (int64_t i = 0; i < 4; i++) {
      systole_product p = systole_product_make(97 + 50 * i, 71 + 33 * i, 65 + 64 * i, 1,
                                               (uint64_t)i + 1, SYSTOLE_VALUES_RANDOM);
      run_product(device, &p, NULL);
      systole_product_free(&p);
    }
    systole_device_close(device);
  }
}

/* ---- without data
 * ------------------------------------------------------------------ */

static void same_but_zeros(const systole_stats *with, const systole_stats *without) {
  cr_expect_eq(with->cycles, without->cycles);
  cr_expect_eq(memcmp(&with->ledger, &without->ledger, sizeof with->ledger), 0);
  cr_expect_eq(with->ub_read_bytes, without->ub_read_bytes);
  cr_expect_eq(with->ub_write_bytes, without->ub_write_bytes);
  cr_expect_eq(with->weight_bytes, without->weight_bytes);
  cr_expect_eq(with->acc_read_bytes, without->acc_read_bytes);
  cr_expect_eq(with->acc_write_bytes, without->acc_write_bytes);
  cr_expect_eq(with->dram_read_bytes, without->dram_read_bytes);
  cr_expect_eq(with->dram_write_bytes, without->dram_write_bytes);
  cr_expect_eq(with->timing_only, 0);
  cr_expect_eq(without->timing_only, 1);
  cr_expect_eq(without->zero_macs, 0);
}

Test(model, products_without_operands_count_the_same) {
  static const char *const names[] = {"model:8", "model:u250", "model:16,ub=777,acc=54"};
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.timing_only = 1;
  for (size_t d = 0; d < sizeof names / sizeof names[0]; d++) {
    systole_device *device = open_model(names[d]), *timer = NULL;
    cr_assert_eq(systole_device_open(&timer, names[d], &options), SYSTOLE_OK);
    for (int int8 = 0; int8 < 2; int8++) {
      int32_t multiplier[90];
      uint8_t shift[90];
      systole_epilogue e = SYSTOLE_EPILOGUE_INIT;
      for (int j = 0; j < 90; j++) {
        multiplier[j] = 1;
        shift[j] = 9;
      }
      e.multiplier = int8 ? multiplier : NULL;
      e.shift = int8 ? shift : NULL;
      systole_product p = systole_product_make(100, 90, 170, 0, 4, SYSTOLE_VALUES_RANDOM);
      systole_weights *weights = NULL;
      systole_stats with, without;
      cr_assert_eq(systole_weights_prepare(&weights, device, p.n, p.k, p.b, p.ldb, &e),
                   SYSTOLE_OK);
      cr_assert_eq(systole_gemm_s8_prepared(weights, p.m, p.a, p.lda, p.c, p.ldc, &with),
                   SYSTOLE_OK);
      systole_weights_free(weights);
      cr_assert_eq(systole_weights_prepare(&weights, timer, p.n, p.k, NULL, p.ldb, &e),
                   SYSTOLE_OK);
      cr_assert_eq(
          systole_gemm_s8_prepared(weights, p.m, NULL, p.lda, NULL, p.ldc, &without),
          SYSTOLE_OK);
      systole_weights_free(weights);
      same_but_zeros(&with, &without);
      systole_product_free(&p);
    }
    systole_device_close(timer);
    systole_device_close(device);
  }
}

Test(model, convolutions_without_operands_count_the_same) {
  enum { Channels = 20, Out = 24, Side = 13, Image = Side * Side };
  static int8_t input[2 * Image * Channels], weights[Out * 9 * Channels];
  static int8_t residual[2 * Image * Out], output[2 * Image * Out];
  int32_t multiplier[Out];
  uint8_t shift[Out];
  systole_epilogue e = SYSTOLE_EPILOGUE_INIT;
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  systole_device *device = open_model("model:8"), *timer = NULL;
  options.timing_only = 1;
  cr_assert_eq(systole_device_open(&timer, "model:8", &options), SYSTOLE_OK);
  for (int j = 0; j < Out; j++) {
    multiplier[j] = 1;
    shift[j] = 9;
  }
  e.multiplier = multiplier;
  e.shift = shift;
  for (int kind = 0; kind < 4; kind++) { /* plain, residual, pool, depthwise */
    systole_conv2d c = SYSTOLE_CONV2D_INIT;
    systole_stats with, without;
    c.batch = 2;
    c.height = c.width = Side;
    c.channels = Channels;
    c.out_channels = kind == 3 ? Channels : Out;
    c.kernel_height = c.kernel_width = 3;
    c.pad_top = c.pad_bottom = c.pad_left = c.pad_right = 1;
    c.epilogue = &e;
    if (kind == 1) {
      c.residual = residual;
      c.residual_multiplier = 1;
    }
    if (kind == 2) {
      c.pool = SYSTOLE_POOLING_AVERAGE;
      c.pool_height = c.pool_width = 3;
      c.pool_stride_height = c.pool_stride_width = 2;
      c.pool_pad_top = c.pool_pad_left = c.pool_pad_bottom = c.pool_pad_right = 1;
    }
    if (kind == 3) c.groups = Channels;
    cr_assert_eq(systole_conv2d_s8(device, &c, input, weights, output, &with), SYSTOLE_OK,
                 "%s", systole_last_error());
    cr_assert_eq(systole_conv2d_s8(timer, &c, NULL, NULL, NULL, &without), SYSTOLE_OK,
                 "%s", systole_last_error());
    same_but_zeros(&with, &without);
  }
  systole_device_close(timer);
  systole_device_close(device);
}

/* Eight images of 19 x 19 are too few rows apart for a tile that takes 1349 cycles to
 * come, and enough as one. */
Test(model, small_images_of_a_batch_share_tiles) {
  systole_device *device = open_model("model:tpu-v1,data=0");
  systole_conv2d c = SYSTOLE_CONV2D_INIT;
  systole_stats one, eight;
  c.height = c.width = 19;
  c.channels = c.out_channels = 256;
  c.kernel_height = c.kernel_width = 3;
  c.pad_top = c.pad_bottom = c.pad_left = c.pad_right = 1;
  cr_assert_eq(systole_conv2d_s8(device, &c, NULL, NULL, NULL, &one), SYSTOLE_OK);
  c.batch = 8;
  cr_assert_eq(systole_conv2d_s8(device, &c, NULL, NULL, NULL, &eight), SYSTOLE_OK);
  cr_expect(eight.cycles < 4 * one.cycles, "%" PRIu64 " and %" PRIu64, one.cycles,
            eight.cycles);
  cr_expect_eq(eight.ledger.weight_stall, 0);
  cr_expect_eq(eight.macs, 8 * one.macs);
  systole_device_close(device);
}

Test(model, only_models_tell_time_without_data) {
  systole_device *device = NULL;
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.timing_only = 1;
  cr_expect_eq(systole_device_open(&device, "cpu", &options), SYSTOLE_ERR_ARGUMENT);
  cr_expect_not_null(strstr(systole_last_error(), "model:16"));
  options.record_path = "never.rec";
  cr_expect_eq(systole_device_open(&device, "model:16", &options), SYSTOLE_ERR_ARGUMENT);
  cr_expect_not_null(strstr(systole_last_error(), "recording"));
}

/* Sizes that no memory of this machine would hold. */
Test(model, what_is_not_there_takes_no_memory) {
  systole_device *device = open_model("model:1024,data=0");
  systole_stats stats;
  cr_assert_eq(systole_gemm_s8(device, 300000, 20480, 20480, NULL, 20480, NULL, 20480,
                               NULL, 20480, &stats),
               SYSTOLE_OK, "%s", systole_last_error());
  cr_expect_geq(stats.cycles, UINT64_C(300000) * 20 * 20);
  systole_device_close(device);
}
