/* The sampler row of /sys/class/hwmon: counters of energy, else power looked at beside
 * the work. */
#include <stdio.h>
#include <stdlib.h>

#include "hwmon.h"
#include "integrator.h"

enum { StillMs = 200 };

struct systole_sampler {
  systole_hwmon hwmon;
  systole_integrator *power; /* NULL: counters */
  double joules;
  int broken;
};

static int look(void *user, double *watts) {
  const systole_sampler *sampler = user;
  return systole_hwmon_watts(&sampler->hwmon, watts);
}

static void read_counters(systole_sampler *sampler) {
  double joules = 0;
  if (sampler->power != NULL) return;
  if (!systole_hwmon_joules(&sampler->hwmon, &joules)) sampler->broken = 1;
  sampler->joules += joules;
}

static void begin(systole_sampler *sampler) {
  if (sampler->power != NULL) {
    sampler->broken = !systole_integrator_begin(sampler->power);
    return;
  }
  /* A counter that began anew since the last span has a new start. */
  for (int i = 0; i < sampler->hwmon.count; i++) sampler->hwmon.channels[i].last_uj = 0;
  sampler->broken = 0;
  read_counters(sampler);
  sampler->joules = 0;
}

static int moves(systole_sampler *sampler, int still_ms) {
  if (still_ms < 0) return 1;
  const int limit = still_ms > StillMs ? still_ms : StillMs;
  begin(sampler);
  for (int ms = 0; ms < limit; ms++) {
    systole_sampler_sleep_ms(1);
    read_counters(sampler);
    if (sampler->joules > 0) return 1;
  }
  return 0;
}

static void close_hwmon(systole_sampler *sampler) {
  if (sampler == NULL) return;
  systole_integrator_close(sampler->power);
  free(sampler);
}

static void open_hwmon(systole_sampler **out, const char *root,
                       const systole_energy_meter_options *options,
                       systole_sampler_reason *reason) {
  double watts = 0;
  const char *choice = systole_sampler_choice(options, "hwmon");
  *out = NULL;
  systole_sampler *sampler = calloc(1, sizeof *sampler);
  if (sampler == NULL) {
    systole_sampler_say(reason, 0, "", "hwmon: no memory is left");
    goto done;
  }
  if (!systole_hwmon_find(&sampler->hwmon, root, options->of, options->address,
                          choice != NULL ? choice : "", reason)) {
    goto done;
  }
  if (sampler->hwmon.counts_energy && !moves(sampler, options->still_ms)) {
    systole_sampler_say(reason, 1, "", "hwmon: the counters of %.150s stand still",
                        sampler->hwmon.source);
    goto done;
  }
  if (!sampler->hwmon.counts_energy) {
    if (!look(sampler, &watts)) {
      systole_sampler_say(reason, 1, "", "hwmon: %.150s tells no power that can be",
                          sampler->hwmon.source);
      goto done;
    }
    const int period_ms = (int)(200 * sampler->hwmon.step_s);
    sampler->power = systole_integrator_open(look, sampler, period_ms);
    if (sampler->power == NULL) {
      systole_sampler_say(reason, 0, "", "hwmon: no memory is left");
      goto done;
    }
  }
  *out = sampler;
  sampler = NULL;
done:
  close_hwmon(sampler);
}

static void end(systole_sampler *sampler, const systole_sampler_span *span,
                systole_bounds *energy_j) {
  if (sampler->power != NULL) {
    systole_integral sum;
    systole_integrator_end(sampler->power, &sum);
    sampler->joules = sum.joules;
    sampler->broken |= sum.unread > 0;
  } else {
    read_counters(sampler);
  }
  *energy_j = systole_sampler_measured(sampler->broken ? 0 : sampler->joules, span,
                                       sampler->hwmon.step_s);
}

static const char *source(const systole_sampler *sampler) {
  return sampler->hwmon.source;
}

static double step_s(const systole_sampler *sampler) { return sampler->hwmon.step_s; }

const systole_sampler_ops systole_sampler_hwmon = {
    .version = SYSTOLE_SAMPLER_VERSION,
    .name = "hwmon",
    .of = 1u << SYSTOLE_ENERGY_OF_CPU | 1u << SYSTOLE_ENERGY_OF_GPU |
          1u << SYSTOLE_ENERGY_OF_MACHINE,
    .open = open_hwmon,
    .close = close_hwmon,
    .begin = begin,
    .poll = read_counters,
    .end = end,
    .source = source,
    .step_s = step_s,
};
