#include "gemms.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "program/program.h"
#include "program/schedule.h"
#include "support/memory.h"
#include "support/random.h"

static void must(int good, const gemm_product *p) {
  if (good) return;
  (void)fprintf(stderr, "%" PRId64 " x %" PRId64 " x %" PRId64 ": %s\n", p->m, p->n, p->k,
                systole_last_error());
  abort();
}

static int64_t between(systole_random *random, int64_t low, int64_t high) {
  return low + (int64_t)(systole_random_next(random) % (uint64_t)(high - low + 1));
}

/* Sizes that make another edge each: one, less than the array, its multiples and their
 * neighbours, anything. */
static int64_t draw_size(systole_random *random, int64_t dim, int64_t most) {
  int64_t size;
  switch (between(random, 0, 5)) {
    case 0:
      size = between(random, 1, dim);
      break;
    case 1:
      size = dim * between(random, 1, most / dim);
      break;
    case 2:
      size = dim * between(random, 1, most / dim) + between(random, -1, 1);
      break;
    default:
      size = between(random, 1, most);
  }
  return size < 1 ? 1 : size;
}

gemm_product gemm_draw(const systole_geometry *geometry, uint64_t seed) {
  systole_random random;
  gemm_product p;
  const int64_t dim = geometry->dim;
  systole_random_seed(&random, seed);
  do {
    p.m = draw_size(&random, dim, between(&random, 0, 3) == 0 ? 1500 : 12 * dim);
    p.n = draw_size(&random, dim, 16 * dim);
    p.k = draw_size(&random, dim, between(&random, 0, 3) == 0 ? 64 * dim : 12 * dim);
  } while ((p.m + dim) * systole_ceil_div(p.n, dim) * systole_ceil_div(p.k, dim) > 40000);
  p.int8_results = (int)between(&random, 0, 1);
  p.bias = (int)between(&random, 0, 1);
  p.choice = between(&random, 0, 2) == 0 ? systole_random_next(&random) | 1 : 0;
  return p;
}

/* A plan that differs from the usual one as `seed` says, if such a one fits. */
static void vary(systole_program *program, const systole_geometry *geometry,
                 const systole_weights_layout *layout, uint64_t seed) {
  systole_random random;
  systole_plan plan;
  systole_random_seed(&random, seed);
  for (int attempt = 0; attempt < 4; attempt++) {
    const systole_plan_choice choice = {
        .rows = between(&random, 1, geometry->acc_rows / 2),
        .pieces = between(&random, 0, 8),
        .rolling = between(&random, 0, 2)};
    if (systole_plan_choose(&plan, geometry, layout, &program->spec, &choice) !=
            SYSTOLE_OK ||
        plan.steps > SYSTOLE_PROGRAM_MAX_STEPS) {
      continue;
    }
    systole_program other = {.spec = program->spec, .plan = plan};
    if (systole_schedule(&other, geometry, layout) == SYSTOLE_OK &&
        systole_prove(other.instructions, other.count, geometry) == SYSTOLE_OK) {
      systole_release(program->instructions);
      *program = other;
      return;
    }
    systole_release(other.instructions);
  }
}

/* Random columns whose shifts are 0 ... 47. */
static void draw_parameters(systole_random *random, const systole_weights_layout *layout,
                            int64_t dim, uint8_t *weights) {
  for (int64_t c = 0; c < layout->n_blocks * dim; c++) {
    uint8_t *word = weights + layout->params_offset +
                    (uint64_t)(c / dim) * layout->params_block_bytes +
                    (uint64_t)(c % dim) * SYSTOLE_PARAM_BYTES;
    uint64_t value = systole_random_next(random);
    value &=
        ~(((UINT64_C(1) << SYSTOLE_PARAM_SHIFT_BITS) - 1) << SYSTOLE_PARAM_SHIFT_LSB);
    value |= (uint64_t)between(random, 16, 28) << SYSTOLE_PARAM_SHIFT_LSB;
    for (int i = 0; i < 8; i++) word[i] = (uint8_t)(value >> (8 * i));
  }
}

stream gemm_stream(const systole_geometry *geometry, const gemm_product *p,
                   const char *memory, uint64_t seed) {
  stream s = {*geometry, seed, NULL, 0, NULL, NULL, 0, 0};
  systole_weights_layout layout;
  systole_memory_timing timing;
  systole_program *program;
  systole_random random;
  must(systole_weights_layout_make(&layout, geometry->dim, geometry->axi_bytes, p->n,
                                   p->k) == SYSTOLE_OK,
       p);
  must(systole_memory_timing_of(&timing, memory, geometry->axi_bytes, 0) == SYSTOLE_OK,
       p);
  const systole_gemm_spec spec = {.m = p->m,
                                  .first_block = 0,
                                  .n_blocks = layout.n_blocks,
                                  .requantise = p->int8_results,
                                  .bias = p->bias,
                                  .clamp_low = seed % 2 == 0 ? 0 : -128, /* relu */
                                  .clamp_high = 127};
  must(
      systole_program_make_for(&program, geometry, &layout, &spec, &timing) == SYSTOLE_OK,
      p);
  if (p->choice != 0) vary(program, geometry, &layout, p->choice);
  s.count = program->count;
  s.at = malloc(s.count * sizeof *s.at);
  s.activation_bytes = program->plan.bytes;
  s.weight_bytes = layout.bytes;
  s.activations = malloc((size_t)s.activation_bytes);
  s.weights = malloc((size_t)s.weight_bytes);
  must(s.at && s.activations && s.weights, p);
  memcpy(s.at, program->instructions, s.count * sizeof *s.at);
  systole_program_free(program);
  systole_random_seed(&random, seed);
  systole_random_int8(&random, (int8_t *)s.activations, (size_t)s.activation_bytes);
  systole_random_int8(&random, (int8_t *)s.weights, (size_t)s.weight_bytes);
  draw_parameters(&random, &layout, geometry->dim, s.weights);
  return s;
}
