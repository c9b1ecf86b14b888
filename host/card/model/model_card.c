/* The card `model`: sim/model behind the card seam. preset.h reads its names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/card.h"
#include "model/model.h"
#include "preset.h"
#include "support/error.h"

struct systole_card {
  const char *technology; /* NULL: not said */
  systole_model *model;
};

static void model_list(void (*add)(void *user, const systole_device_info *info),
                       void *user) {
  const systole_device_info info = {
      "model:16", "accelerator",
      "16 x 16 systolic array, fast model (model:DIM, 4 to 1024; model:FILE.json)", 1,
      ""};
  add(user, &info);
  const char *preset;
  char about[160], name[64];
  for (size_t i = 0; systole_preset_at(i, &preset, about, sizeof about); i++) {
    const systole_device_info row = {name, "accelerator", about, 1, ""};
    (void)snprintf(name, sizeof name, "model:%s", preset);
    add(user, &row);
  }
}

static void model_close(systole_card *card) {
  if (card == NULL) return;
  systole_model_free(card->model);
  free(card);
}

static systole_status model_open(systole_card **out, const char *what,
                                 const systole_device_options *options) {
  systole_preset preset;
  systole_model_options wanted;
  *out = NULL;
  systole_status status = systole_preset_read(&preset, "model", what);
  if (status != SYSTOLE_OK) return status;
  systole_preset_options(&wanted, &preset, options);
  if (options != NULL && options->trace_path != NULL) {
    return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                        "a model has no waveform; record one with rtl:%d",
                        wanted.geometry.dim);
  }
  if (options != NULL && options->stall_seed != 0) {
    return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                        "a model knows no random stalls; use rtl:%d",
                        wanted.geometry.dim);
  }
  systole_card *card = calloc(1, sizeof *card);
  if (card == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  status = systole_model_create(&card->model, &wanted);
  if (status != SYSTOLE_OK) {
    free(card);
    return status;
  }
  card->technology = preset.technology;
  *out = card;
  return SYSTOLE_OK;
}

static systole_status model_read_register(systole_card *card, uint32_t offset,
                                          uint32_t *value) {
  *value = systole_model_register(card->model, offset);
  return SYSTOLE_OK;
}

static systole_status model_alloc(systole_card *card, systole_port port, uint64_t bytes,
                                  uint64_t *address) {
  return systole_model_alloc(card->model, port, bytes, address);
}

static void model_free(systole_card *card, systole_port port, uint64_t address) {
  if (address != 0) systole_model_release(card->model, port, address);
}

static systole_status model_write(systole_card *card, systole_port port, uint64_t address,
                                  const void *data, uint64_t bytes) {
  uint8_t *at;
  const systole_status status = systole_model_at(card->model, port, address, bytes, &at);
  if (status == SYSTOLE_OK && bytes > 0) memcpy(at, data, (size_t)bytes);
  return status;
}

static systole_status model_read(systole_card *card, systole_port port, uint64_t address,
                                 void *data, uint64_t bytes) {
  uint8_t *at;
  const systole_status status = systole_model_at(card->model, port, address, bytes, &at);
  if (status == SYSTOLE_OK && bytes > 0) memcpy(data, at, (size_t)bytes);
  return status;
}

static systole_status model_start(systole_card *card, const systole_launch *launch) {
  return systole_model_start(card->model, launch->program, launch->weights,
                             launch->activations, launch->instructions);
}

static systole_status model_wait(systole_card *card, uint32_t slice_ms, int *done) {
  return systole_model_run(card->model, slice_ms, done);
}

static systole_status model_reset(systole_card *card) {
  systole_model_stop(card->model);
  return SYSTOLE_OK;
}

static double model_clock_mhz(const systole_card *card, systole_kind *kind) {
  if (kind != NULL) *kind = systole_model_clock_kind(card->model);
  return systole_model_clock_mhz(card->model);
}

static const char *model_memory_name(const systole_card *card) {
  return systole_model_memory_name(card->model);
}

static double model_cpu_seconds(const systole_card *card) {
  return systole_model_cpu_seconds(card->model);
}

static const char *model_technology(const systole_card *card) { return card->technology; }

static int model_timing_only(const systole_card *card) {
  return systole_model_timing_only(card->model);
}

const systole_card_ops systole_card_model = {
    .version = SYSTOLE_CARD_VERSION,
    .scheme = "model",
    .simulated = 1,
    .list = model_list,
    .open = model_open,
    .close = model_close,
    .read_register = model_read_register,
    .alloc = model_alloc,
    .free = model_free,
    .write = model_write,
    .read = model_read,
    .start = model_start,
    .wait = model_wait,
    .reset = model_reset,
    .clock_mhz = model_clock_mhz,
    .memory_name = model_memory_name,
    .run_cpu_seconds = model_cpu_seconds,
    .timing_only = model_timing_only,
    .technology = model_technology,
};
