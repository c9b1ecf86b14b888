/* --card-power: what a card draws, at rest and while it repeats one product. */
#ifndef SYSTOLE_CLI_CARD_ENERGY_H
#define SYSTOLE_CLI_CARD_ENERGY_H

#include <cjson/cJSON.h>

#include "measure.h"

/* The address in "xrt:FILE.xclbin:card=0000:3b:00.1"; "" when it has none. */
void systole_card_address(char *out, size_t bytes, const char *device);

/* As long at rest as at work. `stats` are those of a run before: a simulated device,
 * which draws nothing, is refused. Returns an exit code. */
int systole_card_energy_measure(systole_power_report *out, const systole_station *station,
                                const systole_job *job, const systole_stats *stats,
                                void *c, double seconds);

/* Adds "card_power" to a result's object; 0 when memory is short. */
int systole_card_energy_json(cJSON *object, const systole_power_report *report);
void systole_card_energy_show(const systole_power_report *report);

#endif
