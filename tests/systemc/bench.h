/* A random command stream on a card, through the card seam: how it ended, what it left in
 * memory, and its counters. */
#ifndef SYSTOLE_TESTS_SYSTEMC_BENCH_H
#define SYSTOLE_TESTS_SYSTEMC_BENCH_H

#include <stdint.h>

#include "card/card.h"
#include "card/systole_isa.h"
#include "stream.h"

typedef struct outcome {
  uint32_t error, index, detail;
  uint64_t counters[SYSTOLE_COUNTERS];
  uint8_t *activations; /* device memory afterwards */
  uint64_t cycles;      /* of the card's clock, where it has one */
} outcome;

/* Puts the stream into the card's memory and starts it; free with bench_take_away. */
typedef struct placed {
  const systole_card_ops *ops;
  systole_card *card;
  systole_launch launch;
} placed;
placed bench_place(const systole_card_ops *ops, systole_card *card, const stream *s);
void bench_start(const placed *p);
void bench_wait(const placed *p);
void bench_take_away(placed *p);

/* All of it on a card that is open; abort the test when the card itself fails. */
outcome bench_run(const systole_card_ops *ops, systole_card *card, const stream *s);
void bench_free(outcome *o);

/* Opens a card; aborts the test on failure. */
systole_card *bench_open(const systole_card_ops *ops, const char *what,
                         const char *memory);

/* NULL when both ended alike: errors, counters (where both were good), memory. Else a
 * sentence, valid until the next call. */
const char *bench_compare(const outcome *a, const outcome *b, const stream *s);

#endif
