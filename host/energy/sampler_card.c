/* The sampler row of a card: the whole card over the span, sampled beside the work. It
 * opens only where a card is named (energy.h): what a CPU used is another question. */
#include <stdlib.h>

#include "card_power.h"
#include "card_sensors.h"
#include "sampler.h"

struct systole_sampler {
  systole_card_power *power;
  int begun;
  double period_s;
};

static void open_card(systole_sampler **out, const char *root,
                      const systole_energy_meter_options *options,
                      systole_sampler_reason *reason) {
  *out = NULL;
  const char *address = options->card != NULL ? options->card : options->address;
  systole_sampler *sampler = calloc(1, sizeof *sampler);
  if (sampler == NULL || systole_card_power_open(&sampler->power, root, address,
                                                 options->card_period_ms) != SYSTOLE_OK) {
    systole_sampler_say(
        reason, 0, "", "%s",
        sampler == NULL ? "card: no memory is left" : systole_last_error());
    free(sampler);
    return;
  }
  sampler->period_s = 1e-3 * (options->card_period_ms > 0 ? options->card_period_ms
                                                          : SYSTOLE_CARD_PERIOD_MS);
  *out = sampler;
}

static void close_card(systole_sampler *sampler) {
  systole_card_power_close(sampler->power);
  free(sampler);
}

static void begin(systole_sampler *sampler) {
  sampler->begun = systole_card_power_begin(sampler->power) == SYSTOLE_OK;
}

static void end(systole_sampler *sampler, const systole_sampler_span *span,
                systole_bounds *energy_j) {
  systole_card_span found;
  (void)span;
  *energy_j = (systole_bounds){SYSTOLE_KIND_UNKNOWN, 0, 0, 0};
  if (!sampler->begun) return;
  systole_card_power_end(sampler->power, &found);
  *energy_j = found.energy_j;
}

static const char *source(const systole_sampler *sampler) {
  return systole_card_power_source(sampler->power);
}

static double step_s(const systole_sampler *sampler) { return sampler->period_s; }

const systole_sampler_ops systole_sampler_card = {
    .version = SYSTOLE_SAMPLER_VERSION,
    .name = "card",
    .of = 1u << SYSTOLE_ENERGY_OF_CARD,
    .open = open_card,
    .close = close_card,
    .begin = begin,
    .poll = NULL,
    .end = end,
    .source = source,
    .step_s = step_s,
};
