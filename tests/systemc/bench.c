#include "bench.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(call)                                                            \
  do {                                                                        \
    const systole_status status_ = (call);                                    \
    cr_assert_eq(status_, SYSTOLE_OK, "%s: %s", #call, systole_last_error()); \
  } while (0)

systole_card *bench_open(const systole_card_ops *ops, const char *what,
                         const char *memory) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  systole_card *card = NULL;
  options.memory = memory;
  options.memory_bytes = UINT64_C(1) << 30;
  MUST(ops->open(&card, what, &options));
  return card;
}

placed bench_place(const systole_card_ops *ops, systole_card *card, const stream *s) {
  placed p = {ops, card, {0, 0, 0, s->count}};
  const uint64_t bytes = (uint64_t)s->count * SYSTOLE_INSTRUCTION_BYTES;
  MUST(ops->alloc(card, SYSTOLE_PORT_GMEM1, bytes, &p.launch.program));
  MUST(ops->alloc(card, SYSTOLE_PORT_GMEM1, s->weight_bytes, &p.launch.weights));
  MUST(ops->alloc(card, SYSTOLE_PORT_GMEM0, s->activation_bytes, &p.launch.activations));
  MUST(ops->write(card, SYSTOLE_PORT_GMEM1, p.launch.program, s->at, bytes));
  MUST(ops->write(card, SYSTOLE_PORT_GMEM1, p.launch.weights, s->weights,
                  s->weight_bytes));
  MUST(ops->write(card, SYSTOLE_PORT_GMEM0, p.launch.activations, s->activations,
                  s->activation_bytes));
  return p;
}

void bench_take_away(placed *p) {
  p->ops->free(p->card, SYSTOLE_PORT_GMEM1, p->launch.program);
  p->ops->free(p->card, SYSTOLE_PORT_GMEM1, p->launch.weights);
  p->ops->free(p->card, SYSTOLE_PORT_GMEM0, p->launch.activations);
}

void bench_start(const placed *p) { MUST(p->ops->start(p->card, &p->launch)); }

void bench_wait(const placed *p) {
  int done = 0;
  for (int slices = 0; !done; slices++) {
    cr_assert_lt(slices, 10000, "the run does not end");
    MUST(p->ops->wait(p->card, 100, &done));
  }
}

static uint32_t reg(const placed *p, uint32_t offset) {
  uint32_t value = 0;
  MUST(p->ops->read_register(p->card, offset, &value));
  return value;
}

outcome bench_run(const systole_card_ops *ops, systole_card *card, const stream *s) {
  placed p = bench_place(ops, card, s);
  outcome o = {0};
  const uint64_t before = ops->cycles ? ops->cycles(card) : 0;
  bench_start(&p);
  bench_wait(&p);
  o.cycles = ops->cycles ? ops->cycles(card) - before : 0;
  o.error = reg(&p, SYSTOLE_REG_ERROR_CODE);
  o.index = reg(&p, SYSTOLE_REG_ERROR_INDEX);
  /* An address counts from its own base, so that two cards can be compared. */
  o.detail = reg(&p, SYSTOLE_REG_ERROR_DETAIL);
  if ((o.error & 0xFF) == SYSTOLE_ERROR_DECODE ||
      (o.error & 0xFF) == SYSTOLE_ERROR_SLAVE) {
    const uint32_t unit = o.error >> 8;
    o.detail -= (uint32_t)(unit == SYSTOLE_UNIT_WEIGHT  ? p.launch.weights
                           : unit == SYSTOLE_UNIT_FETCH ? p.launch.program
                                                        : p.launch.activations);
  }
  for (int c = 0; c < SYSTOLE_COUNTERS; c++) {
    const uint32_t offset = (uint32_t)(SYSTOLE_REG_COUNTERS + 8 * c);
    o.counters[c] = reg(&p, offset) | (uint64_t)reg(&p, offset + 4) << 32;
  }
  o.activations = malloc((size_t)s->activation_bytes + 1);
  cr_assert_not_null(o.activations);
  MUST(ops->read(card, SYSTOLE_PORT_GMEM0, p.launch.activations, o.activations,
                 s->activation_bytes));
  bench_take_away(&p);
  return o;
}

void bench_free(outcome *o) { free(o->activations); }

const char *bench_compare(const outcome *a, const outcome *b, const stream *s) {
  static char story[200];
  if (a->error != b->error) {
    (void)snprintf(story, sizeof story, "error %u of unit %u, and %u of unit %u",
                   a->error & 0xFF, a->error >> 8, b->error & 0xFF, b->error >> 8);
    return story;
  }
  if (a->error != 0 && (a->index != b->index || a->detail != b->detail)) {
    (void)snprintf(story, sizeof story,
                   "error %u: instruction %u, detail 0x%x, and instruction %u, "
                   "detail 0x%x",
                   a->error & 0xFF, a->index, a->detail, b->index, b->detail);
    return story;
  }
  if (a->error != 0) return NULL;
  for (uint64_t i = 0; i < s->activation_bytes; i++) {
    if (a->activations[i] == b->activations[i]) continue;
    (void)snprintf(story, sizeof story,
                   "byte %" PRIu64 " of the activations is %d, and %d", i,
                   a->activations[i], b->activations[i]);
    return story;
  }
  for (int c = 0; c < SYSTOLE_COUNTERS; c++) {
    if (a->counters[c] == b->counters[c]) continue;
    (void)snprintf(story, sizeof story, "counter %d is %" PRIu64 ", and %" PRIu64, c,
                   a->counters[c], b->counters[c]);
    return story;
  }
  return NULL;
}
