/* Random command streams, right and spoilt, on the SystemC platform and on the model: the
 * same results, the same cycles in every part of the ledger, the same errors. The model
 * itself is held to the interpreter and to the RTL in tests/cosim. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "model/model.h"
#include "support/random.h"

static const char *const memories[] = {"ideal", "ddr4", "hbm2", "ideal+gmem1=1GB/s"};
enum { MEMORIES = sizeof memories / sizeof memories[0] };

static uint64_t most_seeds(uint64_t few) {
  return getenv("SYSTOLE_TEST_LONG") != NULL ? 20 * few : few;
}

/* "16" on the model, and the same on a platform. */
typedef struct pair {
  systole_card *model, *systemc;
  systole_geometry g;
} pair;

static pair open_pair(int dim, const char *mode, const char *memory) {
  char what[64];
  pair p;
  (void)snprintf(what, sizeof what, "%d", dim);
  p.model = bench_open(&systole_card_model, what, memory);
  (void)snprintf(what, sizeof what, "%d%s", dim, mode);
  p.systemc = bench_open(&systole_card_systemc, what, memory);
  p.g = systole_model_geometry(dim);
  return p;
}

static void close_pair(pair *p) {
  systole_card_model.close(p->model);
  systole_card_systemc.close(p->systemc);
}

static void streams_are_equal(const char *mode) {
  static const int dims[] = {4, 8, 16, 64};
  for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++) {
    for (size_t m = 0; m < MEMORIES; m++) {
      pair p = open_pair(dims[d], mode, memories[m]);
      for (uint64_t seed = 1; seed <= most_seeds(30); seed++) {
        stream s = stream_make(&p.g, seed * 7 + m);
        outcome on_model = bench_run(&systole_card_model, p.model, &s);
        outcome on_systemc = bench_run(&systole_card_systemc, p.systemc, &s);
        cr_assert_eq(on_model.error, 0);
        const char *difference = bench_compare(&on_model, &on_systemc, &s);
        cr_assert_null(difference, "%d%s on %s, stream %" PRIu64 ": %s", dims[d], mode,
                       memories[m], seed * 7 + m, difference);
        cr_assert_geq(on_systemc.cycles, on_systemc.counters[SYSTOLE_COUNTER_CYCLES],
                      "the platform's clock stood still");
        bench_free(&on_model);
        bench_free(&on_systemc);
        stream_free(&s);
      }
      close_pair(&p);
    }
  }
}

Test(streams, are_those_of_the_model_approximately_timed, .timeout = 600) {
  streams_are_equal("");
}

Test(streams, are_those_of_the_model_loosely_timed, .timeout = 600) {
  streams_are_equal(",mode=lt");
}

/* One field becomes something else: addresses that lead out of memory, codes that are
 * none, tokens that never come. */
static void spoil(stream *s, systole_random *random) {
  systole_instruction *i = &s->at[systole_random_below(random, s->count)];
  switch (systole_random_below(random, 6)) {
    case 0: /* an offset far beyond the memory */
      SYSTOLE_SET(i, COPY_OFFSET, (INT64_C(1) << 44) + 64 * s->geometry.dim);
      break;
    case 1: /* one that leaves it in the middle of a copy */
      SYSTOLE_SET(i, COPY_OFFSET, (INT64_C(1) << 30) - 64 * s->geometry.dim);
      break;
    case 2:
      SYSTOLE_SET(i, VERSION, 7);
      break;
    case 3:
      SYSTOLE_SET(i, OPCODE, (int64_t)systole_random_below(random, 256));
      break;
    case 4: /* a token that nobody gives */
      SYSTOLE_SET(i, WAIT, (int64_t)systole_random_below(random, 32));
      break;
    default: {
      const uint64_t bit = systole_random_below(random, SYSTOLE_INSTRUCTION_BITS);
      systole_set_bits(i, (int)bit, 1, (int64_t)systole_random_below(random, 2));
    }
  }
}

static void spoilt_streams_end_alike(const char *mode) {
  int errors[16] = {0};
  pair p = open_pair(8, mode, "ideal");
  for (uint64_t seed = 1; seed <= most_seeds(400); seed++) {
    systole_random random;
    stream s = stream_make(&p.g, seed);
    systole_random_seed(&random, seed);
    spoil(&s, &random);
    outcome on_model = bench_run(&systole_card_model, p.model, &s);
    outcome on_systemc = bench_run(&systole_card_systemc, p.systemc, &s);
    errors[on_model.error & 15]++;
    /* Which one of several that wait for tokens is named depends on how far the others
     * came; and a spoilt stream that ends may have raced on the way. */
    const int loosely = (on_model.error & 0xFF) == SYSTOLE_ERROR_TOKEN;
    if (loosely || on_model.error == 0) {
      cr_assert_eq(on_systemc.error & 0xFF, on_model.error & 0xFF, "seed %" PRIu64, seed);
    } else {
      const char *difference = bench_compare(&on_model, &on_systemc, &s);
      cr_assert_null(difference, "8%s, spoilt stream %" PRIu64 ": %s", mode, seed,
                     difference);
    }
    bench_free(&on_model);
    bench_free(&on_systemc);
    stream_free(&s);
  }
  close_pair(&p);
  cr_assert_gt(errors[SYSTOLE_ERROR_DECODE], 10, "addresses were to lead out of memory");
  cr_assert_gt(errors[SYSTOLE_ERROR_OPCODE], 10);
  cr_assert_gt(errors[SYSTOLE_ERROR_TOKEN], 5, "tokens were to be missing");
}

Test(streams, spoilt_ones_end_as_on_the_model, .timeout = 600) {
  spoilt_streams_end_alike("");
}

Test(streams, spoilt_ones_end_as_on_the_model_loosely_timed, .timeout = 600) {
  spoilt_streams_end_alike(",mode=lt");
}
