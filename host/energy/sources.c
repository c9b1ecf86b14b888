/* What this machine could tell of energy, source by source. */
#include <stdio.h>
#include <stdlib.h>

#include "sampler.h"
#include "support/error.h"

static const struct row {
  const systole_sampler_ops *ops;
  systole_energy_of of;
  const char *word;
} rows[] = {
    {&systole_sampler_powercap, SYSTOLE_ENERGY_OF_CPU, "CPU"},
    {&systole_sampler_perf, SYSTOLE_ENERGY_OF_CPU, "CPU"},
    {&systole_sampler_hwmon, SYSTOLE_ENERGY_OF_CPU, "CPU"},
    {&systole_sampler_model, SYSTOLE_ENERGY_OF_CPU, "CPU"},
    {&systole_sampler_nvml, SYSTOLE_ENERGY_OF_GPU, "GPU"},
    {&systole_sampler_hwmon, SYSTOLE_ENERGY_OF_GPU, "GPU"},
    {&systole_sampler_card, SYSTOLE_ENERGY_OF_CARD, "card"},
    {&systole_sampler_hwmon, SYSTOLE_ENERGY_OF_MACHINE, "machine"},
    {&systole_sampler_battery, SYSTOLE_ENERGY_OF_MACHINE, "machine"},
};
enum { Rows = sizeof rows / sizeof rows[0] };

systole_status systole_energy_source_list(systole_energy_source **out, size_t *count) {
  *out = NULL;
  *count = 0;
  systole_energy_source *list = calloc(Rows, sizeof *list);
  if (list == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for the list of energy sources");
  }
  for (int i = 0; i < Rows; i++) {
    systole_energy_meter_options options = SYSTOLE_ENERGY_METER_OPTIONS_INIT;
    systole_sampler_reason reason = {0, "", ""};
    systole_sampler *sampler = NULL;
    const struct row *row = &rows[i];
    systole_energy_source *source = &list[i];
    options.of = row->of;
    row->ops->open(&sampler, systole_energy_root(&options), &options, &reason);
    (void)snprintf(source->name, sizeof source->name, "%s", row->ops->name);
    source->of = row->word;
    source->usable = sampler != NULL;
    source->there = sampler != NULL || reason.there;
    (void)snprintf(source->found, sizeof source->found, "%s",
                   sampler != NULL ? row->ops->source(sampler) : reason.why);
    (void)snprintf(source->remedy, sizeof source->remedy, "%s", reason.remedy);
    if (sampler != NULL) row->ops->close(sampler);
  }
  *out = list;
  *count = Rows;
  return SYSTOLE_OK;
}

void systole_energy_source_list_free(systole_energy_source *list) { free(list); }
