/* What the forecasts of products and of convolutions have in common. */
#ifndef SYSTOLE_LIBRARY_FORECAST_H
#define SYSTOLE_LIBRARY_FORECAST_H

#include "program/forecast.h"
#include "systole/systole.h"

/* Version and geometry; a sentence for a device that cannot be. */
systole_status systole_scenario_check(const systole_scenario *scenario);

/* `times` runs more that cost what `one` costs. */
void systole_forecast_add(systole_forecast *sum, const systole_forecast *one,
                          uint64_t times);

/* Everything of the statistics that a forecast knows but the ceiling. */
void systole_forecast_fill(systole_stats *out, const systole_forecast *f,
                           const systole_scenario *scenario, uint64_t macs);

#endif
