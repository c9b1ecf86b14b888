/* The forecast on memory that answers for itself: where answers are those of the timing
 * law, early or late, nothing changes; where they come later, the run gets longer and its
 * ledger still adds up; an abandoned run says when. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "card/systole_isa.h"
#include "program/forecast.h"
#include "program/program.h"
#include "program/timing.h"
#include "shapes.h"
#include "support/random.h"

enum { Channels = 3, Open = 4096 /* bursts awaited, a power of two */ };

/* A bus that knows the law's latency. */
typedef struct law {
  int64_t latency, slower; /* cycles that are added to each answer */
  int late;                /* tells an answer only when its cycle has come */
  int64_t abandon_after;   /* bursts; 0: never */
  systole_random random;   /* late 2: now this, now that */
  systole_forecast_answer open[Channels][Open];
  unsigned sent[Channels], told[Channels];
  int64_t bursts, bytes[2], now; /* bytes read, written */
} law;

static int channel_of(int unit) {
  return unit == SYSTOLE_UNIT_LOAD ? 0 : unit == SYSTOLE_UNIT_STORE ? 1 : 2;
}

static int64_t law_send(void *user, const systole_forecast_burst *burst) {
  law *l = user;
  const int channel = channel_of(burst->unit);
  cr_assert_geq(burst->now, l->now, "time went back");
  cr_assert_geq(burst->cycle, burst->now - SYSTOLE_FORECAST_BACK);
  l->now = burst->now;
  cr_assert_gt(burst->bytes, 0);
  cr_assert_leq(burst->bytes, 4096);
  cr_assert_geq(burst->offset, 0);
  cr_assert_leq(burst->offset % 4096 + burst->bytes, 4096, "a burst crosses 4 KiB");
  l->bytes[burst->unit == SYSTOLE_UNIT_STORE] += burst->bytes;
  if (++l->bursts == l->abandon_after) return SYSTOLE_FORECAST_ABANDON;
  const int64_t at = burst->cycle + l->latency + l->slower;
  const int order = l->sent[channel] == l->told[channel];
  if (order &&
      (l->late == 0 || (l->late == 2 && systole_random_below(&l->random, 2) == 0))) {
    return at;
  }
  l->open[channel][l->sent[channel]++ % Open] =
      (systole_forecast_answer){burst->unit, at};
  cr_assert_leq(l->sent[channel] - l->told[channel], Open);
  return SYSTOLE_FORECAST_LATER;
}

static int law_pass(void *user, int64_t cycle, systole_forecast_answer *answer) {
  law *l = user;
  int first = -1, open = 0;
  for (int c = 0; c < Channels; c++) {
    if (l->told[c] == l->sent[c]) continue;
    open = 1;
    const int64_t at = l->open[c][l->told[c] % Open].cycle;
    if (at <= cycle && (first < 0 || at < l->open[first][l->told[first] % Open].cycle)) {
      first = c;
    }
  }
  cr_assert(open, "nothing is awaited");
  if (first < 0) return 0;
  *answer = l->open[first][l->told[first]++ % Open];
  return 1;
}

static void same(const systole_forecast *a, const systole_forecast *b, const char *what,
                 const systole_shape *s) {
  cr_assert_eq(a->cycles, b->cycles, "%s: %" PRIu64 " cycles, not %" PRIu64 " (%s)", what,
               b->cycles, a->cycles, s->why);
  cr_assert_eq(memcmp(&a->ledger, &b->ledger, sizeof a->ledger), 0, "%s: %s", what,
               s->why);
  cr_assert_eq(a->gmem0_read_bytes, b->gmem0_read_bytes);
  cr_assert_eq(a->gmem0_write_bytes, b->gmem0_write_bytes);
  cr_assert_eq(a->gmem1_read_bytes, b->gmem1_read_bytes);
}

static uint64_t ledger_sum(const systole_ledger *l) {
  return l->active + l->start + l->drain + l->output_stall + l->input_stall +
         l->weight_stall + l->weight_shift + l->other;
}

static void try_shape(const systole_shape *shape, int dim, int requantise,
                      const char *memory, law *l) {
  systole_geometry g = {.dim = dim,
                        .axi_bytes = dim < 64 ? dim : 64,
                        .weight_ports = 1,
                        .ub_rows = 1024,
                        .acc_rows = 256,
                        .weight_tiles = 16};
  systole_weights_layout layout;
  systole_memory_timing timing;
  systole_program *program;
  systole_forecast by_law, by_bus;
  if (shape->m == 0 || shape->n == 0 || shape->k == 0) return;
  cr_assert_eq(systole_weights_layout_make(&layout, dim, g.axi_bytes, shape->n, shape->k),
               SYSTOLE_OK);
  const systole_gemm_spec spec = {.m = shape->m,
                                  .n_blocks = layout.n_blocks,
                                  .requantise = requantise,
                                  .bias = 1,
                                  .clamp_low = -128,
                                  .clamp_high = 127};
  cr_assert_eq(
      systole_memory_timing_of(&timing, memory, g.axi_bytes, dim == 16 ? 250.0 : 300.0),
      SYSTOLE_OK);
  if (systole_program_make(&program, &g, &layout, &spec) != SYSTOLE_OK) return;
  cr_assert_eq(
      systole_forecast_make(&by_law, program->instructions, program->count, &g, &timing),
      SYSTOLE_OK);
  for (int late = 0; late <= 2; late++) {
    memset(l, 0, sizeof *l);
    l->latency = timing.latency;
    l->late = late;
    systole_random_seed(&l->random, 1 + (uint64_t)shape->m);
    const systole_forecast_bus bus = {l, law_send, law_pass};
    cr_assert_eq(systole_forecast_on_bus(&by_bus, program->instructions, program->count,
                                         &g, &timing, &bus),
                 SYSTOLE_OK, "%s", systole_last_error());
    same(&by_law, &by_bus, late == 0 ? "at once" : late == 1 ? "late" : "mixed", shape);
    cr_assert_eq((uint64_t)l->bytes[0], by_law.gmem0_read_bytes + by_law.gmem1_read_bytes,
                 "bursts read %" PRId64 " bytes", l->bytes[0]);
    cr_assert_eq((uint64_t)l->bytes[1], by_law.gmem0_write_bytes);
  }
  /* Slow memory: later, by at least one answer. */
  memset(l, 0, sizeof *l);
  l->latency = timing.latency;
  l->late = 1;
  l->slower = 500;
  const systole_forecast_bus bus = {l, law_send, law_pass};
  cr_assert_eq(systole_forecast_on_bus(&by_bus, program->instructions, program->count, &g,
                                       &timing, &bus),
               SYSTOLE_OK);
  cr_assert_geq(by_bus.cycles, by_law.cycles + 500);
  cr_assert_eq(ledger_sum(&by_bus.ledger), by_bus.cycles);
  cr_assert_eq(by_bus.ledger.active, by_law.ledger.active);
  /* Abandoned in the middle: no later than where it was. */
  const int64_t middle = l->bursts / 2 + 1;
  memset(l, 0, sizeof *l);
  l->latency = timing.latency;
  l->abandon_after = middle;
  cr_assert_eq(systole_forecast_on_bus(&by_bus, program->instructions, program->count, &g,
                                       &timing, &bus),
               SYSTOLE_ERR_DEVICE);
  cr_assert_eq(l->bursts, middle, "bursts went out after the end");
  cr_assert_leq(by_bus.cycles, by_law.cycles);
  systole_program_free(program);
}

Test(forecast_bus, equals_the_law_where_it_answers_like_it, .timeout = 120) {
  static const int dims[] = {4, 8, 16, 64};
  static const char *const memories[] = {"ideal", "ddr4"};
  systole_shape shapes[SYSTOLE_MAX_SHAPES];
  law *l = malloc(sizeof *l);
  cr_assert(l != NULL);
  for (int d = 0; d < 4; d++) {
    const size_t count = systole_shapes(shapes, dims[d]);
    for (size_t i = 0; i < count; i++) {
      if (shapes[i].m * shapes[i].n * shapes[i].k > 3000000) continue;
      for (int what = 0; what < 4; what++) {
        try_shape(&shapes[i], dims[d], what % 2, memories[what / 2], l);
      }
    }
  }
  free(l);
}
