/* The card `rtl`: the kernel's RTL, Verilated, with memory simulated by the timing law.
 *
 * A model is a shared library per array size, loaded when a device of that size is
 * opened. This file finds it, checks that it is of this version, and passes calls on;
 * clock, pins and memory are behind systole_rtl.h. */
#include "card/rtl/rtl.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/rtl/find.h"
#include "card/systole_isa.h"
#include "support/error.h"

struct systole_card {
  const systole_rtl_api *api;
  systole_rtl *model;
};

systole_rtl *systole_card_rtl_model(systole_card *card, const systole_rtl_api **api) {
  *api = card->api;
  return card->model;
}

/* ---- what there is
 * --------------------------------------------------------------------- */

static int dim_is_possible(long dim) {
  return dim >= 2 && dim <= SYSTOLE_RTL_LARGEST_DIM && (dim & (dim - 1)) == 0;
}

/* "16" or "16:readable". Returns 0 when `what` is neither. */
static int parse(systole_rtl_variant *out, const char *what) {
  char *end = NULL;
  if (*what < '1' || *what > '9') return 0; /* strtol would take blanks and signs, too */
  const long dim = strtol(what, &end, 10);
  *out = (systole_rtl_variant){0, 0, 0};
  if (!dim_is_possible(dim)) return 0;
  out->dim = (int)dim;
  if (*end == '\0') return 1;
  out->readable = strcmp(end, ":readable") == 0;
  return out->readable;
}

/* What to configure with to get `variant`: the default stays, what is missing is added.
 * `text` holds 80 bytes. */
static void name_dims(char *text, systole_rtl_variant variant) {
  const int dim = variant.dim;
  char dims[16] = "", readable[16] = "";
  if (dim != 16 && dim != 64) (void)snprintf(dims, sizeof dims, ";%d", dim);
  if (dim != 16) (void)snprintf(readable, sizeof readable, ";%d", dim);
  (void)snprintf(text, 80, "-DSYSTOLE_DIMS=\"16;64%s\"", dims);
  if (variant.readable) {
    (void)snprintf(text, 80,
                   "-DSYSTOLE_DIMS=\"16;64%s\" -DSYSTOLE_READABLE_DIMS=\"16%s\"", dims,
                   readable);
  }
}

static void rtl_list(void (*add)(void *user, const systole_device_info *info),
                     void *user) {
  char path[SYSTOLE_RTL_PATH_BYTES];
  for (int dim = 2; dim <= SYSTOLE_RTL_LARGEST_DIM; dim *= 2) {
    for (int readable = 0; readable <= 1; readable++) {
      const systole_rtl_variant variant = {dim, readable, 0};
      char name[32], about[96], reason[160];
      const int usable = systole_rtl_find(path, variant);
      /* Sizes beyond 64 and readable arrays are rarities: shown only when built. */
      if (!usable && (readable || dim > 64)) continue;
      (void)snprintf(name, sizeof name, "rtl:%d%s", dim, readable ? ":readable" : "");
      (void)snprintf(about, sizeof about,
                     "%d x %d systolic array, cycle-accurate RTL in Verilator%s", dim,
                     dim, readable ? ", one module per PE" : "");
      reason[0] = '\0';
      if (!usable) {
        char dims[80];
        name_dims(dims, variant);
        (void)snprintf(reason, sizeof reason,
                       "not built; configure with %s and build again", dims);
      }
      add(user, &(systole_device_info){name, "accelerator", about, usable, reason});
    }
  }
}

/* The sizes for which a library is there, as "16, 16:readable, 64". */
static void built_models(char *text, size_t bytes) {
  char path[SYSTOLE_RTL_PATH_BYTES];
  size_t used = 0;
  text[0] = '\0';
  for (int dim = 2; dim <= SYSTOLE_RTL_LARGEST_DIM; dim *= 2) {
    for (int readable = 0; readable <= 1; readable++) {
      if (!systole_rtl_find(path, (systole_rtl_variant){dim, readable, 0})) continue;
      const int length = snprintf(text + used, bytes - used, "%srtl:%d%s",
                                  used ? ", " : "", dim, readable ? ":readable" : "");
      if (length < 0 || (size_t)length >= bytes - used) return;
      used += (size_t)length;
    }
  }
  if (!used) (void)snprintf(text, bytes, "none");
}

static systole_status not_there(systole_rtl_variant variant) {
  char name[64], built[256], folders[1024], dims[80];
  systole_rtl_variant plain = variant;
  char path[SYSTOLE_RTL_PATH_BYTES];
  plain.debug = 0;
  systole_rtl_file_name(name, variant);
  systole_rtl_folders(folders, sizeof folders);
  if (variant.debug && systole_rtl_find(path, plain)) {
    return systole_fail(
        SYSTOLE_ERR_NOT_FOUND,
        "rtl:%d%s cannot write waveforms here: %s was not found in "
        "%s; "
        "build it with: cmake --build FOLDER --target %.*s (needs zlib1g-dev, and %d in "
        "SYSTOLE_DEBUG_DIMS)",
        variant.dim, variant.readable ? ":readable" : "", name, folders,
        (int)(strlen(name) - strlen("lib.so")), name + strlen("lib"), variant.dim);
  }
  built_models(built, sizeof built);
  name_dims(dims, variant);
  return systole_fail(
      SYSTOLE_ERR_NOT_FOUND,
      "the model rtl:%d%s is not built (%s was not found in %s); built are: %s. "
      "Configure with %s and build again",
      variant.dim, variant.readable ? ":readable" : "", name, folders, built, dims);
}

/* ---- opening
 * ----------------------------------------------------------------------------- */

/* Loads the library of `variant`. It stays loaded: its threads' storage and Verilator's
 * own statics must not disappear while a program ends. */
static systole_status load(const systole_rtl_api **api, systole_rtl_variant variant) {
  char path[SYSTOLE_RTL_PATH_BYTES];
  const systole_rtl_api *(*entry)(void) = NULL;
  *api = NULL;
  if (!systole_rtl_find(path, variant)) return not_there(variant);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    const char *reason = dlerror();
    return systole_fail(SYSTOLE_ERR_NOT_FOUND, "cannot load the model %s: %s", path,
                        reason ? reason : "unknown reason");
  }
  /* POSIX defines this conversion, ISO C does not. */
  *(void **)&entry = dlsym(library, SYSTOLE_RTL_ENTRY);
  const systole_rtl_api *found = entry ? entry() : NULL;
  if (!found || found->version != SYSTOLE_RTL_API_VERSION || found->dim != variant.dim ||
      found->flat_array != !variant.readable || found->debug != variant.debug) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "%s is no model of this version of Systole; build it again",
                        path);
  }
  *api = found;
  return SYSTOLE_OK;
}

/* The registers must tell of the same kernel that the library claims to be. */
static systole_status identify(systole_card *card, systole_rtl_variant variant) {
  uint32_t identity = 0, version = 0, geometry = 0;
  systole_status status =
      card->api->read_register(card->model, SYSTOLE_REG_IDENTITY, &identity);
  if (!status)
    status = card->api->read_register(card->model, SYSTOLE_REG_VERSION, &version);
  if (!status)
    status = card->api->read_register(card->model, SYSTOLE_REG_GEOMETRY, &geometry);
  if (status) return systole_fail(status, "%s", card->api->story(card->model));
  if (identity != SYSTOLE_IDENTITY_VALUE || (version & 0xFF) != SYSTOLE_ISA_VERSION) {
    return systole_fail(
        SYSTOLE_ERR_NOT_FOUND,
        "the model of rtl:%d has identity 0x%08x and instruction set %u, not "
        "0x%08x and %u; build it again",
        variant.dim, identity, version & 0xFF, SYSTOLE_IDENTITY_VALUE,
        SYSTOLE_ISA_VERSION);
  }
  if (UINT32_C(1) << (geometry & 31) != (uint32_t)variant.dim) {
    return systole_fail(SYSTOLE_ERR_INTERNAL,
                        "the model of rtl:%d says that its array is of size %u",
                        variant.dim, UINT32_C(1) << (geometry & 31));
  }
  return SYSTOLE_OK;
}

static void rtl_close(systole_card *card) {
  if (!card) return;
  card->api->destroy(card->model);
  free(card);
}

static systole_status rtl_open(systole_card **out, const char *what,
                               const systole_device_options *given) {
  static const systole_device_options defaults = SYSTOLE_DEVICE_OPTIONS_INIT;
  systole_device_options options = given ? *given : defaults;
  systole_rtl_variant variant;
  systole_card *card = NULL;
  char story[512] = "", path[SYSTOLE_RTL_PATH_BYTES];
  *out = NULL;
  if (!parse(&variant, what)) {
    char built[256];
    built_models(built, sizeof built);
    return systole_fail(
        SYSTOLE_ERR_NOT_FOUND,
        "there is no device rtl:%s; it is rtl:DIM or rtl:DIM:readable with DIM a "
        "power of two from 2 to %d; built are: %s",
        what, SYSTOLE_RTL_LARGEST_DIM, built);
  }
  if (!isfinite(options.clock_mhz) || options.clock_mhz < 0.0 ||
      options.clock_mhz > 2000.0 ||
      (options.clock_mhz > 0.0 && options.clock_mhz < 0.001)) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "a kernel clock of %g MHz was asked for; it is 0.001 to 2000, or 0 for "
        "300",
        options.clock_mhz);
  }
  /* The protocol checkers are in every model, the RTL's own assertions in those for
   * debugging. */
  variant.debug = options.trace_path != NULL || options.check_protocol != 0;
  if (!options.trace_path && !systole_rtl_find(path, variant)) variant.debug = 0;
  card = calloc(1, sizeof *card);
  if (!card)
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "this machine is out of memory");
  systole_status status = load(&card->api, variant);
  if (!status) {
    status = card->api->create(&card->model, &options, story, sizeof story);
    if (status) systole_fail(status, "%s", story);
  }
  if (!status) status = identify(card, variant);
  if (status) {
    if (card->model) card->api->destroy(card->model);
    free(card);
    return status;
  }
  *out = card;
  return SYSTOLE_OK;
}

/* ---- calls that are passed on
 * --------------------------------------------------------------- */

/* Makes the model's story the thread's. */
static systole_status told(const systole_card *card, systole_status status) {
  return status ? systole_fail(status, "%s", card->api->story(card->model)) : SYSTOLE_OK;
}

static systole_status rtl_read_register(systole_card *card, uint32_t offset,
                                        uint32_t *value) {
  return told(card, card->api->read_register(card->model, offset, value));
}

static systole_status rtl_alloc(systole_card *card, systole_port port, uint64_t bytes,
                                uint64_t *address) {
  return told(card, card->api->alloc(card->model, (int)port, bytes, address));
}

static void rtl_free(systole_card *card, systole_port port, uint64_t address) {
  (void)card->api->release(card->model, (int)port, address);
}

static systole_status rtl_write(systole_card *card, systole_port port, uint64_t address,
                                const void *data, uint64_t bytes) {
  return told(card, card->api->write(card->model, (int)port, address, data, bytes));
}

static systole_status rtl_read(systole_card *card, systole_port port, uint64_t address,
                               void *data, uint64_t bytes) {
  return told(card, card->api->read(card->model, (int)port, address, data, bytes));
}

static systole_status rtl_start(systole_card *card, const systole_launch *launch) {
  return told(card, card->api->start(card->model, launch->program, launch->weights,
                                     launch->activations, launch->instructions));
}

static systole_status rtl_wait(systole_card *card, uint32_t slice_ms, int *done) {
  return told(card, card->api->wait(card->model, slice_ms, done));
}

static systole_status rtl_reset(systole_card *card) {
  return told(card, card->api->reset(card->model));
}

static double rtl_clock_mhz(const systole_card *card, systole_kind *kind) {
  if (kind) *kind = SYSTOLE_KIND_ASSUMED;
  return card->api->clock_mhz(card->model);
}

static const char *rtl_memory_name(const systole_card *card) {
  return card->api->memory_name(card->model);
}

static double rtl_run_cpu_seconds(const systole_card *card) {
  return card->api->run_cpu_seconds(card->model);
}

static uint64_t rtl_cycles(const systole_card *card) {
  return card->api->cycles(card->model);
}

const systole_card_ops systole_card_rtl = {
    .version = SYSTOLE_CARD_VERSION,
    .scheme = "rtl",
    .simulated = 1,
    .list = rtl_list,
    .open = rtl_open,
    .close = rtl_close,
    .read_register = rtl_read_register,
    .alloc = rtl_alloc,
    .free = rtl_free,
    .write = rtl_write,
    .read = rtl_read,
    .start = rtl_start,
    .wait = rtl_wait,
    .reset = rtl_reset,
    .clock_mhz = rtl_clock_mhz,
    .memory_name = rtl_memory_name,
    .run_cpu_seconds = rtl_run_cpu_seconds,
    .cycles = rtl_cycles,
};
