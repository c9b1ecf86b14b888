/* Programs and memories that are wrong, on the whole kernel: each run ends with a status,
 * a sentence that names the instruction, the unit and the cause, everything drained (the
 * protocol checkers are on) and done raised; and the same handle then computes what a
 * fresh one does, in the same cycles. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/rtl/rtl.h"
#include "engine/accelerator/accelerator.h"
#include "kernel.h"
#include "library/device.h"
#include "product.h"
#include "program/instruction.h"
#include "program/program.h"
#include "stream.h"
#include "support/random.h"

static const char *const models[] = {COSIM_MODELS};
enum { MODELS = sizeof models / sizeof models[0] };

static struct criterion_test_params every_model(void) {
  return kernel_models_to_128(models, MODELS);
}

/* ---- a program that is right --------------------------------------------------------
 */

/* Its instructions: a strip of ROWS rows by two tiles, once as int8, once raw. */
enum {
  TILES,
  PARAMS,
  LOAD,
  MATMUL,
  ACTIVATE,
  STORE,
  ACTIVATE_RAW,
  STORE_RAW,
  END,
  LENGTH,
  MOST = 128, /* room for other programs */
  ROWS = 12
};

typedef struct program {
  systole_instruction at[MOST];
  uint32_t count;
} program;

typedef struct bench {
  systole_device *device;
  const systole_run_context *context;
  systole_rtl *rtl; /* the model underneath, for faults of the memory */
  const systole_rtl_api *api;
  systole_geometry g;
  const char *model;
  systole_launch launch; /* of `right` */
  program right;
  uint64_t tile_bytes, params_at, int8_at, raw_at, activation_bytes;
  uint64_t right_cycles; /* of `right` on the fresh device */
  uint8_t *expected;     /* activations' memory after it */
  systole_product product;
  systole_stats product_stats; /* on the fresh device */
} bench;

static int64_t bit(int unit) { return 1 << unit; }

static systole_instruction make_copy(int opcode, int64_t offset, int64_t blocks,
                                     int64_t block_bytes) {
  systole_instruction i = systole_instruction_make(opcode, 0, 0);
  SYSTOLE_SET(&i, COPY_OFFSET, offset);
  SYSTOLE_SET(&i, COPY_ROWS, ROWS);
  SYSTOLE_SET(&i, COPY_LINES, 1);
  SYSTOLE_SET(&i, COPY_BLOCKS, blocks);
  SYSTOLE_SET(&i, COPY_MEM_BLOCK_STRIDE, block_bytes);
  SYSTOLE_SET(&i, COPY_UB_BLOCK_STRIDE, ROWS);
  return i;
}

static void token(systole_instruction *from, systole_instruction *to) {
  const int giver = systole_opcode_unit((int)SYSTOLE_GET(from, OPCODE));
  const int taker = systole_opcode_unit((int)SYSTOLE_GET(to, OPCODE));
  SYSTOLE_SET(from, GIVE, (int64_t)SYSTOLE_GET(from, GIVE) | bit(taker));
  SYSTOLE_SET(to, WAIT, (int64_t)SYSTOLE_GET(to, WAIT) | bit(giver));
}

static program make_right(const bench *b) {
  const int64_t dim = b->g.dim;
  program p;
  memset(&p, 0, sizeof p);
  p.count = LENGTH;
  p.at[TILES] = systole_instruction_make(SYSTOLE_OP_WEIGHTS, 0, 0);
  SYSTOLE_SET(&p.at[TILES], WEIGHTS_TILES, 2);
  p.at[PARAMS] = systole_instruction_make(SYSTOLE_OP_WEIGHTS, 0, 0);
  SYSTOLE_SET(&p.at[PARAMS], WEIGHTS_PARAMS, 1);
  SYSTOLE_SET(&p.at[PARAMS], WEIGHTS_OFFSET, (int64_t)b->params_at);
  p.at[LOAD] = make_copy(SYSTOLE_OP_LOAD, 0, 2, ROWS * dim);
  p.at[MATMUL] = systole_instruction_make(SYSTOLE_OP_MATMUL, 0, 0);
  SYSTOLE_SET(&p.at[MATMUL], MATMUL_ROWS0, ROWS);
  SYSTOLE_SET(&p.at[MATMUL], MATMUL_ROWS1, 1);
  SYSTOLE_SET(&p.at[MATMUL], MATMUL_ROW_STRIDE0, 1);
  SYSTOLE_SET(&p.at[MATMUL], MATMUL_RED0, 2);
  SYSTOLE_SET(&p.at[MATMUL], MATMUL_RED1, 1);
  SYSTOLE_SET(&p.at[MATMUL], MATMUL_RED2, 1);
  SYSTOLE_SET(&p.at[MATMUL], MATMUL_RED_STRIDE0, ROWS);
  p.at[ACTIVATE] = systole_instruction_make(SYSTOLE_OP_ACTIVATE, 0, 0);
  SYSTOLE_SET(&p.at[ACTIVATE], ACTIVATE_UB_ROW, 2 * ROWS);
  SYSTOLE_SET(&p.at[ACTIVATE], ACTIVATE_ROWS0, ROWS);
  SYSTOLE_SET(&p.at[ACTIVATE], ACTIVATE_ROWS1, 1);
  SYSTOLE_SET(&p.at[ACTIVATE], ACTIVATE_UB_STRIDE0, 1);
  SYSTOLE_SET(&p.at[ACTIVATE], ACTIVATE_BIAS, 1);
  SYSTOLE_SET(&p.at[ACTIVATE], ACTIVATE_CLAMP_LOW, -128);
  SYSTOLE_SET(&p.at[ACTIVATE], ACTIVATE_CLAMP_HIGH, 127);
  p.at[STORE] = make_copy(SYSTOLE_OP_STORE, (int64_t)b->int8_at, 1, 0);
  SYSTOLE_SET(&p.at[STORE], COPY_UB_ROW, 2 * ROWS);
  p.at[ACTIVATE_RAW] = systole_instruction_make(SYSTOLE_OP_ACTIVATE, 0, 0);
  SYSTOLE_SET(&p.at[ACTIVATE_RAW], ACTIVATE_ROWS0, ROWS);
  SYSTOLE_SET(&p.at[ACTIVATE_RAW], ACTIVATE_ROWS1, 1);
  SYSTOLE_SET(&p.at[ACTIVATE_RAW], ACTIVATE_RAW, 1);
  p.at[STORE_RAW] = make_copy(SYSTOLE_OP_STORE, (int64_t)b->raw_at, 1, 0);
  SYSTOLE_SET(&p.at[STORE_RAW], COPY_RAW, 1);
  p.at[END] = systole_instruction_make(SYSTOLE_OP_END, 0, 0);
  token(&p.at[LOAD], &p.at[MATMUL]);
  token(&p.at[PARAMS], &p.at[ACTIVATE]);
  token(&p.at[MATMUL], &p.at[ACTIVATE]);
  token(&p.at[ACTIVATE], &p.at[STORE]);
  return p;
}

/* ---- running it ---------------------------------------------------------------------
 */

#define MUST(call)                                                            \
  do {                                                                        \
    const systole_status status_ = (call);                                    \
    cr_assert_eq(status_, SYSTOLE_OK, "%s: %s", #call, systole_last_error()); \
  } while (0)

static uint32_t read_register(const bench *b, uint32_t offset) {
  uint32_t value = 0;
  MUST(b->context->ops->read_register(b->context->card, offset, &value));
  return value;
}

static uint64_t read_counter(const bench *b, int counter) {
  const uint32_t offset = (uint32_t)(SYSTOLE_REG_COUNTERS + 8 * counter);
  return read_register(b, offset) | (uint64_t)read_register(b, offset + 4) << 32;
}

static void put_program(const bench *b, const program *p) {
  MUST(b->context->ops->write(b->context->card, SYSTOLE_PORT_GMEM1, b->launch.program,
                              p->at, sizeof p->at));
}

static systole_status launch(const bench *b, const systole_launch *at) {
  const systole_run_share share = {0, 0, 0};
  systole_run_totals totals;
  memset(&totals, 0, sizeof totals);
  return systole_run_once(b->context, at, &share, &totals);
}

/* Runs `p` and returns how it ended. Every run has a ledger, and leaves the kernel idle.
 */
static systole_status run(const bench *b, const program *p) {
  systole_launch at = b->launch;
  at.instructions = p->count;
  put_program(b, p);
  const systole_status status = launch(b, &at);
  uint64_t sum = 0;
  for (int c = SYSTOLE_COUNTER_ACTIVE; c <= SYSTOLE_COUNTER_OTHER; c++) {
    sum += read_counter(b, c);
  }
  cr_expect_eq(sum, read_counter(b, SYSTOLE_COUNTER_CYCLES));
  cr_expect_eq(read_register(b, SYSTOLE_REG_CONTROL), 4, "idle, done has been read");
  return status;
}

/* 0x55 where results go, so that an old run's cannot pass. */
static void spoil_results(const bench *b) {
  const uint64_t bytes = b->activation_bytes - b->int8_at;
  uint8_t *spoilt = malloc((size_t)bytes);
  cr_assert_not_null(spoilt);
  memset(spoilt, 0x55, (size_t)bytes);
  MUST(b->context->ops->write(b->context->card, SYSTOLE_PORT_GMEM0,
                              b->launch.activations + b->int8_at, spoilt, bytes));
  free(spoilt);
}

/* The program that is right and a product: both as on the fresh device, in every bit and
 * in every cycle. */
static void expect_healthy(bench *b, const char *after) {
  spoil_results(b);
  cr_assert_eq(run(b, &b->right), SYSTOLE_OK, "rtl:%s, after %s: %s", b->model, after,
               systole_last_error());
  uint8_t *got = malloc((size_t)b->activation_bytes);
  cr_assert_not_null(got);
  MUST(b->context->ops->read(b->context->card, SYSTOLE_PORT_GMEM0, b->launch.activations,
                             got, b->activation_bytes));
  cr_assert_eq(memcmp(got, b->expected, (size_t)b->activation_bytes), 0,
               "rtl:%s, after %s: the results are wrong", b->model, after);
  free(got);
  cr_expect_eq(read_counter(b, SYSTOLE_COUNTER_CYCLES), b->right_cycles,
               "rtl:%s, after %s: %" PRIu64 " cycles, not %" PRIu64, b->model, after,
               read_counter(b, SYSTOLE_COUNTER_CYCLES), b->right_cycles);
  systole_product *p = &b->product;
  systole_stats stats;
  systole_product_reset(p);
  MUST(systole_gemm_s8(b->device, p->m, p->n, p->k, p->a, p->lda, p->b, p->ldb, p->c,
                       p->ldc, &stats));
  const char *wrong = systole_product_check(p);
  cr_assert_null(wrong, "rtl:%s, after %s: %s", b->model, after, wrong);
  const char *difference = kernel_compare_stats(&stats, &b->product_stats);
  cr_expect_null(difference, "rtl:%s, after %s: %s", b->model, after, difference);
}

/* The run ended with SYSTOLE_ERR_DEVICE, and registers and sentence tell why. */
static void expect_fault(const bench *b, const char *what, systole_status status,
                         int code, uint32_t index, int unit, const char *cause) {
  char start[64];
  cr_expect_eq(status, SYSTOLE_ERR_DEVICE, "rtl:%s, %s: %s", b->model, what,
               status ? systole_last_error() : "ran");
  const char *story = systole_last_error();
  const uint32_t error = read_register(b, SYSTOLE_REG_ERROR_CODE);
  cr_expect_eq(error, (uint32_t)(code | unit << 8), "rtl:%s, %s: code %u of unit %u; %s",
               b->model, what, error & 0xFF, error >> 8, story);
  cr_expect_eq(read_register(b, SYSTOLE_REG_ERROR_INDEX), index,
               "rtl:%s, %s: instruction %u; %s", b->model, what,
               read_register(b, SYSTOLE_REG_ERROR_INDEX), story);
  (void)snprintf(start, sizeof start, "instruction %u (", index);
  cr_expect_eq(strncmp(story, start, strlen(start)), 0, "%s: %s", what, story);
  (void)snprintf(start, sizeof start, "%s unit): ", systole_unit_name(unit));
  cr_expect_not_null(strstr(story, start), "rtl:%s, %s: %s", b->model, what, story);
  cr_expect_not_null(strstr(story, cause), "rtl:%s, %s: \"%s\" is not in: %s", b->model,
                     what, cause, story);
}

/* ---- the bench ----------------------------------------------------------------------
 */

static void fill_device_memory(bench *b) {
  systole_random random;
  const uint64_t dim = (uint64_t)b->g.dim;
  const uint64_t weight_bytes = b->params_at + dim * SYSTOLE_PARAM_BYTES;
  systole_card *card = b->context->card;
  const systole_card_ops *ops = b->context->ops;
  MUST(ops->alloc(card, SYSTOLE_PORT_GMEM1, sizeof b->right.at, &b->launch.program));
  MUST(ops->alloc(card, SYSTOLE_PORT_GMEM1, weight_bytes, &b->launch.weights));
  MUST(ops->alloc(card, SYSTOLE_PORT_GMEM0, b->activation_bytes, &b->launch.activations));
  uint8_t *weights = malloc((size_t)weight_bytes);
  cr_assert_not_null(weights);
  systole_random_seed(&random, 1);
  systole_random_int8(&random, (int8_t *)weights, (size_t)weight_bytes);
  for (uint64_t c = 0; c < dim;
       c++) { /* a bias of 7 c, a multiplier of 3, a shift of 9 */
    const uint64_t word = 7 * c | UINT64_C(3) << SYSTOLE_PARAM_MULTIPLIER_LSB |
                          UINT64_C(9) << SYSTOLE_PARAM_SHIFT_LSB;
    for (int i = 0; i < 8; i++) {
      weights[b->params_at + 8 * c + (uint64_t)i] = (uint8_t)(word >> (8 * i));
    }
  }
  MUST(ops->write(card, SYSTOLE_PORT_GMEM1, b->launch.weights, weights, weight_bytes));
  systole_random_int8(&random, (int8_t *)b->expected, (size_t)b->activation_bytes);
  MUST(ops->write(card, SYSTOLE_PORT_GMEM0, b->launch.activations, b->expected,
                  b->activation_bytes));
  /* What shall come out, computed from what goes in. */
  memset(b->expected + b->int8_at, 0x55, (size_t)(b->activation_bytes - b->int8_at));
  for (uint64_t r = 0; r < ROWS; r++) {
    for (uint64_t c = 0; c < dim; c++) {
      int32_t sum = 0; /* |sum| <= 2 * 256 * 2^14 */
      for (uint64_t k = 0; k < 2 * dim; k++) {
        sum += (int8_t)b->expected[(k / dim * ROWS + r) * dim + k % dim] *
               (int8_t)weights[k * dim + c];
      }
      uint8_t *raw = b->expected + b->raw_at + (r * dim + c) * 4;
      for (int i = 0; i < 4; i++) raw[i] = (uint8_t)((uint32_t)sum >> (8 * i));
      const int64_t scaled = ((int64_t)sum + 7 * (int64_t)c) * 3;
      int64_t y = (scaled - ((scaled % 512 + 512) % 512)) / 512;
      const int64_t rest = scaled - 512 * y;
      if (rest > 256 || (rest == 256 && y % 2 != 0)) y++;
      y = y < -128 ? -128 : y > 127 ? 127 : y;
      b->expected[b->int8_at + r * dim + c] = (uint8_t)y;
    }
  }
  free(weights);
}

static bench *bench_open(const char *model) {
  bench *b = calloc(1, sizeof *b);
  cr_assert_not_null(b);
  b->model = model;
  b->device = kernel_open(model, NULL);
  b->context = systole_accelerator_context(b->device->engine);
  b->rtl = systole_card_rtl_model(b->context->card, &b->api);
  MUST(systole_device_geometry(b->device, &b->g));
  const uint64_t dim = (uint64_t)b->g.dim;
  b->tile_bytes = dim * dim;
  b->params_at = ((b->g.weight_tiles + 8) * b->tile_bytes + 63) / 64 * 64;
  b->int8_at = (2 * ROWS * dim + 63) / 64 * 64;
  b->raw_at = b->int8_at + (ROWS * dim + 63) / 64 * 64;
  b->activation_bytes = b->raw_at + (ROWS * dim * 4 + 63) / 64 * 64;
  b->expected = malloc((size_t)b->activation_bytes);
  cr_assert_not_null(b->expected);
  fill_device_memory(b);
  b->right = make_right(b);
  b->launch.instructions = b->right.count;
  MUST(systole_prove(b->right.at, b->right.count, &b->g));
  spoil_results(b);
  MUST(run(b, &b->right));
  b->right_cycles = read_counter(b, SYSTOLE_COUNTER_CYCLES);
  b->product = systole_product_make((int64_t)dim + 3, 2 * (int64_t)dim + 1,
                                    2 * (int64_t)dim + 1, 1, 5, SYSTOLE_VALUES_RANDOM);
  systole_product *p = &b->product;
  MUST(systole_gemm_s8(b->device, p->m, p->n, p->k, p->a, p->lda, p->b, p->ldb, p->c,
                       p->ldc, &b->product_stats));
  expect_healthy(b, "nothing");
  return b;
}

static void bench_close(bench *b) {
  systole_device_close(b->device);
  systole_product_free(&b->product);
  free(b->expected);
  free(b);
}

/* ---- instructions that are wrong ----------------------------------------------------
 */

/* One field of one instruction gets another value. */
typedef struct edit {
  const char *what;
  int index, lsb, bits;
  int64_t value;
  int code, unit;
  const char *cause;
} edit;

#define FIELD(field) SYSTOLE_##field##_LSB, SYSTOLE_##field##_BITS

static void try_edits(bench *b, const edit *edits, size_t count) {
  for (size_t e = 0; e < count; e++) {
    program p = b->right;
    char sentence[64];
    systole_set_bits(&p.at[edits[e].index], edits[e].lsb, edits[e].bits, edits[e].value);
    expect_fault(b, edits[e].what, run(b, &p), edits[e].code, (uint32_t)edits[e].index,
                 edits[e].unit, edits[e].cause);
    expect_healthy(b, edits[e].what);
    /* The host knows the same rule. */
    cr_expect_eq(systole_prove(p.at, p.count, &b->g), SYSTOLE_ERR_ARGUMENT, "%s",
                 edits[e].what);
    (void)snprintf(sentence, sizeof sentence, "instruction %d (", edits[e].index);
    cr_expect_not_null(strstr(systole_last_error(), sentence), "%s: %s", edits[e].what,
                       systole_last_error());
    cr_expect_not_null(strstr(systole_last_error(), edits[e].cause), "%s: %s",
                       edits[e].what, systole_last_error());
  }
}

ParameterizedTestParameters(fault, instructions_that_dispatch_refuses) {
  return every_model();
}

ParameterizedTest(int *model, fault, instructions_that_dispatch_refuses) {
  static const edit edits[] = {
      {"a version of the future", LOAD, FIELD(VERSION), 2, SYSTOLE_ERROR_VERSION,
       SYSTOLE_UNIT_DISPATCH, "its version is 2, this device executes version 1"},
      {"no version", TILES, FIELD(VERSION), 0, SYSTOLE_ERROR_VERSION,
       SYSTOLE_UNIT_DISPATCH, "its version is 0"},
      {"version of END", END, FIELD(VERSION), 255, SYSTOLE_ERROR_VERSION,
       SYSTOLE_UNIT_DISPATCH, "its version is 255"},
      {"opcode 0", MATMUL, FIELD(OPCODE), 0, SYSTOLE_ERROR_OPCODE, SYSTOLE_UNIT_DISPATCH,
       "0 is no opcode"},
      {"opcode 7", STORE, FIELD(OPCODE), 7, SYSTOLE_ERROR_OPCODE, SYSTOLE_UNIT_DISPATCH,
       "7 is no opcode"},
      {"opcode 255", TILES, FIELD(OPCODE), 255, SYSTOLE_ERROR_OPCODE,
       SYSTOLE_UNIT_DISPATCH, "255 is no opcode"},
      {"reserved bit of all", TILES, 31, 1, 1, SYSTOLE_ERROR_RESERVED,
       SYSTOLE_UNIT_DISPATCH, "a reserved bit is set in its 32-bit word 0"},
      {"reserved bit of LOAD", LOAD, SYSTOLE_COPY_RAW_LSB, 1, 1, SYSTOLE_ERROR_RESERVED,
       SYSTOLE_UNIT_DISPATCH, "word 1"},
      {"reserved bit of WEIGHTS", PARAMS, 511, 1, 1, SYSTOLE_ERROR_RESERVED,
       SYSTOLE_UNIT_DISPATCH, "word 15"},
      {"reserved bit of MATMUL", MATMUL, 352, 1, 1, SYSTOLE_ERROR_RESERVED,
       SYSTOLE_UNIT_DISPATCH, "word 11"},
      {"reserved bit of ACTIVATE", ACTIVATE, 223, 1, 1, SYSTOLE_ERROR_RESERVED,
       SYSTOLE_UNIT_DISPATCH, "word 6"},
      {"reserved bit of STORE", STORE, FIELD(COPY_FILL_BYTE), 1, SYSTOLE_ERROR_RESERVED,
       SYSTOLE_UNIT_DISPATCH, "word 6"},
      {"reserved bit of END", END, 64, 1, 1, SYSTOLE_ERROR_RESERVED,
       SYSTOLE_UNIT_DISPATCH, "word 2"},
      {"END that waits", END, FIELD(WAIT), 1, SYSTOLE_ERROR_RESERVED,
       SYSTOLE_UNIT_DISPATCH, "word 0"},
      {"raw row with a residual", ACTIVATE_RAW, FIELD(ACTIVATE_RESIDUAL), 1,
       SYSTOLE_ERROR_UNSUPPORTED, SYSTOLE_UNIT_DISPATCH, "raw rows have neither"},
      {"pool without a window", ACTIVATE, FIELD(ACTIVATE_POOL), SYSTOLE_POOL_MAX,
       SYSTOLE_ERROR_COUNT, SYSTOLE_UNIT_DISPATCH, "a count is zero or too large"},
      {"LOAD of no lines", LOAD, FIELD(COPY_LINES), 0, SYSTOLE_ERROR_COUNT,
       SYSTOLE_UNIT_DISPATCH, "a count is zero or too large"},
      {"LOAD of no blocks", LOAD, FIELD(COPY_BLOCKS), 0, SYSTOLE_ERROR_COUNT,
       SYSTOLE_UNIT_DISPATCH, "a count is zero or too large"},
      {"LOAD of no rows", LOAD, FIELD(COPY_ROWS), 0, SYSTOLE_ERROR_COUNT,
       SYSTOLE_UNIT_DISPATCH, "a count is zero or too large"},
      {"LOAD of more lanes than there are", LOAD, FIELD(COPY_LAST_LANES), 257,
       SYSTOLE_ERROR_COUNT, SYSTOLE_UNIT_DISPATCH, "a count is zero or too large"},
      {"no tiles", TILES, FIELD(WEIGHTS_TILES), 0, SYSTOLE_ERROR_COUNT,
       SYSTOLE_UNIT_DISPATCH, "a count is zero or too large"},
      {"MATMUL of no rows", MATMUL, FIELD(MATMUL_ROWS1), 0, SYSTOLE_ERROR_COUNT,
       SYSTOLE_UNIT_DISPATCH, "a count is zero or too large"},
      {"MATMUL of no step", MATMUL, FIELD(MATMUL_RED2), 0, SYSTOLE_ERROR_COUNT,
       SYSTOLE_UNIT_DISPATCH, "a count is zero or too large"},
      {"ACTIVATE of no rows", ACTIVATE, FIELD(ACTIVATE_ROWS0), 0, SYSTOLE_ERROR_COUNT,
       SYSTOLE_UNIT_DISPATCH, "a count is zero or too large"},
      {"STORE of no rows", STORE_RAW, FIELD(COPY_ROWS), 0, SYSTOLE_ERROR_COUNT,
       SYSTOLE_UNIT_DISPATCH, "a count is zero or too large"},
      {"STORE of more lanes than there are", STORE_RAW, FIELD(COPY_RAW_LANES), 257,
       SYSTOLE_ERROR_COUNT, SYSTOLE_UNIT_DISPATCH, "a count is zero or too large"},
  };
  bench *b = bench_open(models[*model]);
  try_edits(b, edits, sizeof edits / sizeof edits[0]);
  bench_close(b);
}

/* An edit of an instruction that has a residual and a 2 x 2 pool over 3 x 4 rows. */
static void try_extended(bench *b, int which, const edit *e) {
  program p = b->right;
  systole_instruction *i = &p.at[which];
  SYSTOLE_SET(i, ACTIVATE_RESIDUAL, which == ACTIVATE);
  SYSTOLE_SET(i, ACTIVATE_RES_STRIDE0, 1);
  SYSTOLE_SET(i, ACTIVATE_RES_MUL, -3);
  SYSTOLE_SET(i, ACTIVATE_POOL, SYSTOLE_POOL_AVERAGE);
  SYSTOLE_SET(i, ACTIVATE_POOL_HEIGHT, 2);
  SYSTOLE_SET(i, ACTIVATE_POOL_WIDTH, 2);
  SYSTOLE_SET(i, ACTIVATE_POOL_STRIDE_W, 1);
  SYSTOLE_SET(i, ACTIVATE_POOL_IN_HEIGHT, 3);
  SYSTOLE_SET(i, ACTIVATE_POOL_IN_WIDTH, 4);
  systole_set_bits(i, e->lsb, e->bits, e->value);
  expect_fault(b, e->what, run(b, &p), e->code, (uint32_t)which, e->unit, e->cause);
  expect_healthy(b, e->what);
  cr_expect_eq(systole_prove(p.at, p.count, &b->g), SYSTOLE_ERR_ARGUMENT, "%s", e->what);
  cr_expect_not_null(strstr(systole_last_error(), e->cause), "%s: %s", e->what,
                     systole_last_error());
}

ParameterizedTestParameters(fault, residuals_and_pools) { return every_model(); }

ParameterizedTest(int *model, fault, residuals_and_pools) {
  bench *b = bench_open(models[*model]);
  cr_assert_eq(b->g.features,
               1u << SYSTOLE_FEATURE_RESIDUAL | 1u << SYSTOLE_FEATURE_POOL);
  const int64_t ub = b->g.ub_rows, half = b->g.acc_rows / 2;
  const edit edits[] = {
      {"pool mode 3", 0, FIELD(ACTIVATE_POOL), 3, SYSTOLE_ERROR_UNSUPPORTED,
       SYSTOLE_UNIT_DISPATCH, "no device has pool mode 3"},
      {"window of no lines", 0, FIELD(ACTIVATE_POOL_HEIGHT), 0, SYSTOLE_ERROR_COUNT,
       SYSTOLE_UNIT_DISPATCH, "a count is zero or too large"},
      {"image of no columns", 0, FIELD(ACTIVATE_POOL_IN_WIDTH), 0, SYSTOLE_ERROR_COUNT,
       SYSTOLE_UNIT_DISPATCH, "a count is zero or too large"},
      {"residual beyond the buffer", 0, FIELD(ACTIVATE_RES_ROW), ub - 5,
       SYSTOLE_ERROR_UB_RANGE, SYSTOLE_UNIT_ACTIVATE, "of the residual"},
      {"residual before the buffer", 0, FIELD(ACTIVATE_RES_STRIDE0), -1,
       SYSTOLE_ERROR_UB_RANGE, SYSTOLE_UNIT_ACTIVATE, "of the residual, -11 to 0"},
      {"pool in both halves", 0, FIELD(ACTIVATE_ACC_ROW), half - 5,
       SYSTOLE_ERROR_ACC_RANGE, SYSTOLE_UNIT_ACTIVATE, "lie in both halves"},
      {"pool beyond the accumulators", 0, FIELD(ACTIVATE_ACC_ROW), 2 * half - 5,
       SYSTOLE_ERROR_ACC_RANGE, SYSTOLE_UNIT_ACTIVATE, "that exist"},
  };
  for (size_t e = 0; e < sizeof edits / sizeof edits[0]; e++) {
    try_extended(b, ACTIVATE, &edits[e]);
  }
  const edit raw_maximum = {"raw maximum",
                            0,
                            FIELD(ACTIVATE_POOL),
                            SYSTOLE_POOL_MAX,
                            SYSTOLE_ERROR_UNSUPPORTED,
                            SYSTOLE_UNIT_DISPATCH,
                            "raw rows have neither"};
  try_extended(b, ACTIVATE_RAW, &raw_maximum);
  bench_close(b);
}

ParameterizedTestParameters(fault, addresses_out_of_range) { return every_model(); }

ParameterizedTest(int *model, fault, addresses_out_of_range) {
  bench *b = bench_open(models[*model]);
  const int64_t ub = b->g.ub_rows, acc = b->g.acc_rows, half = acc / 2;
  const edit edits[] = {
      {"LOAD beyond the buffer", LOAD, FIELD(COPY_UB_ROW), ub - 5, SYSTOLE_ERROR_UB_RANGE,
       SYSTOLE_UNIT_LOAD, "unified-buffer rows"},
      {"LOAD far beyond the buffer", LOAD, FIELD(COPY_UB_ROW), 0xFFFFFF,
       SYSTOLE_ERROR_UB_RANGE, SYSTOLE_UNIT_LOAD, "that exist"},
      {"LOAD before the buffer", LOAD, FIELD(COPY_UB_BLOCK_STRIDE), -1,
       SYSTOLE_ERROR_UB_RANGE, SYSTOLE_UNIT_LOAD, "unified-buffer rows -1 to"},
      {"LOAD with a long stride", LOAD, FIELD(COPY_UB_BLOCK_STRIDE), ub - 1,
       SYSTOLE_ERROR_UB_RANGE, SYSTOLE_UNIT_LOAD, "unified-buffer rows 0 to"},
      {"LOAD of too many fill rows", LOAD, FIELD(COPY_FILL_AFTER), 65535,
       SYSTOLE_ERROR_UB_RANGE, SYSTOLE_UNIT_LOAD, "unified-buffer rows 0 to"},
      {"MATMUL beyond the buffer", MATMUL, FIELD(MATMUL_UB_ROW), ub - ROWS + 1,
       SYSTOLE_ERROR_UB_RANGE, SYSTOLE_UNIT_ARRAY, "unified-buffer rows"},
      {"MATMUL before the buffer", MATMUL, FIELD(MATMUL_ROW_STRIDE0), -1,
       SYSTOLE_ERROR_UB_RANGE, SYSTOLE_UNIT_ARRAY, "unified-buffer rows -11 to"},
      {"MATMUL with a long step", MATMUL, FIELD(MATMUL_RED_STRIDE0), ub,
       SYSTOLE_ERROR_UB_RANGE, SYSTOLE_UNIT_ARRAY, "unified-buffer rows 0 to"},
      {"MATMUL beyond the accumulators", MATMUL, FIELD(MATMUL_ACC_ROW), acc - ROWS + 1,
       SYSTOLE_ERROR_ACC_RANGE, SYSTOLE_UNIT_ARRAY, "accumulator rows"},
      {"MATMUL far beyond the accumulators", MATMUL, FIELD(MATMUL_ACC_ROW), 0xFFFFFF,
       SYSTOLE_ERROR_ACC_RANGE, SYSTOLE_UNIT_ARRAY, "that exist"},
      {"MATMUL in both halves", MATMUL, FIELD(MATMUL_ACC_ROW), half - 1,
       SYSTOLE_ERROR_ACC_RANGE, SYSTOLE_UNIT_ARRAY, "lie in both halves"},
      {"ACTIVATE beyond the accumulators", ACTIVATE, FIELD(ACTIVATE_ACC_ROW), acc,
       SYSTOLE_ERROR_ACC_RANGE, SYSTOLE_UNIT_ACTIVATE, "that exist"},
      {"ACTIVATE in both halves", ACTIVATE, FIELD(ACTIVATE_ACC_ROW), half - ROWS + 1,
       SYSTOLE_ERROR_ACC_RANGE, SYSTOLE_UNIT_ACTIVATE, "lie in both halves"},
      {"raw ACTIVATE in both halves", ACTIVATE_RAW, FIELD(ACTIVATE_ACC_ROW), half - 1,
       SYSTOLE_ERROR_ACC_RANGE, SYSTOLE_UNIT_ACTIVATE, "lie in both halves"},
      {"ACTIVATE beyond the buffer", ACTIVATE, FIELD(ACTIVATE_UB_ROW), ub - 1,
       SYSTOLE_ERROR_UB_RANGE, SYSTOLE_UNIT_ACTIVATE, "unified-buffer rows"},
      {"ACTIVATE before the buffer", ACTIVATE, FIELD(ACTIVATE_UB_STRIDE0), -3,
       SYSTOLE_ERROR_UB_RANGE, SYSTOLE_UNIT_ACTIVATE, "unified-buffer rows -9 to 24"},
      {"STORE beyond the buffer", STORE, FIELD(COPY_UB_ROW), ub - ROWS + 1,
       SYSTOLE_ERROR_UB_RANGE, SYSTOLE_UNIT_STORE, "unified-buffer rows"},
      {"misaligned LOAD", LOAD, FIELD(COPY_OFFSET), 1, SYSTOLE_ERROR_ALIGN,
       SYSTOLE_UNIT_LOAD, "is not a multiple of the port's"},
      {"misaligned line of LOAD", LOAD, FIELD(COPY_MEM_LINE_STRIDE), 2,
       SYSTOLE_ERROR_ALIGN, SYSTOLE_UNIT_LOAD, "is not a multiple of the port's"},
      {"misaligned block of LOAD", LOAD, FIELD(COPY_MEM_BLOCK_STRIDE),
       -b->g.axi_bytes / 2, SYSTOLE_ERROR_ALIGN, SYSTOLE_UNIT_LOAD,
       "is not a multiple of the port's"},
      {"misaligned tiles", TILES, FIELD(WEIGHTS_OFFSET), b->g.axi_bytes - 1,
       SYSTOLE_ERROR_ALIGN, SYSTOLE_UNIT_WEIGHT, "is not a multiple of the port's"},
      {"misaligned parameters", PARAMS, FIELD(WEIGHTS_OFFSET), 1, SYSTOLE_ERROR_ALIGN,
       SYSTOLE_UNIT_WEIGHT, "is not a multiple of the port's"},
      {"misaligned STORE", STORE, FIELD(COPY_OFFSET), b->g.axi_bytes + 1,
       SYSTOLE_ERROR_ALIGN, SYSTOLE_UNIT_STORE, "is not a multiple of the port's"},
      {"misaligned raw STORE", STORE_RAW, FIELD(COPY_MEM_BLOCK_STRIDE), 1,
       SYSTOLE_ERROR_ALIGN, SYSTOLE_UNIT_STORE, "is not a multiple of the port's"},
  };
  try_edits(b, edits, sizeof edits / sizeof edits[0]);
  bench_close(b);
}

/* The program's end is where the number of instructions says. */
ParameterizedTestParameters(fault, end_is_the_last_and_only_the_last) {
  return every_model();
}

ParameterizedTest(int *model, fault, end_is_the_last_and_only_the_last) {
  static const char *const cause = "last instruction must be END, and END must be the";
  bench *b = bench_open(models[*model]);
  program p = b->right;
  p.count = END; /* the one before is the last */
  expect_fault(b, "no END", run(b, &p), SYSTOLE_ERROR_NO_END, STORE_RAW,
               SYSTOLE_UNIT_DISPATCH, cause);
  expect_healthy(b, "no END");
  p.count = 1;
  expect_fault(b, "one that is none", run(b, &p), SYSTOLE_ERROR_NO_END, 0,
               SYSTOLE_UNIT_DISPATCH, cause);
  expect_healthy(b, "one that is none");
  for (int at = TILES; at <= STORE_RAW; at++) {
    p = b->right;
    p.at[at] = p.at[END];
    expect_fault(b, "END too early", run(b, &p), SYSTOLE_ERROR_NO_END, (uint32_t)at,
                 SYSTOLE_UNIT_DISPATCH, cause);
    expect_healthy(b, "END too early");
  }
  p = b->right;
  p.count = 0;
  expect_fault(b, "no instruction", run(b, &p), SYSTOLE_ERROR_NO_END, 0,
               SYSTOLE_UNIT_DISPATCH, cause);
  expect_healthy(b, "no instruction");
  p.count = 1;
  p.at[0] = p.at[END];
  cr_expect_eq(run(b, &p), SYSTOLE_OK, "END alone does nothing: %s",
               systole_last_error());
  expect_healthy(b, "END alone");
  bench_close(b);
}

ParameterizedTestParameters(fault, the_library_refuses_an_empty_program) {
  return every_model();
}

ParameterizedTest(int *model, fault, the_library_refuses_an_empty_program) {
  systole_device *device = kernel_open(models[*model], NULL);
  systole_buffer *code = NULL, *weights = NULL, *activations = NULL;
  MUST(systole_buffer_create(&code, device, SYSTOLE_PORT_GMEM1, 64));
  MUST(systole_buffer_create(&weights, device, SYSTOLE_PORT_GMEM1, 64));
  MUST(systole_buffer_create(&activations, device, SYSTOLE_PORT_GMEM0, 64));
  cr_expect_eq(systole_run(device, code, 0, weights, activations, NULL),
               SYSTOLE_ERR_ARGUMENT);
  cr_expect_not_null(strstr(systole_last_error(), "0 instructions"), "%s",
                     systole_last_error());
  systole_buffer_free(code);
  systole_buffer_free(weights);
  systole_buffer_free(activations);
  systole_device_close(device);
}

ParameterizedTestParameters(fault, pointers_are_whole_blocks) { return every_model(); }

ParameterizedTest(int *model, fault, pointers_are_whole_blocks) {
  bench *b = bench_open(models[*model]);
  put_program(b, &b->right);
  for (int which = 0; which < 3; which++) {
    for (uint64_t by = 1; by < 64; by *= 2) {
      systole_launch at = b->launch;
      if (which == 0) at.program += by;
      if (which == 1) at.weights += by;
      if (which == 2) at.activations += by;
      expect_fault(b, "pointer", launch(b, &at), SYSTOLE_ERROR_ALIGN, 0,
                   SYSTOLE_UNIT_DISPATCH, "pointer");
      expect_healthy(b, "pointer");
    }
  }
  bench_close(b);
}

/* ---- memory that answers with errors ------------------------------------------------
 */

ParameterizedTestParameters(fault, error_answers_of_the_memory) { return every_model(); }

ParameterizedTest(int *model, fault, error_answers_of_the_memory) {
  bench *b = bench_open(models[*model]);
  const uint64_t dim = (uint64_t)b->g.dim, beat = (uint64_t)b->g.axi_bytes;
  const systole_launch *l = &b->launch;
  const struct {
    const char *what;
    int port, channels;
    uint64_t first, last;
    uint32_t index;
    int unit;
  } cases[] = {
      {"the first instruction", 1, SYSTOLE_AXI_R, l->program, l->program, 0,
       SYSTOLE_UNIT_FETCH},
      {"the end of the first instruction", 1, SYSTOLE_AXI_R, l->program + 63,
       l->program + 63, 0, SYSTOLE_UNIT_FETCH},
      {"an instruction", 1, SYSTOLE_AXI_R, l->program + 64 * LOAD,
       l->program + 64 * LOAD + 7, LOAD, SYSTOLE_UNIT_FETCH},
      {"the last instruction", 1, SYSTOLE_AXI_R, l->program + 64 * END,
       l->program + 64 * END + 63, END, SYSTOLE_UNIT_FETCH},
      {"the first tile", 1, SYSTOLE_AXI_R, l->weights, l->weights, TILES,
       SYSTOLE_UNIT_WEIGHT},
      {"the last beat of tiles", 1, SYSTOLE_AXI_R, l->weights + 2 * b->tile_bytes - beat,
       l->weights + 2 * b->tile_bytes - 1, TILES, SYSTOLE_UNIT_WEIGHT},
      {"parameters", 1, SYSTOLE_AXI_R, l->weights + b->params_at,
       l->weights + b->params_at, PARAMS, SYSTOLE_UNIT_WEIGHT},
      {"the first row", 0, SYSTOLE_AXI_R, l->activations, l->activations, LOAD,
       SYSTOLE_UNIT_LOAD},
      {"all rows", 0, SYSTOLE_AXI_R, l->activations, l->activations + 2 * ROWS * dim - 1,
       LOAD, SYSTOLE_UNIT_LOAD},
      {"the last row", 0, SYSTOLE_AXI_R, l->activations + 2 * ROWS * dim - 1,
       l->activations + 2 * ROWS * dim - 1, LOAD, SYSTOLE_UNIT_LOAD},
      {"int8 results", 0, SYSTOLE_AXI_B, l->activations + b->int8_at,
       l->activations + b->int8_at, STORE, SYSTOLE_UNIT_STORE},
      {"the last raw result", 0, SYSTOLE_AXI_B,
       l->activations + b->raw_at + ROWS * dim * 4 - 1,
       l->activations + b->raw_at + ROWS * dim * 4 - 1, STORE_RAW, SYSTOLE_UNIT_STORE},
  };
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    for (int decode = 0; decode < 2; decode++) {
      const systole_axi_fault fault = {cases[c].first, cases[c].last, cases[c].channels,
                                       decode ? SYSTOLE_AXI_DECERR : SYSTOLE_AXI_SLVERR,
                                       0};
      cr_assert_eq(b->api->fault(b->rtl, cases[c].port, &fault), 0);
      const systole_status status = run(b, &b->right);
      expect_fault(b, cases[c].what, status,
                   decode ? SYSTOLE_ERROR_DECODE : SYSTOLE_ERROR_SLAVE, cases[c].index,
                   cases[c].unit,
                   decode ? "(DECERR); it is outside device memory"
                          : "the memory answered SLVERR to the burst at address ...");
      b->api->heal(b->rtl, cases[c].port);
      expect_healthy(b, cases[c].what);
    }
  }
  bench_close(b);
}

/* ---- runs that stand still ----------------------------------------------------------
 */

/* The watchdog ends them, in its time. */
static void expect_watchdog(bench *b, const char *what, const program *p, uint32_t index,
                            int unit, const char *cause) {
  const uint64_t patience = read_register(b, SYSTOLE_REG_WATCHDOG);
  expect_fault(b, what, run(b, p), SYSTOLE_ERROR_TOKEN, index, unit, cause);
  const uint64_t cycles = read_counter(b, SYSTOLE_COUNTER_CYCLES);
  /* Before that, tiles may have come until the FIFO and what is on the way were full. */
  const uint64_t tile = (uint64_t)(b->g.dim * b->g.dim / b->g.axi_bytes);
  const uint64_t before = b->right_cycles + 1000 + 2 * b->g.weight_tiles * tile;
  cr_expect(cycles >= patience && cycles < patience + before,
            "rtl:%s, %s: %" PRIu64 " cycles", b->model, what, cycles);
  cr_expect_eq(systole_prove(p->at, p->count, &b->g), SYSTOLE_ERR_ARGUMENT,
               "%s: the proof finds it first", what);
  expect_healthy(b, what);
}

ParameterizedTestParameters(fault, tokens_that_never_come) { return every_model(); }

ParameterizedTest(int *model, fault, tokens_that_never_come) {
  bench *b = bench_open(models[*model]);
  /* Who waits for whom; none of them is given such a token. */
  static const struct {
    int index, from;
  } cases[] = {{PARAMS, SYSTOLE_UNIT_STORE},
               {LOAD, SYSTOLE_UNIT_ARRAY},
               {MATMUL, SYSTOLE_UNIT_ACTIVATE},
               {ACTIVATE_RAW, SYSTOLE_UNIT_LOAD},
               {STORE, SYSTOLE_UNIT_WEIGHT}};
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    program p = b->right;
    char cause[96];
    systole_instruction *i = &p.at[cases[c].index];
    SYSTOLE_SET(i, WAIT, (int64_t)SYSTOLE_GET(i, WAIT) | bit(cases[c].from));
    (void)snprintf(cause, sizeof cause,
                   "it waits for a token from the %s unit that never came",
                   systole_unit_name(cases[c].from));
    expect_watchdog(b, "a token that nobody gives", &p, (uint32_t)cases[c].index,
                    systole_opcode_unit((int)SYSTOLE_GET(i, OPCODE)), cause);
  }
  bench_close(b);
}

ParameterizedTestParameters(fault, data_that_never_come) { return every_model(); }

ParameterizedTest(int *model, fault, data_that_never_come) {
  bench *b = bench_open(models[*model]);
  program p = b->right;
  SYSTOLE_SET(&p.at[TILES], WEIGHTS_TILES, 1);
  SYSTOLE_SET(&p.at[ACTIVATE], WAIT, 0); /* else it waits for MATMUL, too */
  expect_watchdog(b, "a tile too few", &p, MATMUL, SYSTOLE_UNIT_ARRAY,
                  "weight tiles that no WEIGHTS brings");

  p = b->right;
  p.at[STORE_RAW] = p.at[END];
  p.count = STORE_RAW + 1;
  expect_watchdog(b, "raw rows that nobody takes", &p, ACTIVATE_RAW,
                  SYSTOLE_UNIT_ACTIVATE, "a STORE that takes its raw rows");

  p = b->right;
  p.at[ACTIVATE_RAW] = p.at[STORE_RAW];
  p.at[STORE_RAW] = p.at[END];
  p.count = STORE_RAW + 1;
  expect_watchdog(b, "raw rows that nobody makes", &p, ACTIVATE_RAW, SYSTOLE_UNIT_STORE,
                  "raw rows that no ACTIVATE makes");

  p = b->right;
  SYSTOLE_SET(&p.at[ACTIVATE_RAW], ACTIVATE_ROWS0, ROWS - 1);
  expect_watchdog(b, "a raw row too few", &p, STORE_RAW, SYSTOLE_UNIT_STORE,
                  "raw rows that no ACTIVATE makes");

  /* More tiles than the FIFO, the shadow registers and MATMUL take. */
  p = b->right;
  SYSTOLE_SET(&p.at[TILES], WEIGHTS_TILES, b->g.weight_tiles + 8);
  p.at[PARAMS] = p.at[LOAD];
  p.at[LOAD] = p.at[MATMUL];
  p.at[MATMUL] = p.at[END];
  p.count = MATMUL + 1;
  SYSTOLE_SET(&p.at[LOAD], GIVE, 0);
  expect_watchdog(b, "tiles too many", &p, TILES, SYSTOLE_UNIT_WEIGHT,
                  "room in the weight FIFO, whose tiles no MATMUL takes");
  bench_close(b);
}

/* A counter of tokens that is full: an error at once. */
ParameterizedTestParameters(fault, tokens_beyond_their_counter) { return every_model(); }

ParameterizedTest(int *model, fault, tokens_beyond_their_counter) {
  enum { FULL = (1 << SYSTOLE_TOKEN_BITS) - 1 };
  bench *b = bench_open(models[*model]);
  program p = b->right;
  for (int n = 0; n <= FULL; n++) {
    p.at[n] = b->right.at[LOAD];
    SYSTOLE_SET(&p.at[n], GIVE, bit(SYSTOLE_UNIT_STORE));
  }
  p.at[FULL] = b->right.at[END];
  p.count = FULL + 1;
  cr_expect_eq(run(b, &p), SYSTOLE_OK, "as many as a counter holds: %s",
               systole_last_error());
  expect_healthy(b, "a full counter");
  p.at[FULL + 1] = p.at[FULL];
  p.at[FULL] = p.at[0];
  p.count = FULL + 2;
  expect_fault(b, "a token more", run(b, &p), SYSTOLE_ERROR_TOKEN, FULL,
               SYSTOLE_UNIT_LOAD, "the store unit has 63 tokens from it already");
  cr_expect_lt(read_counter(b, SYSTOLE_COUNTER_CYCLES),
               read_register(b, SYSTOLE_REG_WATCHDOG));
  expect_healthy(b, "a counter too full");
  bench_close(b);
}

/* ---- what a run leaves behind -------------------------------------------------------
 */

/* Tiles and tokens that nobody used are gone when the next run begins. */
ParameterizedTestParameters(fault, leftovers_do_not_reach_the_next_run) {
  return every_model();
}

ParameterizedTest(int *model, fault, leftovers_do_not_reach_the_next_run) {
  bench *b = bench_open(models[*model]);
  for (int64_t tiles = 3; tiles <= (int64_t)b->g.weight_tiles; tiles++) {
    program p = b->right;
    SYSTOLE_SET(&p.at[TILES], WEIGHTS_TILES, tiles);
    cr_expect_eq(run(b, &p), SYSTOLE_OK, "%s", systole_last_error());
    expect_healthy(b, "tiles that nobody used");
    if (tiles > 5) tiles += 20;
  }
  for (int giver = TILES; giver <= STORE_RAW; giver++) {
    program p = b->right;
    const unsigned give = (unsigned)SYSTOLE_GET(&p.at[giver], GIVE);
    SYSTOLE_SET(&p.at[giver], GIVE, give | 0x1F);
    cr_expect_eq(run(b, &p), SYSTOLE_OK, "%s", systole_last_error());
    expect_healthy(b, "tokens that nobody took");
  }
  bench_close(b);
}

/* ---- faults under back-pressure -----------------------------------------------------
 */

/* Of each port: where device memory begins. */
static uint64_t memory_begin(const systole_run_context *context, systole_port port) {
  uint64_t address = 0;
  MUST(context->ops->alloc(context->card, port, 1, &address));
  context->ops->free(context->card, port, address);
  return address;
}

static systole_stats expect_product(systole_device *device, systole_product *p,
                                    const char *model, uint64_t seed) {
  systole_stats stats;
  systole_product_reset(p);
  const systole_status status = systole_gemm_s8(device, p->m, p->n, p->k, p->a, p->lda,
                                                p->b, p->ldb, p->c, p->ldc, &stats);
  cr_assert_eq(status, SYSTOLE_OK, "rtl:%s, SYSTOLE_TEST_SEED=%" PRIu64 ": %s", model,
               seed, systole_last_error());
  const char *wrong = systole_product_check(p);
  cr_assert_null(wrong, "rtl:%s, SYSTOLE_TEST_SEED=%" PRIu64 ": %s", model, seed, wrong);
  return stats;
}

/* Random stalls move the moment of an error against everything else that is under way. */
ParameterizedTestParameters(fault, memory_may_fail_at_any_moment) {
  return every_model();
}

ParameterizedTest(int *model, fault, memory_may_fail_at_any_moment) {
  int runs = 0, failures = 0;
  for (seeds s = kernel_seeds(kernel_long() ? 60 : 15); s.seed <= s.last; s.seed++) {
    systole_random random;
    systole_device_options options = kernel_options();
    const systole_rtl_api *api = NULL;
    systole_geometry g;
    options.stall_seed = s.seed;
    systole_random_seed(&random, s.seed);
    systole_device *device = kernel_open(models[*model], &options);
    const systole_run_context *context = systole_accelerator_context(device->engine);
    systole_rtl *rtl = systole_card_rtl_model(context->card, &api);
    const uint64_t begin[2] = {memory_begin(context, SYSTOLE_PORT_GMEM0),
                               memory_begin(context, SYSTOLE_PORT_GMEM1)};
    MUST(systole_device_geometry(device, &g));
    systole_product p = systole_product_make(3 * g.dim + 1, 2 * g.dim, 3 * g.dim, 0,
                                             s.seed, SYSTOLE_VALUES_RANDOM);
    for (int round = 0; round < 8; round++) {
      const systole_stats stats = expect_product(device, &p, models[*model], s.seed);
      /* Anywhere in what the product reads or writes: it is all there is. */
      const int port = (int)systole_random_below(&random, 2);
      const uint64_t bytes = port ? stats.gmem1_read_bytes
                                  : stats.gmem0_read_bytes + stats.gmem0_write_bytes;
      const uint64_t at = begin[port] + systole_random_below(&random, bytes);
      const int response =
          systole_random_below(&random, 2) ? SYSTOLE_AXI_DECERR : SYSTOLE_AXI_SLVERR;
      const systole_axi_fault fault = {at, at + systole_random_below(&random, 300),
                                       SYSTOLE_AXI_R | SYSTOLE_AXI_B, response, 0};
      cr_assert_eq(api->fault(rtl, port, &fault), 0);
      const systole_status status = systole_gemm_s8(device, p.m, p.n, p.k, p.a, p.lda,
                                                    p.b, p.ldb, p.c, p.ldc, NULL);
      cr_assert(status == SYSTOLE_ERR_DEVICE || status == SYSTOLE_OK,
                "rtl:%s, SYSTOLE_TEST_SEED=%" PRIu64 ": %s", models[*model], s.seed,
                systole_last_error());
      if (status) {
        cr_expect_eq(strncmp(systole_last_error(), "instruction ", 12), 0, "%s",
                     systole_last_error());
      }
      runs++;
      failures += status != SYSTOLE_OK;
      api->heal(rtl, port);
    }
    (void)expect_product(device, &p, models[*model], s.seed);
    systole_product_free(&p);
    systole_device_close(device);
  }
  if (runs > 100) cr_expect_gt(4 * failures, runs, "%d of %d failed", failures, runs);
}

/* ---- any program --------------------------------------------------------------------
 */

/* Changes a few bits of a stream that is right, most of them in fields. */
static void spoil_stream(stream *s, systole_random *random) {
  const uint64_t flips = 1 + systole_random_below(random, 3);
  for (uint64_t f = 0; f < flips; f++) {
    systole_instruction *i = &s->at[systole_random_below(random, s->count)];
    const systole_instruction mask = systole_opcode_mask((int)SYSTOLE_GET(i, OPCODE));
    const int anywhere = systole_random_below(random, 10) == 0;
    uint64_t place = systole_random_below(random, SYSTOLE_INSTRUCTION_BITS);
    while (!anywhere && !(mask.bytes[place / 8] >> place % 8 & 1)) {
      place = (place + 1) % SYSTOLE_INSTRUCTION_BITS;
    }
    i->bytes[place / 8] = (uint8_t)(i->bytes[place / 8] ^ 1u << place % 8);
  }
}

static systole_status run_stream(systole_device *device, const stream *s) {
  systole_buffer *code = NULL, *weights = NULL, *activations = NULL;
  const uint64_t bytes = (uint64_t)s->count * sizeof *s->at;
  MUST(systole_buffer_create(&code, device, SYSTOLE_PORT_GMEM1, bytes));
  MUST(systole_buffer_create(&weights, device, SYSTOLE_PORT_GMEM1, s->weight_bytes));
  MUST(systole_buffer_create(&activations, device, SYSTOLE_PORT_GMEM0,
                             s->activation_bytes));
  MUST(systole_buffer_write(code, 0, s->at, bytes));
  MUST(systole_buffer_write(weights, 0, s->weights, s->weight_bytes));
  MUST(systole_buffer_write(activations, 0, s->activations, s->activation_bytes));
  const systole_status status =
      systole_run(device, code, s->count, weights, activations, NULL);
  systole_buffer_free(activations);
  systole_buffer_free(weights);
  systole_buffer_free(code);
  return status;
}

/* Whatever a program does, the run ends by itself, and the next product is right. */
ParameterizedTestParameters(fault, no_program_wedges_the_card) { return every_model(); }

ParameterizedTest(int *model, fault, no_program_wedges_the_card) {
  systole_device *devices[2];
  systole_geometry g;
  int runs = 0, failures = 0;
  for (int d = 0; d < 2; d++) {
    systole_device_options options = kernel_options();
    options.stall_seed = (uint64_t)d;
    options.memory_bytes = 1 << 24; /* what runs astray soon leaves it */
    devices[d] = kernel_open(models[*model], &options);
  }
  MUST(systole_device_geometry(devices[0], &g));
  systole_product p = systole_product_make(g.dim + 3, 2 * g.dim + 1, 3 * g.dim - 1, 0, 1,
                                           SYSTOLE_VALUES_RANDOM);
  for (seeds n = kernel_seeds(kernel_long() ? 600 : 100); n.seed <= n.last; n.seed++) {
    systole_device *device = devices[n.seed % 2];
    systole_random random;
    stream s = stream_make(&g, n.seed);
    systole_random_seed(&random, n.seed);
    spoil_stream(&s, &random);
    const systole_status status = run_stream(device, &s);
    if (status != SYSTOLE_OK &&
        (status != SYSTOLE_ERR_DEVICE ||
         strncmp(systole_last_error(), "instruction ", strlen("instruction ")) != 0)) {
      stream_print(stderr, &s);
      cr_assert(0, "rtl:%s, SYSTOLE_TEST_SEED=%" PRIu64 ": %s", models[*model], n.seed,
                systole_last_error());
    }
    runs++;
    failures += status != SYSTOLE_OK;
    (void)expect_product(device, &p, models[*model], n.seed);
    stream_free(&s);
  }
  if (runs > 10) cr_expect_gt(4 * failures, runs, "%d of %d failed", failures, runs);
  systole_product_free(&p);
  for (int d = 0; d < 2; d++) systole_device_close(devices[d]);
}
