/* The fast model's arithmetic against plain loops, and the model as a device: shapes,
 * epilogues, sizes that no RTL is built for, and what it refuses. Its cycles are held to
 * the RTL's in tests/cosim/model_test.c. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

Test(model, bad_names_and_options_get_a_sentence) {
  static const struct {
    const char *name, *says;
    systole_status status;
  } wrong[] = {{"model:", "power of two", SYSTOLE_ERR_NOT_FOUND},
               {"model:0", "power of two", SYSTOLE_ERR_NOT_FOUND},
               {"model:2", "power of two", SYSTOLE_ERR_NOT_FOUND},
               {"model:24", "power of two", SYSTOLE_ERR_NOT_FOUND},
               {"model:2048", "power of two", SYSTOLE_ERR_NOT_FOUND},
               {"model:-16", "power of two", SYSTOLE_ERR_NOT_FOUND},
               {"model:16x", "power of two", SYSTOLE_ERR_NOT_FOUND},
               {"model:16,", "power of two", SYSTOLE_ERR_NOT_FOUND},
               {"model:16,ub", "power of two", SYSTOLE_ERR_NOT_FOUND},
               {"model:16,rows=4", "power of two", SYSTOLE_ERR_NOT_FOUND},
               {"model:16,ub=1000", "unified buffer of 1000", SYSTOLE_ERR_ARGUMENT},
               {"model:16,ub=0", "unified buffer", SYSTOLE_ERR_ARGUMENT},
               {"model:16,acc=999999999", "accumulators", SYSTOLE_ERR_ARGUMENT},
               {"model:16,tiles=3", "weight FIFO", SYSTOLE_ERR_ARGUMENT},
               {"model:16,axi=64", "ports of 64", SYSTOLE_ERR_ARGUMENT},
               {"model:16,axi=5", "ports of 5", SYSTOLE_ERR_ARGUMENT}};
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
