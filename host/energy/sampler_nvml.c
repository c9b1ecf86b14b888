/* The sampler row of an NVIDIA GPU: the board's energy counter, or, where the GPU is
 * older than it (before Volta), its power looked at beside the work. */
#include <stdio.h>
#include <stdlib.h>

#include "integrator.h"
#include "nvml.h"

/* The driver renews both about every 100 ms; A100 and H100 look at their sensor in a
 * quarter of that time only (Yang et al., arXiv 2312.02741). */
#define STEP_S 0.1
enum { PeriodMs = 20, StillMs = 500 };

struct systole_sampler {
  systole_nvml *nvml;
  systole_integrator *power; /* NULL: there is a counter */
  double last_j, joules;
  int broken;
  char source[192];
};

static int look(void *user, double *watts) {
  const systole_sampler *sampler = user;
  return systole_nvml_power_w(sampler->nvml, watts);
}

static void read_counter(systole_sampler *sampler) {
  double now = 0;
  if (sampler->power != NULL) return;
  if (!systole_nvml_energy_j(sampler->nvml, &now) || now < sampler->last_j) {
    sampler->broken = 1; /* it counts from the driver's start: it never goes back */
    return;
  }
  sampler->joules += now - sampler->last_j;
  sampler->last_j = now;
}

static int counts(systole_sampler *sampler, int still_ms) {
  if (!systole_nvml_energy_j(sampler->nvml, &sampler->last_j)) return 0;
  if (still_ms < 0) return 1;
  const int limit = still_ms > StillMs ? still_ms : StillMs;
  for (int ms = 0; ms < limit; ms += 5) {
    systole_sampler_sleep_ms(5);
    read_counter(sampler);
    if (sampler->broken) return 0;
    if (sampler->joules > 0) return 1;
  }
  return 0;
}

static void close_nvml(systole_sampler *sampler) {
  if (sampler == NULL) return;
  systole_integrator_close(sampler->power);
  systole_nvml_close(sampler->nvml);
  free(sampler);
}

static void open_nvml(systole_sampler **out, const char *root,
                      const systole_energy_meter_options *options,
                      systole_sampler_reason *reason) {
  double watts = 0;
  const char *choice = systole_sampler_choice(options, "nvml");
  *out = NULL;
  systole_sampler *sampler = calloc(1, sizeof *sampler);
  if (sampler == NULL) {
    systole_sampler_say(reason, 0, "", "nvml: no memory is left");
    goto done;
  }
  systole_nvml_open(&sampler->nvml, root,
                    choice != NULL && choice[0] != '\0' ? choice : options->address,
                    reason);
  if (sampler->nvml == NULL) goto done;
  const int counter = counts(sampler, options->still_ms);
  if (!counter && !systole_nvml_power_w(sampler->nvml, &watts)) {
    systole_sampler_say(reason, 1, "", "nvml: %s tells neither its energy nor its power",
                        systole_nvml_name(sampler->nvml));
    goto done;
  }
  if (!counter) {
    sampler->power = systole_integrator_open(look, sampler, PeriodMs);
    if (sampler->power == NULL) {
      systole_sampler_say(reason, 0, "", "nvml: no memory is left");
      goto done;
    }
  }
  (void)snprintf(sampler->source, sizeof sampler->source,
                 "nvml: %s of %s, the whole board", counter ? "energy" : "power",
                 systole_nvml_name(sampler->nvml));
  *out = sampler;
  sampler = NULL;
done:
  close_nvml(sampler);
}

static void begin(systole_sampler *sampler) {
  sampler->broken = 0;
  if (sampler->power != NULL) {
    sampler->broken = !systole_integrator_begin(sampler->power);
    return;
  }
  if (!systole_nvml_energy_j(sampler->nvml, &sampler->last_j)) sampler->broken = 1;
  sampler->joules = 0;
}

static void end(systole_sampler *sampler, const systole_sampler_span *span,
                systole_bounds *energy_j) {
  if (sampler->power != NULL) {
    systole_integral sum;
    systole_integrator_end(sampler->power, &sum);
    sampler->joules = sum.joules;
    sampler->broken |= sum.unread > 0;
  } else {
    read_counter(sampler);
  }
  *energy_j =
      systole_sampler_measured(sampler->broken ? 0 : sampler->joules, span, STEP_S);
}

static const char *source(const systole_sampler *sampler) { return sampler->source; }

static double step_s(const systole_sampler *sampler) {
  (void)sampler;
  return STEP_S;
}

const systole_sampler_ops systole_sampler_nvml = {
    .version = SYSTOLE_SAMPLER_VERSION,
    .name = "nvml",
    .of = 1u << SYSTOLE_ENERGY_OF_GPU,
    .open = open_nvml,
    .close = close_nvml,
    .begin = begin,
    .poll = NULL,
    .end = end,
    .source = source,
    .step_s = step_s,
};
