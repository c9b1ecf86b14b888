/* Where no sensor of a GPU can answer: its driver's power limit times a share, over the
 * span. A GPU at work draws between a little more than at rest and its limit; the shares
 * are estimates. Without a limit that the driver tells there is no figure. */
#include <stdio.h>
#include <stdlib.h>

#include "hwmon.h"
#include "nvml.h"

#define LOW 0.15
#define NOMINAL 0.6
#define HIGH 1.05

struct systole_sampler {
  double limit_w;
  char source[160];
};

static void open_gpu_model(systole_sampler **out, const char *root,
                           const systole_energy_meter_options *options,
                           systole_sampler_reason *reason) {
  systole_nvml *nvml = NULL;
  systole_hwmon *hwmon = calloc(1, sizeof *hwmon);
  systole_sampler_reason ignored;
  double limit = 0;
  const char *told_by = "NVML";
  *out = calloc(1, sizeof **out);
  if (*out == NULL || hwmon == NULL) {
    systole_sampler_say(reason, 0, "", "model: no memory is left");
    goto done;
  }
  systole_nvml_open(&nvml, root, options->address, &ignored);
  if ((nvml == NULL || !systole_nvml_limit_w(nvml, &limit)) &&
      systole_hwmon_find(hwmon, root, SYSTOLE_ENERGY_OF_GPU, options->address, "",
                         &ignored)) {
    limit = hwmon->limit_w;
    told_by = "power1_cap";
  }
  if (!(limit > 0)) {
    systole_sampler_say(reason, 0, "", "model: no driver tells the GPU's power limit");
    goto done;
  }
  (*out)->limit_w = limit;
  (void)snprintf((*out)->source, sizeof(*out)->source,
                 "model: %g of the board's limit of %g W (%g to %g; estimate; the limit: "
                 "%s)",
                 NOMINAL, limit, LOW, HIGH, told_by);
done:
  systole_nvml_close(nvml);
  free(hwmon);
  if (*out != NULL && !((*out)->limit_w > 0)) {
    free(*out);
    *out = NULL;
  }
}

static void close_gpu_model(systole_sampler *sampler) { free(sampler); }

static void begin(systole_sampler *sampler) { (void)sampler; }

static void end(systole_sampler *sampler, const systole_sampler_span *span,
                systole_bounds *energy_j) {
  const double most = sampler->limit_w * span->wall_s;
  energy_j->kind = span->wall_s > 0 ? SYSTOLE_KIND_MODELLED : SYSTOLE_KIND_UNKNOWN;
  energy_j->low = LOW * most;
  energy_j->nominal = NOMINAL * most;
  energy_j->high = HIGH * most;
}

static const char *source(const systole_sampler *sampler) { return sampler->source; }

static double step_s(const systole_sampler *sampler) {
  (void)sampler;
  return 0;
}

const systole_sampler_ops systole_sampler_gpu_model = {
    .version = SYSTOLE_SAMPLER_VERSION,
    .name = "model",
    .of = 1u << SYSTOLE_ENERGY_OF_GPU,
    .open = open_gpu_model,
    .close = close_gpu_model,
    .begin = begin,
    .poll = NULL,
    .end = end,
    .source = source,
    .step_s = step_s,
};
