/* Skipping what repeats: a product's column blocks put a device through the same cycles
 * over and over. When all that can still act on what comes stands as it stood some
 * instructions ago, but for a shift in time, and the instructions to come repeat those
 * since, then as many whole periods as the stream repeats are passed over at once, in
 * closed form: times, counts and ledger advance by so many times the period's.
 *
 * The result is the one of following every event, in every counter; a test holds it to
 * that. Private to forecast*.c. */
#ifndef SYSTOLE_PROGRAM_FORECAST_SKIP_H
#define SYSTOLE_PROGRAM_FORECAST_SKIP_H

#include "program/forecast_state.h"

typedef struct systole_skip systole_skip;

/* NULL without an error: the stream is too short to be worth it. `geometry` must outlive
 * it. SYSTOLE_ERR_HOST_MEMORY. */
systole_status systole_skip_begin(systole_skip **out,
                                  const systole_instruction *instructions, uint32_t count,
                                  const systole_geometry *geometry);

/* To be called when the next event, of cycle `now`, is that the array accepts a MATMUL.
 * Returns 1 when *f was moved ahead in time (then the next event is to be looked for
 * again), 0 when it was left as it is. */
int systole_skip_try(systole_skip *skip, forecaster *f, int64_t now);

/* Accepts NULL. */
void systole_skip_end(systole_skip *skip);

#endif
