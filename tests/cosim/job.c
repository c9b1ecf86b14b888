#include "job.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "program/instruction.h"
#include "support/memory.h"
#include "support/random.h"

enum { INSTRUCTIONS = 6 };

#define MUST(call)                                                            \
  do {                                                                        \
    const systole_status status_ = (call);                                    \
    cr_assert_eq(status_, SYSTOLE_OK, "%s: %s", #call, systole_last_error()); \
  } while (0)

systole_device_options job_options(void) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.check_protocol = 1;
  return options;
}

/* Of A in device memory, up to where the results begin. */
static uint64_t operand_bytes(const job *j) {
  return systole_round_up((uint64_t)j->rows * (uint64_t)j->dim, SYSTOLE_BLOCK_ALIGN);
}

static void write_program(const job *j, systole_instruction *p) {
  p[0] = systole_instruction_make(SYSTOLE_OP_WEIGHTS, 0, 0);
  SYSTOLE_SET(&p[0], WEIGHTS_TILES, j->tiles);
  p[1] = systole_instruction_make(SYSTOLE_OP_LOAD, 0, 1u << SYSTOLE_UNIT_ARRAY);
  SYSTOLE_SET(&p[1], COPY_ROWS, j->rows);
  SYSTOLE_SET(&p[1], COPY_LINES, 1);
  SYSTOLE_SET(&p[1], COPY_BLOCKS, 1);
  p[2] = systole_instruction_make(SYSTOLE_OP_MATMUL, 1u << SYSTOLE_UNIT_LOAD,
                                  1u << SYSTOLE_UNIT_ACTIVATE);
  SYSTOLE_SET(&p[2], MATMUL_ROWS0, j->rows);
  SYSTOLE_SET(&p[2], MATMUL_ROWS1, 1);
  SYSTOLE_SET(&p[2], MATMUL_ROW_STRIDE0, 1);
  SYSTOLE_SET(&p[2], MATMUL_RED0, j->tiles); /* stride 0: the same rows for every tile */
  SYSTOLE_SET(&p[2], MATMUL_RED1, 1);
  SYSTOLE_SET(&p[2], MATMUL_RED2, 1);
  p[3] = systole_instruction_make(SYSTOLE_OP_ACTIVATE, 1u << SYSTOLE_UNIT_ARRAY, 0);
  SYSTOLE_SET(&p[3], ACTIVATE_RAW, 1);
  SYSTOLE_SET(&p[3], ACTIVATE_ROWS0, j->rows);
  SYSTOLE_SET(&p[3], ACTIVATE_ROWS1, 1);
  p[4] = systole_instruction_make(SYSTOLE_OP_STORE, 0, 0);
  SYSTOLE_SET(&p[4], COPY_RAW, 1);
  SYSTOLE_SET(&p[4], COPY_OFFSET, (int64_t)operand_bytes(j));
  SYSTOLE_SET(&p[4], COPY_ROWS, j->rows);
  SYSTOLE_SET(&p[4], COPY_LINES, 1);
  SYSTOLE_SET(&p[4], COPY_BLOCKS, 1);
  p[5] = systole_instruction_make(SYSTOLE_OP_END, 0, 0);
}

static void multiply(job *j) {
  const size_t dim = (size_t)j->dim;
  for (size_t row = 0; row < j->rows; row++) {
    for (size_t column = 0; column < dim; column++) {
      int32_t sum = 0; /* |sum| <= 64 tiles * 256 * 2^14 = 2^28 */
      for (size_t k = 0; k < dim; k++) {
        for (size_t t = 0; t < j->tiles; t++) {
          sum += j->a[row * dim + k] * j->w[t * dim * dim + k * dim + column];
        }
      }
      j->expected[row * dim + column] = sum;
    }
  }
}

job job_open(const char *what, const systole_device_options *options, uint32_t rows,
             uint32_t tiles, uint64_t seed) {
  job j = {0};
  systole_instruction program[INSTRUCTIONS];
  systole_random random;
  cr_assert(rows >= 1 && rows <= 512 && tiles >= 1 && tiles <= 64);
  MUST(systole_card_rtl.open(&j.card, what, options));
  j.model = systole_card_rtl_model(j.card, &j.api);
  j.rows = rows;
  j.tiles = tiles;
  j.dim = j.api->dim;
  const size_t dim = (size_t)j.dim, a_bytes = rows * dim, w_bytes = tiles * dim * dim;
  j.a = malloc(a_bytes);
  j.w = malloc(w_bytes);
  j.c = malloc(a_bytes * sizeof *j.c);
  j.expected = malloc(a_bytes * sizeof *j.expected);
  cr_assert(j.a && j.w && j.c && j.expected);
  systole_random_seed(&random, seed);
  systole_random_int8(&random, j.a, a_bytes);
  systole_random_int8(&random, j.w, w_bytes);
  multiply(&j);
  write_program(&j, program);
  MUST(systole_card_rtl.alloc(j.card, SYSTOLE_PORT_GMEM1, sizeof program,
                              &j.launch.program));
  MUST(systole_card_rtl.alloc(j.card, SYSTOLE_PORT_GMEM1, w_bytes, &j.launch.weights));
  MUST(systole_card_rtl.alloc(j.card, SYSTOLE_PORT_GMEM0,
                              operand_bytes(&j) + job_result_bytes(&j),
                              &j.launch.activations));
  j.launch.instructions = INSTRUCTIONS;
  MUST(systole_card_rtl.write(j.card, SYSTOLE_PORT_GMEM1, j.launch.program, program,
                              sizeof program));
  MUST(
      systole_card_rtl.write(j.card, SYSTOLE_PORT_GMEM1, j.launch.weights, j.w, w_bytes));
  MUST(systole_card_rtl.write(j.card, SYSTOLE_PORT_GMEM0, j.launch.activations, j.a,
                              a_bytes));
  return j;
}

void job_close(job *j) {
  systole_card_rtl.close(j->card);
  free(j->a);
  free(j->w);
  free(j->c);
  free(j->expected);
}

uint64_t job_results(const job *j) { return j->launch.activations + operand_bytes(j); }

uint64_t job_result_bytes(const job *j) {
  return (uint64_t)j->rows * (uint64_t)j->dim * sizeof(int32_t);
}

void job_spoil(job *j) {
  memset(j->c, 0x55, (size_t)job_result_bytes(j));
  MUST(systole_card_rtl.write(j->card, SYSTOLE_PORT_GMEM0, job_results(j), j->c,
                              job_result_bytes(j)));
}

void job_start(job *j) { MUST(systole_card_rtl.start(j->card, &j->launch)); }

systole_status job_wait(job *j, uint32_t slice_ms) {
  int done = 0;
  systole_status status = SYSTOLE_OK;
  while (!done && !status) status = systole_card_rtl.wait(j->card, slice_ms, &done);
  return status;
}

systole_status job_run(job *j) {
  job_spoil(j);
  job_start(j);
  return job_wait(j, 100);
}

void job_expect_right(job *j) {
  const uint32_t code = job_register(j, SYSTOLE_REG_ERROR_CODE);
  cr_assert_eq(code, SYSTOLE_ERROR_NONE, "error code 0x%x at instruction %u", code,
               job_register(j, SYSTOLE_REG_ERROR_INDEX));
  MUST(systole_card_rtl.read(j->card, SYSTOLE_PORT_GMEM0, job_results(j), j->c,
                             job_result_bytes(j)));
  for (uint32_t i = 0; i < j->rows * (uint32_t)j->dim; i++) {
    cr_assert_eq(j->c[i], j->expected[i], "row %u, column %u is %d, not %d",
                 i / (uint32_t)j->dim, i % (uint32_t)j->dim, j->c[i], j->expected[i]);
  }
}

uint32_t job_register(job *j, uint32_t offset) {
  uint32_t value = 0;
  MUST(systole_card_rtl.read_register(j->card, offset, &value));
  return value;
}

uint64_t job_counter(job *j, int counter) {
  const uint32_t offset = (uint32_t)(SYSTOLE_REG_COUNTERS + 8 * counter);
  return job_register(j, offset) | (uint64_t)job_register(j, offset + 4) << 32;
}
