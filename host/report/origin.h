/* Where the numbers of a report come from: each kind with its source, once, and what it
 * is used for. */
#ifndef SYSTOLE_REPORT_ORIGIN_H
#define SYSTOLE_REPORT_ORIGIN_H

#include <stddef.h>

#include "report/report.h"

typedef struct systole_origin {
  char *kind;   /* of systole_kind_word, or "counted", "computed" */
  char *source; /* "wall clock, median of the repeats" */
  char *used;   /* "GOP/s of cpu; time of cpu" */
} systole_origin;

typedef struct systole_origins {
  systole_origin *list;
  size_t count, capacity;
} systole_origins;

/* Number of the origin, from 1, known or new; `used` is added to what it is used for. 0
 * when memory is exhausted: the number then is shown without its origin. */
size_t systole_origins_add(systole_origins *origins, const char *kind, const char *source,
                           const char *used);
void systole_origins_free(systole_origins *origins);

/* Columns of the tables of all runs. */
typedef enum systole_quantity {
  SYSTOLE_QUANTITY_CHECK,
  SYSTOLE_QUANTITY_GOPS,
  SYSTOLE_QUANTITY_SECONDS,
  SYSTOLE_QUANTITY_UTILISATION,
  SYSTOLE_QUANTITY_CEILING,
  SYSTOLE_QUANTITY_OF_PEAK,
  SYSTOLE_QUANTITY_WALL,
  SYSTOLE_QUANTITY_HOST_SHARE,
  SYSTOLE_QUANTITY_SIM_SPEED,
  SYSTOLE_QUANTITY_CYCLES,
  SYSTOLE_QUANTITY_BYTES,
  SYSTOLE_QUANTITY_INTENSITY,
  SYSTOLE_QUANTITY_POWER,
  SYSTOLE_QUANTITY_ENERGY,
  SYSTOLE_QUANTITY_EFFICIENCY,
  SYSTOLE_QUANTITY_INCREMENTAL,
  SYSTOLE_QUANTITY_LANDAUER,
} systole_quantity;

/* The kind of that figure of a run, and its source in words; NULL and "" when the run has
 * no such figure. */
const char *systole_origin_of(char *source, size_t size, const systole_result *result,
                              systole_quantity quantity);
const char *systole_quantity_name(systole_quantity quantity);

#endif
