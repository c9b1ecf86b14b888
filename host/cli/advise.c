#include "advise.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "report/explain.h"

typedef struct context {
  const systole_device_options *options;
  const char *device, *memory; /* of the run */
  int commands;
  const systole_conv2d *conv; /* NULL: a product */
  const char *line;
} context;

static systole_status forecast(systole_stats *out, const systole_setup *setup,
                               void *user) {
  systole_scenario scenario = SYSTOLE_SCENARIO_INIT;
  (void)user;
  scenario.geometry = setup->geometry;
  scenario.memory = setup->memory;
  scenario.clock_mhz = setup->clock_mhz;
  scenario.m = setup->m;
  scenario.n = setup->n;
  scenario.k = setup->k;
  scenario.int8_results = setup->int8_results;
  scenario.bias = setup->bias;
  return systole_forecast_gemm(out, &scenario);
}

static void command(char *out, size_t bytes, const systole_setup *setup, void *user) {
  const context *c = user;
  char memory[128] = "", clock[32] = "";
  out[0] = '\0';
  if (!c->commands) return;
  /* A device's own memory, which the preset of a model says, need not be repeated. */
  if (c->options->memory != NULL || strcmp(setup->memory, c->memory) != 0) {
    snprintf(memory, sizeof memory, " --memory %s", setup->memory);
  }
  if (c->options->clock_mhz > 0) {
    snprintf(clock, sizeof clock, " --clock %g", c->options->clock_mhz);
  }
  snprintf(
      out, bytes,
      "systole gemm --device %s -m %" PRId64 " -n %" PRId64 " -k %" PRId64 "%s%s%s%s",
      setup->device, setup->m, setup->n, setup->k, setup->int8_results ? " --int8" : "",
      memory, clock, c->options->timing_only ? " --no-data" : "");
}

/* Arrays of other sizes that are built, by their own registers. */
static int others(systole_setup *out, int most, void *user) {
  const context *c = user;
  systole_device_info *list = NULL;
  size_t count = 0;
  int found = 0;
  if (systole_device_list(&list, &count) != SYSTOLE_OK) return 0;
  for (size_t i = 0; i < count && found < most; i++) {
    systole_device *device = NULL;
    systole_setup *s = &out[found];
    const char *colon = strchr(list[i].name, ':');
    if (!list[i].usable || strcmp(list[i].kind, "accelerator") != 0 || colon == NULL ||
        strchr(colon + 1, ':') != NULL || strncmp(list[i].name, "rtl", 3) != 0 ||
        strcmp(list[i].name, c->device) == 0) {
      continue;
    }
    if (systole_device_open(&device, list[i].name, c->options) != SYSTOLE_OK) continue;
    if (systole_device_geometry(device, &s->geometry) == SYSTOLE_OK) {
      snprintf(s->device, sizeof s->device, "%s", list[i].name);
      found++;
    }
    systole_device_close(device);
  }
  systole_device_list_free(list, count);
  return found;
}

static systole_status forecast_conv(systole_stats *out, const systole_setup *setup,
                                    void *user) {
  const context *c = user;
  systole_scenario scenario = SYSTOLE_SCENARIO_INIT;
  systole_conv2d conv = *c->conv;
  /* Only whether results are int8 matters, and of what length its arrays are does not. */
  static const int32_t some_multiplier;
  static const uint8_t some_shift;
  systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
  if (setup->int8_results &&
      (conv.epilogue == NULL || conv.epilogue->multiplier == NULL)) {
    if (conv.epilogue != NULL) epilogue = *conv.epilogue;
    epilogue.multiplier = &some_multiplier;
    epilogue.shift = &some_shift;
    conv.epilogue = &epilogue;
  }
  scenario.geometry = setup->geometry;
  scenario.memory = setup->memory;
  scenario.clock_mhz = setup->clock_mhz;
  conv.batch = setup->m;
  return systole_forecast_conv2d(out, &scenario, &conv);
}

static void command_conv(char *out, size_t bytes, const systole_setup *setup,
                         void *user) {
  const context *c = user;
  char batch[32] = "", memory[128] = "";
  out[0] = '\0';
  if (c->line == NULL) return;
  if (setup->m != c->conv->batch)
    snprintf(batch, sizeof batch, " --n %" PRId64, setup->m);
  snprintf(memory, sizeof memory, " --memory %s", setup->memory);
  const int was_s8 = c->conv->epilogue != NULL && c->conv->epilogue->multiplier != NULL;
  snprintf(out, bytes, "systole %s%s%s%s", c->line, batch, memory,
           setup->int8_results && !was_s8 ? " --requantise" : "");
}

void systole_advise_conv(systole_result *result, const systole_conv2d *conv,
                         const systole_device_options *options, const char *line) {
  context c = {.options = options, .device = result->device, .conv = conv, .line = line};
  systole_subject subject = {
      .int8_possible = line != NULL,
      .batch = "batch",
      .least_batch = 2,
      .forecast = forecast_conv,
      .command = command_conv,
      .user = &c,
  };
  systole_setup *setup = &subject.setup;
  if (result->geometry.dim == 0 || options->stall_seed != 0) return;
  snprintf(setup->device, sizeof setup->device, "%s", result->device);
  setup->geometry = result->geometry;
  setup->memory = result->stats.memory;
  setup->clock_mhz = result->stats.clock_mhz;
  setup->m = conv->batch;
  setup->n = result->n;
  setup->k = result->k;
  setup->int8_results = conv->epilogue != NULL && conv->epilogue->multiplier != NULL;
  setup->bias = conv->epilogue != NULL && conv->epilogue->bias != NULL;
  systole_explain(&result->explanation, &subject, &result->stats);
}

void systole_advise_product(systole_result *result, const systole_job *job,
                            const systole_device_options *options, int commands) {
  context c = {.options = options,
               .device = result->device,
               .memory = result->stats.memory != NULL ? result->stats.memory : "",
               .commands = commands};
  systole_subject subject = {
      .whole_tiles = commands,
      .int8_possible = commands,
      .batch = "batch",
      .least_batch = result->geometry.dim,
      .forecast = forecast,
      .command = command,
      .others = commands ? others : NULL,
      .user = &c,
  };
  systole_setup *setup = &subject.setup;
  if (result->geometry.dim == 0 || options->stall_seed != 0) return;
  snprintf(setup->device, sizeof setup->device, "%s", result->device);
  setup->geometry = result->geometry;
  setup->memory = result->stats.memory;
  setup->clock_mhz = result->stats.clock_mhz;
  setup->m = result->m;
  setup->n = result->n;
  setup->k = result->k;
  setup->int8_results = systole_job_is_s8(job);
  setup->bias = job->epilogue != NULL && job->epilogue->bias != NULL;
  systole_explain(&result->explanation, &subject, &result->stats);
}
