/* Power of a card over a span, sampled in a thread of its own, and what of it the work
 * took. */
#ifndef SYSTOLE_ENERGY_CARD_POWER_H
#define SYSTOLE_ENERGY_CARD_POWER_H

#include "energy.h"

typedef struct systole_card_power systole_card_power;

typedef struct systole_card_span {
  systole_bounds power_w, energy_j; /* of the whole card; UNKNOWN: see why */
  int samples;
  double wall_s;
  int has_temperature;
  double temperature_c; /* the highest */
  char why[160];        /* why there is no figure */
} systole_card_span;

/* period_ms: between looks; 0: 1000, the driver's. SYSTOLE_ERR_NOT_FOUND: no sensors. */
systole_status systole_card_power_open(systole_card_power **out, const char *root,
                                       const char *bdf, int period_ms);
void systole_card_power_close(systole_card_power *power);

/* Begins a span; a second begin starts over. */
systole_status systole_card_power_begin(systole_card_power *power);

/* Ends it. There is a figure from three good samples on, if every look could be read:
 * sensors that vanished in between leave none. */
void systole_card_power_end(systole_card_power *power, systole_card_span *out);

/* What the work took beyond an idle card: `busy` less the power of `idle`, over the time
 * of `busy`. UNKNOWN unless both are known. Low may be negative: then the difference is
 * smaller than what the sensors can tell. */
void systole_card_power_incremental(const systole_card_span *busy,
                                    const systole_card_span *idle,
                                    systole_bounds *power_w, systole_bounds *energy_j);

/* What is read. Borrowed. */
const char *systole_card_power_source(const systole_card_power *power);

#endif
