#define _DEFAULT_SOURCE /* _SC_NPROCESSORS_ONLN */
#include "library/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "card/bus/bus.h"
#include "card/record/record.h"
#include "energy/energy.h"
#include "engine/accelerator/accelerator.h"
#include "library/check.h"
#include "support/error.h"
#include "support/memory.h"

/* ---- the list ---------------------------------------------------------------------- */

typedef struct collector {
  systole_device_info *rows;
  size_t count, room;
  int failed;
} collector;

static char *copy_string(const char *text) {
  if (text == NULL) text = "";
  size_t bytes = strlen(text) + 1;
  char *copy = malloc(bytes);
  if (copy != NULL) memcpy(copy, text, bytes);
  return copy;
}

static void free_row(systole_device_info *row) {
  free((char *)row->name);
  free((char *)row->kind);
  free((char *)row->about);
  free((char *)row->reason);
}

static void collect(void *user, const systole_device_info *info) {
  collector *c = user;
  if (c->failed) return;
  if (c->count == c->room) {
    size_t room = c->room == 0 ? 8 : 2 * c->room;
    systole_device_info *rows = realloc(c->rows, room * sizeof *rows);
    if (rows == NULL) {
      c->failed = 1;
      return;
    }
    c->rows = rows;
    c->room = room;
  }
  systole_device_info *row = &c->rows[c->count++];
  row->usable = info->usable;
  row->name = copy_string(info->name);
  row->kind = copy_string(info->kind);
  row->about = copy_string(info->about);
  row->reason = copy_string(info->reason);
  c->failed = !row->name || !row->kind || !row->about || !row->reason;
}

systole_status systole_device_list(systole_device_info **out, size_t *count) {
  if (out == NULL || count == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the list needs a place for rows and count");
  }
  *out = NULL;
  *count = 0;
  collector c = {NULL, 0, 0, 0};
  size_t engines;
  const systole_engine_ops *const *rows = systole_engine_rows(&engines);
  for (size_t i = 0; i < engines; i++) rows[i]->list(collect, &c);
  if (c.failed) {
    systole_device_list_free(c.rows, c.count);
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "this machine has no memory for a list");
  }
  *out = c.rows;
  *count = c.count;
  return SYSTOLE_OK;
}

void systole_device_list_free(systole_device_info *list, size_t count) {
  if (list == NULL) return;
  for (size_t i = 0; i < count; i++) free_row(&list[i]);
  free(list);
}

/* ---- opening ----------------------------------------------------------------------- */

/* "no device is called x; known are ..." */
static systole_status fail_unknown(const char *name) {
  char known[512] = "";
  systole_device_info *list;
  size_t count;
  if (systole_device_list(&list, &count) != SYSTOLE_OK) return SYSTOLE_ERR_HOST_MEMORY;
  for (size_t i = 0; i < count; i++) {
    size_t used = strlen(known);
    snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ", list[i].name);
  }
  systole_device_list_free(list, count);
  return systole_fail(SYSTOLE_ERR_NOT_FOUND, "no device is called \"%s\"; known are %s",
                      name, known);
}

/* The model for runs of which the engine tells no energy. Without one they have none. */
static void open_model(systole_device *device) {
  systole_energy_meter_options options = SYSTOLE_ENERGY_METER_OPTIONS_INIT;
  char address[SYSTOLE_ENERGY_ADDRESS];
  const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  if (device->ops->draws == NULL) return;
  device->ops->draws(device->engine, &options.of, address);
  options.address = address;
  options.model_only = 1;
  options.threads = cpus > 0 ? (int)cpus : 1;
  if (systole_energy_meter_open(&device->model, &options) != SYSTOLE_OK) {
    device->model = NULL;
  }
}

/* Takes the engine over, also when it fails. */
static systole_status wrap(systole_device **out, const char *name,
                           const systole_engine_ops *ops, systole_engine *engine) {
  void *memory = NULL;
  systole_status status =
      systole_allocate_zeroed(&memory, 1, sizeof(systole_device), "a device handle");
  systole_device *device = memory;
  if (status == SYSTOLE_OK) {
    device->ops = ops;
    device->engine = engine;
    device->name = copy_string(name);
    if (device->name == NULL) {
      status =
          systole_fail(SYSTOLE_ERR_HOST_MEMORY, "this machine has no memory for a name");
    }
  }
  if (status != SYSTOLE_OK) {
    systole_release(device);
    ops->close(engine);
    return status;
  }
  open_model(device);
  *out = device;
  return SYSTOLE_OK;
}

systole_status systole_device_open(systole_device **out, const char *name,
                                   const systole_device_options *options) {
  if (out == NULL)
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "there is no place for a device");
  *out = NULL;
  if (name == NULL || name[0] == 0) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "the name of the device is missing");
  }
  systole_status status = systole_check_options(options);
  if (status != SYSTOLE_OK) return status;
  size_t count;
  const systole_engine_ops *const *rows = systole_engine_rows(&count);
  for (size_t i = 0; i < count; i++) {
    if (!rows[i]->claims(name)) continue;
    if (options != NULL && options->timing_only && rows[i]->timing_only == NULL) {
      return systole_fail(SYSTOLE_ERR_ARGUMENT,
                          "%s computes what it runs; cycles without data are told by the "
                          "fast model, e.g. model:16",
                          name);
    }
    systole_engine *engine = NULL;
    status = rows[i]->open(&engine, name, options);
    if (status != SYSTOLE_OK) return status;
    systole_card *card = NULL;
    if (options != NULL && options->record_path != NULL &&
        (rows[i]->card_ops == NULL || rows[i]->card_ops(engine, &card) == NULL)) {
      rows[i]->close(engine);
      return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                          "%s is no card, so there is nothing to record; take one that "
                          "executes command streams, e.g. rtl:16",
                          name);
    }
    return wrap(out, name, rows[i], engine);
  }
  return fail_unknown(name);
}

systole_status systole_device_open_on_bus(systole_device **out, const systole_bus *bus,
                                          const systole_device_options *options) {
  systole_card *card = NULL;
  systole_engine *engine = NULL;
  if (out == NULL) return systole_fail(SYSTOLE_ERR_ARGUMENT, "a device needs a place");
  *out = NULL;
  systole_status status = systole_card_bus_make(&card, bus);
  if (status != SYSTOLE_OK) return status;
  const char *what = bus->name != NULL ? bus->name : "systole";
  status = systole_accelerator_on(&engine, &systole_card_bus, card, what, options);
  if (status != SYSTOLE_OK) return status;
  char name[256];
  snprintf(name, sizeof name, "bus:%s", what);
  return wrap(out, name, &systole_engine_accelerator, engine);
}

systole_status systole_device_open_card(systole_device **out, const systole_card_ops *ops,
                                        const char *what,
                                        const systole_device_options *options) {
  *out = NULL;
  systole_engine *engine = NULL;
  systole_status status = systole_accelerator_open(&engine, ops, what, options);
  if (status != SYSTOLE_OK) return status;
  char name[256];
  snprintf(name, sizeof name, "%s:%s", ops->scheme, what);
  return wrap(out, name, &systole_engine_accelerator, engine);
}

void systole_device_close(systole_device *device) {
  if (device == NULL) return;
  device->ops->close(device->engine);
  systole_energy_meter_close(device->model);
  free(device->name);
  systole_release(device);
}

/* ---- questions --------------------------------------------------------------------- */

const char *systole_device_name(const systole_device *device) {
  return device == NULL ? "" : device->name;
}

systole_status systole_device_geometry(const systole_device *device,
                                       systole_geometry *out) {
  if (device == NULL || out == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the geometry needs a device and a place for it");
  }
  memset(out, 0, sizeof *out);
  return device->ops->geometry(device->engine, out);
}

int systole_device_timing_only(const systole_device *device) {
  return device != NULL && device->ops->timing_only != NULL &&
         device->ops->timing_only(device->engine);
}

void systole_energy_of_device(const systole_device *device, systole_energy_of *of,
                              char address[SYSTOLE_ENERGY_ADDRESS]) {
  systole_geometry geometry;
  address[0] = '\0';
  *of = SYSTOLE_ENERGY_OF_CPU;
  if (device == NULL) return;
  if (device->ops->draws != NULL) {
    device->ops->draws(device->engine, of, address);
  } else if (systole_device_geometry(device, &geometry) == SYSTOLE_OK &&
             geometry.dim > 0) {
    *of = SYSTOLE_ENERGY_OF_CARD;
  }
}

systole_status systole_device_measured_peak(systole_device *device, double *gops,
                                            const char **instruction) {
  if (device == NULL || gops == NULL || instruction == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the peak needs a device and places for it");
  }
  *gops = 0.0;
  *instruction = "";
  if (device->ops->measured_peak_gops != NULL) {
    *gops = device->ops->measured_peak_gops(device->engine, instruction);
  }
  if (*gops > 0.0) return SYSTOLE_OK;
  *gops = 0.0;
  return systole_fail(SYSTOLE_ERR_UNSUPPORTED, "%s has no measured peak", device->name);
}

systole_status systole_device_measured_bandwidth(systole_device *device, uint64_t bytes,
                                                 double *gbs) {
  if (device == NULL || gbs == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the bandwidth needs a device and a place for it");
  }
  *gbs = 0.0;
  if (device->ops->measured_bandwidth_gbs != NULL) {
    *gbs = device->ops->measured_bandwidth_gbs(device->engine, bytes);
  }
  if (*gbs > 0.0) return SYSTOLE_OK;
  *gbs = 0.0;
  return systole_fail(SYSTOLE_ERR_UNSUPPORTED, "%s has no measured bandwidth",
                      device->name);
}

void systole_device_set_progress(systole_device *device, systole_progress progress,
                                 void *user) {
  if (device == NULL || device->ops->set_progress == NULL) return;
  device->ops->set_progress(device->engine, progress, user);
}

systole_status systole_device_save_recording(systole_device *device, uint64_t *runs,
                                             int *cut) {
  systole_card *card = NULL;
  uint64_t no_runs;
  int no_cut;
  if (runs == NULL) runs = &no_runs;
  if (cut == NULL) cut = &no_cut;
  *runs = 0;
  *cut = 0;
  if (device == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the device is NULL; open one with systole_device_open");
  }
  const systole_card_ops *ops = systole_device_card(device, &card);
  if (!systole_record_is(ops)) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%s was opened without record_path, so nothing was recorded",
                        device->name);
  }
  return systole_record_save(card, runs, cut);
}

const systole_card_ops *systole_device_card(const systole_device *device,
                                            systole_card **card) {
  *card = NULL;
  return device->ops->card_ops == NULL ? NULL
                                       : device->ops->card_ops(device->engine, card);
}
