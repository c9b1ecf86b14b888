/* The card `model`: sim/model behind the card seam. Names:
 *   model:DIM                 the geometry of the RTL of that size
 *   model:DIM,KEY=NUMBER,...  ub, acc (rows), tiles, axi (bytes), data=0 (cycles only) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/card.h"
#include "model/model.h"
#include "support/error.h"

struct systole_card {
  systole_model *model;
};

static void model_list(void (*add)(void *user, const systole_device_info *info),
                       void *user) {
  const systole_device_info info = {
      "model:16", "accelerator",
      "16 x 16 systolic array, fast model (model:DIM, 4 to 1024)", 1, ""};
  add(user, &info);
}

static systole_status bad_name(const char *what) {
  return systole_fail(
      SYSTOLE_ERR_NOT_FOUND,
      "there is no device model:%s; it is model:DIM with DIM a power of two "
      "from 4 to 1024, and after it, if wanted, ,ub=ROWS ,acc=ROWS "
      ",tiles=COUNT ,axi=BYTES ,data=0",
      what);
}

/* "256,ub=65536,acc=4096" */
static systole_status parse(systole_model_options *out, const char *what) {
  char *end = NULL;
  if (*what < '1' || *what > '9') return bad_name(what);
  const unsigned long dim = strtoul(what, &end, 10);
  if (dim < 4 || dim > 1024 || (dim & (dim - 1)) != 0) return bad_name(what);
  out->geometry = systole_model_geometry((int)dim);
  while (*end == ',') {
    char key[8];
    unsigned value;
    int length = 0;
    if (sscanf(end, ",%7[a-z]=%9u%n", key, &value, &length) != 2) return bad_name(what);
    if (strcmp(key, "ub") == 0) {
      out->geometry.ub_rows = value;
    } else if (strcmp(key, "acc") == 0) {
      out->geometry.acc_rows = value;
    } else if (strcmp(key, "tiles") == 0) {
      out->geometry.weight_tiles = value;
    } else if (strcmp(key, "axi") == 0) {
      out->geometry.axi_bytes = (int)value;
    } else if (strcmp(key, "data") == 0 && value <= 1) {
      out->timing_only = value == 0;
    } else {
      return bad_name(what);
    }
    end += length;
  }
  return *end == '\0' ? SYSTOLE_OK : bad_name(what);
}

static void model_close(systole_card *card) {
  if (card == NULL) return;
  systole_model_free(card->model);
  free(card);
}

static systole_status model_open(systole_card **out, const char *what,
                                 const systole_device_options *options) {
  systole_model_options wanted = {0};
  *out = NULL;
  systole_status status = parse(&wanted, what);
  if (status != SYSTOLE_OK) return status;
  if (options != NULL) {
    if (options->trace_path != NULL) {
      return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                          "a model has no waveform; record one with rtl:%d",
                          wanted.geometry.dim);
    }
    if (options->stall_seed != 0) {
      return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                          "a model knows no random stalls; use rtl:%d",
                          wanted.geometry.dim);
    }
    wanted.memory = options->memory;
    wanted.clock_mhz = options->clock_mhz;
    wanted.memory_bytes = options->memory_bytes;
  }
  systole_card *card = calloc(1, sizeof *card);
  if (card == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  status = systole_model_create(&card->model, &wanted);
  if (status != SYSTOLE_OK) {
    free(card);
    return status;
  }
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
  if (kind != NULL) *kind = SYSTOLE_KIND_ASSUMED;
  return systole_model_clock_mhz(card->model);
}

static const char *model_memory_name(const systole_card *card) {
  return systole_model_memory_name(card->model);
}

static double model_cpu_seconds(const systole_card *card) {
  return systole_model_cpu_seconds(card->model);
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
};
