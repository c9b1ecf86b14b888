/* The same command streams on the RTL and on other simulated cards: results bit for bit,
 * cycles and counters set side by side. */
#ifndef SYSTOLE_TESTS_COSIM_PAIRS_H
#define SYSTOLE_TESTS_COSIM_PAIRS_H

#include "distance.h"
#include "stream.h"
#include "trial.h"

enum { PAIRS_CARDS = 4 };

typedef struct pairs {
  systole_geometry geometry;
  trial_bench rtl, cards[PAIRS_CARDS];
  systole_device *rtl_device, *devices[PAIRS_CARDS]; /* open: one after the other runs */
  char names[PAIRS_CARDS][96];
  distance apart[PAIRS_CARDS]; /* by card, over all runs so far */
  int count;                   /* cards */
} pairs;

/* rtl:`dim` and the cards of these schemes ("model", ...) with the same geometry, on
 * memory `memory`. Schemes that this build does not have are left out.
 * SYSTOLE_ERR_NOT_FOUND: no such array; what the cards' open returns. */
systole_status pairs_open(pairs *p, int dim, const char *const *schemes, int count,
                          const char *memory);
void pairs_close(pairs *p);

/* Runs `s` on all. Returns 0 when memory is right everywhere, whatever the cycles; else
 * -1, and `story` says what is wrong. *same: cycles, ledger and counts of every card are
 * the RTL's. `out`, when not NULL, gets the ledgers of a card that differs. */
int pairs_run(pairs *p, const stream *s, int *same, FILE *out, char *story,
              size_t story_bytes);

#endif
