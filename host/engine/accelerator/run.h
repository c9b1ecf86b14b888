/* One run of a command stream on a card: start, wait, judge the error register, read the
 * counters. */
#ifndef SYSTOLE_ENGINE_ACCELERATOR_RUN_H
#define SYSTOLE_ENGINE_ACCELERATOR_RUN_H

#include <stdint.h>

#include "card/card.h"
#include "card/systole_isa.h"

/* What runs have in common. */
typedef struct systole_run_context {
  const systole_card_ops *ops;
  systole_card *card;
  const systole_geometry *geometry;
  uint32_t
      timeout_ms; /* longest time without a dispatched instruction; 0: the card decides */
  const char *technology; /* of the energy model; NULL: the default */
  int timing_only; /* 1: the card computes nothing, so nothing is copied to or from it */
  systole_progress progress; /* may be NULL */
  void *user;
} systole_run_context;

/* Share of a larger job, for progress: useful MACs before it, in it, and of all. */
typedef struct systole_run_share {
  uint64_t before, here, total;
} systole_run_share;

/* Sums over the runs of a job. */
typedef struct systole_run_totals {
  uint64_t counters[SYSTOLE_COUNTERS];
  double wall_s;    /* from start to done */
  double sim_cpu_s; /* CPU time inside the card */
} systole_run_totals;

/* Runs and adds to *totals.
 * SYSTOLE_ERR_DEVICE: the device reported an error, told as a sentence, or the card
 * failed; SYSTOLE_ERR_TIMEOUT: no progress in time; SYSTOLE_ERR_INTERRUPTED: the callback
 * said so. After a failure the card has been reset if it needed it, and the next run can
 * go. */
systole_status systole_run_once(const systole_run_context *context,
                                const systole_launch *launch,
                                const systole_run_share *share,
                                systole_run_totals *totals);

/* Turns counters into the figures of stats: cycles, ledger, bytes, seconds, energy. macs
 * are the useful ones. `clock_mhz` and `memory` come from the card. */
void systole_run_fill_stats(systole_stats *stats, const systole_run_context *context,
                            const systole_run_totals *totals, uint64_t macs);

#endif
